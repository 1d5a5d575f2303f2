package edge_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/shared/edge"
)

// running is a Server at work.
type running struct {
	*edge.Server
	url  string
	log  *lockedBuffer
	stop context.CancelFunc
	done chan error // what Serve returned
}

// start serves handler until stop is called, or the test ends.
func start(t *testing.T, server *edge.Server) *running {
	t.Helper()
	ln, err := edge.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &running{Server: server, url: "http://" + ln.Addr().String(), log: &lockedBuffer{}, done: make(chan error, 1)}
	if server.Certificate != nil {
		r.url = "https://" + ln.Addr().String()
	}
	server.Log = slog.New(slog.NewTextHandler(r.log, nil))
	if server.Stall == 0 {
		server.Stall = 10 * time.Second
	}
	var ctx context.Context
	ctx, r.stop = context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		r.done <- server.Serve(ctx, ln)
		close(ended)
	}()
	t.Cleanup(func() {
		r.stop()
		<-ended
	})
	return r
}

type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func client(t *testing.T, trusted *x509.CertPool) *http.Client {
	t.Helper()
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

func get(t *testing.T, c *http.Client, url string) (status int, proto, body string, err error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := c.Do(r)
	if err != nil {
		return 0, "", "", err
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	return a.StatusCode, a.Proto, string(text), err
}

// certificate is one for 127.0.0.1, and the pool that trusts it.
func certificate(t *testing.T) (*tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestListenNamesTheAddressInItsError(t *testing.T) {
	for addr, named := range map[string]string{"127.0.0.1:99999": "99999", "192.0.2.1:8080": "192.0.2.1:8080", "nowhere": "nowhere"} {
		if ln, err := edge.Listen(t.Context(), addr); err == nil || !strings.Contains(err.Error(), named) {
			t.Errorf("Listen(%q) = %v, %v, want an error that names %s", addr, ln, err, named)
		}
	}
	taken, err := edge.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if _, err := edge.Listen(t.Context(), taken.Addr().String()); err == nil || !strings.Contains(err.Error(), taken.Addr().String()) {
		t.Errorf("Listen on a taken address: %v, want an error that names it", err)
	}
}

func TestServeTellsWhyItCannot(t *testing.T) {
	ln, err := edge.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	server := &edge.Server{Handler: http.NotFoundHandler(), Log: slog.New(slog.DiscardHandler), Stall: time.Second}
	if err := server.Serve(t.Context(), ln); !errors.Is(err, net.ErrClosed) || !strings.Contains(err.Error(), ln.Addr().String()) {
		t.Errorf("Serve on a closed listener: %v, want net.ErrClosed and the address", err)
	}
}

func TestACertificateTurnsOnHTTPSAndHTTP2(t *testing.T) {
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) })
	cert, trusted := certificate(t)
	secure := start(t, &edge.Server{Handler: hello, Certificate: cert})
	if status, proto, body, err := get(t, client(t, trusted), secure.url); err != nil || status != 200 || proto != "HTTP/2.0" || body != proto {
		t.Errorf("with a certificate: %d %s %q, %v, want 200 by HTTP/2.0", status, proto, body, err)
	}
	plain := start(t, &edge.Server{Handler: hello})
	if status, proto, body, err := get(t, client(t, nil), plain.url); err != nil || status != 200 || proto != "HTTP/1.1" || body != proto {
		t.Errorf("without: %d %s %q, %v, want 200 by HTTP/1.1", status, proto, body, err)
	}
	old := &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	if conn, err := tls.Dial("tcp", strings.TrimPrefix(secure.url, "https://"), old); err == nil {
		_ = conn.Close()
		t.Error("TLS 1.1 was accepted")
	}
}

func TestALargeHeaderIsRefused(t *testing.T) {
	s := start(t, &edge.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})})
	for size, want := range map[int]int{32 << 10: 200, 128 << 10: 431} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Large", strings.Repeat("x", size))
		a, err := client(t, nil).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = a.Body.Close()
		if a.StatusCode != want {
			t.Errorf("a header of %d bytes = %d, want %d", size, a.StatusCode, want)
		}
	}
}

// holding is a handler that answers when it is released.
type holding struct {
	entered, release chan struct{}
}

func newHolding() *holding {
	return &holding{entered: make(chan struct{}, 100), release: make(chan struct{})}
}

func (h *holding) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.entered <- struct{}{}
	select {
	case <-h.release:
		fmt.Fprint(w, "whole")
	case <-r.Context().Done():
	}
}

// answer is what a client got.
type answer struct {
	body string
	err  error
}

func ask(t *testing.T, c *http.Client, url string) <-chan answer {
	t.Helper()
	got := make(chan answer, 1)
	go func() {
		_, _, body, err := get(t, c, url)
		got <- answer{body, err}
	}()
	return got
}

// refused waits until a server takes no connection more.
func refused(t *testing.T, s *running) {
	t.Helper()
	_, addr, _ := strings.Cut(s.url, "://")
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
		if err != nil {
			if !s.Stopping() {
				t.Errorf("the server takes no connections (%v) and does not say that it is stopping", err)
			}
			return
		}
		_ = conn.Close()
	}
	t.Fatal("a minute after the stop the server still takes connections")
}

func TestAStopLetsRequestsEndAndTakesNoMore(t *testing.T) {
	for _, secure := range []bool{false, true} {
		h := newHolding()
		server := &edge.Server{Handler: h, StopTimeout: time.Minute}
		c := client(t, nil)
		if secure {
			var trusted *x509.CertPool
			server.Certificate, trusted = certificate(t)
			c = client(t, trusted)
		}
		s := start(t, server)
		got := ask(t, c, s.url)
		<-h.entered
		if s.Stopping() {
			t.Error("the server says that it is stopping before it was told")
		}
		s.stop()
		refused(t, s)
		select {
		case err := <-s.done:
			t.Fatalf("Serve returned %v while a request was running", err)
		default:
		}
		close(h.release)
		if a := <-got; a.err != nil || a.body != "whole" {
			t.Errorf("TLS %t: the running request got %q, %v, want its whole answer", secure, a.body, a.err)
		}
		if err := <-s.done; err != nil {
			t.Errorf("TLS %t: Serve: %v, want nil after a stop", secure, err)
		}
	}
}

func TestAStopEndsWhatTakesTooLong(t *testing.T) {
	h := newHolding()
	s := start(t, &edge.Server{Handler: h, StopTimeout: 50 * time.Millisecond})
	got := ask(t, client(t, nil), s.url)
	<-h.entered
	s.stop()
	if err := <-s.done; err != nil {
		t.Errorf("Serve: %v, want nil", err)
	}
	if a := <-got; a.err == nil {
		t.Errorf("the running request got %q, want an error", a.body)
	}
	if log := s.log.String(); !strings.Contains(log, "ending what still runs") {
		t.Errorf("the log does not say that requests were ended: %s", log)
	}
}

// Serve returns when the last handler has, though its connection is gone: what
// it uses may be closed then.
func TestServeWaitsForHandlers(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	s := start(t, &edge.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(entered)
		<-release // does not look at its context
	})})
	got := ask(t, client(t, nil), s.url)
	<-entered
	s.stop()
	<-got // the connection was closed
	select {
	case err := <-s.done:
		t.Fatalf("Serve returned %v while a handler was running", err)
	default:
	}
	close(release)
	if err := <-s.done; err != nil {
		t.Errorf("Serve: %v, want nil", err)
	}
}

// An answer that was given up breaks off, without a word in the log.
func TestAnAbortedAnswerBreaksOff(t *testing.T) {
	cert, trusted := certificate(t)
	abort := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, strings.Repeat("x", 100_000))
		panic(http.ErrAbortHandler)
	})
	for name, s := range map[string]*running{
		"HTTP/1.1": start(t, &edge.Server{Handler: abort}),
		"HTTP/2":   start(t, &edge.Server{Handler: abort, Certificate: cert}),
	} {
		if _, _, body, err := get(t, client(t, trusted), s.url); err == nil {
			t.Errorf("%s: %d bytes without an error, want one", name, len(body))
		}
		if log := s.log.String(); log != "" {
			t.Errorf("%s: the log says %s", name, log)
		}
	}
}

func TestNothingIsLeftRunning(t *testing.T) {
	before := goleak.IgnoreCurrent()
	cert, trusted := certificate(t)
	for _, server := range []*edge.Server{{}, {Certificate: cert}} {
		server.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "x") })
		s := start(t, server)
		c := client(t, trusted)
		if _, _, _, err := get(t, c, s.url); err != nil {
			t.Error(err)
		}
		s.stop()
		if err := <-s.done; err != nil {
			t.Error(err)
		}
		c.CloseIdleConnections()
	}
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}
