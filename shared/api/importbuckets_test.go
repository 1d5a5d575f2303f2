package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"sluice/localstack/stores"
	"sluice/shared/app/local/localtest"
	"sluice/shared/auth"
	"sluice/shared/config"
	"sluice/shared/delivery"
)

// fromMedia lets imports be of the folder videos of the bucket media.
func fromMedia(c *config.Config) {
	c.ImportBuckets = []*url.URL{{Scheme: "s3", Host: "media", Path: "/videos/"}}
}

// makeBucket makes a bucket beside ours.
func makeBucket(t *testing.T, store *stores.S3, name string) bucket {
	t.Helper()
	b := bucketOf(t, store, name)
	if _, err := b.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	return b
}

// Each row is a store that others filled, and where our own blobs and records
// are.
func TestImportFromABucketBesideOurs(t *testing.T) {
	for name, open := range map[string]func(*testing.T) (*stores.S3, []func(*config.Config)){
		"MinIO, with our blobs in another bucket": func(t *testing.T) (*stores.S3, []func(*config.Config)) {
			store, on := localtest.MinIO(t)
			return store, []func(*config.Config){on}
		},
		"MinIO, and records in DynamoDB": func(t *testing.T) (*stores.S3, []func(*config.Config)) {
			store, on := localtest.MinIO(t)
			return store, []func(*config.Config){on, localtest.Dynoxide(t)}
		},
		"versitygw, with our blobs on the disk": func(t *testing.T) (*stores.S3, []func(*config.Config)) {
			return localtest.Versitygw(t), nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			store, on := open(t)
			media := makeBucket(t, store, "media")
			testImportBeside(t, openRig(t, append(on, fromMedia)...), media)
		})
	}
}

func testImportBeside(t *testing.T, r *rig, media bucket) {
	t.Helper()
	ada := r.user("ada", auth.User)
	likeOurs := ada.ID + "/" + auth.NewID(time.Now()) // as an upload's key is
	media.put("videos/a.txt", "hello")
	media.put("videos/"+likeOurs, "theirs")
	media.put("videos/deep/b c+%\u00e9.txt", "more")
	media.put("others/c.txt", "not to be had")
	get := func(path string, header ...string) localtest.Answer {
		t.Helper()
		return ada.Do(http.MethodGet, "/file/ada/in/"+path, nil, header...)
	}
	want := func(path, content string) {
		t.Helper()
		if a := get(path).Want(t, http.StatusOK); string(a.Body) != content {
			t.Errorf("%s is %q, want %q", path, a.Body, content)
		}
	}

	for _, source := range []string{"s3://media/", "s3://media/others/", "s3://media/videosmore/", "s3://mediaandmore/videos/", "s3://elsewhere/"} {
		a := r.admin.JSON(http.MethodPost, "/api/imports", map[string]string{"source": source, "owner": "ada"})
		if a.StatusCode != http.StatusUnprocessableEntity || a.Code() != "import_elsewhere" || !strings.Contains(string(a.Body), "s3://media/videos/") {
			t.Errorf("importing %s = %s, want import_elsewhere and where an import may be of", source, a)
		}
	}
	request := map[string]any{"source": "s3://media/videos", "owner": "ada", "path": "in", "dry_run": true}
	wantCounts(t, "dry", r.runImport(request), 3, 3, 0, 0, 0, 15)
	delete(request, "dry_run")
	done := r.runImport(request)
	wantCounts(t, "first", done, 3, 3, 0, 0, 0, 15)
	if done.Source != "s3://media/videos/" {
		t.Errorf("the import is shown as of %s, want s3://media/videos/", done.Source)
	}
	wantCounts(t, "again", r.runImport(request), 3, 0, 3, 0, 0, 0)

	want("a.txt", "hello")
	want(likeOurs, "theirs")
	want("deep/b%20c+%25%C3%A9.txt", "more")
	if a := get("a.txt", "Range", "bytes=1-3", "If-Range", get("a.txt").Header.Get("ETag")).Want(t, http.StatusPartialContent); string(a.Body) != "ell" {
		t.Errorf("three bytes of it are %q, want ell", a.Body)
	}
	r.wantManifest(ada, "in/a.txt")

	media.put("videos/a.txt", "another")
	if a := get("a.txt").Want(t, http.StatusConflict); a.Code() != "blob_changed" {
		t.Errorf("an object that was replaced = %s, want blob_changed", a)
	}
	media.put("videos/late.txt", "new")
	for _, key := range []string{"videos/a.txt", "videos/late.txt", "others/c.txt"} {
		r.tell("ObjectCreated:Put", "media", key)
	}
	want("a.txt", "another")
	want("late.txt", "new")
	get("c.txt").Want(t, http.StatusNotFound)

	// What is no longer allowed is not had, and not taken for lost.
	deps := r.App.Deps
	deps.Delivery = &delivery.Service{Blobs: deps.Delivery.Blobs, Clock: deps.Clock, Stall: deps.Stall}
	if a := with(elsewhere(r, deps), ada.Token).Do(http.MethodGet, "/file/ada/in/late.txt", nil); a.StatusCode != http.StatusBadGateway || a.Code() != "blob_failed" {
		t.Errorf("of a server that does not read the bucket the answer is %s, want blob_failed", a)
	}
	want("late.txt", "new")

	for _, path := range []string{"a.txt", "late.txt", likeOurs, "deep/b%20c+%25%C3%A9.txt"} {
		ada.Do(http.MethodDelete, "/file/ada/in/"+path, nil).Want(t, http.StatusNoContent)
	}
	r.clock.Advance(r.Config.Keep + time.Hour)
	r.App.Janitor.Sweep(t.Context())
	for _, key := range []string{"videos/a.txt", "videos/late.txt", "videos/" + likeOurs, "videos/deep/b c+%\u00e9.txt"} {
		if !media.has(key) {
			t.Errorf("%s was removed with its file", key)
		}
	}
	if n := r.dueItems(); n != 0 {
		t.Errorf("after a sweep %d removals are due, want none", n)
	}
}

// tell tells of an event as a store does.
func (r *rig) tell(event, bucket, key string) {
	r.t.Helper()
	body := fmt.Sprintf(`{"Records":[{"eventName":%q,"new":{},"s3":{"bucket":{"name":%q},"object":{"key":%q,"eTag":"stale","size":7}}}]}`,
		event, bucket, url.QueryEscape(key))
	with(r.Anonymous(), webhookToken).Do(http.MethodPost, "/api/events/s3", strings.NewReader(body), "Content-Type", "application/json").
		Want(r.t, http.StatusNoContent)
}

// wantManifest has the manifest of a file made, and wants it.
func (r *rig) wantManifest(owner *localtest.Client, path string) {
	r.t.Helper()
	f, err := r.App.Deps.Catalog.FileAt(r.t.Context(), owner.ID, path)
	if err != nil {
		r.t.Fatal(err)
	}
	<-r.App.Deps.Uploads.Describe(f)
	a := owner.Do(http.MethodGet, "/api/files/"+f.ID+"/manifest", nil).Want(r.t, http.StatusOK)
	if a.Field(r.t, "sha256") != hexSum([]byte("hello")) {
		r.t.Errorf("the manifest is %s, want that of hello", a)
	}
	if f.Version.Verified() != nil {
		r.t.Error("an imported file has a digest that was verified")
	}
}
