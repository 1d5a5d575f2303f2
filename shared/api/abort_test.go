package api_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sluice/shared/app/local"
	"sluice/shared/app/local/localtest"
	"sluice/shared/blob"
)

// truncate cuts the only blob of a site short.
func truncate(t *testing.T, site *localtest.Site, size int64) {
	t.Helper()
	if err := os.Truncate(blobFiles(t, site)[0], size); err != nil {
		t.Fatal(err)
	}
}

// What the disk has lost must not look like the end of the file.
func TestATruncatedBlobEndsInAnError(t *testing.T) {
	t.Parallel()
	sideBySide(t, wires, func(t *testing.T, w wire) {
		sideBySide(t, map[string]int{"small": 10_000, "large": 1 << 20}, func(t *testing.T, size int) {
			site := w.site(t)
			c := w.client(t, site.Admin(), nil)
			content := large()[:size]
			upload(t, c, content)
			truncate(t, site, int64(size/2))
			for _, fields := range []string{"", fmt.Sprintf("Range: bytes=%d-", size/4), fmt.Sprintf("Range: bytes=0-9,%d-", size/4)} {
				a, err := c.Try(http.MethodGet, "/file/admin/x", nil, sample{}.header(fields)...)
				if err == nil && a.Err == nil {
					t.Errorf("GET with %q = %s and %d bytes without an error, want one", fields, a.Status, len(a.Body))
				}
			}
			a := c.Do(http.MethodGet, "/file/admin/x", nil, "Range", fmt.Sprintf("bytes=0-%d", size/2-1)).Want(t, http.StatusPartialContent)
			if !bytes.Equal(a.Body, content[:size/2]) {
				t.Errorf("GET of what is left: %d bytes, or others than the %d there are", len(a.Body), size/2)
			}
			if out, err := curl(t, c, w); err == nil {
				t.Errorf("curl ended without an error: %s", out)
			}
			for _, line := range site.Log.Lines(t) {
				if line["event"] == "download.completed" && line["bytes"].(float64) != float64(size/2) {
					t.Errorf("the log says %v, want completed for what is left alone", line)
				}
			}
		})
	})
}

// curl downloads what upload put as a user would, and returns what it says.
func curl(t *testing.T, c *localtest.Client, w wire) (string, error) {
	t.Helper()
	program, err := exec.LookPath("curl")
	if err != nil {
		if os.Getenv("SLUICE_REQUIRE_TOOLS") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	version := "--http1.1"
	if w.http2 {
		version = "--http2"
	}
	cmd := exec.CommandContext(t.Context(), program, "-sSkfo", filepath.Join(t.TempDir(), "out"), version, "-H", "Authorization: Bearer "+c.Token, c.Site.URL+"/file/admin/x")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// panicking is a store whose readers break the program.
type panicking struct {
	blob.Driver
	after int64 // bytes; below 0: Open does
}

func (d panicking) Open(ctx context.Context, key string, offset, length int64, pin string) (io.ReadCloser, error) {
	if d.after < 0 {
		panic("the store broke in Open")
	}
	r, err := d.Driver.Open(ctx, key, offset, length, pin)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(io.LimitReader(r, d.after), broken{}), r}, nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { panic("the store broke in Read") }

func TestAPanicEndsOneAnswerAndNoMore(t *testing.T) {
	t.Parallel()
	sideBySide(t, wires, func(t *testing.T, w wire) {
		sideBySide(t, map[string]int64{"before the answer": -1, "before its first byte": 0, "within it": 500_000}, func(t *testing.T, after int64) {
			site := w.siteWith(t, local.Options{Blobs: func(d blob.Driver) blob.Driver { return panicking{d, after} }})
			c := w.client(t, site.Admin(), nil)
			upload(t, c, large()[:1<<20])
			a, err := c.Try(http.MethodGet, "/file/admin/x", nil)
			switch {
			case after < 0 && (err != nil || a.StatusCode != http.StatusInternalServerError || a.Code() != "internal" || !strings.Contains(string(a.Body), a.Header.Get("X-Request-Id"))):
				t.Errorf("GET = %s, %v, want 500 internal with the request's id", a, err)
			case after >= 0 && err == nil && a.Err == nil:
				t.Errorf("GET = %s and %d bytes without an error, want one", a.Status, len(a.Body))
			}
			c.Do(http.MethodGet, "/healthz", nil).Want(t, http.StatusOK)
			if log := site.Log.String(); !strings.Contains(log, `"msg":"panic"`) || !strings.Contains(log, "the store broke in") || !strings.Contains(log, "abort_test.go") {
				t.Errorf("the log does not tell of the panic with its stack: %s", log)
			}
			if strings.Contains(string(a.Body), "the store broke") {
				t.Errorf("the answer tells of the panic: %s", a)
			}
		})
	})
}

// TestTheLogTellsOfDownloads, and of nothing that is secret.
func TestTheLogTellsOfDownloads(t *testing.T) {
	site := localtest.Start(t)
	admin := site.Admin()
	put := admin.Put("/file/admin/secret-name", "0123456789", "Content-Type", "text/plain")
	id := put.Field(t, "id")
	admin.JSON(http.MethodPatch, "/api/files/"+id, map[string]string{"visibility": "public"}).Want(t, http.StatusOK)
	for _, x := range []struct {
		method, path, fields string
		event                any
		bytes                float64
	}{
		{"GET", "/file/admin/secret-name", "", "download.completed", 10},
		{"GET", "/api/files/" + id + "/content", "", "download.completed", 10},
		{"GET", "/file/admin/secret-name", "Range: bytes=0-3", "download.completed", 4},
		{"GET", "/file/admin/secret-name", "Range: bytes=0-3,5-5", "download.completed", 5},
		{"HEAD", "/file/admin/secret-name", "", nil, 0},
		{"GET", "/file/admin/secret-name", "If-None-Match: *", nil, 0},
		{"GET", "/file/admin/secret-name", "Range: bytes=10-", nil, 0},
		{"GET", "/file/admin/secret-name", "If-Match: \"secret-tag\"", nil, 0},
		{"GET", "/file/admin/secret-name?disposition=secret-query", "Cookie: secret-cookie", nil, 0},
	} {
		a := admin.Do(x.method, x.path, nil, sample{}.header(x.fields)...)
		line := site.Log.RequestLine(t, a.Header.Get("X-Request-Id"))
		if line["event"] != x.event || line["bytes"] != x.bytes || line["status"] != float64(a.StatusCode) || line["file_id"] != id || line["user_id"] != admin.ID {
			t.Errorf("%s %s with %q: the log says %v, want event %v, %v bytes, status %d of file %s by user %s", x.method, x.path, x.fields, line, x.event, x.bytes, a.StatusCode, id, admin.ID)
		}
	}
	nobody := site.Anonymous()
	login := nobody.JSON(http.MethodPost, "/api/login", map[string]string{"username": "admin", "password": localtest.Password})
	refresh, access := login.Field(t, "refresh_token"), login.Field(t, "access_token")
	nobody.JSON(http.MethodPost, "/api/login", map[string]string{"username": "secret-user", "password": "secret-guess"})
	nobody.JSON(http.MethodPost, "/api/token/refresh", map[string]string{"refresh_token": refresh}).Want(t, http.StatusOK)
	nobody.JSON(http.MethodPost, "/api/token/refresh", map[string]string{"refresh_token": "secret-refresh"})
	nobody.Do(http.MethodGet, "/file/admin/secret-name", nil, "Authorization", "Bearer secret-bearer").Want(t, http.StatusUnauthorized)
	nobody.Do(http.MethodGet, "/file/admin/secret-name", nil, "Authorization", "Bearer "+access+"secret").Want(t, http.StatusUnauthorized)
	admin.JSON(http.MethodPatch, "/api/profile", map[string]string{"password": "secret-password", "old_password": "secret-old"})
	log := site.Log.String()
	for what, secret := range map[string]string{"password": localtest.Password, "access token": admin.Token, "other access token": access, "refresh token": refresh, "text": "secret"} {
		if at := strings.Index(log, secret); at >= 0 {
			t.Errorf("the log holds a %s: …%s…", what, log[max(0, at-200):min(len(log), at+100)])
		}
	}
}
