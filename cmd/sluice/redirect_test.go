package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sluice/localstack/stores"
)

// directSite is a server that sends clients to MinIO for the large file.
type directSite struct {
	*site
	store *stores.S3
	etag  string
}

func startDirect(t *testing.T) *directSite {
	t.Helper()
	needTool(t, "curl", "sha256sum")
	store := stores.MinIO(t)
	data := filepath.Join(t.TempDir(), "data")
	settings := []string{
		"AWS_REGION=" + store.Region, "AWS_ACCESS_KEY_ID=" + store.AccessKey, "AWS_SECRET_ACCESS_KEY=" + store.SecretKey,
		"AWS_ENDPOINT_URL_S3=" + store.Endpoint, "SLUICE_BLOB=s3://files?public_endpoint=" + store.Endpoint,
	}
	made := shownPassword(t, adminInit(t, settings, "--data="+data))
	p := start(t, data, settings...)
	path, sum := large()
	s := &site{process: p, url: p.URL + "/file/admin/large.bin", header: "Authorization: Bearer " + p.Login(made), sum: sum}
	s.put = run(t, "", "curl", "-fsS", "-T", path, "-H", s.header, s.url)
	var put struct{ ID, ETag string }
	if err := json.Unmarshal([]byte(s.put), &put); err != nil {
		t.Fatal(err)
	}
	return &directSite{s, store, put.ETag}
}

// link makes a URL of ours that needs no token.
func (s *directSite) link() string {
	s.t.Helper()
	var file struct{ ID string }
	var link struct{ URL string }
	err := json.Unmarshal([]byte(s.put), &file)
	if err == nil {
		err = json.Unmarshal([]byte(run(s.t, "", "curl", "-fsS", "-X", "POST", "-H", s.header, s.URL+"/api/files/"+file.ID+"/link")), &link)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return link.URL
}

// A client that follows redirects gets what it would have got from us, whatever
// it asks, and the store never sees its token.
func TestCurlFollowsToTheStore(t *testing.T) {
	s := startDirect(t)
	path, _ := large()
	content := read(t, "", path)
	const whole, half = "0-67121208", "33554432-"
	cases := []struct {
		name      string
		fields    []string
		answer    string // status, and how many redirects were followed
		body      string
		delivered float64 // bytes by us
	}{
		{"whole", nil, "200 1", content, 0},
		{"a range", []string{"Range: bytes=" + half}, "206 1", content[33554432:], 0},
		{"all as a range", []string{"Range: bytes=" + whole}, "206 1", content, 0},
		{"a small range", []string{"Range: bytes=5-14"}, "206 0", content[5:15], 10},
		{"If-Match", []string{"If-Match: " + s.etag}, "200 1", content, 0},
		{"If-Match of another", []string{`If-Match: "another"`}, "412 0", "", 0},
		{"If-Range", []string{"If-Range: " + s.etag, "Range: bytes=" + half}, "206 1", content[33554432:], 0},
		{"If-Range of another", []string{`If-Range: "another"`, "Range: bytes=" + half}, "200 0", content, largeSize},
		{"If-None-Match", []string{"If-None-Match: " + s.etag}, "304 0", "", 0},
		{"If-None-Match of another", []string{`If-None-Match: "another"`}, "200 1", content, 0},
		{"two ranges", []string{"Range: bytes=0-4194303,33554432-"}, "206 0", "", largeSize - 33554432 + 4194304},
	}
	for _, c := range cases {
		mark := len(s.Log())
		out := filepath.Join(t.TempDir(), "out")
		args := []string{"-sSvL", "--stderr", out + ".log", "-o", out, "-w", "%{http_code} %{num_redirects}", "-H", s.header, s.url}
		for _, field := range c.fields {
			args = append(args, "-H", field)
		}
		if got := run(t, "", "curl", args...); got != c.answer {
			t.Errorf("%s: %s, want %s", c.name, got, c.answer)
		}
		if c.body != "" && read(t, "", out) != c.body {
			t.Errorf("%s: %d bytes came, want %d", c.name, size(out), len(c.body))
		}
		if sent := strings.Count(read(t, "", out+".log"), "\n> Authorization:"); sent != 1 {
			t.Errorf("%s: curl sent the token %d times, want once, to us", c.name, sent)
		}
		eventually(t, c.name+" in the log", func() bool { return len(s.Logged(mark, "operation", "getFile")) == 1 })
		if got := bytesOf(s.downloads(mark)); got != c.delivered {
			t.Errorf("%s: %.0f bytes passed through us, want %.0f", c.name, got, c.delivered)
		}
	}
}

// What was cut on its way from the store goes on there.
func TestResumeAtTheStore(t *testing.T) {
	cases := []struct {
		tool          string
		begin, resume []string
	}{
		{"curl", []string{"-sSL", "--limit-rate", "16M", "-o", "large.bin"}, []string{"-fsSL", "-C", "-", "-o", "large.bin"}},
		{"wget", []string{"-q", "--limit-rate=16m", "-O", "large.bin"}, []string{"-q", "-c", "-O", "large.bin"}},
	}
	for _, c := range cases {
		t.Run(c.tool, func(t *testing.T) {
			needTool(t, c.tool)
			s := startDirect(t)
			dir, link := t.TempDir(), s.link()
			path := filepath.Join(dir, "large.bin")
			interrupt(t, syscall.SIGKILL, func() bool { return size(path) > 4<<20 }, dir, c.tool, append(c.begin, link)...)
			if size(path) >= largeSize {
				t.Fatal("the download was whole when it was cut")
			}
			run(t, dir, c.tool, append(c.resume, link)...)
			s.wantLarge(path)
			eventually(t, "both requests in the log", func() bool { return len(s.Logged(0, "event", "download.started")) == 2 })
			if got := bytesOf(s.downloads(0)); got != 0 {
				t.Errorf("%.0f bytes passed through us, want none", got)
			}
		})
	}
}

func TestAria2cFetchesPartsFromTheStore(t *testing.T) {
	needTool(t, "aria2c")
	s := startDirect(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "large.bin")
	args := func(more ...string) []string {
		return append([]string{
			"-q", "--no-conf", "-x4", "-s4", "-k1M", "--file-allocation=none", "--disk-cache=0", "-o", "large.bin",
			"--checksum=sha-256=" + s.sum, s.link(),
		}, more...)
	}
	interrupt(t, syscall.SIGTERM, func() bool { return onDisk(path) > 16<<20 }, dir, "aria2c", args("--max-download-limit=24M")...)
	if size(path+".aria2") == 0 {
		t.Fatal("the download was whole when it was cut")
	}
	run(t, dir, "aria2c", args()...)
	s.wantLarge(path)
	s.Stop()
	if got, issued := bytesOf(s.downloads(0)), len(s.Logged(0, "event", "download.started")); got > 8<<20 || issued == 0 {
		t.Errorf("%.0f bytes passed through us, and %d requests were sent to the store; want most from there", got, issued)
	}
}

// These two would show their token to the store, which would refuse them.
func TestWgetAndAria2cWithATokenAreNotSentToTheStore(t *testing.T) {
	s := startDirect(t)
	for tool, args := range map[string][]string{
		"wget":   {"-q", "-O", "large.bin"},
		"aria2c": {"-q", "--no-conf", "-x4", "-s4", "-k1M", "--file-allocation=none", "-o", "large.bin"},
	} {
		t.Run(tool, func(t *testing.T) {
			needTool(t, tool)
			dir := t.TempDir()
			run(t, dir, tool, append(args, "--header="+s.header, s.url)...)
			s.wantLarge(filepath.Join(dir, "large.bin"))
		})
	}
}

// Parts of an upload go to the store by the URLs that it is asked for.
func TestCurlSendsPartsToTheStore(t *testing.T) {
	s := startDirect(t)
	path, sum := large()
	ask := func(method, path, body string, into any) {
		t.Helper()
		out := run(t, "", "curl", "-fsS", "-X", method, "-H", s.header, "-H", "Content-Type: application/json", "-d", body, s.URL+path)
		if err := json.Unmarshal([]byte(out), into); err != nil {
			t.Fatalf("%s %s: %v in %s", method, path, err, out)
		}
	}
	var begun struct {
		ID string `json:"upload_id"`
	}
	ask("POST", "/api/files", `{"path":"parts.bin","size":67121209,"part_size":67108864,"sha256":"`+sum+`"}`, &begun)
	var issued struct {
		Parts []struct {
			URL     string
			Headers map[string]string
		}
	}
	ask("POST", "/api/uploads/"+begun.ID+"/parts", `{"parts":[{"number":1},{"number":2}]}`, &issued)
	for i, part := range issued.Parts {
		piece := filepath.Join(t.TempDir(), "piece")
		content := read(t, "", path)[i*67108864:]
		if err := os.WriteFile(piece, []byte(content[:min(len(content), 67108864)]), 0o600); err != nil {
			t.Fatal(err)
		}
		args := []string{"-fsS", "-T", piece, part.URL}
		for name, value := range part.Headers {
			args = append(args, "-H", name+": "+value)
		}
		run(t, "", "curl", args...)
	}
	var file struct {
		State, SHA256 string
		DigestState   string `json:"digest_state"`
	}
	eventually(t, "the completion", func() bool {
		ask("POST", "/api/uploads/"+begun.ID+"/complete", "", &file)
		return file.DigestState != ""
	})
	if file.SHA256 != sum || file.DigestState != "verified" {
		t.Errorf("the file is %+v, want it verified with %s", file, sum)
	}
	if through := s.Logged(0, "operation", "putPart"); len(through) > 0 {
		t.Errorf("%d parts passed through us, want none", len(through))
	}
	out := filepath.Join(t.TempDir(), "out")
	run(t, "", "curl", "-fsSL", "-o", out, "-H", s.header, s.URL+"/file/admin/parts.bin")
	s.wantLarge(out)
}
