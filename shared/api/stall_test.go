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
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/shared/app/local"
	"sluice/shared/app/local/localtest"
	"sluice/shared/blob"
	"sluice/shared/blob/blobtest"
	"sluice/shared/config"
)

// These tests are about time, and take some: a second is the least stall time
// that can be configured.
const (
	stall = time.Second
	soon  = 5 * stall // within which what must end has ended, on a busy machine too

	// goodbye is how long crypto/tls tries to send its last alert to a client
	// that takes nothing.
	goodbye = 5 * time.Second
)

// stallSoon makes a server drop who stalls for so long.
func stallSoon(c *config.Config) { c.Stall = stall }

// hurry restarts a site so that it does. Logins and files are made before, when
// a machine that is busy with other tests harms nobody.
func hurry(site *localtest.Site) {
	site.Stop()
	stallSoon(&site.Config)
	site.Run()
}

// enough is more bytes than all buffers between a server and a client that
// reads nothing hold.
const enough = 16 << 20

// large is content of which no two stretches are alike, so that a hole shows.
var large = sync.OnceValue(func() []byte {
	content := make([]byte, 32<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(content) // never fails
	return content
})

// sideBySide runs a subtest for each case at once. They wait much and work
// little, which the bound of -parallel is not made for.
func sideBySide[C any](t *testing.T, cases map[string]C, test func(*testing.T, C)) {
	var all sync.WaitGroup
	for name, c := range cases {
		all.Go(func() { t.Run(name, func(t *testing.T) { test(t, c) }) })
	}
	all.Wait()
}

// wire is how a client speaks.
type wire struct{ tls, http2 bool }

var wires = map[string]wire{
	"HTTP/1.1":          {},
	"HTTP/1.1 over TLS": {tls: true},
	"HTTP/2":            {tls: true, http2: true},
}

// site starts a server that speaks so.
func (w wire) site(t *testing.T, edits ...func(*config.Config)) *localtest.Site {
	t.Helper()
	return w.siteWith(t, local.Options{}, edits...)
}

func (w wire) siteWith(t *testing.T, o local.Options, edits ...func(*config.Config)) *localtest.Site {
	t.Helper()
	if w.tls {
		edits = append(edits, localtest.WithTLS(t))
	}
	return localtest.StartWith(t, o, edits...)
}

// client returns c with connections of its own that speak so, with little room
// to receive in, and read what g lets pass.
func (w wire) client(t *testing.T, c *localtest.Client, g *gate) *localtest.Client {
	t.Helper()
	transport := &http.Transport{
		ForceAttemptHTTP2: w.http2,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			err = conn.(*net.TCPConn).SetReadBuffer(64 << 10)
			if g != nil {
				conn = gated{conn, g}
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

// begin sends a GET of what upload put, and returns when the header is there.
func begin(t *testing.T, c *localtest.Client) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.Site.URL+"/file/admin/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.Token)
	a, err := c.HTTP.Do(r)
	if err != nil {
		t.Fatalf("GET: %v", err)
	}
	t.Cleanup(func() { _ = a.Body.Close() })
	if a.StatusCode != http.StatusOK {
		t.Fatalf("GET = %s, want 200", a.Status)
	}
	return a
}

// upload puts content under /file/admin/x.
func upload(t *testing.T, c *localtest.Client, content []byte) {
	t.Helper()
	c.Do(http.MethodPut, "/file/admin/x", bytes.NewReader(content)).Want(t, http.StatusCreated)
}

func TestAReaderThatTakesNothingIsDropped(t *testing.T) {
	t.Parallel()
	sideBySide(t, wires, func(t *testing.T, w wire) {
		site := w.site(t)
		c := site.Admin()
		content := large()[:enough]
		upload(t, c, content)
		hurry(site)
		sideBySide(t, map[string]*gate{"reads no body": nil, "reads nothing at all": newGate()}, func(t *testing.T, g *gate) {
			defer g.Open()
			a := begin(t, w.client(t, c, g))
			g.Shut()
			line := site.Log.RequestLine(t, a.Header.Get("X-Request-Id"))
			took := time.Duration(line["duration_ms"].(float64) * float64(time.Millisecond))
			longest := soon
			if w.tls {
				longest += goodbye
			}
			if line["event"] != "download.aborted" || line["bytes"].(float64) >= enough || took < stall*9/10 || took > longest {
				t.Errorf("the log says %v, want download.aborted before the end, after %v to %v", line, stall, longest)
			}
			g.Open()
			got, err := io.ReadAll(a.Body)
			if err == nil || !bytes.HasPrefix(content, got) {
				t.Errorf("the client then read %d bytes, %v, want the first bytes of the file and an error", len(got), err)
			}
		})
	})
}

// gate stops a client from reading anything of its connections. A nil gate
// does nothing.
type gate struct {
	mu     sync.Mutex
	shut   bool
	opened chan struct{}
}

func newGate() *gate { return &gate{opened: make(chan struct{})} }

// Shut stops reads from now on.
func (g *gate) Shut() {
	if g != nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.shut = true
	}
}

// Open lets reads go on, for good.
func (g *gate) Open() {
	if g != nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.shut {
			g.shut = false
			close(g.opened)
		}
	}
}

func (g *gate) pass() {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut {
		<-g.opened
	}
}

type gated struct {
	net.Conn
	gate *gate
}

func (c gated) Read(p []byte) (int, error) {
	c.gate.pass()
	return c.Conn.Read(p)
}

// A client that was fast and became slow is served for as long as it goes on:
// progress counts, not size.
func TestASlowReaderThatGoesOnIsServedWhole(t *testing.T) {
	t.Parallel()
	const fast, piece = 24 << 20, 320 << 10
	sideBySide(t, wires, func(t *testing.T, w wire) {
		site := w.site(t)
		c := site.Admin()
		upload(t, c, large())
		hurry(site)
		a := begin(t, w.client(t, c, nil))
		got := make([]byte, len(large()))
		n, err := io.ReadFull(a.Body, got[:fast])
		began := time.Now()
		pace := time.NewTicker(stall / 10)
		defer pace.Stop()
		for err == nil && n < len(got) {
			<-pace.C
			var m int
			m, err = io.ReadFull(a.Body, got[n:min(n+piece, len(got))])
			n += m
		}
		took := time.Since(began)
		if err != nil || !bytes.Equal(got, large()) {
			t.Fatalf("%d of %d bytes came, %v after the pace slackened, then %v", n, len(got), took, err)
		}
		if took < 2*stall {
			t.Errorf("the slow part took %v, want more than %v for this to be a test", took, 2*stall)
		}
		if line := site.Log.RequestLine(t, a.Header.Get("X-Request-Id")); line["event"] != "download.completed" || line["bytes"] != float64(len(got)) {
			t.Errorf("the log says %v, want download.completed with %d bytes", line, len(got))
		}
	})
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
	t.Parallel()
	origin := func(c *config.Config) { c.CORSOrigins = []string{"https://a.example"} }
	plain, secure := wire{}.site(t, stallSoon, origin), wire{tls: true}.site(t, stallSoon)
	type beginning struct {
		tls   bool
		text  string
		drips string // sent a byte at a time, faster than the stall time
	}
	sideBySide(t, map[string]beginning{
		"nothing at all":               {},
		"half a request line":          {text: "GET /heal"},
		"half a header":                {text: "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long"},
		"a header in drips":            {text: "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: ", drips: strings.Repeat("x", 1000)},
		"no TLS handshake":             {tls: true},
		"half a TLS handshake":         {tls: true, text: "\x16\x03\x01\x02\x00\x01"},
		"a TLS handshake in drips":     {tls: true, text: "\x16\x03\x01\x02\x00\x01", drips: strings.Repeat("\x00", 500)},
		"no body, where one is due":    {text: "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"},
		"no chunk, where one is due":   {text: "DELETE /file/a/b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"},
		"no body after a 100 Continue": {text: "GET /healthz HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n"},
		"no body of a login":           {text: "POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n"},
		"a body of a login in drips":   {text: "POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n", drips: strings.Repeat("x", 1000)},
		"no body of a preflight":       {text: "OPTIONS /healthz HTTP/1.1\r\nHost: x\r\nOrigin: https://a.example\r\nAccess-Control-Request-Method: GET\r\nContent-Length: 10\r\n\r\n"},
	}, func(t *testing.T, x beginning) {
		site := plain
		if x.tls {
			site = secure
		}
		conn := dial(t, site)
		began := time.Now()
		if _, err := io.WriteString(conn, x.text); err != nil {
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
	t.Parallel()
	sideBySide(t, wires, func(t *testing.T, w wire) {
		site := w.site(t)
		c := w.client(t, site.Admin(), nil)
		hurry(site)
		sideBySide(t, map[string]int64{"known length": 1 << 20, "unknown length": -1}, func(t *testing.T, length int64) {
			body, sender := io.Pipe()
			defer sender.Close()
			go func() { _, _ = sender.Write(large()[:300_000]) }() // and then no more
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, fmt.Sprint(site.URL, "/file/admin/", length), body)
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
		})
		nothingIsKept(t, site, c)
	})
}

// nothingIsKept wants no file and no byte of one on the disk.
func nothingIsKept(t *testing.T, site *localtest.Site, c *localtest.Client) {
	t.Helper()
	if files := listPaths(t, c); len(files) > 0 {
		t.Errorf("there are files: %q", files)
	}
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
	t.Parallel()
	sideBySide(t, wires, func(t *testing.T, w wire) {
		site := w.site(t)
		c := w.client(t, site.Admin(), nil)
		hurry(site)
		content := large()[:25*10_000]
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

// A disk may take longer than a client may stall: over bytes in the midst, and
// over the last one.
func TestASlowDiskIsNoStalledClient(t *testing.T) {
	t.Parallel()
	sideBySide(t, wires, func(t *testing.T, w wire) {
		sideBySide(t, map[string]blobtest.Op{"within the body": blobtest.Write, "at its end": blobtest.Commit}, func(t *testing.T, slow blobtest.Op) {
			hold := blobtest.NewHold()
			site := w.siteWith(t, local.Options{Blobs: func(d blob.Driver) blob.Driver {
				chaos := blobtest.NewChaos(d)
				chaos.Script(slow, blobtest.Fault{Hold: hold})
				return chaos
			}})
			c := w.client(t, site.Admin(), nil)
			hurry(site)
			go func() {
				<-hold.Reached()
				<-time.After(stall * 3 / 2)
				hold.Release()
			}()
			upload(t, c, large()[:3<<20])
		})
	})
}
