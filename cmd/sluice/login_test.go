package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// person runs commands with a home of their own, at one server.
type person struct {
	*process
	home string
}

// newcomer is a person who is not logged in.
func newcomer(t *testing.T, p *process) *person {
	return &person{p, t.TempDir()}
}

// loginFile is where the tokens are.
func (p *person) loginFile() string { return filepath.Join(p.home, ".config", "sluice", "login.json") }

// sluice runs a command with text for its standard input.
func (p *person) sluice(input string, args ...string) (code int, stdout, stderr string) {
	p.t.Helper()
	cmd := command(args...)
	cmd.Env = environment("HOME=" + p.home)
	var out, errs strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		p.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// want runs a command and wants an exit code and words among what it prints.
func (p *person) want(code int, want string, args ...string) (stdout string) {
	p.t.Helper()
	got, out, errs := p.sluice("", args...)
	if got != code || !strings.Contains(out+errs, want) {
		p.t.Errorf("sluice %s: exit code %d and %q %q, want %d and %q", args, got, out, errs, code, want)
	}
	return out
}

// logIn logs in as admin.
func (p *person) logIn() {
	p.t.Helper()
	if code, _, errs := p.sluice(password+"\n", "login", "--server", p.URL, "--password-stdin", "admin"); code != 0 {
		p.t.Fatalf("sluice login: exit code %d, %s", code, errs)
	}
}

// expire makes the login file say that its access token has expired.
func (p *person) expire() {
	p.t.Helper()
	var l map[string]string
	text, err := os.ReadFile(p.loginFile())
	if err != nil {
		p.t.Fatal(err)
	}
	if err := json.Unmarshal(text, &l); err != nil {
		p.t.Fatal(err)
	}
	l["expires_at"] = "2020-01-01T00:00:00Z"
	if text, err = json.Marshal(l); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(p.loginFile(), text, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func TestLogin(t *testing.T) {
	server := startEmpty(t)
	p := newcomer(t, server)
	p.want(4, "Nobody is logged in at "+p.URL+": run sluice login.", "whoami", "--server", p.URL)
	if code, _, errs := p.sluice("wrong horse\n", "login", "--server", p.URL, "--password-stdin", "admin"); code != 4 || !strings.Contains(errs, "is wrong") {
		t.Errorf("a wrong password: exit code %d, %s; want 4", code, errs)
	}
	p.want(2, "use --password-stdin", "login", "--server", p.URL, "admin")
	p.want(2, "See sluice login --help.", "login")
	p.want(2, "unknown flag", "whoami", "--loud")
	p.want(2, "The server is a URL", "whoami", "--server", "localhost")
	if code, _, errs := p.sluice("", "whoami", "--server", "http://ada:"+secret+"@127.0.0.1:1"); code != 2 || strings.Contains(errs, secret) {
		t.Errorf("a server with a password: exit code %d, %s; want 2 and no password", code, errs)
	}

	if code, _, errs := p.sluice(password, "login", "--server", "http://127.0.0.1:1", "--password-stdin", "admin"); code != 3 {
		t.Errorf("nobody listens: exit code %d, %s; want 3", code, errs)
	}
	p.logIn()
	if info, err := os.Stat(p.loginFile()); err != nil || info.Mode() != 0o600 {
		t.Errorf("the login file: %v, %v; want mode 0600", info, err)
	}
	p.want(0, "admin (admin) at "+p.URL, "whoami")
	p.want(0, `"username":"admin"`, "whoami", "--json")
	p.want(4, "Nobody is logged in", "whoami", "--server", "http://127.0.0.1:1")

	stolen := newcomer(t, server)
	stolen.copyLogin(p)
	p.want(0, "logged out at "+p.URL, "logout")
	if _, err := os.Stat(p.loginFile()); !os.IsNotExist(err) {
		t.Errorf("the login file after logout: %v, want that there is none", err)
	}
	stolen.want(4, "", "whoami")
}

// copyLogin takes the login file of another.
func (p *person) copyLogin(from *person) {
	p.t.Helper()
	text, err := os.ReadFile(from.loginFile())
	if err == nil {
		err = os.MkdirAll(filepath.Dir(p.loginFile()), 0o700)
	}
	if err == nil {
		err = os.WriteFile(p.loginFile(), text, 0o600)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

func TestLoginFileOfOthersIsRefused(t *testing.T) {
	p := newcomer(t, startEmpty(t))
	p.logIn()
	if err := os.Chmod(p.loginFile(), 0o644); err != nil {
		t.Fatal(err)
	}
	p.want(2, "can be read by others: chmod 600", "whoami")
}

// TestCommandsAtOnceRenewTheLogin has commands start with an expired token: one
// exchanges the refresh token, and the others use what came of it. One that came
// twice would be refused, or end the login.
func TestCommandsAtOnceRenewTheLogin(t *testing.T) {
	p := newcomer(t, startEmpty(t))
	p.logIn()
	for range 3 {
		p.expire()
		var commands sync.WaitGroup
		for range 4 {
			commands.Go(func() { p.want(0, "admin", "whoami") })
		}
		commands.Wait()
	}
}

// TestPasswordDoesNotShow types at a terminal: a password, and Ctrl-C.
func TestPasswordDoesNotShow(t *testing.T) {
	needTool(t, "script")
	server := startEmpty(t)
	for _, c := range []struct {
		name, typed, want string
		code              int
	}{
		{"a password", password + "\r", "logged in as admin", 0},
		{"Ctrl-C", password + "\x03", "No password was given.", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.Command("script", "-qec", binary+" login --server "+server.URL+" admin", "/dev/null")
			cmd.Env = environment("HOME=" + t.TempDir())
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			shown := &transcript{}
			cmd.Stdout = shown
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the prompt", func() bool { return strings.Contains(shown.All(), "Password: ") })
			if _, err := in.Write([]byte(c.typed)); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // ProcessState tells
			if got := cmd.ProcessState.ExitCode(); got != c.code || !strings.Contains(shown.All(), c.want) || strings.Contains(shown.All(), password) {
				t.Errorf("login at a terminal: exit code %d and %q, want %d, %q and no password", got, shown.All(), c.code, c.want)
			}
		})
	}
}

// TestANewPasswordIsAskedForTwice types a new user's password.
func TestANewPasswordIsAskedForTwice(t *testing.T) {
	needTool(t, "script")
	server := startEmpty(t)
	p := newcomer(t, server)
	p.logIn()
	for _, c := range []struct {
		name, first, second, want string
		code                      int
	}{
		{"differently", "a long password", "a lost password", "These are two different passwords.", 2},
		{"the same", "a long password", "a long password", "made the user ada", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.Command("script", "-qec", binary+" admin users add ada", "/dev/null")
			cmd.Env = environment("HOME=" + p.home)
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			shown := &transcript{}
			cmd.Stdout = shown
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for _, step := range [][2]string{{"New password: ", c.first}, {"Again: ", c.second}} {
				eventually(t, step[0], func() bool { return strings.Contains(shown.All(), step[0]) })
				if _, err := in.Write([]byte(step[1] + "\r")); err != nil {
					t.Fatal(err)
				}
			}
			_ = cmd.Wait() // ProcessState tells
			if got := cmd.ProcessState.ExitCode(); got != c.code || !strings.Contains(shown.All(), c.want) || strings.Contains(shown.All(), c.first) {
				t.Errorf("typed %s: exit code %d and %q, want %d, %q and no password", c.name, got, shown.All(), c.code, c.want)
			}
		})
	}
}
