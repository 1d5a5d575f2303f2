package functions_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/shared/edge/edgetest"
)

const mib = 1 << 20

// slowStore stands before a store, and notes from where objects are read. While it
// is slow no byte of an object comes that stands behind its first 40 MiB.
type slowStore struct {
	*httptest.Server

	mu      sync.Mutex
	slow    bool
	reached bool
	begun   []int64 // where each reading of an object began
}

const slowFrom = 40 * mib

func newSlowStore(t *testing.T, endpoint string) *slowStore {
	t.Helper()
	to, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	s := &slowStore{slow: true}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.ModifyResponse = s.response
	s.Server = httptest.NewServer(proxy)
	t.Cleanup(s.Close)
	return s
}

// response slows the answer to a GET of an object down.
func (s *slowStore) response(r *http.Response) error {
	if r.Request.Method != http.MethodGet || r.Header.Get("ETag") == "" {
		return nil
	}
	var at int64
	if r.StatusCode == http.StatusPartialContent {
		if _, err := fmt.Sscanf(r.Header.Get("Content-Range"), "bytes %d-", &at); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun = append(s.begun, at)
	if s.slow {
		whole := r.Body
		r.Body = &slowBody{Reader: io.LimitReader(whole, slowFrom-at), Closer: whole, store: s, ctx: r.Request.Context()}
	}
	return nil
}

// slowBody is what comes of an object before the store is slow. Then it waits for
// the reader to go.
type slowBody struct {
	io.Reader
	io.Closer

	store *slowStore
	ctx   context.Context
}

func (b *slowBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		b.store.mu.Lock()
		b.store.reached = true
		b.store.mu.Unlock()
		<-b.ctx.Done()
		err = b.ctx.Err()
	}
	return n, err
}

// readings takes where readings began, and tells whether one came to where the
// store is slow.
func (s *slowStore) readings() (begun []int64, reached bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	begun, s.begun = s.begun, nil
	return begun, s.reached
}

func (s *slowStore) quicken() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slow = false
}

// lambda has a compiled function handle an event as Lambda has it, in a process of
// its own, and returns what it answers.
func (d *deployment) lambda(name string, event any, timeout time.Duration, settings map[string]string) string {
	d.t.Helper()
	all := maps.Clone(d.settings)
	maps.Copy(all, settings)
	var env []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		env = append(env, name+"="+all[name])
	}
	in, err := json.Marshal(event)
	if err != nil {
		d.t.Fatal(err)
	}
	var log bytes.Buffer
	function, err := edgetest.Start(d.t.Context(), edgetest.Process{Path: filepath.Join(d.bin, name), Env: env, Timeout: timeout, Log: &log})
	if err != nil {
		d.t.Fatalf("%s: %v\n%s", name, err, log.String())
	}
	answer, err := function.Invoke(d.t.Context(), in, false)
	if closing := function.Close(); err != nil || closing != nil {
		d.t.Fatalf("%s fails: %v, %v\n%s", name, err, closing, log.String())
	}
	out, err := io.ReadAll(answer.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return string(out)
}

// uploadParts uploads content in parts of 8 MiB without telling its size, so that
// the queue has it verified, and returns the upload's URL.
func (d *deployment) uploadParts(files, token, path, content string) string {
	d.t.Helper()
	sum := sha256.Sum256([]byte(content))
	begun := d.ask(http.MethodPost, files+"/api/files", token, fmt.Sprintf(`{"path":%q,"part_size":%d,"sha256":%q}`, path, 8*mib, hex.EncodeToString(sum[:])), 201)
	at := files + "/api/uploads/" + begun.field(d.t, "upload_id")
	for n, part := range slices.Collect(slices.Chunk([]byte(content), 8*mib)) {
		var issued struct{ Parts []struct{ URL string } }
		answer := d.ask(http.MethodPost, at+"/parts", token, fmt.Sprintf(`{"parts":[{"number":%d}]}`, n+1), 200)
		if err := json.Unmarshal([]byte(answer.body), &issued); err != nil || len(issued.Parts) != 1 {
			d.t.Fatalf("the parts are %s, %v; want one", answer.body, err)
		}
		d.ask(http.MethodPut, issued.Parts[0].URL, "", string(part), 200)
	}
	d.ask(http.MethodPost, at+"/complete", token, "", 202)
	return at
}

// job takes the one message that the queue is to have.
func (d *deployment) job(when string) any {
	d.t.Helper()
	messages := d.aws.Messages()
	if len(messages) != 1 {
		d.t.Fatalf("%s the queue has %v, want one job", when, messages)
	}
	return map[string]any{"Records": []map[string]string{{"messageId": "1", "body": messages[0].Body}}}
}

// A verification that is longer than an invocation may take stops before Lambda
// would end it, and the next invocation goes on where it was: in another process,
// from the hasher's state in the table.
func TestAVerificationGoesOnInTheNextInvocation(t *testing.T) {
	const allDone = `{"batchItemFailures":[]}`
	d := deploy(t)
	auth, files := d.serve("auth"), d.serve("files")
	store := newSlowStore(t, d.settings["AWS_ENDPOINT_URL_S3"])
	slow := map[string]string{"AWS_ENDPOINT_URL_S3": store.URL}
	token := d.ask(http.MethodPost, auth+"/api/login", "", fmt.Sprintf(`{"username":"admin","password":%q}`, password), 200).field(t, "access_token")
	random := rand.NewChaCha8([32]byte{})
	raw := make([]byte, 48*mib)
	_, _ = random.Read(raw) // never fails
	content := string(raw)
	at := d.uploadParts(files, token, "large.bin", content)

	// A job keeps ten seconds for its end, before which Lambda would kill it. However
	// slow this machine is, some invocation comes to where the store is slow.
	event := d.job("after the completion")
	for work := 2 * time.Second; ; work *= 2 {
		if work > 16*time.Second {
			t.Fatal("within 16 s no invocation has read 40 MiB")
		}
		if got := d.lambda("ingest", event, work+10*time.Second, slow); got != allDone {
			t.Fatalf("an invocation that is out of time answers %s, want %s: its job is in the queue", got, allDone)
		}
		event = d.job("after an invocation that is out of time")
		if state := d.ask(http.MethodGet, at, token, "", 200).field(t, "state"); state != "verifying" {
			t.Fatalf("after that the upload is %s, want verifying", state)
		}
		if _, reached := store.readings(); reached {
			break
		}
	}
	store.quicken()
	for _, c := range []struct {
		when string
		want []int64
	}{
		{"the next invocation", []int64{32 * mib}}, // what was noted last before the 40 MiB
		{"the same message, come again,", nil},
	} {
		if got := d.lambda("ingest", event, 30*time.Second, slow); got != allDone {
			t.Errorf("%s answers %s, want %s", c.when, got, allDone)
		}
		if begun, _ := store.readings(); !slices.Equal(begun, c.want) {
			t.Errorf("%s reads the object from %v, want %v", c.when, begun, c.want)
		}
		if sent := d.aws.Messages(); len(sent) > 0 {
			t.Errorf("%s sends %v, want nothing", c.when, sent)
		}
	}
	d.wantFile(files, token, at, content)
	want := fmt.Sprintf(`"used":{"bytes":%d,"files":1}`, len(content))
	if profile := d.ask(http.MethodGet, auth+"/api/profile", token, "", 200).body; !strings.Contains(profile, want) {
		t.Errorf("the owner's profile is %s, want %s in it", profile, want)
	}
}

// wantFile wants an upload to have become one file, once.
func (d *deployment) wantFile(files, token, at, content string) {
	d.t.Helper()
	done := d.ask(http.MethodGet, at, token, "", 200)
	if state := done.field(d.t, "state"); state != "complete" {
		d.t.Fatalf("in the end the upload is %s, want complete", state)
	}
	id, sum := done.field(d.t, "file_id"), sha256.Sum256([]byte(content))
	if got := d.ask(http.MethodGet, files+"/api/files/"+id+"/manifest", token, "", 200).field(d.t, "sha256"); got != hex.EncodeToString(sum[:]) {
		d.t.Errorf("the manifest's SHA-256 is %s, want %x", got, sum)
	}
	if versions := d.ask(http.MethodGet, files+"/api/files/"+id+"/versions", token, "", 200).body; strings.Count(versions, `"version_id"`) != 1 {
		d.t.Errorf("the file's versions are %s, want one", versions)
	}
}
