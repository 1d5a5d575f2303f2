// Package nginx has a configuration of nginx in front of Sluice, and tests that a
// real nginx takes it and passes what it should.
package nginx

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/localstack/program"
	"sluice/shared/app/local/localtest"
	"sluice/shared/config"
)

// find returns an nginx, or skips the test.
func find(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"nginx", "../../.cache/bin/nginx", "/usr/sbin/nginx"} {
		if path, err := exec.LookPath(name); err == nil {
			path, err = filepath.Abs(path)
			if err != nil {
				t.Fatal(err)
			}
			return path
		}
	}
	if os.Getenv("SLUICE_REQUIRE_TOOLS") != "" {
		t.Fatal("there is no nginx, and SLUICE_REQUIRE_TOOLS asks for it; `make test-tools` installs it")
	}
	t.Skip("NOT TESTED: there is no nginx; `make test-tools` installs it")
	return ""
}

// proxy is a server behind an nginx of this configuration, which knows another
// one that is not there.
type proxy struct {
	*localtest.Site // as clients see it

	dir    string // nginx's
	direct string // the server's own URL, with which its links begin
}

// attempts is how many ports nginx is tried on: between our looking for one and
// its listening another program can take it.
const attempts = 5

func start(t *testing.T) *proxy {
	t.Helper()
	nginx := find(t)
	site := localtest.Start(t, func(c *config.Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	})
	p := &proxy{Site: site, dir: t.TempDir(), direct: site.URL}
	if err := os.Chmod(p.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	localtest.WithTLS(t)(&p.Config)
	for range attempts {
		port, err := program.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		addr := "127.0.0.1:" + strconv.Itoa(port)
		p.configure(t, addr)
		if run(t, nginx, p.dir, addr) {
			p.URL = "https://" + addr
			return p
		}
	}
	t.Fatal("nginx does not listen")
	return nil
}

// configure writes the configuration with other addresses and paths than it has,
// and with folders of its own for what it should never write.
func (p *proxy) configure(t *testing.T, addr string) {
	t.Helper()
	text, err := os.ReadFile("nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	edited := string(text)
	for old, with := range map[string]string{
		"listen 443 ":                    "listen " + addr + " ",
		"10.0.0.1:8080":                  "127.0.0.1:1", // where nobody listens
		"10.0.0.2:8080":                  strings.TrimPrefix(p.direct, "http://"),
		"/etc/ssl/files.example.com.pem": p.Config.TLSCert,
		"/etc/ssl/files.example.com.key": p.Config.TLSKey,
		"http {\n":                       "http {\n    client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;\n",
	} {
		if !strings.Contains(edited, old) {
			t.Fatalf("the configuration has no %q", old)
		}
		edited = strings.ReplaceAll(edited, old, with)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "nginx.conf"), []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs nginx until the test ends, and reports whether it listens.
func run(t *testing.T, nginx, dir, addr string) bool {
	t.Helper()
	arguments := []string{"-p", dir, "-c", "nginx.conf", "-e", "error.log"}
	if said, err := exec.CommandContext(t.Context(), nginx, append(arguments, "-t")...).CombinedOutput(); err != nil {
		t.Fatalf("nginx does not take the configuration: %v\n%s", err, said)
	}
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, nginx, append(arguments, "-g", "daemon off; master_process off;")...)
	if err := cmd.Start(); err != nil {
		stop()
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Wait() // it is killed
	}()
	t.Cleanup(func() {
		stop()
		<-done
		if t.Failed() {
			said, _ := os.ReadFile(filepath.Join(dir, "error.log"))
			t.Logf("nginx says %s", said)
		}
	})
	return eventually(t, done, func() bool {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
		if err == nil {
			err = c.Close()
		}
		return err == nil
	})
}

// eventually waits until something is so, and reports whether it came to be before
// over was closed.
func eventually(t *testing.T, over <-chan struct{}, so func() bool) bool {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if so() {
			return true
		}
		select {
		case <-tick.C:
		case <-over:
			return false
		}
	}
	t.Fatal("not within a minute")
	return false
}

// One of the two servers is not there, so every request may meet it first.
func TestWhatGoesThrough(t *testing.T) {
	p := start(t)
	admin := p.Admin()
	content := strings.Repeat("0123456789", 1<<20)
	admin.Put("/file/admin/a.bin", content).Want(t, http.StatusCreated)
	admin.Put("/file/admin/a/b%25%20%C3%BC.txt", "hello").Want(t, http.StatusCreated)

	whole := admin.Do(http.MethodGet, "/file/admin/a.bin", nil).Want(t, http.StatusOK)
	if string(whole.Body) != content || whole.Header.Get("Content-Length") != strconv.Itoa(len(content)) {
		t.Errorf("a download has %d bytes, Content-Length %q; want the %d that were sent", len(whole.Body), whole.Header.Get("Content-Length"), len(content))
	}
	etag := whole.Header.Get("ETag")
	cases := []struct {
		name   string
		path   string
		header []string
		status int
		body   string
	}{
		{"a range", "/file/admin/a.bin", []string{"Range", "bytes=5-9"}, http.StatusPartialContent, "56789"},
		{"a range under If-Range", "/file/admin/a.bin", []string{"Range", "bytes=5-9", "If-Range", etag}, http.StatusPartialContent, "56789"},
		{"what has not changed", "/file/admin/a.bin", []string{"If-None-Match", etag, "Accept-Encoding", "gzip"}, http.StatusNotModified, ""},
		{"a path with an empty segment, which is none", "/file/admin//a.bin", nil, http.StatusBadRequest, ""},
		{"a name with a percent sign, a space and more than ASCII", "/file/admin/a/b%25%20%C3%BC.txt", nil, http.StatusOK, "hello"},
	}
	for _, c := range cases {
		if got := admin.Do(http.MethodGet, c.path, nil, c.header...); got.StatusCode != c.status || c.body != "" && string(got.Body) != c.body {
			t.Errorf("%s: %s, %.100q; want %d, %q", c.name, got.Status, got.Body, c.status, c.body)
		}
	}
}

// Downloads are counted for the client's own address, whatever it says, and no
// link stands in nginx's log.
func TestLinksThroughNginx(t *testing.T) {
	p := start(t)
	admin := p.Admin()
	id := admin.Put("/file/admin/a.txt", "hello").Want(t, http.StatusCreated).Field(t, "id")
	link := admin.JSON(http.MethodPost, "/api/files/"+id+"/link", map[string]int{"expires_in": 60}).Want(t, http.StatusCreated).Field(t, "url")
	path := strings.TrimPrefix(link, p.direct)
	got := p.Anonymous().Do(http.MethodGet, path, nil, "X-Forwarded-For", "192.0.2.1").Want(t, http.StatusOK)
	if string(got.Body) != "hello" {
		t.Errorf("the link leads to %q, want hello", got.Body)
	}
	line := p.Log.RequestLine(t, got.Header.Get("X-Request-Id"))
	if line["client"] != "127.0.0.1" {
		t.Errorf("the client was %v, want 127.0.0.1, whatever it says of itself", line["client"])
	}
	var log string
	eventually(t, nil, func() bool {
		text, err := os.ReadFile(filepath.Join(p.dir, "access.log"))
		log = string(text)
		return err == nil && strings.Contains(log, got.Header.Get("X-Request-Id"))
	})
	if secret := strings.Split(path, "/")[2]; strings.Contains(log, secret) {
		t.Errorf("nginx logs a link: %s", log)
	}
}
