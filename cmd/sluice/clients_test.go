package main_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// site is a server with the large file on it, uploaded by curl, and what the
// clients need to ask for it.
type site struct {
	*process
	url    string // of the file
	header string // that lets a client have it
	sum    string // the file's SHA-256
	put    string // what the upload was answered
}

func startWithLarge(t *testing.T) *site {
	t.Helper()
	needTool(t, "curl", "sha256sum")
	p := startEmpty(t)
	path, sum := large()
	s := &site{process: p, url: p.URL + "/file/admin/large.bin", header: "Authorization: Bearer " + p.Login(password), sum: sum}
	s.put = run(t, "", "curl", "-fsS", "-T", path, "-H", s.header, s.url)
	return s
}

// wantLarge wants a file to be the large one.
func (s *site) wantLarge(path string) {
	s.t.Helper()
	if got := sha256sum(s.t, path); got != s.sum {
		s.t.Errorf("%s has %d bytes and the SHA-256 %s; want %d and %s", filepath.Base(path), size(path), got, largeSize, s.sum)
	}
}

// downloads returns the lines of the log, from the nth on, that tell of answers
// with bytes of a file.
func (s *site) downloads(n int) (lines []map[string]any) {
	s.t.Helper()
	for _, line := range s.Log()[n:] {
		if line["event"] != nil {
			lines = append(lines, line)
		}
	}
	return lines
}

// bytesOf adds up how much downloads have sent.
func bytesOf(downloads []map[string]any) (sum float64) {
	for _, line := range downloads {
		sum += line["bytes"].(float64)
	}
	return sum
}

func TestUploadIsAnsweredWithTheFile(t *testing.T) {
	s := startWithLarge(t)
	needTool(t, "bash")
	path, _ := large()
	piped := run(t, "", "bash", "-c", `cat "$0" | curl -fsS -T - -H "$1" "$2"`, path, s.header, s.URL+"/file/admin/piped.bin")
	for name, answer := range map[string]string{"from a file": s.put, "from a pipe": piped} {
		var file struct {
			Size        int64
			SHA256      string
			DigestState string `json:"digest_state"`
		}
		if err := json.Unmarshal([]byte(answer), &file); err != nil {
			t.Fatal(err)
		}
		if file.Size != largeSize || file.SHA256 != s.sum || file.DigestState != "verified" {
			t.Errorf("uploaded %s, the file is %+v; want %d bytes of SHA-256 %s, verified", name, file, largeSize, s.sum)
		}
	}
	whole := filepath.Join(t.TempDir(), "piped.bin")
	run(t, "", "curl", "-fsS", "-o", whole, "-H", s.header, s.URL+"/file/admin/piped.bin")
	s.wantLarge(whole)
}

func TestCutUploadLeavesNothing(t *testing.T) {
	s := startWithLarge(t)
	path, _ := large()
	tmp := filepath.Join(s.Data, "blobs", "tmp")
	begun := func() bool {
		entries, err := os.ReadDir(tmp)
		return err == nil && len(entries) > 0 && size(filepath.Join(tmp, entries[0].Name())) > 1<<20
	}
	interrupt(t, syscall.SIGKILL, begun, "", "curl", "-sS", "--limit-rate", "16M", "-T", path, "-H", s.header, s.URL+"/file/admin/cut.bin")
	eventually(t, "the end of the upload in the log", func() bool { return len(s.Logged(0, "operation", "putFile")) == 2 })
	if entries, err := os.ReadDir(tmp); err != nil || len(entries) > 0 {
		t.Errorf("a cut upload left %v, %v in tmp", entries, err)
	}
	if code := run(t, "", "curl", "-sS", "-o", os.DevNull, "-w", "%{http_code}", "-H", s.header, s.URL+"/file/admin/cut.bin"); code != "404" {
		t.Errorf("after a cut upload a GET of the file is answered %s; want 404", code)
	}
}

func TestResumeAfterACut(t *testing.T) {
	cases := []struct {
		tool          string
		begin, resume []string
	}{
		{"curl", []string{"-sS", "--limit-rate", "16M", "-o", "large.bin", "-H"}, []string{"-fsS", "-C", "-", "-o", "large.bin", "-H"}},
		{"wget", []string{"-q", "--limit-rate=16m", "--header"}, []string{"-q", "-c", "--header"}},
	}
	for _, c := range cases {
		t.Run(c.tool, func(t *testing.T) {
			needTool(t, c.tool)
			s := startWithLarge(t)
			dir := t.TempDir()
			path := filepath.Join(dir, "large.bin")
			interrupt(t, syscall.SIGKILL, func() bool { return size(path) > 4<<20 }, dir, c.tool, append(c.begin, s.header, s.url)...)
			had := size(path)
			if had >= largeSize {
				t.Fatal("the download was whole when it was cut")
			}
			eventually(t, "the cut download in the log", func() bool { return len(s.downloads(0)) == 1 })
			mark := len(s.Log())
			run(t, dir, c.tool, append(c.resume, s.header, s.url)...)
			s.wantLarge(path)
			eventually(t, "the rest in the log", func() bool { return len(s.downloads(mark)) == 1 })
			if rest := s.downloads(mark)[0]; rest["status"] != 206.0 || rest["bytes"] != float64(largeSize-had) {
				t.Errorf("with %d bytes there, the rest was %v of %.0f bytes; want 206 of %d", had, rest["status"], rest["bytes"], largeSize-had)
			}
		})
	}
}

func TestAria2cFetchesPartsAtOnce(t *testing.T) {
	needTool(t, "aria2c")
	s := startWithLarge(t)
	dir := t.TempDir()
	run(t, dir, "aria2c", s.aria2c("--max-download-limit=64M")...) // slow enough for four to be needed
	s.wantLarge(filepath.Join(dir, "large.bin"))
	eventually(t, "the whole file in the log", func() bool { return bytesOf(s.downloads(0)) >= largeSize })
	if n := len(s.downloads(0)); n < 4 {
		t.Errorf("four connections were asked for and the log has %d downloads; want four at least", n)
	}
}

func TestAria2cResumesAfterARestart(t *testing.T) {
	needTool(t, "aria2c")
	s := startWithLarge(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "large.bin")
	interrupt(t, syscall.SIGTERM, func() bool { return onDisk(path) > 16<<20 }, dir, "aria2c", s.aria2c("--max-download-limit=24M")...)
	if size(path+".aria2") == 0 {
		t.Fatal("the download was whole when it was cut")
	}
	// The server starts anew too, with a log that tells of the rest alone.
	s.Stop()
	s.process = start(t, s.Data)
	s.url = s.URL + "/file/admin/large.bin"
	run(t, dir, "aria2c", s.aria2c()...)
	s.wantLarge(path)
	s.Stop()
	if rest := bytesOf(s.downloads(0)); rest == 0 || rest >= largeSize {
		t.Errorf("the rest took %.0f bytes; want some, and fewer than the whole file's %d", rest, largeSize)
	}
}

// aria2c returns the arguments that fetch the file by four connections and
// check it against the digest that the server tells.
func (s *site) aria2c(more ...string) []string {
	s.t.Helper()
	head := run(s.t, "", "curl", "-fsSI", "-H", s.header, s.url)
	found := regexp.MustCompile(`(?mi)^repr-digest: sha-256=:([^:]+):`).FindStringSubmatch(head)
	if found == nil {
		s.t.Fatalf("a HEAD tells no digest:\n%s", head)
	}
	digest, err := base64.StdEncoding.DecodeString(found[1])
	if err != nil {
		s.t.Fatal(err)
	}
	return append([]string{
		"-q", "--no-conf", "-x4", "-s4", "-k1M", "--file-allocation=none", "--disk-cache=0",
		"--checksum=sha-256=" + hex.EncodeToString(digest), "--header", s.header, s.url,
	}, more...)
}

// onDisk returns how many bytes of a file, which may have holes, are there.
func onDisk(path string) int64 {
	var stat syscall.Stat_t
	if syscall.Stat(path, &stat) != nil {
		return 0
	}
	return stat.Blocks * 512
}

func TestCurlAsksForRanges(t *testing.T) {
	s := startWithLarge(t)
	path, _ := large()
	content := read(t, "", path)
	cases := []struct{ ask, want string }{
		{"0-4", content[:5]},
		{"1000000-1999999", content[1_000_000:2_000_000]},
		{"-5", content[largeSize-5:]},
		{"67100000-", content[67_100_000:]},
		{"67100000-99999999999", content[67_100_000:]},
	}
	for _, c := range cases {
		if got := run(t, "", "curl", "-fsS", "-r", c.ask, "-H", s.header, s.url); got != c.want {
			t.Errorf("-r %s brought %d bytes; want %d, those of the file", c.ask, len(got), len(c.want))
		}
	}
	several := run(t, "", "curl", "-fsS", "-r", "1-3,-2", "-H", s.header, s.url)
	for _, part := range []string{content[1:4], content[largeSize-2:]} {
		if !strings.Contains(several, "\r\n\r\n"+part+"\r\n--") {
			t.Errorf("-r 1-3,-2 brought %q; want a part %q", several, part)
		}
	}
	const beyond = "99999999999-"
	if got := run(t, "", "curl", "-sS", "-o", os.DevNull, "-w", "%{http_code} %header{content-range}", "-r", beyond, "-H", s.header, s.url); got != "416 bytes */67121209" {
		t.Errorf("-r %s = %s; want 416 bytes */67121209", beyond, got)
	}
}

func TestCurlAsksOnlyForWhatChanged(t *testing.T) {
	needTool(t, "curl")
	p := startEmpty(t)
	token := p.Login(password)
	p.Put(token, "a.txt", "first")
	dir := t.TempDir()
	fetch := func() string {
		return run(t, dir, "curl", "-fsS", "--etag-compare", "etag", "--etag-save", "etag", "-o", "a.txt", "-w", "%{http_code} %{size_download}",
			"-H", "Authorization: Bearer "+token, p.URL+"/file/admin/a.txt")
	}
	if err := os.WriteFile(filepath.Join(dir, "etag"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"200 5", "304 0"} {
		if got := fetch(); got != want || read(t, dir, "a.txt") != "first" {
			t.Errorf("curl got %s and has %q; want %s and %q", got, read(t, dir, "a.txt"), want, "first")
		}
	}
	if r := p.Ask(http.MethodPut, "/file/admin/a.txt", token, strings.NewReader("second")); r.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(r.Body)
		t.Fatalf("PUT = %s %s", r.Status, body)
	}
	if got := fetch(); got != "200 6" || read(t, dir, "a.txt") != "second" {
		t.Errorf("after a change curl got %s and has %q; want 200 6 and %q", got, read(t, dir, "a.txt"), "second")
	}
}
