package api_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/shared/app/local"
	"sluice/shared/app/local/localtest"
	"sluice/shared/blob"
	"sluice/shared/blob/blobtest"
	"sluice/shared/config"
)

// These tests are about time, and take some: a second is the least stall time
// that can be configured. They run side by side.
const (
	stall = time.Second
	soon  = 5 * stall // within which what must end has ended, on a busy machine too
)

func stallSoon(c *config.Config) { c.Stall = stall }

// noise is content of which no two stretches are alike, so that a hole shows.
func noise(size int) []byte {
	content := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(content) // never fails
	return content
}

// wire is how a client speaks.
type wire struct{ tls, http2 bool }

var wires = map[string]wire{
	"HTTP/1.1":          {},
	"HTTP/1.1 over TLS": {tls: true},
	"HTTP/2":            {tls: true, http2: true},
}

// site starts a server that speaks so and drops who stalls.
func (w wire) site(t *testing.T, edits ...func(*config.Config)) *localtest.Site {
	t.Helper()
	edits = append(edits, stallSoon)
	if w.tls {
		edits = append(edits, localtest.WithTLS(t))
	}
	return localtest.Start(t, edits...)
}

// client returns c with connections of its own that speak so, with little room
// to receive in. wrap, which may be nil, is put around them.
func (w wire) client(t *testing.T, c *localtest.Client, wrap func(net.Conn) net.Conn) *localtest.Client {
	t.Helper()
	transport := &http.Transport{
		ForceAttemptHTTP2: w.http2,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			err = conn.(*net.TCPConn).SetReadBuffer(64 << 10)
			if wrap != nil {
				conn = wrap(conn)
			}
			return conn, err
		},
	}
	if trusted := c.HTTP.Transport.(*http.Transport).TLSClientConfig; trusted != nil {
		transport.TLSClientConfig = &tls.Config{RootCAs: trusted.RootCAs, MinVersion: tls.VersionTLS12}
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &localtest.Client{Site: c.Site, Token: c.Token, ID: c.ID, HTTP: &http.Client{Transport: transport}}
}

// begin sends a GET and returns when its header is there.
func begin(t *testing.T, c *localtest.Client, path string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.Site.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.Token)
	a, err := c.HTTP.Do(r)
	if err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	t.Cleanup(func() { _ = a.Body.Close() })
	if a.StatusCode != http.StatusOK {
		t.Fatalf("GET %s = %s, want 200", path, a.Status)
	}
	return a
}

func TestAReaderThatTakesNothingIsDropped(t *testing.T) {
	for name, w := range wires {
		for _, how := range []string{"reads no body", "reads nothing at all"} {
			t.Run(name+", "+how, func(t *testing.T) {
				t.Parallel()
				site := w.site(t)
				content := noise(32 << 20)
				admin := site.Admin()
				admin.Put("/file/admin/large", string(content))
				g := &gate{open: make(chan struct{})}
				defer g.Open()
				c := w.client(t, admin, nil)
				if how == "reads nothing at all" {
					c = w.client(t, admin, g.wrap)
				}
				a := begin(t, c, "/file/admin/large")
				g.Close()
				line := site.Log.RequestLine(t, a.Header.Get("X-Request-Id"))
				took := time.Duration(line["duration_ms"].(float64) * float64(time.Millisecond))
				if line["event"] != "download.aborted" || line["bytes"].(float64) >= float64(len(content)) || took < stall*9/10 || took > soon {
					t.Errorf("the log says %v, want download.aborted before the end, after %v to %v", line, stall, soon)
				}
				g.Open()
				got, err := io.ReadAll(a.Body)
				if err == nil || !bytes.HasPrefix(content, got) {
					t.Errorf("the client then read %d bytes, %v, want the first bytes of the file and an error", len(got), err)
				}
			})
		}
	}
}

// gate lets connections read, or not. It is open until Close.
type gate struct {
	mu   sync.Mutex
	shut bool
	open chan struct{} // closed by Open
	once sync.Once
}

func (g *gate) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = true
}

func (g *gate) Open() { g.once.Do(func() { close(g.open) }) }

func (g *gate) wrap(conn net.Conn) net.Conn { return gated{conn, g} }

type gated struct {
	net.Conn
	*gate
}

func (c gated) Close() error { return c.Conn.Close() }

func (c gated) Read(p []byte) (int, error) {
	c.mu.Lock()
	shut := c.shut
	c.mu.Unlock()
	if shut {
		<-c.open
	}
	return c.Conn.Read(p)
}

// A client that was fast and became slow is served for as long as it goes on:
// progress counts, not size.
func TestASlowReaderThatGoesOnIsServedWhole(t *testing.T) {
	const size, fast, piece = 48 << 20, 40 << 20, 256 << 10
	for name, w := range wires {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := w.site(t)
			content := noise(size)
			admin := site.Admin()
			admin.Put("/file/admin/large", string(content))
			a := begin(t, w.client(t, admin, nil), "/file/admin/large")
			got := make([]byte, size)
			n, err := io.ReadFull(a.Body, got[:fast])
			began := time.Now()
			pace := time.NewTicker(stall / 10)
			defer pace.Stop()
			for err == nil && n < size {
				<-pace.C
				var m int
				m, err = io.ReadFull(a.Body, got[n:min(n+piece, size)])
				n += m
			}
			if err != nil || !bytes.Equal(got, content) {
				t.Fatalf("%d of %d bytes came, %v after the pace slackened, then %v", n, size, time.Since(began), err)
			}
			if took := time.Since(began); took < 2*stall {
				t.Errorf("the slow part took %v, want more than %v for this to be a test", took, 2*stall)
			}
			if line := site.Log.RequestLine(t, a.Header.Get("X-Request-Id")); line["event"] != "download.completed" || line["bytes"] != float64(size) {
				t.Errorf("the log says %v, want download.completed with %d bytes", line, size)
			}
		})
	}
}

// dial opens a connection to a site and bounds how long its test may wait.
func dial(t *testing.T, site *localtest.Site) net.Conn {
	t.Helper()
	_, addr, _ := strings.Cut(site.URL, "://")
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestWhoDoesNotSendARequestIsDropped(t *testing.T) {
	for name, x := range map[string]struct {
		wire   wire
		begins string
		drips  string // sent a byte at a time, faster than the stall time
	}{
		"nothing at all":               {},
		"half a request line":          {begins: "GET /heal"},
		"half a header":                {begins: "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long"},
		"a header in drips":            {begins: "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: ", drips: strings.Repeat("x", 1000)},
		"no TLS handshake":             {wire: wires["HTTP/2"]},
		"half a TLS handshake":         {wire: wires["HTTP/2"], begins: "\x16\x03\x01\x02\x00\x01"},
		"a TLS handshake in drips":     {wire: wires["HTTP/2"], begins: "\x16\x03\x01\x02\x00\x01", drips: strings.Repeat("\x00", 500)},
		"no body, where one is due":    {begins: "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"},
		"no chunk, where one is due":   {begins: "DELETE /file/a/b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"},
		"no body after a 100 Continue": {begins: "GET /healthz HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n"},
		"no body of a login":           {begins: "POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n"},
		"no body of a preflight":       {begins: "OPTIONS /healthz HTTP/1.1\r\nHost: x\r\nOrigin: https://a.example\r\nAccess-Control-Request-Method: GET\r\nContent-Length: 10\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, x.wire.site(t, func(c *config.Config) { c.CORSOrigins = []string{"https://a.example"} }))
			began := time.Now()
			if _, err := io.WriteString(conn, x.begins); err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			defer close(done)
			go drip(conn, x.drips, done)
			answer, _ := io.ReadAll(conn) // until the server closes; a reset is as good
			if took := time.Since(began); took > soon {
				t.Errorf("the connection was open for %v, want %v at most; it brought %q", took, soon, answer)
			}
		})
	}
}

func drip(conn net.Conn, text string, done <-chan struct{}) {
	pace := time.NewTicker(stall / 10)
	defer pace.Stop()
	for i := range len(text) {
		select {
		case <-pace.C:
		case <-done:
			return
		}
		if _, err := conn.Write([]byte{text[i]}); err != nil {
			return
		}
	}
}

func TestAStalledUploadGets408AndIsNotKept(t *testing.T) {
	for name, w := range wires {
		for _, length := range []int64{1 << 20, -1} {
			t.Run(fmt.Sprintf("%s, length %d", name, length), func(t *testing.T) {
				t.Parallel()
				site := w.site(t)
				c := w.client(t, site.Admin(), nil)
				body, sender := io.Pipe()
				defer sender.Close()
				go func() { _, _ = sender.Write(noise(300_000)) }() // and then no more
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, site.URL+"/file/admin/x", body)
				if err != nil {
					t.Fatal(err)
				}
				r.ContentLength = length
				r.Header.Set("Authorization", "Bearer "+c.Token)
				began := time.Now()
				a, err := c.HTTP.Do(r)
				if err != nil {
					t.Fatalf("PUT: %v, want an answer", err)
				}
				defer a.Body.Close()
				text, err := io.ReadAll(a.Body)
				if a.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(text), `"body_stalled"`) || err != nil {
					t.Errorf("PUT = %s %s, %v, want 408 body_stalled", a.Status, text, err)
				}
				if took := time.Since(began); took < stall || took > soon {
					t.Errorf("the answer came after %v, want %v to %v", took, stall, soon)
				}
				nothingIsKept(t, site, c)
			})
		}
	}
}

// nothingIsKept wants no file of that name and no byte on the disk.
func nothingIsKept(t *testing.T, site *localtest.Site, c *localtest.Client) {
	t.Helper()
	c.Do(http.MethodGet, "/file/admin/x", nil).Want(t, http.StatusNotFound)
	err := filepath.WalkDir(site.Config.Blob.Path, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && e.Name() != "lock" {
			t.Errorf("%s is left of the upload", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestASlowUploadThatGoesOnIsKept(t *testing.T) {
	for name, w := range wires {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := w.site(t)
			c := w.client(t, site.Admin(), nil)
			content := noise(30 * 10_000)
			body, sender := io.Pipe()
			go func() {
				pace := time.NewTicker(stall / 10)
				defer pace.Stop()
				for piece := range slices.Chunk(content, 10_000) {
					<-pace.C
					if _, err := sender.Write(piece); err != nil {
						return
					}
				}
				_ = sender.Close()
			}()
			c.Do(http.MethodPut, "/file/admin/x", body).Want(t, http.StatusCreated)
			if got := c.Do(http.MethodGet, "/file/admin/x", nil).Want(t, http.StatusOK); !bytes.Equal(got.Body, content) {
				t.Errorf("%d bytes came back, or others than the %d sent", len(got.Body), len(content))
			}
		})
	}
}

// A disk may take longer over the last byte than a client may stall.
func TestAnUploadWhoseCommitIsSlowIsKept(t *testing.T) {
	for name, w := range wires {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var chaos *blobtest.Chaos
			edits := []func(*config.Config){stallSoon}
			if w.tls {
				edits = append(edits, localtest.WithTLS(t))
			}
			site := localtest.StartWith(t, local.Options{Blobs: func(d blob.Driver) blob.Driver {
				chaos = blobtest.NewChaos(d)
				return chaos
			}}, edits...)
			hold := blobtest.NewHold()
			chaos.Script(blobtest.Commit, blobtest.Fault{Hold: hold})
			c := w.client(t, site.Admin(), nil)
			go func() {
				<-hold.Reached()
				<-time.After(stall * 3 / 2)
				hold.Release()
			}()
			c.Do(http.MethodPut, "/file/admin/x", strings.NewReader("content")).Want(t, http.StatusCreated)
		})
	}
}

// truncate cuts the only blob of a site short.
func truncate(t *testing.T, site *localtest.Site, size int64) {
	t.Helper()
	if err := os.Truncate(blobFiles(t, site)[0], size); err != nil {
		t.Fatal(err)
	}
}

// What the disk has lost must not look like the end of the file.
func TestATruncatedBlobEndsInAnError(t *testing.T) {
	for name, w := range wires {
		for _, size := range []int{10_000, 1 << 20} {
			t.Run(fmt.Sprintf("%s, %d bytes", name, size), func(t *testing.T) {
				t.Parallel()
				site := w.site(t)
				c := w.client(t, site.Admin(), nil)
				content := noise(size)
				c.Put("/file/admin/x", string(content))
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
				if out, err := curl(t, site, c.Token, "/file/admin/x", w); err == nil {
					t.Errorf("curl ended without an error: %s", out)
				}
				for _, line := range site.Log.Lines(t) {
					if line["event"] == "download.completed" && line["bytes"].(float64) != float64(size/2) {
						t.Errorf("the log says %v, want completed for what is left alone", line)
					}
				}
			})
		}
	}
}

// curl downloads a file as a user would, and returns what curl says of it.
func curl(t *testing.T, site *localtest.Site, token, path string, w wire) (string, error) {
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
	cmd := exec.CommandContext(t.Context(), program, "-sSkfo", filepath.Join(t.TempDir(), "out"), version, "-H", "Authorization: Bearer "+token, site.URL+path)
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
	for name, w := range wires {
		for _, after := range []int64{-1, 0, 500_000} {
			t.Run(fmt.Sprintf("%s, after %d bytes", name, after), func(t *testing.T) {
				t.Parallel()
				edits := []func(*config.Config){stallSoon}
				if w.tls {
					edits = append(edits, localtest.WithTLS(t))
				}
				site := localtest.StartWith(t, local.Options{Blobs: func(d blob.Driver) blob.Driver { return panicking{d, after} }}, edits...)
				c := w.client(t, site.Admin(), nil)
				c.Put("/file/admin/x", string(noise(1<<20)))
				a, err := c.Try(http.MethodGet, "/file/admin/x", nil)
				switch {
				case after < 0 && (err != nil || a.StatusCode != http.StatusInternalServerError || a.Code() != "internal" || !strings.Contains(string(a.Body), a.Header.Get("X-Request-Id"))):
					t.Errorf("GET = %s, %v, want 500 internal with the request's id", a, err)
				case after >= 0 && err == nil && a.Err == nil:
					t.Errorf("GET = %s and %d bytes without an error, want one", a.Status, len(a.Body))
				}
				c.Do(http.MethodGet, "/healthz", nil).Want(t, http.StatusOK)
				log := site.Log.String()
				if !strings.Contains(log, `"msg":"panic"`) || !strings.Contains(log, "the store broke in") || !strings.Contains(log, "panicking") && !strings.Contains(log, "broken") {
					t.Errorf("the log does not tell of the panic with its stack: %s", log)
				}
				if strings.Contains(string(a.Body), "the store broke") {
					t.Errorf("the answer tells of the panic: %s", a)
				}
			})
		}
	}
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
		{"GET", "/file/admin/secret-name?secret-query=1", "Cookie: secret-cookie", "download.completed", 10},
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

// refused waits until a server takes no connection more.
func refused(t *testing.T, site *localtest.Site) {
	t.Helper()
	_, addr, _ := strings.Cut(site.URL, "://")
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
		if err != nil {
			return
		}
		_ = conn.Close()
	}
	t.Fatal("a minute after the stop the server still takes connections")
}

func TestAStopLetsDownloadsEnd(t *testing.T) {
	for name, w := range wires {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			edits := []func(*config.Config){}
			if w.tls {
				edits = append(edits, localtest.WithTLS(t))
			}
			site := localtest.Start(t, edits...)
			admin := site.Admin()
			content := noise(32 << 20)
			admin.Put("/file/admin/large", string(content))
			a := begin(t, w.client(t, admin, nil), "/file/admin/large")
			stopped := make(chan struct{})
			go func() {
				site.Stop()
				close(stopped)
			}()
			refused(t, site)
			if other, err := admin.Try(http.MethodGet, "/file/admin/large", nil); err == nil && other.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("a request after the stop = %s, want none or 503", other.Status)
			}
			select {
			case <-stopped:
				t.Error("the server has stopped while a download was running")
			default:
			}
			if got, err := io.ReadAll(a.Body); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%d of %d bytes came, %v, want all", len(got), len(content), err)
			}
			<-stopped
		})
	}
}

func TestAStopEndsWhatTakesTooLong(t *testing.T) {
	for name, w := range wires {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			edits := []func(*config.Config){func(c *config.Config) { c.StopTimeout = 200 * time.Millisecond }}
			if w.tls {
				edits = append(edits, localtest.WithTLS(t))
			}
			site := localtest.Start(t, edits...) // who stalls is dropped after 10 seconds only
			admin := site.Admin()
			content := noise(32 << 20)
			admin.Put("/file/admin/large", string(content))
			a := begin(t, w.client(t, admin, nil), "/file/admin/large")
			began := time.Now()
			site.Stop()
			if took := time.Since(began); took > soon {
				t.Errorf("the stop took %v, want %v at most", took, soon)
			}
			if got, err := io.ReadAll(a.Body); err == nil || !bytes.HasPrefix(content, got) {
				t.Errorf("%d of %d bytes came, %v, want the first ones and an error", len(got), len(content), err)
			}
			if line := site.Log.RequestLine(t, a.Header.Get("X-Request-Id")); line["event"] != "download.aborted" {
				t.Errorf("the log says %v, want download.aborted", line)
			}
		})
	}
}

// TestNothingIsLeftRunning is not parallel, so that what runs is its own.
func TestNothingIsLeftRunning(t *testing.T) {
	for name, w := range wires {
		t.Run(name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			site := w.site(t)
			admin := site.Admin()
			admin.Put("/file/admin/large", string(noise(8<<20)))
			c := w.client(t, admin, nil)
			for range 3 {
				if got := c.Do(http.MethodGet, "/file/admin/large", nil).Want(t, http.StatusOK); len(got.Body) != 8<<20 {
					t.Errorf("%d bytes came, want %d", len(got.Body), 8<<20)
				}
				a := begin(t, c, "/file/admin/large")
				_ = a.Body.Close() // hung up on
				if line := site.Log.RequestLine(t, a.Header.Get("X-Request-Id")); w.http2 == false && line["event"] != "download.aborted" {
					t.Errorf("the log says %v, want download.aborted", line)
				}
			}
			conn := dial(t, site)
			if _, err := fmt.Fprintf(conn, "PUT /file/admin/y HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 10\r\n\r\nabc", admin.Token); err != nil {
				t.Fatal(err)
			}
			_ = conn.Close()
			site.Stop()
			admin.HTTP.CloseIdleConnections()
			c.HTTP.CloseIdleConnections()
			if err := goleak.Find(before); err != nil {
				t.Error(err)
			}
		})
	}
}

