// Package localtest runs whole servers for tests: the embedded stores in a
// temporary folder, or real ones of the cloud's kind, the real apps, a real
// socket.
package localtest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/shared/api"
	"sluice/shared/app/local"
	"sluice/shared/auth"
	"sluice/shared/config"
	"sluice/shared/edge"
	"sluice/shared/observe"
)

// Password is the password of every user that a Site makes, the admin too.
const Password = "a password for tests"

// Site is a running server.
type Site struct {
	URL    string // http://127.0.0.1:port
	Dir    string // the data folder
	Config config.Config
	App    *local.App
	Log    *Log

	// Transport is put around that of every new Client; nil: nothing is.
	Transport func(http.RoundTripper) http.RoundTripper

	t       testing.TB
	options local.Options
	stop    func()
}

// Start starts a server on a free port; edits change its settings before. It
// stops with the test.
func Start(t testing.TB, edits ...func(*config.Config)) *Site {
	t.Helper()
	return StartWith(t, local.Options{}, edits...)
}

// StartWith is Start for a server made with options.
func StartWith(t testing.TB, o local.Options, edits ...func(*config.Config)) *Site {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	c, err := config.Load(nil, func(name string) string {
		return map[string]string{"SLUICE_ADDR": "127.0.0.1:0", "SLUICE_DATA": dir, "SLUICE_LOG_LEVEL": "debug"}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, edit := range edits {
		edit(&c)
	}
	prepare(t, c)
	s := &Site{Dir: dir, Config: c, Log: &Log{}, t: t, options: o}
	s.Run()
	t.Cleanup(s.Stop)
	return s
}

// Run starts the server again after Stop, on another port.
func (s *Site) Run() {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	log := observe.NewLogger(s.Log, slog.LevelDebug)
	app, err := local.OpenWith(ctx, s.Config, log, s.options)
	if err != nil {
		s.t.Fatalf("open: %v", err)
	}
	if _, err := app.Deps.Accounts.EnsureAdmin(ctx, Password); err != nil {
		s.t.Fatalf("make the admin: %v", err)
	}
	ln, err := edge.Listen(ctx, s.Config.Addr)
	if err != nil {
		s.t.Fatal(err)
	}
	server := &edge.Server{Log: log, Stall: s.Config.Stall, StopTimeout: s.Config.StopTimeout, Certificate: certificate(s.t, s.Config)}
	app.Deps.Stopping, app.Deps.BaseURL = server.Stopping, s.Config.BaseURL(ln.Addr())
	server.Handler = api.All(app.Deps)
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, ln) }()
	s.App, s.URL = app, app.Deps.BaseURL
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("serve: %v", err)
		}
		if err := app.Close(); err != nil {
			s.t.Errorf("close: %v", err)
		}
	})
}

// Stop stops the server as a signal would.
func (s *Site) Stop() { s.stop() }

// Client asks a Site as one user.
type Client struct {
	Site  *Site
	Token string // empty: without credentials
	ID    string // of the user
	HTTP  *http.Client
}

// Anonymous returns a client without credentials.
func (s *Site) Anonymous() *Client {
	c := &Client{Site: s, HTTP: newHTTP(s.t, s.Config)}
	if s.Transport != nil {
		c.HTTP.Transport = s.Transport(c.HTTP.Transport)
	}
	return c
}

// Admin logs the admin in.
func (s *Site) Admin() *Client {
	s.t.Helper()
	return s.Login("admin", Password)
}

// Login logs a user in.
func (s *Site) Login(username, password string) *Client {
	s.t.Helper()
	c := s.Anonymous()
	a := c.JSON(http.MethodPost, "/api/login", map[string]string{"username": username, "password": password})
	a.Want(s.t, http.StatusOK)
	c.Token = a.Field(s.t, "access_token")
	c.ID = c.Do(http.MethodGet, "/api/profile", nil).Field(s.t, "id")
	return c
}

// User makes a user and logs in as that user.
func (s *Site) User(username string, role auth.Role) *Client {
	s.t.Helper()
	s.Admin().JSON(http.MethodPost, "/api/users", map[string]string{
		"username": username, "password": Password, "role": string(role),
	}).Want(s.t, http.StatusCreated)
	return s.Login(username, Password)
}

// newHTTP returns a client that follows no redirects and asks for no codings.
func newHTTP(t testing.TB, c config.Config) *http.Client {
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64, TLSClientConfig: trust(t, c), ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       time.Minute,
	}
}

// Answer is a response that was read whole.
type Answer struct {
	*http.Response
	Body []byte
	Err  error // why the body could not be read to its end
}

// Do sends a request; header holds pairs of names and values.
func (c *Client) Do(method, path string, body io.Reader, header ...string) Answer {
	c.Site.t.Helper()
	a, err := c.Try(method, path, body, header...)
	if err != nil {
		c.Site.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// Try is Do that returns the error of a request that got no answer.
func (c *Client) Try(method, path string, body io.Reader, header ...string) (Answer, error) {
	r, err := http.NewRequest(method, c.Site.URL+path, body)
	if err != nil {
		return Answer{}, err
	}
	if c.Token != "" {
		r.Header.Set("Authorization", "Bearer "+c.Token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Content-Length" {
			continue
		}
		r.Header.Add(header[i], header[i+1])
	}
	response, err := c.HTTP.Do(r)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	return Answer{Response: response, Body: read, Err: err}, nil
}

// JSON sends v as JSON.
func (c *Client) JSON(method, path string, v any) Answer {
	c.Site.t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		c.Site.t.Fatal(err)
	}
	return c.Do(method, path, bytes.NewReader(body), "Content-Type", "application/json")
}

// Put uploads a file and wants it to succeed.
func (c *Client) Put(path, content string, header ...string) Answer {
	c.Site.t.Helper()
	a := c.Do(http.MethodPut, path, strings.NewReader(content), header...)
	if a.StatusCode != http.StatusCreated && a.StatusCode != http.StatusOK {
		c.Site.t.Fatalf("PUT %s = %s, want 200 or 201", path, a)
	}
	return a
}

// Want fails the test unless the answer has the status.
func (a Answer) Want(t testing.TB, status int) Answer {
	t.Helper()
	if a.StatusCode != status {
		t.Fatalf("%s %s = %s, want %d", a.Request.Method, a.Request.URL.Path, a, status)
	}
	return a
}

// Code returns the code of a problem.
func (a Answer) Code() string {
	var p struct{ Code string }
	_ = json.Unmarshal(a.Body, &p) // no JSON, no code
	return p.Code
}

// Field returns a string field of a JSON body.
func (a Answer) Field(t testing.TB, name string) string {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal(a.Body, &fields); err != nil {
		t.Fatalf("%s: not JSON: %v", a, err)
	}
	s, ok := fields[name].(string)
	if !ok {
		t.Fatalf("%s: no string field %q", a, name)
	}
	return s
}

// String shows the status and the beginning of the body.
func (a Answer) String() string {
	const enough = 300
	body := a.Body
	if len(body) > enough {
		body = body[:enough]
	}
	return a.Status + " " + strings.TrimSpace(string(body))
}

// Log collects what a server logs. It is safe for concurrent use.
type Log struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // closed at the next Write; nil where nobody waits
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
	return l.text.Write(p)
}

// String returns everything logged so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// RequestLine waits for the line of the request with that X-Request-Id, which
// is written when all of it is over.
func (l *Log) RequestLine(t testing.TB, id string) map[string]any {
	t.Helper()
	const long = time.Minute
	timeout := time.After(long)
	for {
		changed := l.nextChange()
		for _, line := range l.Lines(t) {
			if line["msg"] == "request" && line["request_id"] == id {
				return line
			}
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("after %v the log has no line of request %s", long, id)
		}
	}
}

func (l *Log) nextChange() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.changed
}

// Lines returns the log's lines, decoded.
func (l *Log) Lines(t testing.TB) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for line := range strings.Lines(l.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		lines = append(lines, fields)
	}
	return lines
}
