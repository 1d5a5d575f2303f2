package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const password = "a password for the bench"

// process is a server under measurement.
type process struct {
	cmd  *exec.Cmd
	addr string // host:port
}

// stop ends the process and its children.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	kill := time.AfterFunc(10*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	_ = p.cmd.Wait()
}

// pids returns the process and its children (nginx works in children).
func (p *process) pids() []int {
	pids := []int{p.cmd.Process.Pid}
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pids[0], pids[0]))
	for child := range strings.FieldsSeq(string(children)) {
		if pid, err := strconv.Atoi(child); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// cpu returns the processor time used so far, by the scheduler's own count in
// nanoseconds.
func (p *process) cpu() time.Duration {
	var total time.Duration
	for _, pid := range p.pids() {
		stats, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		for _, name := range stats {
			text, _ := os.ReadFile(name) // a thread may end meanwhile
			ran, _, _ := strings.Cut(string(text), " ")
			ns, _ := strconv.ParseInt(ran, 10, 64)
			total += time.Duration(ns)
		}
	}
	return total
}

// rss returns the resident memory in bytes.
func (p *process) rss() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "Rss:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("no Rss in smaps_rollup")
}

// startSluice starts a server with its data under dir, and more settings.
func startSluice(ctx context.Context, s settings, dir string, more ...string) (*process, error) {
	cmd := exec.CommandContext(ctx, s.binary, "serve", "--addr", "127.0.0.1:0", "--data", filepath.Join(dir, "sluice"))
	cmd.Env = append(append(os.Environ(), "SLUICE_ADMIN_PASSWORD="+password), more...)
	log, err := os.Create(filepath.Join(dir, "sluice.log"))
	if err != nil {
		return nil, err
	}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, addr, ok := strings.Cut(lines.Text(), "serving http://"); ok {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return &process{cmd, addr}, nil
		}
	}
	return nil, errors.New("sluice did not start; see " + log.Name())
}

// findNginx returns the path of an nginx.
func findNginx() (string, error) {
	for _, name := range []string{"nginx", ".cache/bin/nginx", "/usr/sbin/nginx"} {
		if path, err := exec.LookPath(name); err == nil {
			return filepath.Abs(path)
		}
	}
	return "", errors.New("nginx is missing: run tools/install-bench-tools")
}

// startNginx serves dir/www as a static file server would be set up for large
// files: sendfile.
func startNginx(ctx context.Context, dir string) (*process, error) {
	return startNginxAs(ctx, dir, func(addr string) string {
		return fmt.Sprintf("sendfile on; tcp_nopush on; server { listen %s; root %s/www; default_type application/octet-stream; }", addr, dir)
	})
}

// startNginxAs starts nginx with settings that depend on its address: no access
// log to wait for, as many workers as processors.
func startNginxAs(ctx context.Context, dir string, settings func(addr string) string) (*process, error) {
	binary, err := findNginx()
	if err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	conf := fmt.Sprintf(`daemon off; worker_processes auto; pid %[1]s/nginx.pid; error_log %[1]s/nginx-error.log;
user %[3]s;
events { worker_connections 4096; }
http {
  keepalive_requests 1000000;
  access_log %[1]s/nginx-access.log combined buffer=64k;
  client_body_temp_path %[1]s/t1; proxy_temp_path %[1]s/t2; fastcgi_temp_path %[1]s/t3; uwsgi_temp_path %[1]s/t4; scgi_temp_path %[1]s/t5;
  %[2]s
}`, dir, settings(addr), userName())
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, binary, "-e", filepath.Join(dir, "nginx-error.log"), "-c", path)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &process{cmd, addr}, await(addr)
}

func userName() string {
	if os.Getuid() == 0 {
		return strings.Repeat("root ", 2) // user and group
	}
	return "nobody" // ignored by nginx unless it is root
}

// content is a file that a server gets before it is measured.
type content struct {
	name string // under /file/admin/
	body io.Reader
	size int64
}

// smallFile is what most requests are for.
func smallFile() content {
	return content{"small.bin", strings.NewReader(strings.Repeat("x", smallSize)), smallSize}
}

// startWith starts a server as startSluice does, with files in it. It returns
// the admin's token too.
func startWith(ctx context.Context, s settings, dir string, files ...content) (*process, string, error) {
	sluice, err := startSluice(ctx, s, dir)
	if err != nil {
		return nil, "", err
	}
	token, err := sluice.fill(files...)
	if err != nil {
		sluice.stop()
	}
	return sluice, token, err
}

// fill logs in as the admin, uploads files, and returns the token.
func (p *process) fill(files ...content) (string, error) {
	token, err := p.login()
	if err != nil {
		return "", err
	}
	for _, f := range files {
		if err := p.upload(token, f); err != nil {
			return "", err
		}
	}
	return token, nil
}

// login returns an access token of the admin.
func (p *process) login() (string, error) {
	body := strings.NewReader(`{"username":"admin","password":"` + password + `"}`)
	resp, err := http.Post("http://"+p.addr+"/api/login", "application/json", body)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var tokens struct {
		Access string `json:"access_token"`
	}
	return tokens.Access, json.NewDecoder(resp.Body).Decode(&tokens)
}

func (p *process) upload(token string, f content) error {
	req, err := http.NewRequest(http.MethodPut, "http://"+p.addr+"/file/admin/"+f.name, f.body)
	if err != nil {
		return err
	}
	req.ContentLength = f.size
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest {
		var why bytes.Buffer
		_, _ = why.ReadFrom(resp.Body)
		return fmt.Errorf("upload: %s %s", resp.Status, why.String())
	}
	return nil
}
