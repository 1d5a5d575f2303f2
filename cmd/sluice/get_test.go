package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// loggedIn are the settings that let `sluice get` have the large file.
func (s *site) loggedIn() []string {
	return []string{"SLUICE_SERVER=" + s.URL, "SLUICE_TOKEN=" + strings.TrimPrefix(s.header, "Authorization: Bearer ")}
}

// wantGet runs `sluice get`, and wants an exit code and words among what it
// prints.
func wantGet(t *testing.T, settings []string, code int, want string, args ...string) (stdout string) {
	t.Helper()
	got, out, errs := runToEnd(t, append([]string{"get"}, args...), settings)
	if got != code || !strings.Contains(out+errs, want) {
		t.Errorf("sluice get %s: exit code %d and\n%.500s%s\nwant %d and %q", args, got, out, errs, code, want)
	}
	if strings.Contains(errs, secret) {
		t.Errorf("sluice get %s shows a secret: %s", args, errs)
	}
	return out
}

func TestGet(t *testing.T) {
	s := startWithLarge(t)
	id := fileID(s)
	link := s.link(id)
	in := s.loggedIn()
	for _, c := range []struct {
		name     string
		url      string
		settings []string
		want     string
		args     []string
	}{
		{"a file by its path", s.url, in, "verified by chunks", nil},
		{"a file by its id", s.URL + "/api/files/" + id + "/content", in, "verified by chunks", nil},
		{"a link", link, nil, "verified by sha-256", nil},
		{"any URL, with a header", s.url, nil, "verified by sha-256", []string{"-H", s.header}},
		{"a checksum too", s.url, in, "verified by sha-256", []string{"--checksum", "sha256:" + s.sum}},
		{"one connection", s.url, in, "verified by chunks", []string{"--max-connections", "1"}},
		{"a Metalink document", s.URL + "/api/files/" + id + "/manifest?format=metalink", in, "verified by sha-256", []string{"--metalink"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "got.bin")
			wantGet(t, c.settings, 0, c.want, append(c.args, "-o", path, c.url)...)
			s.wantLarge(path)
		})
	}
}

func TestGetNamesTheFileAsTheServerDoes(t *testing.T) {
	s := startWithLarge(t)
	dir := t.TempDir()
	wantGet(t, s.loggedIn(), 0, "large.bin: 64.0 MiB", "-o", dir, s.url)
	s.wantLarge(filepath.Join(dir, "large.bin"))
	wantGet(t, s.loggedIn(), 9, "large.bin exists already; -f replaces it.", "-o", dir, s.url)
	wantGet(t, s.loggedIn(), 0, "verified", "-f", "-o", dir, s.url)
}

func TestGetToStandardOutput(t *testing.T) {
	s := startWithLarge(t)
	out := wantGet(t, s.loggedIn(), 0, "", "-q", "-o", "-", s.url)
	if got := sha256Of([]byte(out)); got != s.sum {
		t.Errorf("standard output has %d bytes of SHA-256 %s; want %d and %s", len(out), got, largeSize, s.sum)
	}
}

func TestGetInJSON(t *testing.T) {
	s := startWithLarge(t)
	out := wantGet(t, s.loggedIn(), 0, "", "--json", "-o", filepath.Join(t.TempDir(), "x"), s.url)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var last struct {
		Event, Name, Verified string
		Size, Bytes           int64
	}
	for _, line := range lines {
		if err := json.Unmarshal([]byte(line), &last); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
	}
	if last.Event != "done" || last.Name != "x" || last.Size != largeSize || last.Bytes != largeSize || last.Verified != "chunks" {
		t.Errorf("the last event is %+v", last)
	}
}

// TestGetExitCodes fixes what scripts rely on.
func TestGetExitCodes(t *testing.T) {
	s := startWithLarge(t)
	in := s.loggedIn()
	dir := t.TempDir()
	for _, c := range []struct {
		name     string
		code     int
		want     string
		settings []string
		args     []string
	}{
		{"no URL", 2, "Nothing says what to get.", in, nil},
		{"neither a path nor a URL", 2, "is neither a path on the server", in, []string{"./large.bin"}},
		{"not a URL of HTTP", 2, "A URL is such as", in, []string{"ftp://example.com/large.bin"}},
		{"a host without a scheme", 5, "A URL begins with http://", in, []string{"example.com/large.bin"}},
		{"a rate that is none", 2, "--limit-rate", in, []string{"--limit-rate", "fast", s.url}},
		{"a digest that is none", 2, "--checksum", in, []string{"--checksum", "md5:00", s.url}},
		{"a header that is none", 2, "--header", in, []string{"-H", secret, s.url}},
		{"an unknown flag", 2, "unknown flag", in, []string{"--fast", s.url}},
		{"nobody listens", 3, "cannot be reached", nil, []string{"--retries", "1", "http://127.0.0.1:1/" + secret}},
		{"nobody is logged in", 4, "", nil, []string{s.url}},
		{"no such file", 5, "", in, []string{s.URL + "/file/admin/none.bin"}},
		{"a link that is none", 4, "", in, []string{s.URL + "/l/" + secret + "/x"}},
		{"another digest", 7, "not what its digest says", in, []string{"--checksum", "sha256:" + strings.Repeat("0", 64), s.url}},
		{"a file is there", 9, "exists already", in, []string{"-o", os.Args[0], s.url}},
		{"no such folder", 2, "folder of -o", in, []string{"-o", filepath.Join(dir, "none") + "/", s.url}},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := c.args
			if !strings.Contains(strings.Join(args, " "), "-o ") {
				args = append([]string{"-o", dir}, args...)
			}
			wantGet(t, c.settings, c.code, c.want, args...)
			if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
				t.Errorf("%v are left", left)
			}
		})
	}
}

// TestGetReadsLogins wants credentials to be taken from private files only.
func TestGetReadsLogins(t *testing.T) {
	s := startWithLarge(t)
	token := strings.TrimPrefix(s.header, "Authorization: Bearer ")
	write := func(t *testing.T, home, text string, mode os.FileMode) {
		path := filepath.Join(home, ".config", "sluice")
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(path, "login.json"), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	good := fmt.Sprintf(`{"server":%q,"access_token":%q}`, s.URL, token)
	for _, c := range []struct {
		name string
		text string
		mode os.FileMode
		code int
		want string
	}{
		{"a login", good, 0o600, 0, "verified by chunks"},
		{"a login that others can read", good, 0o644, 2, "chmod 600"},
		{"a login at another server", fmt.Sprintf(`{"server":"http://127.0.0.1:1","access_token":%q}`, token), 0o600, 4, ""},
		{"not a login", secret, 0o600, 2, "is not a login file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			home := t.TempDir()
			write(t, home, c.text, c.mode)
			wantGet(t, []string{"HOME=" + home}, c.code, c.want, "-o", filepath.Join(home, "got"), s.url)
		})
	}
}

// fileID returns the id of the large file.
func fileID(s *site) string {
	s.t.Helper()
	var list struct {
		Files []struct{ ID string }
	}
	answer := s.Ask(http.MethodGet, "/api/files?prefix=large.bin", strings.TrimPrefix(s.header, "Authorization: Bearer "), nil)
	if err := json.NewDecoder(answer.Body).Decode(&list); err != nil || len(list.Files) != 1 {
		s.t.Fatalf("the listing has %d files, %v", len(list.Files), err)
	}
	return list.Files[0].ID
}

// link makes a link to a file.
func (s *site) link(id string) string {
	s.t.Helper()
	var made struct{ URL string }
	answer := s.Ask(http.MethodPost, "/api/files/"+id+"/link", strings.TrimPrefix(s.header, "Authorization: Bearer "), nil)
	if err := json.NewDecoder(answer.Body).Decode(&made); err != nil || made.URL == "" {
		s.t.Fatalf("the link is %q, %v", made.URL, err)
	}
	return made.URL
}

// TestGetOfAFolderOfLargeFiles wants more large files than there may be sessions
// to come, and to go on where they were.
func TestGetOfAFolderOfLargeFiles(t *testing.T) {
	u := newUploader(t, "SLUICE_MAX_SESSIONS=1")
	big, sum := large()
	for _, name := range []string{"a", "b", "in/c"} {
		u.want(0, "", "put", "-q", big, "films/"+name)
	}
	dir := t.TempDir()
	u.want(0, "", "get", "-q", "-o", dir, "films/")
	for _, name := range []string{"a", "b", "in/c"} {
		if got := sha256sum(t, filepath.Join(dir, name)); got != sum {
			t.Errorf("%s is another file: %s, want %s", name, got, sum)
		}
	}
}
