package api_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/shared/app/local/localtest"
	"sluice/shared/auth"
	"sluice/shared/blob/blobtest"
)

// partSize is the least that an upload may have.
const partSize = 8 << 20

// parted is an upload in parts under way.
type parted struct {
	*rig
	by *localtest.Client
	id string
}

// bytesOf returns n bytes that differ for every seed.
func bytesOf(seed byte, n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(data) // never fails
	return data
}

func hexSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// begin begins an upload; more holds what is sent beside path and part_size.
func (r *rig) begin(by *localtest.Client, path string, more map[string]any) *parted {
	r.t.Helper()
	body := map[string]any{"path": path, "part_size": partSize}
	maps.Copy(body, more)
	a := by.JSON(http.MethodPost, "/api/files", body).Want(r.t, http.StatusCreated)
	return &parted{r, by, a.Field(r.t, "upload_id")}
}

// url asks for the URL of one part and returns it without its origin.
func (p *parted) url(number int, sum string) string {
	p.t.Helper()
	part := map[string]any{"number": number}
	if sum != "" {
		part["sha256"] = sum
	}
	a := p.by.JSON(http.MethodPost, "/api/uploads/"+p.id+"/parts", map[string]any{"parts": []any{part}}).Want(p.t, http.StatusOK)
	var out struct{ Parts []struct{ URL string } }
	if err := json.Unmarshal(a.Body, &out); err != nil || len(out.Parts) != 1 {
		p.t.Fatalf("%s has not one URL: %v", a, err)
	}
	path, ours := strings.CutPrefix(out.Parts[0].URL, p.URL)
	if !ours {
		p.t.Fatalf("the URL is %q, want one of %s", out.Parts[0].URL, p.URL)
	}
	return path
}

// put sends a part without credentials.
func (p *parted) put(number int, data []byte) localtest.Answer {
	p.t.Helper()
	return p.Anonymous().Do(http.MethodPut, p.url(number, hexSum(data)), bytes.NewReader(data))
}

// complete completes the upload, and waits where a slow machine is verifying it.
func (p *parted) complete() localtest.Answer {
	p.t.Helper()
	a := p.completeOnce()
	if a.StatusCode != http.StatusAccepted {
		return a
	}
	m, err := p.App.Deps.Catalog.Multipart(p.t.Context(), p.id)
	if err != nil {
		p.t.Fatal(err)
	}
	<-p.App.Deps.Uploads.Watch(m)
	return p.completeOnce()
}

func (p *parted) completeOnce() localtest.Answer {
	return p.by.Do(http.MethodPost, "/api/uploads/"+p.id+"/complete", nil)
}

// uploadState is what GET says of an upload.
type uploadState struct {
	State   string
	Problem string
	Parts   []struct {
		Number int
		Size   int
		SHA256 string
	}
}

func (p *parted) state() uploadState {
	p.t.Helper()
	var s uploadState
	a := p.by.Do(http.MethodGet, "/api/uploads/"+p.id, nil).Want(p.t, http.StatusOK)
	if err := json.Unmarshal(a.Body, &s); err != nil {
		p.t.Fatal(err)
	}
	return s
}

func (r *rig) wantContent(by *localtest.Client, id string, want []byte) {
	r.t.Helper()
	got := by.Do(http.MethodGet, "/api/files/"+id+"/content", nil).Want(r.t, http.StatusOK)
	if !bytes.Equal(got.Body, want) {
		r.t.Errorf("the file has %d bytes, or others than the %d sent", len(got.Body), len(want))
	}
}

func TestPartsInAnyOrderAtOnceAgainAndAcrossARestart(t *testing.T) {
	r := openRig(t)
	data := bytesOf(1, 2*partSize+1000)
	p := r.begin(r.admin, "big.bin", map[string]any{"size": len(data), "sha256": hexSum(data), "content_type": "video/mp4"})
	p.put(3, data[2*partSize:]).Want(t, http.StatusOK)
	p.put(1, bytesOf(2, partSize)).Want(t, http.StatusOK) // to be replaced
	r.Stop()
	r.Run()
	r.admin = r.Admin()
	p.by = r.admin
	if got := p.state(); got.State != "open" || len(got.Parts) != 2 || got.Parts[1].SHA256 != hexSum(data[2*partSize:]) {
		t.Fatalf("after a restart the upload is %+v", got)
	}
	var group sync.WaitGroup
	for number := range 2 {
		url := p.url(number+1, "")
		group.Go(func() {
			piece := data[number*partSize : (number+1)*partSize]
			a, err := r.Anonymous().Try(http.MethodPut, url, bytes.NewReader(piece))
			if err != nil || a.StatusCode != http.StatusOK {
				t.Errorf("part %d: %v, %v", number+1, a, err)
			}
		})
	}
	group.Wait()
	first := p.complete().Want(t, http.StatusOK)
	if first.Field(t, "sha256") != hexSum(data) || first.Field(t, "digest_state") != "verified" || first.Field(t, "content_type") != "video/mp4" {
		t.Errorf("the file is %s", first.Body)
	}
	r.wantContent(r.admin, first.Field(t, "id"), data)
	again := p.complete().Want(t, http.StatusOK)
	if again.Field(t, "version_id") != first.Field(t, "version_id") {
		t.Errorf("completed again the file is %s, want %s", again.Body, first.Body)
	}
	if got := p.state(); got.State != "complete" {
		t.Errorf("the upload is %+v, want complete", got)
	}
	if files := r.blobFiles(); len(files) != 1 {
		t.Errorf("the store holds %q, want one blob", files)
	}
}

func TestAnUploadOfUnknownSize(t *testing.T) {
	r := openRig(t)
	data := bytesOf(3, partSize+5)
	p := r.begin(r.admin, "a", nil)
	p.put(1, data[:partSize]).Want(t, http.StatusOK)
	p.put(2, data[partSize:]).Want(t, http.StatusOK)
	r.wantContent(r.admin, p.complete().Want(t, http.StatusOK).Field(t, "id"), data)

	empty := r.begin(r.admin, "empty", map[string]any{"size": 0})
	empty.put(1, nil).Want(t, http.StatusOK)
	r.wantContent(r.admin, empty.complete().Want(t, http.StatusOK).Field(t, "id"), nil)
}

func TestAnUploadThatIsNotWholeStaysOpen(t *testing.T) {
	r := openRig(t)
	p := r.begin(r.admin, "a", nil)
	for _, c := range []struct {
		what   string
		number int
		size   int
	}{
		{"nothing", 0, 0},
		{"a gap", 3, 1},
		{"another gap", 2, partSize},
		{"a short part that is not the last", 1, 10},
	} {
		if c.number > 0 {
			p.put(c.number, bytesOf(4, c.size)).Want(t, http.StatusOK)
		}
		if a := p.complete().Want(t, http.StatusUnprocessableEntity); a.Code() != "parts_missing" {
			t.Errorf("completed with %s: %s, want parts_missing", c.what, a)
		}
		if got := p.state().State; got != "open" {
			t.Fatalf("after completing with %s the upload is %s, want open", c.what, got)
		}
	}
	p.put(1, bytesOf(5, partSize)).Want(t, http.StatusOK)
	p.complete().Want(t, http.StatusOK)
}

func TestAWrongPartIsNotKept(t *testing.T) {
	r := openRig(t)
	p := r.begin(r.admin, "a", map[string]any{"size": 10})
	for _, c := range []struct {
		what, sum, body string
		code            string
	}{
		{"another digest", hexSum([]byte("0123456789")), "9876543210", "digest_mismatch"},
		{"too few bytes", "", "012345678", "blob_size_mismatch"},
		{"too many bytes", "", "01234567890", "blob_size_mismatch"},
	} {
		a := r.Anonymous().Do(http.MethodPut, p.url(1, c.sum), strings.NewReader(c.body)).Want(t, http.StatusUnprocessableEntity)
		if a.Code() != c.code || len(p.state().Parts) != 0 {
			t.Errorf("a part of %s: %s, and the upload is %+v", c.what, a, p.state())
		}
	}
	cut, _ := r.raw("PUT "+p.url(1, "")+" HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234", true)
	if cut.StatusCode != http.StatusBadRequest || len(p.state().Parts) != 0 {
		t.Errorf("a part that was cut: %s, and the upload is %+v", cut.Status, p.state())
	}
}

func TestBytesOfAnotherDigestAreNotPublished(t *testing.T) {
	r := openRig(t)
	p := r.begin(r.admin, "a", map[string]any{"sha256": hexSum([]byte("announced"))})
	p.put(1, []byte("something else")).Want(t, http.StatusOK)
	for range 2 {
		if a := p.complete().Want(t, http.StatusUnprocessableEntity); a.Code() != "digest_mismatch" {
			t.Errorf("complete: %s, want digest_mismatch", a)
		}
	}
	if got := p.state(); got.State != "failed" || got.Problem != "digest_mismatch" {
		t.Errorf("the upload is %+v", got)
	}
	r.admin.Do(http.MethodGet, "/file/admin/a", nil).Want(t, http.StatusNotFound)
	if files := r.blobFiles(); len(files) != 0 || r.dueItems() != 0 {
		t.Errorf("left are %q and %d removals to come", files, r.dueItems())
	}
}

func TestAPartURLIsGoodForThatPartAlone(t *testing.T) {
	r := openRig(t)
	ada := r.user("ada", auth.User)
	p, other := r.begin(ada, "a", nil), r.begin(ada, "b", nil)
	good := p.url(1, "")
	path, signature, _ := strings.Cut(good, "?")
	send := func(url string) localtest.Answer {
		return r.Anonymous().Do(http.MethodPut, url, strings.NewReader("x"))
	}
	for _, c := range []struct{ what, url string }{
		{"without a signature", path},
		{"with an empty signature", path + "?signature="},
		{"with half a signature", good[:len(good)-1]},
		{"for another part", strings.Replace(path, "/parts/1", "/parts/2", 1) + "?" + signature},
		{"for the part by another spelling", strings.Replace(path, "/parts/1", "/parts/01", 1) + "?" + signature},
		{"for another upload", strings.Replace(path, p.id, other.id, 1) + "?" + signature},
	} {
		if a := send(c.url).Want(t, http.StatusForbidden); a.Code() != "link_invalid" {
			t.Errorf("a part URL %s: %s, want link_invalid", c.what, a)
		}
	}
	send(good).Want(t, http.StatusOK)
	r.admin.JSON(http.MethodPatch, "/api/users/"+ada.ID, map[string]bool{"disabled": true}).Want(t, http.StatusOK)
	send(good).Want(t, http.StatusForbidden)
	r.admin.JSON(http.MethodPatch, "/api/users/"+ada.ID, map[string]bool{"disabled": false}).Want(t, http.StatusOK)
	send(good).Want(t, http.StatusOK)
	r.clock.Advance(time.Hour + time.Second)
	if a := send(good).Want(t, http.StatusForbidden); a.Code() != "link_expired" {
		t.Errorf("an old part URL: %s, want link_expired", a)
	}
	if strings.Contains(r.Log.String(), strings.TrimPrefix(signature, "signature=")) {
		t.Error("the log holds a signature")
	}
}

func TestAnAbortedUploadIsGone(t *testing.T) {
	r := openRig(t)
	p := r.begin(r.admin, "a", nil)
	p.put(1, []byte("x")).Want(t, http.StatusOK)
	url := p.url(1, "")
	for range 2 {
		r.admin.Do(http.MethodDelete, "/api/uploads/"+p.id, nil).Want(t, http.StatusNoContent)
	}
	for what, a := range map[string]localtest.Answer{
		"a part":       r.Anonymous().Do(http.MethodPut, url, strings.NewReader("x")),
		"a completion": p.complete(),
	} {
		if a.StatusCode != http.StatusConflict || a.Code() != "upload_not_open" {
			t.Errorf("%s of an aborted upload: %s", what, a)
		}
	}
	if files := r.blobFiles(); len(files) != 0 || r.dueItems() != 0 {
		t.Errorf("left are %q and %d removals to come", files, r.dueItems())
	}
}

func TestAnExpiredUploadGoes(t *testing.T) {
	r := openRig(t)
	p := r.begin(r.admin, "a", nil)
	p.put(1, []byte("x")).Want(t, http.StatusOK)
	r.clock.Advance(7*24*time.Hour + time.Minute)
	r.App.Janitor.Sweep(t.Context())
	r.admin = r.Admin()
	r.admin.Do(http.MethodGet, "/api/uploads/"+p.id, nil).Want(t, http.StatusNotFound)
	if files := r.blobFiles(); len(files) != 0 || r.dueItems() != 0 {
		t.Errorf("left are %q and %d removals to come", files, r.dueItems())
	}
}

func TestCompletionsAtOnceMakeOneVersion(t *testing.T) {
	r := openRig(t)
	p := r.begin(r.admin, "a", nil)
	p.put(1, []byte("x")).Want(t, http.StatusOK)
	var answers [4]localtest.Answer
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() { answers[i], _ = p.by.Try(http.MethodPost, "/api/uploads/"+p.id+"/complete", nil) })
	}
	group.Wait()
	for _, a := range answers {
		if a.Response == nil || a.StatusCode != http.StatusOK || a.Field(t, "version_id") != p.id {
			t.Errorf("one of several completions = %v", a)
		}
	}
}

func TestCompletionAgainstAbort(t *testing.T) {
	r := openRig(t)
	for i := range 10 {
		p := r.begin(r.admin, fmt.Sprintf("a%d", i), nil)
		p.put(1, []byte("x")).Want(t, http.StatusOK)
		var completed, aborted localtest.Answer
		var group sync.WaitGroup
		group.Go(func() { completed, _ = p.by.Try(http.MethodPost, "/api/uploads/"+p.id+"/complete", nil) })
		group.Go(func() { aborted, _ = p.by.Try(http.MethodDelete, "/api/uploads/"+p.id, nil) })
		group.Wait()
		won := completed.StatusCode == http.StatusOK
		if lost := aborted.StatusCode == http.StatusNoContent; won == lost {
			t.Errorf("completion %v, abort %v: want one of them", completed, aborted)
		}
		found := r.admin.Do(http.MethodGet, fmt.Sprintf("/file/admin/a%d", i), nil).StatusCode == http.StatusOK
		if found != won {
			t.Errorf("the file is there: %v; the completion said %v", found, completed)
		}
	}
}

// TestVerifyingGoesOnAfterARestart stops the server while it reads.
func TestVerifyingGoesOnAfterARestart(t *testing.T) {
	r := openRig(t)
	data := bytesOf(6, 1000)
	p := r.begin(r.admin, "a", nil)
	p.put(1, data).Want(t, http.StatusOK)
	r.blobs.Script(blobtest.Open, blobtest.Fault{Hold: blobtest.NewHold()})
	p.completeOnce().Want(t, http.StatusAccepted)
	if got := p.state().State; got != "verifying" {
		t.Fatalf("the upload is %s, want verifying", got)
	}
	r.Stop()
	r.Run() // which goes on by itself
	p.by = r.Admin()
	m, err := r.App.Deps.Catalog.Multipart(t.Context(), p.id)
	if err != nil {
		t.Fatal(err)
	}
	<-r.App.Deps.Uploads.Watch(m)
	if got := p.state().State; got != "complete" {
		t.Fatalf("after a restart the upload is %s, want complete", got)
	}
	r.wantContent(p.by, p.complete().Want(t, http.StatusOK).Field(t, "id"), data)
}

func TestPartSizes(t *testing.T) {
	r := openRig(t)
	const gib = 1 << 30
	for _, c := range []struct {
		size, asked int64
		want        int64 // 0: refused
	}{
		{-1, 0, 64 << 20},
		{0, 0, 64 << 20},
		{625 * gib, 0, 64 << 20},
		{626 * gib, 0, 128 << 20},
		{10_000 * 5 * gib, 0, 5 * gib},
		{10_000*5*gib + 1, 0, 0},
		{-1, 8 << 20, 8 << 20},
		{-1, 8<<20 + 1, 0},
		{-1, 1, 0},
		{-1, 5 * gib, 5 * gib},
		{-1, 5*gib + 8<<20, 0},
		{78 * gib, 8 << 20, 8 << 20},
		{79 * gib, 8 << 20, 0},
		{600 * gib, 72 << 20, 0}, // the manifest's chunks have 16 MiB
		{600 * gib, 80 << 20, 80 << 20},
	} {
		body := map[string]any{"path": "a"}
		if c.size >= 0 {
			body["size"] = c.size
		}
		if c.asked > 0 {
			body["part_size"] = c.asked
		}
		a := r.admin.JSON(http.MethodPost, "/api/files", body)
		if c.want == 0 {
			a.Want(t, http.StatusBadRequest)
			continue
		}
		var out struct {
			PartSize int64 `json:"part_size"`
		}
		if err := json.Unmarshal(a.Want(t, http.StatusCreated).Body, &out); err != nil || out.PartSize != c.want {
			t.Errorf("size %d in parts of %d: %d, want %d", c.size, c.asked, out.PartSize, c.want)
		}
	}
}

// unsized hides the length of a body.
type unsized struct{ io.Reader }
