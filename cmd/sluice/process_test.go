package main_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// password is the admin's, where a test chooses it.
const password = "correct horse battery"

// process is a running `sluice serve`.
type process struct {
	URL    string
	Data   string
	Stdout *transcript
	Stderr *transcript

	t     *testing.T
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process has
}

// start runs a server with its data in a folder and waits for its greeting.
// Settings are of the form SLUICE_NAME=value. Without SLUICE_ADDR it takes a
// free port.
func start(t *testing.T, data string, settings ...string) *process {
	t.Helper()
	return startCommand(t, command("serve"), data, settings...)
}

// startEmpty is start with new data and the password of this file.
func startEmpty(t *testing.T, settings ...string) *process {
	t.Helper()
	return start(t, filepath.Join(t.TempDir(), "data"), append(settings, "SLUICE_ADMIN_PASSWORD="+password)...)
}

// startCommand is start by another command line.
func startCommand(t *testing.T, cmd *exec.Cmd, data string, settings ...string) *process {
	t.Helper()
	p := &process{Data: data, Stdout: &transcript{}, Stderr: &transcript{}, t: t, cmd: cmd, ended: make(chan struct{})}
	cmd.Env = append(environment("SLUICE_DATA="+data, "SLUICE_ADDR=127.0.0.1:0"), settings...)
	cmd.Stdout, cmd.Stderr = p.Stdout, p.Stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // ProcessState tells
		close(p.ended)
	}()
	t.Cleanup(p.Kill)
	eventually(t, "the greeting", func() bool {
		if p.Ended() {
			t.Fatalf("the server did not start: %s", p.Stderr)
		}
		return strings.Contains(p.Stdout.String(), "Stop with Ctrl-C.\n")
	})
	p.URL = regexp.MustCompile(`^Sluice is serving (\S+)\n`).FindStringSubmatch(p.Stdout.String())[1]
	return p
}

// command returns the program with arguments.
func command(args ...string) *exec.Cmd {
	cmd := exec.Command(binary, args...)
	cmd.Env, cmd.Dir = environment(), scratch
	return cmd
}

// environment returns an environment with no settings but these.
func environment(settings ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + scratch}, settings...)
}

// Signal sends a signal.
func (p *process) Signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("send %s: %v", s, err)
	}
}

// Ended reports whether the process has.
func (p *process) Ended() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// Kill ends the process as a crash would.
func (p *process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}

// Wait waits for the end and returns how it came.
func (p *process) Wait() *os.ProcessState {
	p.t.Helper()
	eventually(p.t, "the end of the server", p.Ended)
	return p.cmd.ProcessState
}

// Stop stops the process gently, and wants the exit code 0.
func (p *process) Stop() {
	p.t.Helper()
	p.Signal(syscall.SIGTERM)
	if state := p.Wait(); state.ExitCode() != 0 {
		p.t.Errorf("after SIGTERM the server ended with %s, want exit status 0\n%s", state, p.Stderr)
	}
}

// client is for what is asked in passing; what people type is tested by their
// own tools.
var client = &http.Client{Timeout: patience}

// Login returns an access token of the admin.
func (p *process) Login(password string) string {
	p.t.Helper()
	return p.LoginAs("admin", password)
}

// LoginAs returns an access token of a user.
func (p *process) LoginAs(username, password string) string {
	p.t.Helper()
	body, err := json.Marshal(map[string]string{"username": username, "password": password})
	if err != nil {
		p.t.Fatal(err)
	}
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	response, err := client.Post(p.URL+"/api/login", "application/json", bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&tokens); err != nil || response.StatusCode != http.StatusOK {
		p.t.Fatalf("login = %s, %v", response.Status, err)
	}
	return tokens.AccessToken
}

// Ask sends a request with a token, if one.
func (p *process) Ask(method, path, token string, body io.Reader) *http.Response {
	p.t.Helper()
	r, err := http.NewRequest(method, p.URL+path, body)
	if err != nil {
		p.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

// Put uploads a new file of the admin.
func (p *process) Put(token, path, content string) {
	p.t.Helper()
	if r := p.Ask(http.MethodPut, "/file/admin/"+path, token, strings.NewReader(content)); r.StatusCode != http.StatusCreated {
		p.t.Fatalf("PUT %s = %s, want 201", path, r.Status)
	}
}

// Get downloads a file of the admin.
func (p *process) Get(token, path string) string {
	p.t.Helper()
	return p.GetOf("admin", token, path)
}

// GetOf downloads a file of a user.
func (p *process) GetOf(user, token, path string) string {
	p.t.Helper()
	r := p.Ask(http.MethodGet, "/file/"+user+"/"+path, token, nil)
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		p.t.Fatalf("GET %s = %s, %v; want 200", path, r.Status, err)
	}
	return string(body)
}

// Log returns the lines of the log.
func (p *process) Log() []map[string]any {
	p.t.Helper()
	var lines []map[string]any
	for line := range strings.Lines(p.Stderr.String()) {
		if !strings.HasSuffix(line, "\n") {
			break // its end is still to come
		}
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			p.t.Fatalf("log line %q: %v", line, err)
		}
		lines = append(lines, fields)
	}
	return lines
}

// Logged returns the log's lines from the nth on that have a field of that
// value.
func (p *process) Logged(n int, field string, value any) []map[string]any {
	p.t.Helper()
	var lines []map[string]any
	for _, line := range p.Log()[n:] {
		if line[field] == value {
			lines = append(lines, line)
		}
	}
	return lines
}

// transcript collects what a process writes. It is safe for concurrent use.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (tr *transcript) Write(p []byte) (int, error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.text.Write(p)
}

// All returns all that was written so far.
func (tr *transcript) All() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.text.String()
}

// String returns all whole lines written so far.
func (tr *transcript) String() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	text := tr.text.Bytes()
	return string(text[:bytes.LastIndexByte(text, '\n')+1])
}
