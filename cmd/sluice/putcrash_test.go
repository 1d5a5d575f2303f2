package main_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// meter stands before a server and counts what is sent to it of parts.
type meter struct {
	*httputil.ReverseProxy

	came  atomic.Int64 // bytes
	twice atomic.Int64 // of these, bytes of parts that had been acknowledged before

	mu           sync.Mutex
	acknowledged map[string]bool // by number, of whichever upload
}

// ServeHTTP implements http.Handler.
func (m *meter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPut {
		m.ReverseProxy.ServeHTTP(w, r)
		return
	}
	number := path.Base(r.URL.Path)
	m.mu.Lock()
	known := m.acknowledged[number]
	m.mu.Unlock()
	body := &countedBody{ReadCloser: r.Body, of: &m.came}
	answer := &statusWriter{ResponseWriter: w}
	r.Body = body
	m.ReverseProxy.ServeHTTP(answer, r)
	if known {
		m.twice.Add(body.n.Load())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if answer.status == http.StatusOK {
		m.acknowledged[number] = true
	}
}

type countedBody struct {
	io.ReadCloser

	n  atomic.Int64
	of *atomic.Int64
}

// Read implements io.Reader.
func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	b.of.Add(int64(n))
	return n, err
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// startMetered starts a server whose clients all come past a meter.
func startMetered(t *testing.T) (*process, *meter) {
	t.Helper()
	m := &meter{acknowledged: map[string]bool{}}
	front := httptest.NewServer(m)
	t.Cleanup(front.Close)
	p := startEmpty(t, "SLUICE_PUBLIC_URL="+front.URL)
	var at string
	eventually(t, "the address in the log", func() bool {
		for _, line := range p.Logged(0, "msg", "serving") {
			at = line["addr"].(string)
		}
		return at != ""
	})
	m.ReverseProxy = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: at}) }, ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
		w.WriteHeader(http.StatusBadGateway) // whoever sent it was killed
	}}
	return p, m
}

// TestKillOfPutSendsLittleTwice kills uploads of one file at random moments until
// it is whole. A part that was acknowledged is not sent again.
func TestKillOfPutSendsLittleTwice(t *testing.T) {
	const connections = 4
	rounds, size := rounds(5, 50), int64(rounds(160, 1024))<<20+777
	server, m := startMetered(t)
	u := newcomer(t, server)
	u.logIn()
	file := filepath.Join(t.TempDir(), "sent")
	sum := writeRandom(t, file, size)

	kills := 0
	for range rounds {
		before, enough := m.came.Load(), rand.Int64N(2*size/int64(rounds+2))
		cmd := command("put", "--max-connections", "4", file)
		cmd.Env = environment("HOME=" + u.home)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { _ = cmd.Wait(); close(ended) }()
		done := false
		eventually(t, "the moment to kill", func() bool {
			select {
			case <-ended:
				done = true
			default:
			}
			return done || m.came.Load()-before >= enough
		})
		_ = cmd.Process.Kill() // it may have ended
		<-ended
		if done {
			break // it was whole before it was killed
		}
		kills++
	}
	out := u.want(0, "verified by sha-256", "put", file)
	token := server.Login(password)
	got := sha256.New()
	if n, err := io.Copy(got, server.Ask(http.MethodGet, "/file/admin/sent", token, nil).Body); err != nil || n != size || hex.EncodeToString(got.Sum(nil)) != sum {
		t.Fatalf("after %d kills the file is another one: %d bytes, %v", kills, n, err)
	}
	again, twice := m.came.Load()-size, m.twice.Load()
	t.Logf("%d kills of an upload of %d MiB by %d connections: %d KiB were sent again (%.2f %%), of which %d KiB were in flight; the last run says %s",
		kills, size>>20, connections, again>>10, 100*float64(again)/float64(size), (again-twice)>>10, strings.TrimSpace(out))
	if twice > size/20 {
		t.Errorf("%d bytes were sent again that had been acknowledged, want at most 5 %% of %d", twice, size)
	}
	if most := int64(kills) * connections * partSize; again-twice > most {
		t.Errorf("%d bytes were in flight, want at most %d", again-twice, most)
	}
}
