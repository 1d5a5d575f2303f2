package main_test

import (
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestGreetingsCommandsWorkWhenPasted(t *testing.T) {
	needTool(t, "bash", "curl", "sed")
	p := start(t, filepath.Join(t.TempDir(), "data"))
	_, commands, found := strings.Cut(indented(p.Stdout.String()), "PASSWORD=")
	if !found {
		t.Fatalf("the greeting has no commands:\n%s", p.Stdout)
	}
	dir := t.TempDir()
	for _, time := range []string{"first", "second"} {
		paste(t, dir, "PASSWORD="+commands)
		if got := read(t, dir, "hello-again.txt"); got != "Hello, Sluice\n" || got != read(t, dir, "hello.txt") {
			t.Errorf("pasted the %s time, the commands downloaded %q", time, got)
		}
	}
}

func TestReadmesCommandsWorkWhenPasted(t *testing.T) {
	needTool(t, "bash", "curl", "sed", "split", "tar", "aria2c")
	p, dir := startEmpty(t), t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary, filepath.Join(dir, "bin", "sluice")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "docs"), os.DirFS("../../docs")); err != nil {
		t.Fatal(err)
	}
	commands := "exec 2>&1\nexport HOME='" + dir + "' SLUICE_SERVER=" + p.URL + "\n" + onOneServer(readmesCommands(t), p.URL) + "complete -p sluice\n"
	out := paste(t, dir, commands)

	if got := read(t, dir, "hello-again.txt"); got != "Hello, Sluice\n" {
		t.Errorf("the download is %q", got)
	}
	big := sha256sum(t, filepath.Join(dir, "big.bin"))
	for _, name := range []string{"fetched.bin", "work.bin"} {
		if got := sha256sum(t, filepath.Join(dir, name)); got != big {
			t.Errorf("sluice get fetched %s as %s, want %s", got, name, big)
		}
	}
	if got := read(t, dir, "fetched/hello.txt"); got != "Hello, Sluice\n" {
		t.Errorf("aria2c downloaded %q by the Metalink document", got)
	}
	for _, want := range []string{
		`{"files":[{`,                     // curl's listing
		"\nHello{",                        // a range, without an end of line
		"fetched.bin: 19.1 MiB, verified", // get
		"images/disk.bin",                 // put, and ls
		"letters/hello.txt",               // mv
		"\nHello, Sluice\n",               // cat
		p.URL + "/l/",                     // link
		"made the user ada",               // admin users add
		"complete -o default",             // completion
	} {
		if !strings.Contains(out, want) {
			t.Errorf("nothing printed holds %q:\n%s", want, out)
		}
	}
}

// readmesCommands returns the shell commands of the README's sections that a new
// user goes through, in their order.
func readmesCommands(t *testing.T) string {
	t.Helper()
	var commands strings.Builder
	for _, title := range []string{
		"First upload and download", "Large files, links and what was downloaded",
		"Download with `sluice get`", "Upload with `sluice put`", "Files from the command line",
	} {
		_, section, _ := strings.Cut(read(t, "../..", "README.md"), "\n## "+title+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		code := indented(section)
		if n := strings.Count(code, "curl ") + strings.Count(code, "bin/sluice "); n < 2 {
			t.Fatalf("the README's section %q has %d commands; want two at least:\n%s", title, n, code)
		}
		commands.WriteString(code)
	}
	return commands.String()
}

// onOneServer returns the README's commands without what needs more than the
// embedded default: a browser, a bucket, a terminal, and the servers of examples.
func onOneServer(commands, url string) string {
	commands = regexp.MustCompile(`(?s)new tus\.Upload\(.*?\.start\(\)\n`).ReplaceAllString(commands, "")
	commands = regexp.MustCompile(`(?m)^.* s3://.*\n`).ReplaceAllString(commands, "")
	commands = regexp.MustCompile(`(?m)^bin/sluice (?:login --profile|admin users add)[^#\n]*`).
		ReplaceAllString(commands, `printf '%s\n' "$$PASSWORD" | $0 --password-stdin `)
	return strings.NewReplacer(
		"http://127.0.0.1:8080", url,
		"https://files.example.com", url,
		"https://example.com/disk.iso", `--header "Authorization: Bearer $TOKEN" `+url+"/file/admin/big.bin",
	).Replace(commands)
}

// indented returns the lines of a text that are set apart as code.
func indented(text string) string {
	var code strings.Builder
	for line := range strings.Lines(text) {
		if line, ok := strings.CutPrefix(line, "    "); ok {
			code.WriteString(line)
		}
	}
	return code.String()
}

// paste runs commands in a folder by bash, wants all to succeed, and returns
// what they print.
func paste(t *testing.T, dir, commands string) string {
	t.Helper()
	cmd := exec.Command("bash", "-e", "-o", "pipefail")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(commands)
	var failed strings.Builder
	cmd.Stderr = &failed
	out, err := cmd.Output()
	if err != nil || failed.Len() > 0 {
		t.Fatalf("%v: %s\n%s\nof\n%s", err, failed.String(), out, commands)
	}
	return string(out)
}

var madeUp = regexp.MustCompile(`(?m)^    ([A-Z2-7]{26})$`)

func TestPasswordIsPrintedOnce(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	p := start(t, data)
	found := madeUp.FindStringSubmatch(p.Stdout.String())
	if found == nil {
		t.Fatalf("the first greeting shows no password:\n%s", p.Stdout)
	}
	token := p.Login(found[1])
	p.Put(token, "kept.txt", "kept")
	p.Stop()
	keys := read(t, data, "keys.json")

	p = start(t, data)
	if madeUp.MatchString(p.Stdout.String()) || strings.Contains(p.Stdout.String(), "was made") {
		t.Errorf("the second greeting makes the admin anew:\n%s", p.Stdout)
	}
	p.Login(found[1])
	if got := p.Get(token, "kept.txt"); got != "kept" {
		t.Errorf("after a restart the file is %q, want %q", got, "kept")
	}
	if read(t, data, "keys.json") != keys {
		t.Error("the second start changed the keys")
	}
}

func TestChosenPasswordIsTakenAtTheFirstStartOnly(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	p := start(t, data, "SLUICE_ADMIN_PASSWORD="+password)
	first := p.Stdout.String()
	if !strings.Contains(first, "with the password from SLUICE_ADMIN_PASSWORD") {
		t.Errorf("the greeting does not say where the password is from:\n%s", first)
	}
	p.Login(password)
	p.Stop()
	p = start(t, data, "SLUICE_ADMIN_PASSWORD=another password")
	p.Login(password)
	for _, out := range []string{first, p.Stdout.String(), p.Stderr.String()} {
		if strings.Contains(out, password) || strings.Contains(out, "another password") {
			t.Errorf("a password is printed:\n%s", out)
		}
	}
}

// A made-up password is shown once, so a start that fails must not use it up.
func TestFailedFirstStartMakesNoAdmin(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	data := filepath.Join(t.TempDir(), "data")
	for _, name := range []string{"SLUICE_ADDR", "SLUICE_METRICS_ADDR"} {
		wantRefused(t, []string{"serve"}, []string{"SLUICE_DATA=" + data, "SLUICE_ADDR=127.0.0.1:0", name + "=" + taken.Addr().String()},
			name+": listen tcp "+taken.Addr().String()+": bind: address already in use")
	}
	p := start(t, data)
	found := madeUp.FindStringSubmatch(p.Stdout.String())
	if found == nil {
		t.Fatalf("the first start that succeeds shows no password:\n%s", p.Stdout)
	}
	p.Login(found[1])
}

func TestDataIsPrivate(t *testing.T) {
	needTool(t, "sh")
	cmd := exec.Command("sh", "-c", `umask 0; exec "$0" serve`, binary)
	p := startCommand(t, cmd, filepath.Join(t.TempDir(), "data"), "SLUICE_ADMIN_PASSWORD="+password)
	p.Put(p.Login(password), "a/b.txt", "private")
	modes := map[fs.FileMode]int{}
	err := filepath.WalkDir(p.Data, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		mode := info.Mode()
		modes[mode]++
		if mode != 0o600 && mode != fs.ModeDir|0o700 {
			t.Errorf("%s has mode %s; want -rw------- or drwx------", path, mode)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if modes[0o600] < 4 || modes[fs.ModeDir|0o700] < 4 {
		t.Errorf("there are files and folders of the modes %v; want keys, records, a lock and a blob at least", modes)
	}
}
