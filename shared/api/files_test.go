package api_test

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/shared/app/local/localtest"
	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/config"
)

// patch changes a file by JSON.
func patch(c *localtest.Client, id, body string, header ...string) localtest.Answer {
	return c.Do(http.MethodPatch, "/api/files/"+id, strings.NewReader(body), append(header, "Content-Type", "application/json")...)
}

// TestConditionsOfChanges sends every change under every condition. The rules
// are those of RFC 9110 §13.
func TestConditionsOfChanges(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	const (
		goesOn = true
		stops  = false
	)
	for _, c := range []struct {
		rule, fields string
		there        bool // on a file that is there
		absent       bool // on a path where none is
	}{
		{"no condition", "", goesOn, goesOn},
		{"13.1.1 the tag matches", "If-Match: {etag}", goesOn, stops},
		{"13.1.1 one of a list", `If-Match: "a", {etag}`, goesOn, stops},
		{"5.3 one of two lines", `If-Match: "a" | If-Match: {etag}`, goesOn, stops},
		{"13.1.1 the tag does not match", `If-Match: "a"`, stops, stops},
		{"13.1.1 the comparison is strong", "If-Match: W/{etag}", stops, stops},
		{"13.1.1 any", "If-Match: *", goesOn, stops},
		{"13.1.1 an empty field", "If-Match:", stops, stops},
		{"13.1.1 no tag", "If-Match: a", stops, stops},
		{"13.1.2 the tag does not match", `If-None-Match: "a"`, goesOn, goesOn},
		{"13.1.2 the tag matches", "If-None-Match: {etag}", stops, goesOn},
		{"13.1.2 the comparison is weak", "If-None-Match: W/{etag}", stops, goesOn},
		{"13.1.2 any", "If-None-Match: *", stops, goesOn},
		{"13.1.2 no tag", "If-None-Match: a", stops, stops},
		{"13.1.4 not changed since", "If-Unmodified-Since: {date}", goesOn, goesOn},
		{"13.1.4 not changed since a later date", "If-Unmodified-Since: {after}", goesOn, goesOn},
		{"13.1.4 changed since", "If-Unmodified-Since: {before}", stops, goesOn},
		{"13.1.4 no date", "If-Unmodified-Since: yesterday", goesOn, goesOn},
		{"13.1.3 is for GET and HEAD", "If-Modified-Since: {after}", goesOn, goesOn},
		{"13.2.2 a tag goes before a date", "If-Match: {etag} | If-Unmodified-Since: {before}", goesOn, stops},
		{"13.2.2 both must hold", "If-Match: {etag} | If-None-Match: {etag}", stops, stops},
		{"13.2.2 both hold", `If-Match: {etag} | If-None-Match: "a"`, goesOn, stops},
	} {
		t.Run(c.rule+" "+c.fields, func(t *testing.T) {
			for _, change := range []string{"PUT", "PATCH", "DELETE by path", "DELETE by id"} {
				id, fields := r.conditioned(t, c.fields)
				a := r.change(change, id, "/file/admin/there", fields)
				if ok := a.StatusCode < 300; ok != c.there || !ok && a.StatusCode != http.StatusPreconditionFailed {
					t.Errorf("%s of a file = %s, want it to go on: %v", change, a, c.there)
				}
				if !c.there {
					wantContent(t, r.admin, "/file/admin/there", "content")
				}
			}
			_, fields := r.conditioned(t, c.fields)
			a := r.change("PUT", "", "/file/admin/absent", fields)
			if ok := a.StatusCode == http.StatusCreated; ok != c.absent || !ok && a.StatusCode != http.StatusPreconditionFailed {
				t.Errorf("PUT where no file is = %s, want it to go on: %v", a, c.absent)
			}
			r.admin.Do(http.MethodDelete, "/file/admin/absent", nil)
		})
	}
}

// conditioned makes the file anew and returns its id, and the fields with its
// validators filled in.
func (r *rig) conditioned(t *testing.T, fields string) (id string, pairs []string) {
	t.Helper()
	put := r.admin.Put("/file/admin/there", "content")
	r.clock.Advance(time.Second) // so that its date has come
	head := r.admin.Do(http.MethodHead, "/file/admin/there", nil).Want(t, http.StatusOK)
	modified, err := http.ParseTime(head.Header.Get("Last-Modified"))
	if err != nil {
		t.Fatal(err)
	}
	s := sample{etag: put.Header.Get("ETag"), modified: modified}
	if fields == "" {
		return put.Field(t, "id"), nil
	}
	return put.Field(t, "id"), s.header(fields)
}

// change does one of the changes that take conditions.
func (r *rig) change(kind, id, path string, fields []string) localtest.Answer {
	r.t.Helper()
	switch kind {
	case "PUT":
		return r.admin.Do(http.MethodPut, path, strings.NewReader("content"), fields...)
	case "PATCH":
		return patch(r.admin, id, `{"content_type":"text/plain"}`, fields...)
	case "DELETE by path":
		return r.admin.Do(http.MethodDelete, path, nil, fields...)
	default:
		return r.admin.Do(http.MethodDelete, "/api/files/"+id, nil, fields...)
	}
}

func TestAFileIsChanged(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	put := r.admin.Put("/file/admin/a/b.txt", "content")
	id := put.Field(t, "id")
	soon := r.clock.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for _, c := range []struct{ body, field, want string }{
		{`{"path":"c/d.txt"}`, "path", "c/d.txt"},
		{`{}`, "name", "d.txt"},
		{`{"visibility":"public"}`, "visibility", "public"},
		{`{"visibility":"private"}`, "visibility", "private"},
		{`{"content_type":"text/html"}`, "content_type", "text/html"},
		{`{"expires_at":"` + soon + `"}`, "expires_at", soon},
		{`{"path":"c/d.txt","content_type":"text/plain"}`, "content_type", "text/plain"},
	} {
		a := patch(r.admin, id, c.body).Want(t, http.StatusOK)
		b := r.admin.Do(http.MethodGet, "/api/files/"+id, nil).Want(t, http.StatusOK)
		if a.Field(t, c.field) != c.want || string(a.Body) != string(b.Body) || a.Header.Get("ETag") != put.Header.Get("ETag") {
			t.Errorf("%s = %s, and then %s; want %s %q under the same ETag", c.body, a, b, c.field, c.want)
		}
	}
	if a := patch(r.admin, id, `{"expires_at":null}`).Want(t, http.StatusOK); strings.Contains(string(a.Body), "expires_at") {
		t.Errorf("without an expiry the file is %s", a)
	}
	a := r.admin.Do(http.MethodGet, "/file/admin/c/d.txt", nil).Want(t, http.StatusOK)
	if a.Header.Get("Content-Type") != "text/plain" || string(a.Body) != "content" {
		t.Errorf("the file is delivered as %q, %q", a.Header.Get("Content-Type"), a.Body)
	}
	r.admin.Do(http.MethodGet, "/file/admin/a/b.txt", nil).Want(t, http.StatusNotFound)
}

func TestAPublicFileIsEverybodys(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	id := r.admin.Put("/file/admin/a", "content").Field(t, "id")
	nobody := r.Anonymous()
	nobody.Do(http.MethodGet, "/file/admin/a", nil).Want(t, http.StatusUnauthorized)
	patch(r.admin, id, `{"visibility":"public"}`).Want(t, http.StatusOK)
	wantContent(t, nobody, "/file/admin/a", "content")
	if cached := nobody.Do(http.MethodGet, "/file/admin/a", nil).Header.Get("Cache-Control"); !strings.HasPrefix(cached, "public") {
		t.Errorf("a public file has Cache-Control %q", cached)
	}
	patch(r.admin, id, `{"visibility":"private"}`).Want(t, http.StatusOK)
	nobody.Do(http.MethodGet, "/file/admin/a", nil).Want(t, http.StatusUnauthorized)
	if cached := r.admin.Do(http.MethodGet, "/file/admin/a", nil).Header.Get("Cache-Control"); !strings.HasPrefix(cached, "private") {
		t.Errorf("a private file has Cache-Control %q", cached)
	}
}

func TestATakenPathIsKept(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	a := r.admin.Put("/file/admin/a", "of a").Field(t, "id")
	r.admin.Put("/file/admin/b", "of b")
	if got := patch(r.admin, a, `{"path":"b"}`).Want(t, http.StatusConflict); got.Code() != "path_taken" {
		t.Errorf("a move onto another file = %s, want path_taken", got)
	}
	patch(r.admin, a, `{"path":"a"}`).Want(t, http.StatusOK) // onto itself
	wantContent(t, r.admin, "/file/admin/a", "of a")
	wantContent(t, r.admin, "/file/admin/b", "of b")
	// Nothing is a folder: a path may lead through a file.
	r.admin.Put("/file/admin/a/b", "of a/b")
	wantContent(t, r.admin, "/file/admin/a/b", "of a/b")
	wantContent(t, r.admin, "/file/admin/a", "of a")
}

func TestAnExpiredFileIsGone(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	first := r.admin.Put("/file/admin/a", "first").Field(t, "id")
	r.admin.Put("/file/admin/b", "other")
	in := func(d time.Duration) string {
		return fmt.Sprintf(`{"expires_at":%q,"visibility":"public"}`, r.clock.Now().Add(d).UTC().Format(time.RFC3339Nano))
	}
	patch(r.admin, first, in(time.Hour)).Want(t, http.StatusOK)
	wantContent(t, r.admin, "/file/admin/a", "first")
	r.clock.Advance(time.Hour)
	r.admin = r.as("admin")
	for _, path := range []string{"/file/admin/a", "/api/files/" + first, "/api/files/" + first + "/content"} {
		r.admin.Do(http.MethodGet, path, nil).Want(t, http.StatusNotFound)
		r.Anonymous().Do(http.MethodGet, path, nil).Want(t, http.StatusUnauthorized)
	}
	patch(r.admin, first, `{"expires_at":null}`).Want(t, http.StatusNotFound)
	r.admin.Do(http.MethodDelete, "/file/admin/a", nil).Want(t, http.StatusNotFound)
	if list := r.admin.Do(http.MethodGet, "/api/files", nil); strings.Contains(string(list.Body), first) {
		t.Errorf("an expired file is listed: %s", list)
	}
	put := r.admin.Do(http.MethodPut, "/file/admin/a", strings.NewReader("second"), "If-None-Match", "*").Want(t, http.StatusCreated)
	if put.Field(t, "id") == first || strings.Contains(string(put.Body), "expires_at") || put.Field(t, "visibility") != "private" {
		t.Errorf("the new file at the path of an expired one is %s", put)
	}
	patch(r.admin, put.Field(t, "id"), in(time.Hour)).Want(t, http.StatusOK)
	r.clock.Advance(2 * time.Hour)
	r.admin = r.as("admin")
	list := getPage(t, r.admin, "/api/files", nil)
	if len(list.Files) != 1 || list.Files[0].Path != "b" {
		t.Errorf("after both expired there are %+v", list)
	}
	r.App.Janitor.Sweep(t.Context())
	r.clock.Advance(26 * time.Hour)
	r.App.Janitor.Sweep(t.Context())
	if left := r.blobFiles(); len(left) != 1 {
		t.Errorf("a day after both expired the blob store holds %q, want the other file's", left)
	}
}

// An expiry that a new version outlives would be a surprise: it belongs to the
// file, and stays.
func TestANewVersionKeepsTheExpiry(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	id := r.admin.Put("/file/admin/a", "first").Field(t, "id")
	at := r.clock.Now().Add(time.Hour).UTC().Truncate(time.Second).Format(time.RFC3339)
	patch(r.admin, id, `{"expires_at":"`+at+`"}`).Want(t, http.StatusOK)
	if got := r.admin.Put("/file/admin/a", "second").Field(t, "expires_at"); got != at {
		t.Errorf("a new version expires at %s, want %s", got, at)
	}
}

func TestMovesAndOverwritesAtOnce(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	for i := range 15 {
		from, to := fmt.Sprintf("/file/admin/from%d", i), fmt.Sprintf("to%d", i)
		id := r.admin.Put(from, "old").Field(t, "id")
		var moved, put localtest.Answer
		var errs [2]error
		var wg sync.WaitGroup
		wg.Go(func() {
			moved, errs[0] = r.admin.Try(http.MethodPatch, "/api/files/"+id, strings.NewReader(`{"path":"`+to+`"}`), "Content-Type", "application/json")
		})
		wg.Go(func() { put, errs[1] = r.admin.Try(http.MethodPut, from, strings.NewReader("new")) })
		wg.Wait()
		if errs[0] != nil || errs[1] != nil || moved.StatusCode != http.StatusOK || put.StatusCode >= 300 {
			t.Fatalf("the move = %s, %v; the overwrite = %s, %v", moved, errs[0], put, errs[1])
		}
		if put.StatusCode == http.StatusCreated { // the move came first
			wantContent(t, r.admin, from, "new")
			wantContent(t, r.admin, "/file/admin/"+to, "old")
		} else {
			wantContent(t, r.admin, "/file/admin/"+to, "new")
			r.admin.Do(http.MethodGet, from, nil).Want(t, http.StatusNotFound)
		}
	}
}

// versionSize is more than fits between a server and a client that does not
// read, so that a download is under way until it does.
const versionSize = 12 << 20

func TestADownloadUnderWayKeepsItsVersion(t *testing.T) {
	t.Parallel()
	for name, replace := range map[string]func(t *testing.T, r *rig, id string){
		"overwritten": func(t *testing.T, r *rig, _ string) { r.admin.Put("/file/admin/a", "new") },
		"deleted": func(t *testing.T, r *rig, id string) {
			r.admin.Do(http.MethodDelete, "/api/files/"+id, nil).Want(t, http.StatusNoContent)
		},
		"moved": func(t *testing.T, r *rig, id string) { patch(r.admin, id, `{"path":"b"}`).Want(t, http.StatusOK) },
		"expired": func(t *testing.T, r *rig, id string) {
			at := r.clock.Now().Add(time.Minute).UTC().Format(time.RFC3339Nano)
			patch(r.admin, id, `{"expires_at":"`+at+`"}`).Want(t, http.StatusOK)
			r.clock.Advance(2 * time.Minute)
		},
		"deleted and swept": func(t *testing.T, r *rig, id string) {
			r.admin.Do(http.MethodDelete, "/api/files/"+id, nil).Want(t, http.StatusNoContent)
			r.clock.Advance(25 * time.Hour)
			r.App.Janitor.Sweep(t.Context())
			if left := r.blobFiles(); len(left) > 0 {
				t.Errorf("after the sweep the blob store holds %q", left)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := openRig(t)
			content := make([]byte, versionSize)
			_, _ = rand.Read(content) // never fails
			id := r.admin.Put("/file/admin/a", string(content)).Field(t, "id")
			body, etag := begun(t, r.admin, "/api/files/"+id+"/content")
			defer body.Close()
			replace(t, r, id)
			got, err := io.ReadAll(body)
			if err != nil || !slices.Equal(got, content) {
				t.Errorf("the download brought %d bytes of version %s, or others than the %d there were: %v", len(got), etag, len(content), err)
			}
		})
	}
}

// begun begins a download, and returns its body with nothing read of it.
func begun(t *testing.T, c *localtest.Client, path string) (io.ReadCloser, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.Site.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	resp, err := c.HTTP.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s = %s, want 200", path, resp.Status)
	}
	return resp.Body, resp.Header.Get("ETag")
}

// The stall time and the stop's are far longer than what is waited for here.
func TestADownloadOfADisabledUserIsEnded(t *testing.T) {
	t.Parallel()
	r := openRig(t, func(c *config.Config) { c.Stall, c.StopTimeout = time.Minute, time.Minute })
	ada := r.user("ada", auth.User)
	ada.Put("/file/ada/a", strings.Repeat("x", versionSize))
	body, _ := begun(t, ada, "/file/ada/a")
	defer body.Close()
	r.admin.JSON(http.MethodPatch, "/api/users/"+ada.ID, map[string]bool{"disabled": true}).Want(t, http.StatusOK)
	began := time.Now()
	r.Stop() // when the download has ended
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("the download of a disabled user went on for %v", took)
	}
	if n, err := io.Copy(io.Discard, body); err == nil {
		t.Errorf("the download of a disabled user brought all %d bytes", n)
	}
	if log := r.Log.String(); !strings.Contains(log, "download.aborted") || !strings.Contains(log, "login_ended") {
		t.Error("the log does not say that a download was aborted because the login ended")
	}
}

// A version that nobody kept may be gone: then a resume says so, and does not
// mix two.
func TestAResumeDoesNotMixVersions(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	first := r.admin.Put("/file/admin/a", "the first version")
	etag := first.Header.Get("ETag")
	r.clock.Advance(2 * time.Second)
	date := r.admin.Do(http.MethodHead, "/file/admin/a", nil).Header.Get("Last-Modified")
	resume := func(validator string) localtest.Answer {
		return r.admin.Do(http.MethodGet, "/file/admin/a", nil, "Range", "bytes=4-", "If-Range", validator)
	}
	for _, validator := range []string{etag, date} {
		if a := resume(validator); a.StatusCode != http.StatusPartialContent || string(a.Body) != "first version" {
			t.Errorf("a resume of what did not change, by %s = %s", validator, a)
		}
	}
	r.admin.Put("/file/admin/a", "the second version")
	for _, validator := range []string{etag, date} {
		if a := resume(validator); a.StatusCode != http.StatusOK || string(a.Body) != "the second version" {
			t.Errorf("a resume of what changed, by %s = %s", validator, a)
		}
	}
}

func TestDeletedFilesAreGone(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	for _, by := range []string{"path", "id"} {
		id := r.admin.Put("/file/admin/a", "content").Field(t, "id")
		target := map[string]string{"path": "/file/admin/a", "id": "/api/files/" + id}[by]
		if a := r.admin.Do(http.MethodDelete, target, nil).Want(t, http.StatusNoContent); len(a.Body) > 0 {
			t.Errorf("DELETE by %s has the body %q", by, a.Body)
		}
		r.admin.Do(http.MethodDelete, target, nil).Want(t, http.StatusNotFound)
		r.admin.Do(http.MethodGet, "/file/admin/a", nil).Want(t, http.StatusNotFound)
		r.admin.Do(http.MethodGet, "/api/files/"+id, nil).Want(t, http.StatusNotFound)
	}
}

func TestUsersHaveSpacesOfTheirOwn(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	ada, eve := r.user("ada", auth.User), r.user("eve", auth.User)
	ada.Put("/file/ada/a", "ada's")
	eve.Put("/file/eve/a", "eve's")
	wantContent(t, ada, "/file/ada/a", "ada's")
	wantContent(t, eve, "/file/eve/a", "eve's")
	r.admin.Put("/file/ada/b", "the admin's gift")
	wantContent(t, ada, "/file/ada/b", "the admin's gift")
	if p := getPage(t, ada, "/api/files", nil); len(p.Files) != 2 {
		t.Errorf("ada has %+v, want a and b", p)
	}
}

// The caches must not show this server what it knows to be old, nor another
// for longer than they may.
func TestAChangeIsSeenAtOnce(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	for i := range 20 {
		content := fmt.Sprintf("version %d", i)
		id := r.admin.Put("/file/admin/a", content).Field(t, "id")
		wantContent(t, r.admin, "/file/admin/a", content)
		wantContent(t, r.admin, "/api/files/"+id+"/content", content)
	}
	if _, err := r.App.Deps.Catalog.FileAt(t.Context(), r.admin.ID, "a"); err != nil {
		t.Error(err)
	}
	if catalog.MaxAge > 5*time.Second {
		t.Errorf("caches are up to %v old, want 5 s at most", catalog.MaxAge)
	}
}
