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

// sent returns how many answers with bytes of a file came since the log's nth
// line, by status, and their bytes in all, once none is under way any more.
func (s *site) sent(n int) (answers map[float64]int, bytes float64) {
	s.t.Helper()
	answers = map[float64]int{}
	for _, line := range s.Log()[n:] {
		if line["event"] != nil {
			answers[line["status"].(float64)]++
			bytes += line["bytes"].(float64)
		}
	}
	return answers, bytes
}

// settled waits until so many downloads have ended, and returns the length of
// the log.
func (s *site) settled(downloads int) int {
	s.t.Helper()
	eventually(s.t, "the end of the downloads", func() bool {
		answers, _ := s.sent(0)
		n := 0
		for _, of := range answers {
			n += of
		}
		return n >= downloads
	})
	return len(s.Log())
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
	s := startWithLarge(t)
	limits := []struct {
		tool   string
		begin  []string
		resume []string
	}{
		{"curl", []string{"-sS", "--limit-rate", "16M", "-o", "large.bin", "-H", s.header, s.url}, []string{"-fsS", "-C", "-", "-o", "large.bin", "-H", s.header, s.url}},
		{"wget", []string{"-q", "--limit-rate=16m", "--header", s.header, s.url}, []string{"-q", "-c", "--header", s.header, s.url}},
	}
	for _, c := range limits {
		t.Run(c.tool, func(t *testing.T) {
			needTool(t, c.tool)
			before, _ := s.sent(0)
			dir := t.TempDir()
			path := filepath.Join(dir, "large.bin")
			interrupt(t, syscall.SIGKILL, func() bool { return size(path) > 4<<20 }, dir, c.tool, c.begin...)
			had := size(path)
			if had >= largeSize {
				t.Fatalf("the download was whole when it was cut")
			}
			mark := s.settled(before[200] + before[206] + 1)
			run(t, dir, c.tool, c.resume...)
			s.wantLarge(path)
			s.settled(before[200] + before[206] + 2)
			if answers, bytes := s.sent(mark); answers[206] != 1 || len(answers) != 1 || bytes != float64(largeSize-had) {
				t.Errorf("with %d bytes there, the rest took answers %v of %.0f bytes; want one 206 of %d", had, answers, bytes, largeSize-had)
			}
		})
	}
}

func TestAria2cFetchesPartsAtOnceAndResumes(t *testing.T) {
	s := startWithLarge(t)
	needTool(t, "aria2c")
	head := run(t, "", "curl", "-fsSI", "-H", s.header, s.url)
	found := regexp.MustCompile(`(?mi)^repr-digest: sha-256=:([^:]+):`).FindStringSubmatch(head)
	if found == nil {
		t.Fatalf("a HEAD tells no digest:\n%s", head)
	}
	digest, err := base64.StdEncoding.DecodeString(found[1])
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-q", "--no-conf", "-x4", "-s4", "-k1M", "--file-allocation=none", "--disk-cache=0", "--checksum=sha-256=" + hex.EncodeToString(digest), "--header", s.header}

	dir := t.TempDir()
	run(t, dir, "aria2c", append(args, "--max-download-limit=64M", s.url)...) // slow enough for four to be needed
	s.wantLarge(filepath.Join(dir, "large.bin"))
	eventually(t, "the whole file in the log", func() bool { _, bytes := s.sent(0); return bytes >= largeSize })
	if answers, _ := s.sent(0); answers[200]+answers[206] < 4 {
		t.Errorf("four connections were asked for and got the answers %v; want four at least", answers)
	}

	dir = t.TempDir()
	path := filepath.Join(dir, "large.bin")
	interrupt(t, syscall.SIGTERM, func() bool { return onDisk(path) > 16<<20 }, dir, "aria2c", append(args, "--max-download-limit=24M", s.url)...)
	if size(path+".aria2") == 0 {
		t.Fatal("the download was whole when it was cut")
	}
	mark := len(s.Log())
	run(t, dir, "aria2c", append(args, s.url)...)
	s.wantLarge(path)
	eventually(t, "the rest in the log", func() bool { _, bytes := s.sent(mark); return bytes > 0 })
	if answers, bytes := s.sent(mark); bytes >= largeSize || answers[206] == 0 {
		t.Errorf("the rest took answers %v of %.0f bytes; want 206 of fewer than %d", answers, bytes, largeSize)
	}
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
