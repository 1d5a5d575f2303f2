package main_test

import (
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// metrics returns the counters that a server with SLUICE_METRICS_ADDR shows.
func (p *process) metrics() map[string]float64 {
	p.t.Helper()
	eventually(p.t, "the address of the metrics in the log", func() bool { return len(p.Logged(0, "msg", "serving metrics")) == 1 })
	r, err := client.Get("http://" + p.Logged(0, "msg", "serving metrics")[0]["addr"].(string) + "/metrics")
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/plain; version=0.0.4") {
		p.t.Fatalf("GET /metrics = %s, %s, %v; want 200 and Prometheus's text", r.Status, r.Header.Get("Content-Type"), err)
	}
	counters := map[string]float64{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z_]+(?:\{[^}]*\})?) (\S+)$`).FindAllStringSubmatch(string(body), -1) {
		if counters[m[1]], err = strconv.ParseFloat(m[2], 64); err != nil {
			p.t.Fatalf("%q: %v", m[0], err)
		}
	}
	return counters
}

func TestMetricsCountRequests(t *testing.T) {
	p := startEmpty(t, "SLUICE_METRICS_ADDR=127.0.0.1:0")
	before := p.metrics()
	token := p.Login(password)
	p.Put(token, "a.txt", "ten bytes.")
	p.Get(token, "a.txt")
	p.Ask(http.MethodGet, "/file/admin/missing.txt", token, nil)
	eventually(t, "the log of four requests", func() bool { return len(p.Logged(0, "msg", "request")) == 4 })
	after := p.metrics()
	cases := []struct {
		counter string
		rise    float64
	}{
		{`sluice_requests_total{operation="login",status="200"}`, 1},
		{`sluice_requests_total{operation="putFile",status="201"}`, 1},
		{`sluice_requests_total{operation="getFile",status="200"}`, 1},
		{`sluice_requests_total{operation="getFile",status="404"}`, 1},
		{`sluice_request_seconds_count{operation="getFile"}`, 2},
		{`sluice_downloads_total{outcome="completed"}`, 1},
		{`sluice_download_bytes_total`, 10},
		{`sluice_upload_bytes_total`, 10},
		{`sluice_requests_running`, 0},
	}
	for _, c := range cases {
		if got := after[c.counter] - before[c.counter]; got != c.rise {
			t.Errorf("%s rose by %v, want %v", c.counter, got, c.rise)
		}
	}
	if r := p.Ask(http.MethodGet, "/metrics", token, nil); r.StatusCode != http.StatusNotFound {
		t.Errorf("GET /metrics of the main address = %s, want 404", r.Status)
	}
	p.Stop()
}

func TestLogLinesTellWhatHappened(t *testing.T) {
	p := startEmpty(t)
	token := p.Login(password)
	p.Put(token, "a.txt", "ten bytes.")
	p.Get(token, "a.txt")
	p.Ask(http.MethodGet, "/file/admin/a.txt", "", nil)
	p.Stop()
	always := []string{"time", "level", "msg", "request_id", "method", "operation", "status", "bytes", "duration_ms", "client"}
	cases := []struct {
		operation string
		status    float64
		bytes     float64
		event     any
		besides   []string
	}{
		{"login", 200, 0, nil, nil},
		{"putFile", 201, 10, nil, []string{"user_id", "file_id"}},
		{"getFile", 200, 10, "download.completed", []string{"user_id", "file_id", "event"}},
		{"getFile", 401, 0, nil, []string{"file_id", "error"}},
	}
	lines := p.Logged(0, "msg", "request")
	if len(lines) != len(cases) {
		t.Fatalf("%d requests are logged by %d lines:\n%s", len(cases), len(lines), p.Stderr)
	}
	ids := map[any]bool{}
	for i, c := range cases {
		line := lines[i]
		ids[line["request_id"]] = true
		if line["operation"] != c.operation || line["status"] != c.status || line["bytes"] != c.bytes || line["event"] != c.event {
			t.Errorf("line %d is %v; want %s, status %v, %v bytes, event %v", i, line, c.operation, c.status, c.bytes, c.event)
		}
		for _, name := range slices.Concat(always, c.besides) {
			if _, ok := line[name]; !ok {
				t.Errorf("line %d has no %s: %v", i, name, line)
			}
		}
		if len(line) != len(always)+len(c.besides) {
			t.Errorf("line %d is %v; want the fields %s and %s", i, line, always, c.besides)
		}
		if at, err := time.Parse(time.RFC3339Nano, line["time"].(string)); err != nil || at.Location() != time.UTC {
			t.Errorf("line %d: the time %v is not in UTC", i, line["time"])
		}
	}
	if len(ids) != len(cases) {
		t.Errorf("%d requests have the ids %v", len(cases), ids)
	}
}

// Every way to send a secret, right and wrong, leaves no trace.
func TestNothingSecretIsPrinted(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	p := start(t, data, "SLUICE_LOG_LEVEL=debug")
	made := madeUp.FindStringSubmatch(p.Stdout.String())[1]
	if n := strings.Count(p.Stdout.String(), made); n != 2 {
		t.Errorf("the greeting shows the password %d times; want it by itself and in the commands", n)
	}
	tokens := string(p.post("/api/login", "", `{"username":"admin","password":"`+made+`"}`))
	found := regexp.MustCompile(`"(?:access|refresh)_token":"([^"]+)"`).FindAllStringSubmatch(tokens, -1)
	if len(found) != 2 {
		t.Fatalf("the login is answered without two tokens: %s", tokens)
	}
	access, refresh := found[0][1], found[1][1]
	const other, path = "my other password", "diary-of-a-secret.txt"
	p.Put(access, path, "the content")
	p.Get(access, path)
	p.post("/api/login", "", `{"username":"admin","password":"`+other+`"}`)
	p.post("/api/login", "", `{"username":"`+other+`","password":`)
	p.post("/api/users", access, `{"username":"ada","password":"`+other+`","role":"user"}`)
	p.post("/api/users", access, `{"username":"bob","password":"`+other+`","role":"`+other+`"}`)
	p.post("/api/token/refresh", "", `{"refresh_token":"`+refresh+`"}`)
	p.post("/api/token/refresh", "", `{"refresh_token":"`+refresh+`"}`)
	p.post("/api/token/refresh", access, `{"`+refresh+`":1}`)
	p.post("/api/token/refresh", access, `{"`+refresh+`":{`)
	p.post("/api/token/refresh", access, `{"refresh_token":{"`+refresh+`":1}}`)
	p.Ask(http.MethodGet, "/api/profile?access_token="+access, "", nil)
	p.Ask(http.MethodGet, "/"+access, refresh, nil)
	p.Ask(http.MethodGet, "/api/files?cursor="+access, access, nil)
	p.Ask(http.MethodGet, "/api/files?"+access+"=1", access, nil)
	p.Ask(http.MethodGet, "/file/admin/"+path+"?disposition="+other[3:8], access, nil)
	p.Stop()
	if n := len(p.Logged(0, "msg", "request")); n != 17 {
		t.Errorf("%d requests are logged, want 17:\n%s", n, p.Stderr)
	}
	printed := strings.ReplaceAll(p.Stdout.String(), made, "") + p.Stderr.String()
	for name, secret := range map[string]string{
		"made-up password": made, "other password": other, "file's path": path, "content": "the content", "access token": access,
		"refresh token": refresh, "access token's signature": access[strings.LastIndex(access, "."):], "keyword Bearer": "Bearer ey",
	} {
		if strings.Contains(printed, secret) {
			t.Errorf("the %s is printed:\n%s", name, printed)
		}
	}
}

// post sends JSON and returns the answer's body.
func (p *process) post(path, token, body string) []byte {
	p.t.Helper()
	r, err := http.NewRequest(http.MethodPost, p.URL+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer
}
