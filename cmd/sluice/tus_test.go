package main_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice/shared/app/local"
	"sluice/shared/app/local/localtest"
)

// tusClient is what tus-js-client is to do; testdata/tus.js reads it.
type tusClient struct {
	Endpoint  string `json:"endpoint"`
	Token     string `json:"token"`
	File      string `json:"file"`
	Name      string `json:"name"`
	URLs      string `json:"urls"`      // where it remembers its uploads
	Chunk     int    `json:"chunk"`     // bytes; 0: all at once
	Wait      int    `json:"wait"`      // bytes after which it waits for a line, or
	Terminate bool   `json:"terminate"` // terminates
	Retry     bool   `json:"retry"`
	Checksum  string `json:"checksum"`
}

// newTusClient returns a client for the large file.
func newTusClient(t *testing.T, url, token string) *tusClient {
	t.Helper()
	needTool(t, "node")
	if _, err := os.Stat(filepath.Join(nodeModules(t), "tus-js-client")); err != nil {
		needTool(t, "tus-js-client") // which is in no path
	}
	path, _ := large()
	return &tusClient{Endpoint: url + "/api/tus", Token: token, File: path, Name: "large.mp4", URLs: filepath.Join(t.TempDir(), "urls.json")}
}

func nodeModules(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../.cache/node/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// tusRun is a client at work.
type tusRun struct {
	t      *testing.T
	cmd    *exec.Cmd
	in     io.Writer
	out    *transcript
	failed *transcript
}

func (c *tusClient) start(t *testing.T) *tusRun {
	t.Helper()
	settings, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	r := &tusRun{t: t, cmd: exec.Command("node", filepath.Join("testdata", "tus.js"), string(settings)), out: &transcript{}, failed: &transcript{}}
	r.cmd.Env = environment("NODE_PATH=" + nodeModules(t))
	r.cmd.Stdout, r.cmd.Stderr = r.out, r.failed
	if r.in, err = r.cmd.StdinPipe(); err == nil {
		err = r.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.cmd.Process.Kill() }) // it may have ended
	return r
}

// waits returns once the client has sent so many bytes and stops short.
func (r *tusRun) waits() {
	r.t.Helper()
	eventually(r.t, "the client to wait", func() bool { return strings.Contains(r.out.String(), "waiting\n") })
}

// end waits for the client and returns the last line that it printed.
func (r *tusRun) end() string {
	r.t.Helper()
	_ = r.cmd.Wait() // its lines tell
	lines := strings.Split(strings.TrimSpace(r.out.String()), "\n")
	if failed := r.failed.String(); failed != "" {
		r.t.Errorf("the client says %s", failed)
	}
	return lines[len(lines)-1]
}

// wantDone wants the client to succeed and the file to be whole.
func (r *tusRun) wantDone(get func(path string) *http.Response) {
	r.t.Helper()
	file, done := strings.CutPrefix(r.end(), "done ")
	if !done {
		r.t.Fatalf("the client did not succeed:\n%s", r.out)
	}
	var got struct {
		Path        string
		Size        int64
		SHA256      string
		ContentType string `json:"content_type"`
	}
	if err := json.NewDecoder(get(file).Body).Decode(&got); err != nil {
		r.t.Fatal(err)
	}
	if _, sum := large(); got.SHA256 != sum || got.Size != largeSize || got.Path != "large.mp4" || got.ContentType != "video/mp4" {
		r.t.Errorf("the file is %+v, want large.mp4 of %d bytes and SHA-256 %s", got, largeSize, sum)
	}
}

// wantResumed wants the client to have asked where to go on, and not to have
// begun again. It returns where that was.
func (r *tusRun) wantResumed() int {
	r.t.Helper()
	for line := range strings.Lines(r.out.String()) {
		fields := strings.Fields(line)
		if fields[0] != "HEAD" || len(fields) < 3 {
			continue
		}
		at, err := strconv.Atoi(fields[2])
		if err != nil {
			r.t.Fatal(err)
		}
		return at
	}
	r.t.Fatalf("the client did not go on where it was:\n%s", r.out)
	return 0
}

// getter asks the process as the admin.
func (p *process) getter(token string) func(string) *http.Response {
	return func(path string) *http.Response { return p.Ask(http.MethodGet, path, token, nil) }
}

func TestTusClientUploads(t *testing.T) {
	p := startEmpty(t)
	token := p.Login(password)
	for name, chunk := range map[string]int{"in chunks smaller than a part": 3_000_000, "in chunks larger than a part": 20_000_000, "all at once": 0} {
		t.Run(name, func(t *testing.T) {
			c := newTusClient(t, p.URL, token)
			c.Chunk = chunk
			c.start(t).wantDone(p.getter(token))
		})
	}
}

func TestTusClientGoesOnAfterItWasKilled(t *testing.T) {
	p := startEmpty(t)
	token := p.Login(password)
	for name, chunk := range map[string]int{"in chunks": 3_000_000, "all at once": 0} {
		t.Run(name, func(t *testing.T) {
			c := newTusClient(t, p.URL, token)
			c.Chunk, c.Wait = chunk, largeSize/2
			killed := c.start(t)
			killed.waits()
			_ = killed.cmd.Process.Kill() // it is there
			killed.end()
			c.Wait, c.Retry = 0, true // what is still in the sockets may come between
			again := c.start(t)
			again.wantDone(p.getter(token))
			if at := again.wantResumed(); at < partSize {
				t.Errorf("killed after %d bytes, the client went on at %d", largeSize/2, at)
			}
		})
	}
}

func TestTusClientGoesOnAfterTheServerWasKilled(t *testing.T) {
	for name, chunk := range map[string]int{"in chunks": 3_000_000, "all at once": 0} {
		t.Run(name, func(t *testing.T) {
			p := startEmpty(t)
			token := p.Login(password)
			c := newTusClient(t, p.URL, token)
			c.Chunk, c.Wait, c.Retry = chunk, largeSize/2, true
			client := c.start(t)
			client.waits()
			p.Kill()
			p = start(t, p.Data, "SLUICE_ADDR="+strings.TrimPrefix(p.URL, "http://"))
			if _, err := io.WriteString(client.in, "\n"); err != nil {
				t.Fatal(err)
			}
			client.wantDone(p.getter(token))
			if at := client.wantResumed(); at < partSize {
				t.Errorf("killed after %d bytes, the client went on at %d", largeSize/2, at)
			}
			p.Stop()
		})
	}
}

func TestTusClientTerminates(t *testing.T) {
	p := startEmpty(t)
	token := p.Login(password)
	c := newTusClient(t, p.URL, token)
	c.Chunk, c.Wait, c.Terminate = 3_000_000, largeSize/2, true
	client := c.start(t)
	if last := client.end(); last != "terminated" || !strings.Contains(client.out.String(), "DELETE 204") {
		t.Errorf("the client did not terminate:\n%s", client.out)
	}
	var profile struct{ Used struct{ Bytes, Files int64 } }
	ask(p, http.MethodGet, "/api/profile", token, "", http.StatusOK, &profile)
	if profile.Used.Bytes != 0 || profile.Used.Files != 0 {
		t.Errorf("%+v is counted after that, want nothing", profile.Used)
	}
}

func TestTusClientWithAWrongChecksum(t *testing.T) {
	p := startEmpty(t)
	token := p.Login(password)
	_, sum := large()
	raw, err := hex.DecodeString(sum)
	if err != nil {
		t.Fatal(err)
	}
	c := newTusClient(t, p.URL, token)
	c.Checksum = "sha256 " + base64.StdEncoding.EncodeToString(make([]byte, 32))
	if last := c.start(t).end(); last != "failed 460" {
		t.Errorf("with a wrong checksum the client ends with %q, want failed 460", last)
	}
	c.Checksum = "sha256 " + base64.StdEncoding.EncodeToString(raw)
	again := c.start(t)
	again.wantDone(p.getter(token))
	if at := again.wantResumed(); at != 0 {
		t.Errorf("%d bytes of another checksum were kept", at)
	}
}

// TestTusClientBeginsAgainAfterTheUploadExpired lets a week pass.
func TestTusClientBeginsAgainAfterTheUploadExpired(t *testing.T) {
	var passed atomic.Int64
	began := time.Now()
	site := localtest.StartWith(t, local.Options{Clock: func() time.Time { return began.Add(time.Duration(passed.Load())) }})
	admin := site.Admin()
	c := newTusClient(t, site.URL, admin.Token)
	c.Chunk, c.Wait = 3_000_000, largeSize/2
	first := c.start(t)
	first.waits()
	_ = first.cmd.Process.Kill() // it is there
	first.end()
	passed.Store(int64(8 * 24 * time.Hour))
	site.App.Janitor.Sweep(t.Context())
	admin = site.Admin()
	c.Token, c.Wait = admin.Token, 0
	again := c.start(t)
	again.wantDone(func(path string) *http.Response {
		a := admin.Do(http.MethodGet, path, nil)
		a.Response.Body = io.NopCloser(strings.NewReader(string(a.Body)))
		return a.Response
	})
	if !strings.HasPrefix(again.out.String(), "HEAD 404") || !strings.Contains(again.out.String(), "POST 201") {
		t.Errorf("the client did not begin again:\n%s", again.out)
	}
}
