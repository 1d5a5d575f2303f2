package api_test

import (
	"net/http"
	"strings"
	"testing"

	"sluice/shared/app/local/localtest"
)

func TestWhatIsUploadedIsDownloaded(t *testing.T) {
	site := localtest.Start(t)
	admin := site.Admin()
	content := strings.Repeat("0123456789", 100_000)
	put := admin.Put("/file/admin/a/b.txt", content, "Content-Type", "text/plain")
	byID := "/api/files/" + put.Field(t, "id") + "/content"
	for _, path := range []string{"/file/admin/a/b.txt", byID} {
		a := admin.Do(http.MethodGet, path, nil).Want(t, http.StatusOK)
		if string(a.Body) != content {
			t.Errorf("GET %s: %d bytes came, want the %d sent", path, len(a.Body), len(content))
		}
		a = admin.Do(http.MethodGet, path, nil, "Range", "bytes=-3").Want(t, http.StatusPartialContent)
		if string(a.Body) != "789" {
			t.Errorf("GET %s: the last 3 bytes are %q, want 789", path, a.Body)
		}
		a = admin.Do(http.MethodHead, path, nil).Want(t, http.StatusOK)
		if a.ContentLength != int64(len(content)) {
			t.Errorf("HEAD %s: Content-Length %d, want %d", path, a.ContentLength, len(content))
		}
	}
	site.Stop()
	site.Run()
	if got := site.Admin().Do(http.MethodGet, "/file/admin/a/b.txt", nil).Want(t, http.StatusOK); string(got.Body) != content {
		t.Errorf("after a restart %d bytes came, want the %d sent", len(got.Body), len(content))
	}
}
