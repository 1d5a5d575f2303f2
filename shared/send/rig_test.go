package send_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
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
	token   string
}

// site is the data of a server whose admin is logged in, and the token. It is
// made once, since hashing passwords takes its time.
var site = sync.OnceValues(func() (data, token string) {
	data, err := os.MkdirTemp("", "sluice-send-")
	if err == nil {
		err = os.RemoveAll(data)
	}
	if err != nil {
		panic(err)
	}
	app, err := open(data)
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	if _, err = app.Deps.Accounts.EnsureAdmin(ctx, password); err != nil {
		panic(err)
	}
	tokens, err := app.Deps.Accounts.Login(ctx, "admin", password, netip.Addr{})
	if err != nil {
		panic(err)
	}
	if err := app.Close(); err != nil {
		panic(err)
	}
	return data, tokens.Access
})

// open opens a server.
func open(data string, edits ...func(*config.Config)) (*local.App, error) {
	c, err := config.Load(nil, func(name string) string { return map[string]string{"SLUICE_DATA": data}[name] })
	if err != nil {
		return nil, err
	}
	for _, edit := range edits {
		edit(&c)
	}
	return local.Open(context.Background(), c, slog.New(slog.DiscardHandler))
}

// inBubble runs a test where a wait takes no time. Its clock shows the year
// 2000, in which the token of today is good.
func inBubble(t *testing.T, test func(*testing.T)) {
	t.Helper()
	site()
	synctest.Test(t, test)
}

// newRig returns a server, and a client of it.
func newRig(t *testing.T, edits ...func(*config.Config)) *rig {
	t.Helper()
	from, token := site()
	data := filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(data, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	private(t, data)
	app, err := open(data, edits...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := app.Close(); err != nil {
			t.Error(err)
		}
	})
	app.Deps.BaseURL = base
	r := &rig{t: t, network: ft.NewNetwork(), app: app, server: api.All(app.Deps), dir: t.TempDir(), token: token}
	r.options = send.Options{
		Server: base, Dial: r.network.Dial, Records: filepath.Join(t.TempDir(), "records"),
		Token: func(context.Context) (string, error) { return token, nil },
	}
	return r
}

// private takes the rights of others from what is in a folder.
func private(t *testing.T, folder string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			err = os.Chmod(path, 0o600)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// behind puts a handler before the server; nil: nothing.
func (r *rig) behind(before func(http.Handler) http.Handler) {
	r.t.Helper()
	h := r.server
	if before != nil {
		h = before(h)
	}
	r.serve(host, h)
}

// serve adds a server to the network. It stops when no request is just about to
// begin.
func (r *rig) serve(address string, h http.Handler) {
	r.t.Helper()
	// net/http takes half a second to close a connection whose body it has not
	// read.
	r.t.Cleanup(func() { <-time.After(time.Second) })
	r.network.Serve(r.t, address, h)
	r.t.Cleanup(synctest.Wait)
}

// ask asks the server itself, as the admin.
func (r *rig) ask(method, path string, body io.Reader, into any) int {
	req := httptest.NewRequest(method, base+path, body)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+r.token)
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
	var list struct{ Files []info }
	r.ask(http.MethodGet, "/api/files?prefix="+url.QueryEscape(path), nil, &list)
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
