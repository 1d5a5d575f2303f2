package send_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/shared/api"
	"sluice/shared/app/local"
	"sluice/shared/config"
	"sluice/shared/fault"
	ft "sluice/shared/fetch/fetchtest"
	"sluice/shared/send"
)

const (
	host     = "s.test:80"
	base     = "http://s.test"
	password = "a password for tests"
	partSize = 8 << 20
	large    = 2*partSize + 12345 // three parts
)

// rig is a server, whole and real, on a network in memory, so that it runs under
// testing/synctest; and a client. What a test puts before it misbehaves.
type rig struct {
	t       *testing.T
	network *ft.Network
	app     *local.App
	server  http.Handler
	options send.Options
	dir     string
}

// newRig starts a server, and a client without anything between them.
func newRig(t *testing.T, edits ...func(*config.Config)) *rig {
	t.Helper()
	data := t.TempDir()
	c, err := config.Load(nil, func(name string) string { return map[string]string{"SLUICE_DATA": data}[name] })
	if err != nil {
		t.Fatal(err)
	}
	for _, edit := range edits {
		edit(&c)
	}
	app, err := local.Open(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := app.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := app.Deps.Accounts.EnsureAdmin(t.Context(), password); err != nil {
		t.Fatal(err)
	}
	app.Deps.BaseURL = base
	r := &rig{t: t, network: ft.NewNetwork(), app: app, server: api.All(app.Deps), dir: t.TempDir()}
	r.options = send.Options{
		Server: base, Token: r.tokens(), Dial: r.network.Dial, Records: filepath.Join(t.TempDir(), "records"),
	}
	return r
}

// behind puts a handler before the server; nil: nothing.
func (r *rig) behind(before func(http.Handler) http.Handler) {
	r.t.Helper()
	h := r.server
	if before != nil {
		h = before(h)
	}
	// net/http takes half a second to close a connection whose body it has not
	// read.
	r.t.Cleanup(func() { <-time.After(time.Second) })
	r.network.Serve(r.t, host, h)
}

// tokens logs the admin in, and again when a token grows old.
func (r *rig) tokens() func(context.Context) (string, error) {
	var token string
	var until time.Time
	lock := make(chan struct{}, 1)
	return func(context.Context) (string, error) {
		lock <- struct{}{}
		defer func() { <-lock }()
		if time.Now().Before(until) {
			return token, nil
		}
		var tokens struct {
			AccessToken string `json:"access_token"`
		}
		r.ask(http.MethodPost, "/api/login", "", strings.NewReader(`{"username":"admin","password":"`+password+`"}`), &tokens)
		token, until = tokens.AccessToken, time.Now().Add(10*time.Minute)
		return token, nil
	}
}

// ask asks the server itself.
func (r *rig) ask(method, path, token string, body io.Reader, into any) int {
	req := httptest.NewRequest(method, base+path, body)
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	r.server.ServeHTTP(w, req)
	if into != nil {
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
			r.t.Errorf("%s %s answers %d %s: %v", method, path, w.Code, w.Body, err)
		}
	}
	return w.Code
}

// file writes a file of random bytes that depend on its size and seed.
func (r *rig) file(name string, size int, seed byte) (path string, content []byte) {
	r.t.Helper()
	content = make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(content) // never fails
	path = filepath.Join(r.dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		r.t.Fatal(err)
	}
	return path, content
}

// send sends by a client of its own.
func (r *rig) send(request send.Request) (send.Result, error) {
	r.t.Helper()
	c, err := send.New(r.options)
	if err != nil {
		r.t.Fatal(err)
	}
	defer c.Close()
	// A transfer that goes round in circles fails by the bubble's clock.
	ctx, cancel := context.WithTimeout(r.t.Context(), 24*time.Hour)
	defer cancel()
	return c.Start(ctx, request).Wait()
}

// info is a file as the server tells it.
type info struct {
	ID     string
	Path   string
	Size   int64
	SHA256 string
}

// stored returns the file at a path; its ID is empty where there is none.
func (r *rig) stored(path string) info {
	r.t.Helper()
	token, _ := r.options.Token(r.t.Context())
	var list struct{ Files []info }
	r.ask(http.MethodGet, "/api/files?prefix="+url.QueryEscape(path), token, nil, &list)
	for _, f := range list.Files {
		if f.Path == path {
			return f
		}
	}
	return info{}
}

// want wants an outcome: the content at the path where code is "", and nothing
// there otherwise.
func (r *rig) want(what, path string, content []byte, err error, code string) {
	r.t.Helper()
	if got := codeOf(err); got != code {
		r.t.Errorf("%s: the outcome is %q (%v), want %q", what, got, err, code)
	}
	got := r.stored(path)
	switch {
	case err == nil && (got.SHA256 != hexSum(content) || got.Size != int64(len(content))):
		r.t.Errorf("%s: no error, and the server has %+v, want %d bytes of %s", what, got, len(content), hexSum(content))
	case err != nil && got.ID != "" && got.SHA256 != hexSum(content):
		r.t.Errorf("%s: after %v the server has %+v", what, err, got)
	}
}

func hexSum(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func codeOf(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// reader hides everything but Read.
func reader(content []byte) io.Reader { return struct{ io.Reader }{bytes.NewReader(content)} }
