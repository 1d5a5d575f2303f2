// The tests here run the functions as they are built: real binaries, each app a
// process of its own, on MinIO and an emulator of DynamoDB, with their keys and
// their queue on a small server of AWS's protocols.
package functions_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/localstack/stores"
	"sluice/shared/app/amazon/amazontest"
	"sluice/shared/app/setup"
	"sluice/shared/config"
)

const password = "a password for tests"

// deployment is the stores, and the functions on them.
type deployment struct {
	t        *testing.T
	settings map[string]string
	bin      string
	aws      *amazontest.Server
}

// deploy builds the functions and sets the stores up, as `sluice admin init` does.
func deploy(t *testing.T) *deployment {
	t.Helper()
	s3, dynamo, aws := stores.MinIO(t), stores.Dynoxide(t), amazontest.Start(t)
	d := &deployment{t: t, bin: t.TempDir(), aws: aws, settings: aws.Environment()}
	maps.Copy(d.settings, map[string]string{
		"AWS_REGION": s3.Region, "AWS_ENDPOINT_URL_S3": s3.Endpoint, "AWS_ENDPOINT_URL_DYNAMODB": dynamo.Endpoint, "AWS_CONFIG_FILE": "/nonexistent",
		"SLUICE_BLOB": "s3://sluice?gaps=path_keys", "SLUICE_TABLE": "dynamodb://sluice", "SLUICE_KEYS": "ssm:/sluice",
		"SLUICE_QUEUE": aws.URL + "/1/jobs", "SLUICE_DATA": filepath.Join(t.TempDir(), "data"), "SLUICE_ADMIN_PASSWORD": password,
		"SLUICE_ADDR": "127.0.0.1:0",
	})
	d.settings["AWS_ACCESS_KEY_ID"], d.settings["AWS_SECRET_ACCESS_KEY"] = s3.AccessKey, s3.SecretKey
	aws.Credentials(s3.Region, s3.AccessKey, s3.SecretKey)
	for name, value := range d.settings {
		t.Setenv(name, value)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-tags", "lambda.norpc,nomsgpack,nethttpomithttp2", "-o", d.bin, "./...")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, said)
	}
	c, err := config.Load(nil, func(name string) string { return d.settings[name] })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := setup.Run(t.Context(), c, setup.Options{}, func(setup.Step) {}); err != nil {
		t.Fatalf("set the stores up: %v", err)
	}
	return d
}

// serve runs a function that answers requests, and returns its URL.
func (d *deployment) serve(name string, more ...string) string {
	d.t.Helper()
	cmd := exec.CommandContext(d.t.Context(), filepath.Join(d.bin, name))
	cmd.Env = append(os.Environ(), more...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	log, err := cmd.StderrPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	lines := make(chan string)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer close(lines)
		for scanner := bufio.NewScanner(log); scanner.Scan(); {
			var line struct{ Msg, Addr string }
			if json.Unmarshal(scanner.Bytes(), &line) == nil && line.Msg == "serving" {
				lines <- line.Addr
			}
			d.t.Logf("%s: %s", name, scanner.Text())
		}
	}()
	d.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		<-ended
		if err := cmd.Wait(); err != nil && d.t.Context().Err() == nil {
			d.t.Errorf("%s ends with %v", name, err)
		}
	})
	select {
	case addr, ok := <-lines:
		if !ok {
			d.t.Fatalf("%s does not serve", name)
		}
		return "http://" + addr
	case <-time.After(time.Minute):
		d.t.Fatalf("%s does not serve within a minute", name)
	}
	return ""
}

// handle has a function handle one event, and returns what it answers.
func (d *deployment) handle(name string, event any) string {
	d.t.Helper()
	in, err := json.Marshal(event)
	if err != nil {
		d.t.Fatal(err)
	}
	cmd := exec.CommandContext(d.t.Context(), filepath.Join(d.bin, name))
	cmd.Stdin = bytes.NewReader(in)
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.Output()
	if err != nil {
		d.t.Fatalf("%s: %v\n%s", name, err, log.String())
	}
	return strings.TrimSpace(string(out))
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// field returns a string member of a JSON body.
func (a answer) field(t *testing.T, name string) string {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal([]byte(a.body), &members); err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	s, _ := members[name].(string)
	if s == "" {
		t.Fatalf("%d %s: no string member %q", a.status, a.body, name)
	}
	return s
}

// ask sends a request and wants a status. token may be empty.
func (d *deployment) ask(method, url, token, body string, want int, header ...string) answer {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	if strings.HasPrefix(body, "{") {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := (&http.Client{Timeout: time.Minute}).Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != want {
		d.t.Fatalf("%s %s = %s %.300s, %v; want %d", method, url, response.Status, got, err, want)
	}
	return answer{response.StatusCode, response.Header, string(got)}
}

// The job that all of it is for, over processes that share nothing but the stores:
// log in here, upload there, download elsewhere.
func TestTheFunctionsDoTheMainJobTogether(t *testing.T) {
	d := deploy(t)
	auth, download := d.serve("auth"), d.serve("download")
	files := d.serve("files", "SLUICE_DOWNLOAD_URL="+download)

	token := d.ask(http.MethodPost, auth+"/api/login", "", fmt.Sprintf(`{"username":"admin","password":%q}`, password), 200).field(t, "access_token")
	content := strings.Repeat("0123456789", 1000)
	put := d.ask(http.MethodPut, files+"/file/admin/letters/a.txt", token, content, 201)
	id := put.field(t, "id")
	if list := d.ask(http.MethodGet, files+"/api/files?prefix=letters/", token, "", 200); !strings.Contains(list.body, id) {
		t.Errorf("the list %s lacks the file %s", list.body, id)
	}
	if got := d.ask(http.MethodGet, download+"/api/files/"+id+"/content", token, "", 206, "Range", "bytes=10-14"); got.body != "01234" || got.header.Get("Content-Range") != "bytes 10-14/10000" {
		t.Errorf("the range is %q, %s; want 01234 of 10000 bytes", got.body, got.header.Get("Content-Range"))
	}
	link := d.ask(http.MethodPost, files+"/api/files/"+id+"/link", token, `{"expires_in":60}`, 201).field(t, "url")
	if !strings.HasPrefix(link, download) {
		t.Errorf("the link is %s, want one of %s", link, download)
	}
	if got := d.ask(http.MethodGet, link, "", "", 200); got.body != content {
		t.Errorf("by the link come %d bytes, want %d", len(got.body), len(content))
	}
	d.ask(http.MethodGet, download+"/api/files/"+id+"/content", "", "", 401)
	d.ask(http.MethodPost, download+"/api/login", "", "{}", 404) // each is its own app alone
	d.uploadsThroughTheQueue(files, download, token)
	if got := d.handle("janitor", map[string]string{}); got != `{"removed":0}` {
		t.Errorf("the janitor answers %s, want that nothing was due", got)
	}
}

// uploadsThroughTheQueue uploads in parts without telling the size: that is
// verified by whoever has the queue.
func (d *deployment) uploadsThroughTheQueue(files, download, token string) {
	d.t.Helper()
	content := strings.Repeat("abc", 1000)
	sum := sha256.Sum256([]byte(content))
	upload := d.ask(http.MethodPost, files+"/api/files", token, fmt.Sprintf(`{"path":"parts.txt","sha256":%q}`, hex.EncodeToString(sum[:])), 201).field(d.t, "upload_id")
	at := files + "/api/uploads/" + upload
	parts := d.ask(http.MethodPost, at+"/parts", token, `{"parts":[{"number":1}]}`, 200)
	var issued struct{ Parts []struct{ URL string } }
	if err := json.Unmarshal([]byte(parts.body), &issued); err != nil || len(issued.Parts) != 1 {
		d.t.Fatalf("the parts are %s, %v; want one", parts.body, err)
	}
	d.ask(http.MethodPut, issued.Parts[0].URL, "", content, 200)
	d.ask(http.MethodPost, at+"/complete", token, "", 202)
	for range 3 {
		if state := d.ask(http.MethodGet, at, token, "", 200).field(d.t, "state"); state != "verifying" {
			d.t.Errorf("before its job the upload is %s, want verifying", state)
		}
	}
	messages := d.aws.Messages()
	if len(messages) != 1 {
		d.t.Fatalf("the queue has %v, want one job", messages)
	}
	type record struct {
		MessageID string `json:"messageId"` //nolint:tagliatelle // the name is AWS's
		Body      string `json:"body"`
	}
	batch := map[string][]record{"Records": {{"1", messages[0].Body}, {"2", "no job"}, {"3", messages[0].Body}}}
	if got, want := d.handle("ingest", batch), `{"batchItemFailures":[{"itemIdentifier":"2"}]}`; got != want {
		d.t.Errorf("ingest answers %s, want %s", got, want)
	}
	done := d.ask(http.MethodGet, at, token, "", 200)
	if state := done.field(d.t, "state"); state != "complete" {
		d.t.Fatalf("after its job the upload is %s, want complete", state)
	}
	if got := d.ask(http.MethodGet, download+"/api/files/"+done.field(d.t, "file_id")+"/content", token, "", 200); got.body != content {
		d.t.Errorf("what was uploaded in parts has %d bytes, want %d", len(got.body), len(content))
	}
}
