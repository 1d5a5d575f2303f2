package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// uploader is somebody who is logged in and has a folder of files.
type uploader struct {
	*person
	dir   string
	token string
}

func newUploader(t *testing.T, settings ...string) *uploader {
	t.Helper()
	server := startEmpty(t, settings...)
	u := &uploader{newcomer(t, server), t.TempDir(), server.Login(password)}
	u.logIn()
	return u
}

// write makes a file in the folder and returns its name.
func (u *uploader) write(name, content string) string {
	u.t.Helper()
	path := filepath.Join(u.dir, name)
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, []byte(content), 0o600)
	}
	if err != nil {
		u.t.Fatal(err)
	}
	return path
}

// wantStored wants the server to have exactly these files.
func (u *uploader) wantStored(want ...string) {
	u.t.Helper()
	if got := strings.Fields(u.want(0, "", "ls", "-R")); strings.Join(got, " ") != strings.Join(want, " ") {
		u.t.Errorf("the server has %q, want %q", got, want)
	}
}

// wantContent wants a file to have a content.
func (u *uploader) wantContent(path, want string) {
	u.t.Helper()
	if got := u.Get(u.token, path); got != want {
		u.t.Errorf("%s has %d bytes, want %d", path, len(got), len(want))
	}
}

func TestPut(t *testing.T) {
	u := newUploader(t)
	one := u.write("one.txt", "one")
	two := u.write("two.html", "two")
	big, sum := large()

	u.want(0, "one.txt: 3 B, verified by sha-256", "put", one)
	u.want(0, "sub/eins: 3 B", "put", one, "sub/eins")
	u.want(0, "sub/two.html: 3 B", "put", one, two, "sub/")
	u.want(0, "large.bin: 64.0 MiB, verified by sha-256", "put", "--checksum", "sha256:"+sum, big)
	u.wantStored("large.bin", "one.txt", "sub/eins", "sub/one.txt", "sub/two.html")
	if got := sha256Of([]byte(u.Get(u.token, "large.bin"))); got != sum {
		t.Errorf("the large file is another one: %s, want %s", got, sum)
	}
	u.want(0, "text/html", "stat", "sub/two.html")

	u.write("one.txt", "another one")
	u.want(9, "one.txt exists already; -f replaces it.", "put", one)
	u.wantContent("one.txt", "one")
	u.want(0, "one.txt: 11 B", "put", "-f", "--type", "text/csv", one)
	u.wantContent("one.txt", "another one")
	u.want(0, "text/csv", "stat", "one.txt")
	u.want(0, "one.txt: it was there", "put", one)
	u.want(0, "large.bin: it was there", "put", big)
	if left, _ := filepath.Glob(filepath.Join(u.home, ".local/state/sluice/uploads/*")); len(left) > 0 {
		t.Errorf("the records %v are left", left)
	}
}

func TestPutFromStandardInput(t *testing.T) {
	u := newUploader(t)
	for name, content := range map[string]string{"none": "", "small": "abc", "large": strings.Repeat("0123456789abcdef", 3<<20)} {
		if code, out, errs := u.sluice(content, "put", "-", "in/"+name); code != 0 {
			t.Errorf("%s: exit code %d, %s%s", name, code, out, errs)
		}
		u.wantContent("in/"+name, content)
	}
	u.want(2, "Say under which path", "put", "-")
	u.want(2, "Say under which path", "put", "-", "folder/")
}

func TestPutFolders(t *testing.T) {
	u := newUploader(t)
	u.write("album/a.jpg", "a")
	u.write("album/deep/er/b.jpg", "b")
	u.write("album/bad\x01na\xffme", "c")
	outside := u.write("outside.txt", "secret")
	link := func(to, name string) {
		if err := os.Symlink(to, filepath.Join(u.dir, "album", name)); err != nil {
			t.Fatal(err)
		}
	}
	link(outside, "link")
	link("..", "deep/up")
	if err := syscall.Mkfifo(filepath.Join(u.dir, "album", "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	album := filepath.Join(u.dir, "album")

	out := u.want(0, "a.jpg: 1 B", "put", album+"/", "x/")
	if strings.Contains(out, "link") {
		t.Errorf("a link is sent: %s", out)
	}
	u.wantStored("x/a.jpg", "x/bad_na_me", "x/deep/er/b.jpg")
	u.want(0, "symbolic link. -L follows it.", "put", album)
	u.wantStored("album/a.jpg", "album/bad_na_me", "album/deep/er/b.jpg", "x/a.jpg", "x/bad_na_me", "x/deep/er/b.jpg")
	u.want(0, "leads back to a folder", "put", "-L", album, "y/")
	u.wantContent("y/album/link", "secret")
	u.want(2, "must be one too, and end in a slash", "put", album, "x")
}

// TestPutGoesOn wants a file that fails not to stop the others, and a second run
// to send what is lacking.
func TestPutGoesOn(t *testing.T) {
	u := newUploader(t)
	dir := filepath.Join(u.dir, "many")
	var want []string
	for i := range 20 {
		name := fmt.Sprintf("%02d", i)
		u.write("many/"+name, "content "+name)
		want = append(want, name)
	}
	u.Put(u.token, "07", "what is there")
	code, out, errs := u.sluice("", "put", dir+"/", "/")
	if code != 9 || !strings.Contains(errs, "07: 07 exists already") || strings.Count(out, "verified") != 19 {
		t.Errorf("exit code %d and %s%s, want 9, 19 files and one that is there", code, out, errs)
	}
	u.wantStored(want...)
	u.wantContent("07", "what is there")
	if code, out, _ := u.sluice("", "put", dir+"/", "/"); code != 9 || strings.Count(out, "it was there") != 19 {
		t.Errorf("a second time: exit code %d and %s, want 9 and 19 files that were there", code, out)
	}
	u.write("many/07", "what is there")
	u.want(0, "07: it was there", "put", dir+"/", "/")

	u.write("same/a\x01", "1")
	u.write("same/a\x02", "2")
	u.want(9, "Another file of this command", "put", filepath.Join(u.dir, "same"))
}

func TestPutInJSON(t *testing.T) {
	u := newUploader(t)
	big, _ := large()
	out := u.want(0, "", "put", "--json", "--max-connections", "2", big, u.write("small", "abc"), "to/")
	ended := map[string]int64{}
	for line := range strings.Lines(out) {
		var e struct {
			Event, Name, Verified string
			Size, Bytes           int64
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if e.Event == "done" && e.Size == e.Bytes && e.Verified == "sha-256" {
			ended[e.Name] = e.Size
		}
	}
	if len(ended) != 2 || ended["to/large.bin"] != largeSize || ended["to/small"] != 3 {
		t.Errorf("these files are done: %v", ended)
	}
}

// TestPutExitCodes fixes what scripts rely on.
func TestPutExitCodes(t *testing.T) {
	u := newUploader(t)
	small := u.write("small", "abc")
	nowhere := []string{"--server", "http://127.0.0.1:1"}
	for _, c := range []struct {
		name string
		code int
		want string
		args []string
	}{
		{"nothing to put", 2, "requires at least 1 arg", nil},
		{"no such file", 2, "cannot be read", []string{small + "no"}},
		{"an empty folder", 2, "There is no file", []string{t.TempDir()}},
		{"an unknown flag", 2, "unknown flag", []string{"--fast", small}},
		{"a rate that is none", 2, "--limit-rate", []string{"--limit-rate", "fast", small}},
		{"parts that are none", 2, "--part-size", []string{"--part-size", "big", small}},
		{"no connections", 2, "--max-connections", []string{"--max-connections", "0", small}},
		{"a digest that is none", 2, "--checksum", []string{"--checksum", "md5:00", small}},
		{"a digest of two files", 2, "of one file", []string{"--checksum", "sha256:" + strings.Repeat("0", 64), small, u.write("b", "b"), "x/"}},
		{"two files to one path", 2, "must end in a slash", []string{small, u.write("b", "b"), "x"}},
		{"a path that climbs", 2, "is no path on the server", []string{small, "a/../b"}},
		{"a path with a control", 2, "control character", []string{small, "a\x01"}},
		{"nobody is logged in", 4, "run sluice login", append(nowhere, small)},
		{"no such user", 5, "", []string{"--owner", "nobody", small}},
		{"another digest", 7, "not what its digest says", []string{"--checksum", "sha256:" + strings.Repeat("0", 64), small}},
		{"too small a part", 2, "part size", []string{"--part-size", "1M", u.write("parted", strings.Repeat("x", 9<<20))}},
	} {
		t.Run(c.name, func(t *testing.T) {
			u.want(c.code, c.want, append([]string{"put"}, c.args...)...)
		})
	}
	u.wantStored()

	cmd := command("put", "--retries", "1", "--server", "http://127.0.0.1:1", small)
	cmd.Env = environment("HOME="+u.home, "SLUICE_TOKEN="+secret)
	out, _ := cmd.CombinedOutput() // ProcessState tells
	if code := cmd.ProcessState.ExitCode(); code != 3 || !strings.Contains(string(out), "cannot be reached") || strings.Contains(string(out), secret) {
		t.Errorf("nobody listens: exit code %d and %s, want 3 and no token", code, out)
	}
}

// TestPutOverAQuota wants a clear error, and no room taken.
func TestPutOverAQuota(t *testing.T) {
	u := newUploader(t)
	var user struct{ ID string }
	ask(u.process, http.MethodPost, "/api/users", u.token, `{"username":"ada","password":"`+password+`","role":"user"}`, http.StatusCreated, &user)
	ask(u.process, http.MethodPatch, "/api/users/"+user.ID, u.token, `{"quota_bytes":10}`, http.StatusOK, &user)
	big, _ := large()
	u.want(0, "small: 3 B", "put", "--owner", "ada", u.write("small", "abc"))
	u.want(10, "", "put", "--owner", "ada", u.write("more", "12345678"))
	u.want(10, "", "put", "--owner", "ada", big)
}

// TestPutWhoseFirstAnswerIsLost wants an upload whose beginning nobody told of
// to be gone on with, not begun twice: the other would hold room for a week.
func TestPutWhoseFirstAnswerIsLost(t *testing.T) {
	u := newUploader(t)
	var begun atomic.Int32
	front := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: strings.TrimPrefix(u.URL, "http://")})
		},
		ModifyResponse: func(r *http.Response) error {
			if r.Request.Method == http.MethodPost && r.Request.URL.Path == "/api/files" && begun.Add(1) == 1 {
				panic(http.ErrAbortHandler)
			}
			return nil
		},
	})
	t.Cleanup(front.Close)
	big, _ := large()
	cmd := command("put", "--server", front.URL, big, "large.bin")
	cmd.Env = environment("HOME="+u.home, "SLUICE_TOKEN="+u.token)
	if out, err := cmd.CombinedOutput(); err != nil || begun.Load() != 2 {
		t.Errorf("put: %v, and it asked to begin %d times, want twice; it says\n%s", err, begun.Load(), out)
	}
	var profile struct{ Used struct{ Bytes, Files int64 } }
	ask(u.process, http.MethodGet, "/api/profile", u.token, "", http.StatusOK, &profile)
	if profile.Used.Bytes != largeSize || profile.Used.Files != 1 {
		t.Errorf("%d bytes in %d files take room, want %d in 1", profile.Used.Bytes, profile.Used.Files, largeSize)
	}
}
