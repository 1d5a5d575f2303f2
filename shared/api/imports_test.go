package api_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"sluice/localstack/stores"
	"sluice/shared/app/local/localtest"
	"sluice/shared/auth"
	"sluice/shared/blob"
	"sluice/shared/blob/blobtest"
	"sluice/shared/config"
	"sluice/shared/contract"
	"sluice/shared/table"
	uploads "sluice/shared/upload"
)

// created is what a store says of an object that was created.
func created(key string) string {
	return `{"EventName":"s3:ObjectCreated:Put","Records":[{"eventVersion":"2.0","eventName":"s3:ObjectCreated:Put","s3":{"bucket":{"name":""},` +
		`"object":{"key":"` + url.QueryEscape(key) + `","size":1}}}]}`
}

// provokeByImports imports from a store that lists, which a disk does not.
func (a *answers) provokeByImports() {
	deps, memory := a.App.Deps, blobtest.NewMemory()
	blobs := blobtest.NewChaos(memory)
	deps.Uploads = &uploads.Service{
		Catalog: deps.Catalog, Blobs: blob.NewBucket(blobs), Root: &url.URL{Scheme: "memory", Path: "/"}, Log: deps.Log, Clock: deps.Clock,
	}
	a.t.Cleanup(func() { _ = deps.Uploads.Close() })
	lists := a.elsewhere(deps)
	begin := func(owner string) localtest.Answer {
		return lists.JSON(http.MethodPost, "/api/imports", map[string]any{"source": "memory:///", "owner": owner})
	}
	events := func(c *localtest.Client, token string) localtest.Answer {
		return with(c, token).Do(http.MethodPost, "/api/events/s3", strings.NewReader(created("a")), "Content-Type", "application/json")
	}
	begin("nobody").Want(a.t, http.StatusNotFound)
	begin("ada").Want(a.t, http.StatusAccepted)
	events(lists, "another token").Want(a.t, http.StatusUnauthorized)
	w, err := memory.Create(a.t.Context(), "a", 0)
	if err == nil {
		_, err = w.Commit(a.t.Context())
	}
	if err != nil {
		a.t.Fatal(err)
	}
	blobs.Always(blobtest.Stat, blobtest.Fault{Err: blobtest.Error{Code: blob.Unknown}})
	events(lists, webhookToken).Want(a.t, http.StatusBadGateway)
	blobs.Calm()
	a.table.fail(nil, tableError{table.Full})
	events(lists, webhookToken).Want(a.t, http.StatusInsufficientStorage)
	begin("ada").Want(a.t, http.StatusInsufficientStorage)
	a.table.fail(nil, nil)
	deps.WebhookToken = config.Secret{}
	events(a.elsewhere(deps), webhookToken).Want(a.t, http.StatusNotFound)
}

// bucket is what others do in a bucket of a store.
type bucket struct {
	*s3.Client
	t    *testing.T
	name string
}

func bucketOf(t *testing.T, store *stores.S3, name string) bucket {
	return bucket{s3.New(s3.Options{
		Region: store.Region, BaseEndpoint: &store.Endpoint, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(store.AccessKey, store.SecretKey, ""),
	}), t, name}
}

// bucket returns the one of the rig's blobs.
func (s *storeRig) bucket() bucket { return bucketOf(s.t, s.store, "sluice") }

func (b bucket) put(key, content string) {
	b.t.Helper()
	_, err := b.PutObject(b.t.Context(), &s3.PutObjectInput{
		Bucket: &b.name, Key: &key, Body: strings.NewReader(content), ContentType: new("text/plain"),
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b bucket) remove(key string) {
	b.t.Helper()
	if _, err := b.DeleteObject(b.t.Context(), &s3.DeleteObjectInput{Bucket: &b.name, Key: &key}); err != nil {
		b.t.Fatal(err)
	}
}

func (b bucket) has(key string) bool {
	b.t.Helper()
	_, err := b.HeadObject(b.t.Context(), &s3.HeadObjectInput{Bucket: &b.name, Key: &key})
	return err == nil
}

// runImport imports and waits for the end.
func (s *rig) runImport(request map[string]any) contract.Import {
	s.t.Helper()
	id := s.admin.JSON(http.MethodPost, "/api/imports", request).Want(s.t, http.StatusAccepted).Field(s.t, "id")
	for {
		record, err := s.App.Deps.Catalog.Import(s.t.Context(), id)
		if err != nil {
			s.t.Fatal(err)
		}
		<-s.App.Deps.Uploads.WatchImport(record)
		var i contract.Import
		if err := json.Unmarshal(s.admin.Do(http.MethodGet, "/api/imports/"+id, nil).Want(s.t, http.StatusOK).Body, &i); err != nil {
			s.t.Fatal(err)
		}
		if i.State != contract.ImportStateRunning {
			return i
		}
	}
}

func wantCounts(t *testing.T, when string, i contract.Import, seen, registered, unchanged, skipped, failed, size int64) {
	t.Helper()
	got := [...]int64{i.Seen, i.Registered, i.Unchanged, i.Skipped, i.Failed, i.Bytes}
	want := [...]int64{seen, registered, unchanged, skipped, failed, size}
	if got != want || i.State != contract.ImportStateDone {
		t.Errorf("%s the import is %s with seen, registered, unchanged, skipped, failed, bytes %d, want %d, done; problems %v", when, i.State, got, want, i.Problems)
	}
}

func TestImport(t *testing.T) {
	s := openStore(t)
	ada := s.user("ada", auth.User)
	b := s.bucket()
	b.put("blobs/videos/a.txt", "hello")
	b.put("blobs/videos/deep/b c+%\u00e9.txt", "more")
	b.put("blobs/videos/taken.txt", "theirs")
	b.put("blobs/videos/"+strings.Repeat("long/", 190)+"x", "too long for us once it is in a folder")
	b.put("blobs/videosmore/c.txt", "elsewhere")
	b.put("blobs/"+ada.ID+"/"+auth.NewID(time.Now()), "an upload")
	ada.Put("/file/ada/in/taken.txt", "mine")
	request := map[string]any{"source": "s3://sluice/blobs/videos", "owner": "ada", "path": "in", "dry_run": true}

	wantCounts(t, "dry", s.runImport(request), 4, 2, 0, 2, 0, 9)
	ada.Do(http.MethodGet, "/file/ada/in/a.txt", nil).Want(t, http.StatusNotFound)
	delete(request, "dry_run")
	first := s.runImport(request)
	wantCounts(t, "first", first, 4, 2, 0, 2, 0, 9)
	if first.Source != "s3://sluice/blobs/videos/" || first.Owner != "ada" || first.Path != "in" || len(first.Problems) != 2 {
		t.Errorf("the import is shown as %+v", first)
	}
	for path, want := range map[string]string{"in/a.txt": "hello", "in/deep/b%20c+%25%C3%A9.txt": "more", "in/taken.txt": "mine"} {
		if a := ada.Do(http.MethodGet, "/file/ada/"+path, nil).Want(t, http.StatusOK); string(a.Body) != want {
			t.Errorf("%s is %q, want %q", path, a.Body, want)
		}
	}
	a := ada.Do(http.MethodGet, "/file/ada/in/a.txt?disposition=inline", nil).Want(t, http.StatusOK)
	if a.Header.Get("Sluice-Delivery") != "stream; reason=imported" || a.Header.Get("Content-Type") != "text/plain" || a.Header.Get("Repr-Digest") != "" {
		t.Errorf("an imported file is delivered with %v", a.Header)
	}
	wantCounts(t, "again", s.runImport(request), 4, 0, 2, 2, 0, 0)

	// It changes behind our back.
	other := strings.Repeat("changed!", 8192)
	b.put("blobs/videos/a.txt", other)
	changed := ada.Do(http.MethodGet, "/file/ada/in/a.txt", nil).Want(t, http.StatusConflict)
	opened := len(s.blobs.Opens())
	ada.Do(http.MethodGet, "/file/ada/in/a.txt", nil).Want(t, http.StatusConflict)
	if changed.Code() != "blob_changed" || len(s.blobs.Opens()) != opened {
		t.Errorf("an object that has changed is %s, and asked for again %d times; want blob_changed, and not asked for", changed, len(s.blobs.Opens())-opened)
	}
	listed := ada.Do(http.MethodGet, "/api/files?prefix=in/a", nil).Want(t, http.StatusOK)
	if !bytes.Contains(listed.Body, []byte(`"imported":true`)) || !bytes.Contains(listed.Body, []byte(`"changed":true`)) {
		t.Errorf("the file is shown as %s, want it imported and changed", listed)
	}
	wantCounts(t, "after the change", s.runImport(request), 4, 1, 1, 2, 0, 65536)
	if a := ada.Do(http.MethodGet, "/file/ada/in/a.txt", nil).Want(t, http.StatusOK); string(a.Body) != other {
		t.Errorf("the file has %d other bytes, want what is there now", len(a.Body))
	}

	// It changes while it is sent.
	s.blobs.Script(blobtest.Read, blobtest.Fault{After: 40000, Err: blobtest.Error{Code: blob.Changed}})
	if a := ada.Do(http.MethodGet, "/file/ada/in/a.txt", nil); a.Err == nil || len(a.Body) > 40000 {
		t.Errorf("of an object that changes in the midst come %d bytes, and %v; want the connection aborted", len(a.Body), a.Err)
	}
	ada.Do(http.MethodGet, "/file/ada/in/a.txt", nil).Want(t, http.StatusConflict)
	wantCounts(t, "after it was back", s.runImport(request), 4, 1, 1, 2, 0, 65536)

	// What we did not write we do not remove.
	for _, path := range []string{"a.txt", "taken.txt"} {
		ada.Do(http.MethodDelete, "/file/ada/in/"+path, nil).Want(t, http.StatusNoContent)
	}
	s.clock.Advance(s.Config.Keep + time.Hour)
	s.App.Janitor.Sweep(t.Context())
	if n := s.dueItems(); n != 0 || !b.has("blobs/videos/a.txt") {
		t.Errorf("after a sweep %d removals are due, and the object is there: %t; want none, and that it is", n, b.has("blobs/videos/a.txt"))
	}
}

func TestImportsOfWhatIsNotOurs(t *testing.T) {
	s := openStore(t)
	for _, c := range []struct {
		source, path string
		status       int
		code, field  string
	}{
		{"s3://another/blobs/", "", http.StatusUnprocessableEntity, "import_elsewhere", "source"},
		{"s3://sluice/", "", http.StatusUnprocessableEntity, "import_elsewhere", "source"},
		{"s3://sluice/blobsandmore/", "", http.StatusUnprocessableEntity, "import_elsewhere", "source"},
		{"s3://sluice/blobs/s3://media/", "", http.StatusUnprocessableEntity, "import_elsewhere", "source"},
		{"videos/", "", http.StatusBadRequest, "invalid_field", "source"},
		{"s3://sluice/blobs/?x=1", "", http.StatusBadRequest, "invalid_field", "source"},
		{"s3://sluice/blobs/", "a//b", http.StatusBadRequest, "invalid_field", "path"},
		{"s3://sluice/blobs/", "a/", http.StatusBadRequest, "invalid_field", "path"},
	} {
		request := map[string]string{"source": c.source, "owner": "admin"}
		if c.path != "" {
			request["path"] = c.path
		}
		a := s.admin.JSON(http.MethodPost, "/api/imports", request)
		if a.StatusCode != c.status || a.Code() != c.code || problemField(a) != c.field {
			t.Errorf("importing %s into %q = %s, want %d %s of %s", c.source, c.path, a, c.status, c.code, c.field)
		}
	}
}

func TestImportsAreListedAndStopped(t *testing.T) {
	s := openStore(t)
	hold := blobtest.NewHold()
	s.blobs.Script(blobtest.List, blobtest.Fault{Hold: hold})
	request := map[string]any{"source": "s3://sluice/blobs/videos/", "owner": "admin"}
	s.bucket().put("blobs/videos/a", "x")
	id := s.admin.JSON(http.MethodPost, "/api/imports", request).Want(t, http.StatusAccepted).Field(t, "id")
	<-hold.Reached()
	s.admin.Do(http.MethodDelete, "/api/imports/"+id, nil).Want(t, http.StatusNoContent)
	record, err := s.App.Deps.Catalog.Import(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	over := s.App.Deps.Uploads.WatchImport(record)
	hold.Release()
	<-over
	if a := s.admin.Do(http.MethodGet, "/api/imports/"+id, nil); a.Field(t, "state") != "stopped" {
		t.Errorf("after it was stopped the import is %s", a)
	}
	s.clock.Advance(time.Second)
	second := s.runImport(request).ID
	page := s.admin.Do(http.MethodGet, "/api/imports?limit=1", nil).Want(t, http.StatusOK)
	rest := s.admin.Do(http.MethodGet, "/api/imports?limit=1&cursor="+page.Field(t, "next_cursor"), nil).Want(t, http.StatusOK)
	if !bytes.Contains(page.Body, []byte(second)) || !bytes.Contains(rest.Body, []byte(id)) || bytes.Contains(rest.Body, []byte("next_cursor")) {
		t.Errorf("the imports are listed as %s and %s; want %s, then %s", page, rest, second, id)
	}
}

func TestEventsRegisterObjects(t *testing.T) {
	s := openStore(t)
	b := s.bucket()
	s.user("ada", auth.User)
	for owner, source := range map[string]string{"admin": "s3://sluice/blobs/in/", "ada": "s3://sluice/blobs/in/ada/"} {
		s.runImport(map[string]any{"source": source, "owner": owner, "path": "from"})
	}
	tell := func(event, key string) { t.Helper(); s.tell(event, "sluice", key) }
	want := func(path string, status int, content string) {
		t.Helper()
		if a := s.admin.Do(http.MethodGet, "/file/"+path, nil).Want(t, status); status == http.StatusOK && string(a.Body) != content {
			t.Errorf("%s is %q, want %q", path, a.Body, content)
		}
	}
	b.put("blobs/in/a b+c", "one")
	b.put("blobs/in/ada/x", "two")
	b.put("blobs/other/y", "three")
	for range 2 { // twice changes nothing
		tell("s3:ObjectCreated:Put", "blobs/in/a b+c")
		tell("ObjectCreated:CompleteMultipartUpload", "blobs/in/ada/x")
		tell("ObjectCreated:Put", "blobs/other/y")
		tell("ObjectCreated:Put", "blobs/in/gone")
		tell("s3:ObjectRemoved:Delete", "blobs/in/a b+c") // it is there, whatever was
		tell("s3:ObjectCreated:Put", "elsewhere/a b+c")
	}
	want("admin/from/a%20b+c", http.StatusOK, "one")
	want("ada/from/x", http.StatusOK, "two")
	want("admin/from/ada/x", http.StatusNotFound, "")
	want("admin/from/y", http.StatusNotFound, "")
	b.put("blobs/in/a b+c", "another")
	want("admin/from/a%20b+c", http.StatusConflict, "")
	tell("s3:ObjectCreated:Put", "blobs/in/a b+c")
	want("admin/from/a%20b+c", http.StatusOK, "another")
}

// Of an object that is gone the version is marked, and the store not asked for it
// again, however often and in whichever order that is told. When it is back it is
// a file again.
func TestEventsMarkWhatIsGone(t *testing.T) {
	s := openStore(t)
	b := s.bucket()
	s.runImport(map[string]any{"source": "s3://sluice/blobs/in/", "owner": "admin"})
	tell := func(event, key string) { t.Helper(); s.tell(event, "sluice", "blobs/in/"+key) }
	want := func(when string, status int) {
		t.Helper()
		opened := len(s.blobs.Opens())
		a := s.admin.Do(http.MethodGet, "/file/admin/a", nil)
		if a.StatusCode != status || status == http.StatusConflict && (a.Code() != "blob_changed" || len(s.blobs.Opens()) != opened) {
			t.Errorf("%s the answer is %s and the store was asked %d times, want %d, and nothing asked of the store for a 409", when, a, len(s.blobs.Opens())-opened, status)
		}
	}
	b.put("blobs/in/a", "one")
	tell("ObjectCreated:Put", "a")
	want("when it was created", http.StatusOK)
	b.remove("blobs/in/a")
	for range 2 {
		tell("s3:ObjectRemoved:Delete", "a")
		want("when it is gone", http.StatusConflict)
	}
	tell("ObjectCreated:Put", "a") // late
	want("when its creation is told once more", http.StatusConflict)
	b.put("blobs/in/a", "one") // the same bytes, and so the same entity tag
	tell("s3:ObjectRemoved:Delete", "a")
	want("when it is back, though its removal is told", http.StatusOK)
	s.blobs.Script(blobtest.Stat, blobtest.Fault{Err: blobtest.Error{Code: blob.NotFound}})
	tell("ObjectCreated:Put", "a")
	want("when it came back between a look and the mark", http.StatusOK)
	tell("s3:ObjectRemoved:Delete", "never")
	wantCounts(t, "afterwards", s.runImport(map[string]any{"source": "s3://sluice/blobs/in/", "owner": "admin"}), 1, 0, 1, 0, 0, 0)

	// A file that has come to the path since is another one.
	s.admin.Do(http.MethodDelete, "/file/admin/a", nil).Want(t, http.StatusNoContent)
	s.admin.Put("/file/admin/a", "mine")
	b.remove("blobs/in/a")
	tell("s3:ObjectRemoved:Delete", "a")
	want("of what an upload brought since", http.StatusOK)
	if log := s.Log.String(); strings.Contains(log, "is not registered") {
		t.Errorf("that an object is gone is logged as a failure: %s", log)
	}
}
