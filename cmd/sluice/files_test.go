package main_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFileCommands is a file's life by commands, from the login to the logout.
func TestFileCommands(t *testing.T) {
	needTool(t, "curl")
	server := startEmpty(t)
	p := newcomer(t, server)
	const text = "the quick brown fox\n"
	local := filepath.Join(p.home, "fox.txt")
	if err := os.WriteFile(local, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p.logIn()
	for _, path := range []string{"fox.txt", "fox.txt.old", "in/a%20b.txt"} {
		run(t, "", "curl", "-fsS", "-T", local, "-H", "Authorization: Bearer "+server.Login(password), p.URL+"/file/admin/"+path)
	}

	p.wantOut("fox.txt\nfox.txt.old\nin/\n", "ls")
	p.wantOut("in/a b.txt\n", "ls", "in/")
	p.wantOut("fox.txt\nfox.txt.old\nin/a b.txt\n", "ls", "-R")
	p.wantOut("", "ls", "none")
	p.want(0, "private             20 20", "ls", "-l")
	p.want(0, `"path":"in/a b.txt"`, "ls", "-R", "--json", "--owner", "admin")
	p.want(0, `{"folder":"in/"}`, "ls", "--json")
	p.want(0, "url:        "+p.URL+"/file/admin/in/a%20b.txt\n", "stat", "in/a b.txt")
	p.wantOut(text, "get", "-q", "-o", "-", p.URL+"/file/admin/in/a%20b.txt")
	p.wantOut(text+text, "cat", "fox.txt", "in/a b.txt")

	link := strings.TrimSpace(p.want(0, p.URL+"/l/", "link", "--expires", "1h", "fox.txt"))
	if got := run(t, "", "curl", "-fsS", link); got != text {
		t.Errorf("the link leads to %q, want %q", got, text)
	}

	p.want(0, "fox.txt is now in/fox.txt", "mv", "fox.txt", "in/")
	p.want(9, "", "mv", "fox.txt.old", "in/fox.txt")
	p.want(0, "removed fox.txt.old", "rm", "fox.txt.old", "in/fox.txt")
	p.wantOut("in/a b.txt\n", "ls", "-R")
	if r := server.Ask(http.MethodGet, strings.TrimPrefix(link, p.URL), "", nil); r.StatusCode != http.StatusForbidden {
		t.Errorf("the link of a removed file answers %s, want 403", r.Status)
	}

	for _, command := range []string{"stat", "rm", "cat", "link"} {
		p.want(5, `There is no file "fox.txt".`, command, "fox.txt")
		p.want(2, "See sluice "+command+" --help.", command)
	}
	p.want(2, "", "link", "--expires", "1000h", "in/a b.txt")
	p.want(0, "logged out", "logout")
	p.want(4, "run sluice login", "ls", "--server", p.URL)
}

// wantOut runs a command and wants it to print exactly that.
func (p *person) wantOut(want string, args ...string) {
	p.t.Helper()
	if got := p.want(0, "", args...); got != want {
		p.t.Errorf("sluice %s prints %q, want %q", args, got, want)
	}
}

// TestStatInJSON wants a file as the API tells it.
func TestStatInJSON(t *testing.T) {
	server := startEmpty(t)
	p := newcomer(t, server)
	p.logIn()
	server.Put(server.Login(password), "a.txt", "abc")
	var f struct {
		Path   string
		Size   int64
		SHA256 string
	}
	out := p.want(0, "", "stat", "--json", "a.txt")
	if err := json.Unmarshal([]byte(out), &f); err != nil || f.Path != "a.txt" || f.Size != 3 || f.SHA256 != sha256Of([]byte("abc")) {
		t.Errorf("sluice stat --json prints %s, %v", out, err)
	}
}
