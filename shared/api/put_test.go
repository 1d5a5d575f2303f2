package api_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/shared/app/local/localtest"
	"sluice/shared/auth"
	"sluice/shared/blob"
	"sluice/shared/blob/blobtest"
	"sluice/shared/table"
)

// wantContent fails the test unless the file is exactly this.
func wantContent(t *testing.T, c *localtest.Client, path, want string) {
	t.Helper()
	if a := c.Do(http.MethodGet, path, nil); a.StatusCode != http.StatusOK || string(a.Body) != want {
		t.Errorf("GET %s = %.60s, want %.60q", path, a, want)
	}
}

// wantNothingKept fails the test unless there is no file, no blob, no leftover
// and nothing for the janitor to come after.
func (r *rig) wantNothingKept(what string) {
	r.t.Helper()
	if list := r.admin.Do(http.MethodGet, "/api/files", nil).Want(r.t, http.StatusOK); string(list.Body) != `{"files":[],"folders":[]}`+"\n" {
		r.t.Errorf("after %s there are %s", what, list)
	}
	if left := r.blobFiles(); len(left) > 0 {
		r.t.Errorf("after %s the blob store holds %q", what, left)
	}
	if n := r.dueItems(); n > 0 {
		r.t.Errorf("after %s %d removals are due", what, n)
	}
}

func TestAPutMakesAFileOrAVersion(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	first := r.admin.Do(http.MethodPut, "/file/admin/dir/a.txt", strings.NewReader("first"), "Content-Type", "text/plain; charset=utf-8").Want(t, http.StatusCreated)
	id := first.Field(t, "id")
	sum := sha256.Sum256([]byte("first"))
	for name, want := range map[string]string{
		"owner": "admin", "path": "dir/a.txt", "name": "a.txt", "content_type": "text/plain; charset=utf-8", "visibility": "private",
		"sha256": hex.EncodeToString(sum[:]), "digest_state": "verified", "etag": first.Header.Get("ETag"),
	} {
		if got := first.Field(t, name); got != want {
			t.Errorf("%s of a new file is %q, want %q", name, got, want)
		}
	}
	if location := first.Header.Get("Location"); location != "/api/files/"+id {
		t.Errorf("a new file is at %q", location)
	}
	r.admin.JSON(http.MethodPatch, "/api/files/"+id, map[string]string{"visibility": "public"}).Want(t, http.StatusOK)
	second := r.admin.Do(http.MethodPut, "/file/admin/dir/a.txt", strings.NewReader("the second")).Want(t, http.StatusOK)
	if second.Field(t, "id") != id || second.Field(t, "visibility") != "public" || second.Field(t, "content_type") != "application/octet-stream" ||
		second.Header.Get("ETag") == first.Header.Get("ETag") || second.Field(t, "version_id") == first.Field(t, "version_id") {
		t.Errorf("the second version is %s after %s", second, first)
	}
	wantContent(t, r.admin, "/file/admin/dir/a.txt", "the second")
	wantContent(t, r.Anonymous(), "/api/files/"+id+"/content", "the second")
}

func TestAnEmptyFileIsAFile(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	for path, body := range map[string]io.Reader{"a": nil, "b": strings.NewReader(""), "c": struct{ io.Reader }{strings.NewReader("")}} {
		put := r.admin.Do(http.MethodPut, "/file/admin/"+path, body).Want(t, http.StatusCreated)
		if !strings.Contains(string(put.Body), `"size":0,`) {
			t.Errorf("an empty file is %s", put)
		}
		wantContent(t, r.admin, "/file/admin/"+path, "")
	}
	if a, _ := r.raw("PUT /file/admin/d HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+r.admin.Token+"\r\n\r\n", false); a.StatusCode != http.StatusCreated {
		t.Errorf("a PUT without Content-Length = %s, want 201", a.Status)
	}
}

func TestABodyMayBeOfUnknownLength(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	for _, size := range []int{1, 1000, 256 << 10, 256<<10 + 1, 3 << 20} {
		content := strings.Repeat("0123456789abcdef", size/16+1)[:size]
		put := r.admin.Do(http.MethodPut, "/file/admin/a", struct{ io.Reader }{strings.NewReader(content)})
		if !strings.Contains(string(put.Body), fmt.Sprintf(`"size":%d,`, size)) {
			t.Errorf("%d bytes of unknown length = %s", size, put)
		}
		wantContent(t, r.admin, "/file/admin/a", content)
	}
}

func TestContentTypes(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	for _, c := range []struct{ sent, kept string }{ // "": refused
		{"", "application/octet-stream"},
		{"text/plain", "text/plain"},
		{"TEXT/Plain;Charset=UTF-8", "TEXT/Plain;Charset=UTF-8"},
		{`multipart/form-data; boundary="a b"`, `multipart/form-data; boundary="a b"`},
		{"application/vnd.x+json", "application/vnd.x+json"},
		{"text/" + strings.Repeat("x", 250), "text/" + strings.Repeat("x", 250)},
		{"text/" + strings.Repeat("x", 251), ""},
		{"text", ""},
		{"text/", ""},
		{"/plain", ""},
		{"text/plain; charset", ""},
		{"text/plain; charset=ü", ""},
		{"text/plain, text/html", ""},
		{"text/plain\t; x=y", ""},
	} {
		a := r.admin.Do(http.MethodPut, "/file/admin/a", strings.NewReader("x"), "Content-Type", c.sent)
		switch {
		case c.kept == "" && (a.StatusCode != http.StatusBadRequest || problemField(a) != "Content-Type"):
			t.Errorf("content type %.60q = %s, want 400 of field Content-Type", c.sent, a)
		case c.kept != "" && (a.StatusCode >= 300 || a.Field(t, "content_type") != c.kept):
			t.Errorf("content type %.60q = %s, want %q kept", c.sent, a, c.kept)
		}
	}
}

// digestOf returns a digest field's member for content.
func digestOf(algorithm, content string) string {
	short := sha256.Sum256([]byte(content))
	long := sha512.Sum512([]byte(content))
	sum := map[string][]byte{"sha-256": short[:], "sha-512": long[:]}[algorithm]
	return algorithm + "=:" + base64.StdEncoding.EncodeToString(sum) + ":"
}

func TestDigestsAreChecked(t *testing.T) {
	t.Parallel()
	const content = "the content"
	right256, right512 := digestOf("sha-256", content), digestOf("sha-512", content)
	wrong256, wrong512 := digestOf("sha-256", "other"), digestOf("sha-512", "other")
	r := openRig(t)
	for _, c := range []struct {
		name   string
		fields []string
		want   int
	}{
		{"none", nil, 201},
		{"a right sha-256", []string{"Repr-Digest", right256}, 201},
		{"a right sha-512", []string{"Repr-Digest", right512}, 201},
		{"a right Content-Digest", []string{"Content-Digest", right256}, 201},
		{"both fields", []string{"Content-Digest", right256, "Repr-Digest", right512}, 201},
		{"two algorithms", []string{"Repr-Digest", right256 + ", " + right512}, 201},
		{"two lines", []string{"Repr-Digest", right256, "Repr-Digest", right512}, 201},
		{"an unknown algorithm", []string{"Repr-Digest", "md5=:AAAAAAAAAAAAAAAAAAAAAA==:"}, 201},
		{"an unknown and a right one", []string{"Repr-Digest", "unixsum=30637, " + right256}, 201},
		{"an empty field", []string{"Repr-Digest", ""}, 201},
		{"a wrong sha-256", []string{"Repr-Digest", wrong256}, 422},
		{"a wrong sha-512", []string{"Repr-Digest", wrong512}, 422},
		{"a wrong Content-Digest", []string{"Content-Digest", wrong256}, 422},
		{"a right and a wrong algorithm", []string{"Repr-Digest", right256 + ", " + wrong512}, 422},
		{"a right and a wrong field", []string{"Repr-Digest", right256, "Content-Digest", wrong512}, 422},
		{"fields that differ", []string{"Repr-Digest", right256, "Content-Digest", wrong256}, 400},
		{"not base64", []string{"Repr-Digest", "sha-256=:!:"}, 400},
		{"hexadecimal", []string{"Repr-Digest", "sha-256=" + hex.EncodeToString(make([]byte, 32))}, 400},
		{"a string", []string{"Repr-Digest", `sha-256="AAAA"`}, 400},
		{"too short", []string{"Repr-Digest", "sha-256=:AAAA:"}, 400},
		{"too long", []string{"Repr-Digest", strings.Replace(right512, "512", "256", 1)}, 400},
		{"no value", []string{"Repr-Digest", "sha-256"}, 400},
		{"nonsense", []string{"Repr-Digest", "?!"}, 400},
		{"a list of values", []string{"Repr-Digest", "sha-256=(:AAAA: :AAAA:)"}, 400},
		{"in Content-Digest", []string{"Content-Digest", "sha-256=:AAAA:"}, 400},
	} {
		for _, body := range []io.Reader{strings.NewReader(content), struct{ io.Reader }{strings.NewReader(content)}} {
			a := r.admin.Do(http.MethodPut, "/file/admin/a", body, c.fields...)
			if a.StatusCode != c.want {
				t.Errorf("a digest, %s = %s, want %d", c.name, a, c.want)
			}
			switch a.StatusCode {
			case http.StatusCreated:
				r.admin.Do(http.MethodDelete, "/file/admin/a", nil).Want(t, http.StatusNoContent)
				r.clock.Advance(25 * time.Hour)
				r.App.Janitor.Sweep(t.Context())
				r.clock.Advance(-25 * time.Hour)
			case http.StatusUnprocessableEntity:
				if a.Code() != "digest_mismatch" {
					t.Errorf("a digest, %s = %s, want digest_mismatch", c.name, a)
				}
			case http.StatusBadRequest:
				if field := problemField(a); field != "Repr-Digest" && field != "Content-Digest" {
					t.Errorf("a digest, %s = %s, want the field named", c.name, a)
				}
			}
			r.wantNothingKept("a digest, " + c.name)
		}
	}
}

func TestAVerifiedDigestIsTold(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	r.admin.Put("/file/admin/a", "the content")
	for _, method := range []string{"GET", "HEAD"} {
		a := r.admin.Do(method, "/file/admin/a", nil, "Range", "bytes=1-2")
		if got, want := a.Header.Get("Repr-Digest"), digestOf("sha-256", "the content"); got != want {
			t.Errorf("%s tells the digest %q, want %q", method, got, want)
		}
	}
}

func TestWhatIsNoWholeFileIsRefused(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	for _, c := range []struct {
		field, value string
		want         int
	}{
		{"Content-Encoding", "gzip", 415},
		{"Content-Encoding", "br", 415},
		{"Content-Encoding", "aws-chunked", 415},
		{"Content-Encoding", "identity, gzip", 415},
		{"Content-Encoding", "identity", 201},
		{"Content-Range", "bytes 0-0/1", 400},
		{"Content-Range", "nonsense", 400},
	} {
		a := r.admin.Do(http.MethodPut, fmt.Sprintf("/file/admin/%s-%s", c.field, c.value), strings.NewReader("x"), c.field, c.value)
		if a.StatusCode != c.want {
			t.Errorf("a PUT with %s: %s = %s, want %d", c.field, c.value, a, c.want)
		}
	}
	a := r.admin.Do(http.MethodPut, "/file/admin/two", strings.NewReader("x"), "Content-Encoding", "identity", "Content-Encoding", "gzip")
	a.Want(t, http.StatusUnsupportedMediaType)
}

// What is refused is refused before the body is asked for.
func TestARefusedPutNeedNotSendItsBody(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	gus := r.user("gus", auth.Guest)
	r.admin.Put("/file/admin/a", "content")
	for _, c := range []struct {
		what, token, path, fields string
		want                      int
	}{
		{"without credentials", "", "/file/admin/a", "", 401},
		{"by a guest", gus.Token, "/file/gus/a", "", 403},
		{"to a bad path", r.admin.Token, "/file/admin/a/../b", "", 400},
		{"to nobody", r.admin.Token, "/file/nobody/a", "", 404},
		{"with a coding", r.admin.Token, "/file/admin/a", "Content-Encoding: gzip\r\n", 415},
		{"with a bad digest", r.admin.Token, "/file/admin/a", "Repr-Digest: x=:\r\n", 400},
		{"of a new file that is there", r.admin.Token, "/file/admin/a", "If-None-Match: *\r\n", 412},
	} {
		field := ""
		if c.token != "" {
			field = "Authorization: Bearer " + c.token + "\r\n"
		}
		a, body := r.raw("PUT "+c.path+" HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1000000000000\r\n"+field+c.fields+"\r\n", false)
		if a.StatusCode != c.want {
			t.Errorf("a PUT %s = %s %s, want %d", c.what, a.Status, body, c.want)
		}
	}
	wantContent(t, r.admin, "/file/admin/a", "content")
}

func TestNothingIsKeptOfACutUpload(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	head := "PUT /file/admin/a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + r.admin.Token + "\r\n"
	large := strings.Repeat("x", 300<<10)
	for what, text := range map[string]string{
		"no byte of ten":           head + "Content-Length: 10\r\n\r\n",
		"nine bytes of ten":        head + "Content-Length: 10\r\n\r\n123456789",
		"a buffer and more":        head + "Content-Length: 1000000\r\n\r\n" + large,
		"no chunk":                 head + "Transfer-Encoding: chunked\r\n\r\n",
		"a chunk without an end":   head + "Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
		"half a chunk":             head + "Transfer-Encoding: chunked\r\n\r\nff\r\n12345",
		"large chunks":             head + "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n", len(large), large),
		"a chunk that is none":     head + "Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\nnonsense\r\n",
		"a last chunk cut short":   head + "Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n",
		"a length without a chunk": head + "Transfer-Encoding: chunked\r\n\r\n5",
	} {
		if a, body := r.raw(text, true); a.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), "body_cut") {
			t.Errorf("an upload of %s = %s %s, want 400 body_cut", what, a.Status, body)
		}
		r.wantNothingKept("an upload of " + what)
	}
}

// A client that is gone gets no answer, and leaves nothing either.
func TestNothingIsKeptOfAnUploadWhoseClientIsGone(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	for range 5 {
		conn := dial(t, r.Site)
		_, err := fmt.Fprintf(conn, "PUT /file/admin/a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 1000000\r\n\r\n%s",
			r.admin.Token, strings.Repeat("x", 300<<10))
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).SetLinger(0); err != nil { // a reset, not an end
			t.Fatal(err)
		}
		conn.Close()
	}
	r.Stop() // when every handler is done
	r.Run()
	r.admin = r.as("admin")
	r.wantNothingKept("uploads whose clients are gone")
}

func TestACutUploadLeavesTheFileThatWasThere(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	r.admin.Put("/file/admin/a", "content")
	r.raw("PUT /file/admin/a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+r.admin.Token+"\r\nContent-Length: 10\r\n\r\n123", true)
	wantContent(t, r.admin, "/file/admin/a", "content")
}

func TestNothingIsKeptOnAFullDisk(t *testing.T) {
	t.Parallel()
	full := blobtest.Fault{Err: blobtest.Error{Code: blob.Full}}
	r := openRig(t)
	for what, script := range map[string]func(){
		"when the upload begins":       func() { r.blobs.Script(blobtest.Create, full) },
		"at once":                      func() { r.blobs.Script(blobtest.Write, full) },
		"after some bytes":             func() { r.blobs.Script(blobtest.Write, blobtest.Fault{After: 300 << 10, Err: full.Err}) },
		"when the bytes are committed": func() { r.blobs.Script(blobtest.Commit, full) },
	} {
		for kind, body := range map[string]io.Reader{
			"known": strings.NewReader(strings.Repeat("x", 1<<20)), "unknown": struct{ io.Reader }{strings.NewReader(strings.Repeat("x", 1<<20))},
		} {
			script()
			a := r.admin.Do(http.MethodPut, "/file/admin/a", body)
			if a.StatusCode != http.StatusInsufficientStorage || a.Code() != "no_space" {
				t.Errorf("an upload of %s length to a disk that is full %s = %s, want 507 no_space", kind, what, a)
			}
			r.wantNothingKept("a disk that was full " + what)
		}
	}
	r.admin.Put("/file/admin/a", "there is room again")
}

// A store that fails gets another chance: by the janitor.
func TestWhatCannotBeRemovedAtOnceIsRemovedLater(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	r.blobs.Script(blobtest.Delete, blobtest.Fault{Err: blobtest.Error{Code: blob.Unknown}})
	r.admin.Do(http.MethodPut, "/file/admin/a", strings.NewReader("x"), "Repr-Digest", digestOf("sha-256", "y")).Want(t, http.StatusUnprocessableEntity)
	if n := r.dueItems(); n != 1 {
		t.Errorf("%d removals are due, want 1", n)
	}
	r.clock.Advance(8 * 24 * time.Hour)
	r.App.Janitor.Sweep(t.Context())
	r.admin = r.as("admin")
	r.wantNothingKept("a sweep")
}

// A store that takes a publication and then answers wrongly must not cost the
// file its bytes.
func TestAPublicationWhoseAnswerIsLostIsWhole(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	r.admin.Put("/file/admin/a", "before")
	r.table.loseAnswers(true)
	// Of unknown length: it takes its room only when it is published.
	r.admin.Do(http.MethodPut, "/file/admin/a", io.MultiReader(strings.NewReader("after"))).Want(t, http.StatusServiceUnavailable)
	r.table.loseAnswers(false)
	wantContent(t, r.admin, "/file/admin/a", "after")
	r.clock.Advance(10 * time.Minute)
	r.App.Janitor.Sweep(t.Context())
	wantContent(t, r.admin, "/file/admin/a", "after")
}

func TestNothingIsKeptWhereTheRecordsFail(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	hold := blobtest.NewHold()
	r.blobs.Script(blobtest.Commit, blobtest.Fault{Hold: hold})
	done := make(chan localtest.Answer)
	go func() { done <- r.admin.Do(http.MethodPut, "/file/admin/a", strings.NewReader("x")) }()
	<-hold.Reached()
	r.table.fail(nil, tableError{table.Unknown})
	hold.Release()
	(<-done).Want(t, http.StatusInternalServerError)
	r.table.fail(nil, nil)
	r.clock.Advance(8 * 24 * time.Hour)
	r.App.Janitor.Sweep(t.Context())
	r.admin = r.as("admin")
	r.wantNothingKept("a publication that failed")
}

func TestOfManyCreationsAtOnceOneWins(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	const clients = 30
	created := make(chan string, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			content := strings.Repeat(fmt.Sprintf("%02d", i), 5000)
			a, err := r.admin.Try(http.MethodPut, "/file/admin/a", strings.NewReader(content), "If-None-Match", "*")
			switch {
			case err == nil && a.StatusCode == http.StatusCreated:
				created <- content
			case err != nil || a.StatusCode != http.StatusPreconditionFailed:
				t.Errorf("a creation among many = %s, %v; want 201 or 412", a, err)
			}
		})
	}
	wg.Wait()
	if len(created) != 1 {
		t.Fatalf("%d creations won, want 1", len(created))
	}
	wantContent(t, r.admin, "/file/admin/a", <-created)
	if left := r.blobFiles(); len(left) != 1 {
		t.Errorf("the blob store holds %q, want the winner's alone", left)
	}
}

func TestOfManyOverwritesOfOneVersionOneWins(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	etag := r.admin.Put("/file/admin/a", "before").Header.Get("ETag")
	const clients = 30
	won := make(chan string, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			content := fmt.Sprintf("version %d", i)
			a, err := r.admin.Try(http.MethodPut, "/file/admin/a", strings.NewReader(content), "If-Match", etag)
			switch {
			case err == nil && a.StatusCode == http.StatusOK:
				won <- content
			case err != nil || a.StatusCode != http.StatusPreconditionFailed:
				t.Errorf("an overwrite among many = %s, %v; want 200 or 412", a, err)
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Fatalf("%d overwrites of one version won, want 1", len(won))
	}
	wantContent(t, r.admin, "/file/admin/a", <-won)
}

func TestManyOverwritesAtOnceAllSucceed(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	r.admin.Put("/file/admin/a", "before")
	const clients = 40
	contents := map[string]string{} // by version
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			content := strings.Repeat(fmt.Sprintf("%02d", i), 5000)
			a, err := r.admin.Try(http.MethodPut, "/file/admin/a", strings.NewReader(content))
			if err != nil || a.StatusCode != http.StatusOK {
				t.Errorf("an overwrite among many = %s, %v; want 200", a, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			contents[a.Header.Get("ETag")] = content
		})
	}
	wg.Wait()
	if len(contents) != clients {
		t.Fatalf("%d overwrites made %d versions", clients, len(contents))
	}
	a := r.admin.Do(http.MethodGet, "/file/admin/a", nil).Want(t, http.StatusOK)
	if string(a.Body) != contents[a.Header.Get("ETag")] {
		t.Errorf("version %s is %.20q, want %.20q", a.Header.Get("ETag"), a.Body, contents[a.Header.Get("ETag")])
	}
	r.clock.Advance(25 * time.Hour)
	r.App.Janitor.Sweep(t.Context())
	if left := r.blobFiles(); len(left) != 1 {
		t.Errorf("a day later the blob store holds %d blobs, want 1", len(left))
	}
}
