package api_test

import (
	"net/http"
	"strings"
	"testing"

	"sluice/shared/app/local/localtest"
	"sluice/shared/config"
)

// The main job is the same on every store.
func TestWhatIsUploadedIsDownloaded(t *testing.T) {
	t.Run("on a disk", func(t *testing.T) { mainJob(t) })
	t.Run("on MinIO", func(t *testing.T) {
		_, blobs := localtest.MinIO(t)
		mainJob(t, blobs, streamed)
	})
	t.Run("on MinIO and DynamoDB", func(t *testing.T) {
		_, blobs := localtest.MinIO(t)
		mainJob(t, blobs, localtest.Dynoxide(t), streamed)
	})
}

// streamed has everything pass through the server.
func streamed(c *config.Config) { c.Delivery, c.UploadParts = "stream", "server" }

func mainJob(t *testing.T, edits ...func(*config.Config)) {
	r := openRig(t, edits...)
	content := strings.Repeat("0123456789", 1_000_000)
	put := r.admin.Put("/file/admin/a/b.txt", content, "Content-Type", "text/plain")
	id, etag := put.Field(t, "id"), put.Field(t, "etag")
	byID := "/api/files/" + id + "/content"
	for _, path := range []string{"/file/admin/a/b.txt", byID} {
		for _, x := range []struct {
			fields []string
			status int
			want   string
		}{
			{nil, http.StatusOK, content},
			{[]string{"Range", "bytes=-3"}, http.StatusPartialContent, "789"},
			{[]string{"Range", "bytes=5000000-9999999", "If-Range", etag}, http.StatusPartialContent, content[5_000_000:]},
			{[]string{"Range", "bytes=0-9", "If-Range", `"another"`}, http.StatusOK, content},
			{[]string{"If-None-Match", etag}, http.StatusNotModified, ""},
		} {
			if a := r.admin.Do(http.MethodGet, path, nil, x.fields...).Want(t, x.status); string(a.Body) != x.want {
				t.Errorf("GET %s with %q: %d bytes came, want %d", path, x.fields, len(a.Body), len(x.want))
			}
		}
		if a := r.admin.Do(http.MethodHead, path, nil).Want(t, http.StatusOK); a.ContentLength != int64(len(content)) {
			t.Errorf("HEAD %s: Content-Length %d, want %d", path, a.ContentLength, len(content))
		}
	}
	session := beginSession(t, r.admin, id)
	r.admin.Put("/file/admin/a/b.txt", "another")
	if a := r.Anonymous().Do(http.MethodGet, r.source(session), nil).Want(t, http.StatusOK); string(a.Body) != content || a.Header.Get("ETag") != etag {
		t.Errorf("a session has %d bytes with ETag %s after an overwrite, want the %d it began with", len(a.Body), a.Header.Get("ETag"), len(content))
	}
	r.admin.JSON(http.MethodPost, "/api/files/"+id+"/restore", map[string]string{"version_id": put.Field(t, "version_id")}).Want(t, http.StatusOK)

	parts := bytesOf(1, partSize+1000)
	p := r.begin(r.admin, "parts.bin", map[string]any{"size": len(parts), "sha256": hexSum(parts)})
	p.put(2, parts[partSize:]).Want(t, http.StatusOK)
	p.put(1, parts[:partSize]).Want(t, http.StatusOK)
	p.complete().Want(t, http.StatusOK)

	r.Stop()
	r.Run()
	for path, want := range map[string]string{"a/b.txt": content, "parts.bin": string(parts)} {
		a := r.Admin().Do(http.MethodGet, "/file/admin/"+path, nil).Want(t, http.StatusOK)
		if string(a.Body) != want || path == "a/b.txt" && a.Header.Get("ETag") != etag {
			t.Errorf("after a restart %s has %d bytes with ETag %s, want the %d sent with %s", path, len(a.Body), a.Header.Get("ETag"), len(want), etag)
		}
	}
}
