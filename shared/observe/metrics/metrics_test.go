package metrics_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/shared/observe"
	"sluice/shared/observe/metrics"
)

var _ observe.Metrics = (*metrics.Prometheus)(nil)

// counters returns what m shows, by name and labels.
func counters(t *testing.T, m *metrics.Prometheus) map[string]float64 {
	t.Helper()
	server := httptest.NewServer(m.Handler())
	defer server.Close()
	response, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || !strings.HasPrefix(response.Header.Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Fatalf("the metrics are %s, %s, %v; want Prometheus's text", response.Status, response.Header.Get("Content-Type"), err)
	}
	all := map[string]float64{}
	for _, line := range regexp.MustCompile(`(?m)^([a-z_]+(?:\{.*\})?) (\S+)$`).FindAllStringSubmatch(string(body), -1) {
		if all[line[1]], err = strconv.ParseFloat(line[2], 64); err != nil {
			t.Fatalf("%q: %v", line[0], err)
		}
	}
	return all
}

func TestMetrics(t *testing.T) {
	m := metrics.New()
	running := m.Begin()
	m.Begin()("getFile", "200", 20*time.Millisecond)
	m.Begin()("getFile", "200", 70*time.Second)
	m.Begin()("getFile", "404", 0)
	m.Begin()("login", "401", 30*time.Millisecond)
	m.Download("completed", 100)
	m.Download("completed", 1<<40)
	m.Download("aborted", 7)
	m.Upload(5)
	m.Upload(0)
	want := map[string]float64{
		`sluice_requests_running`:                                       1,
		`sluice_requests_total{operation="getFile",status="200"}`:       2,
		`sluice_requests_total{operation="getFile",status="404"}`:       1,
		`sluice_requests_total{operation="login",status="401"}`:         1,
		`sluice_request_seconds_count{operation="getFile"}`:             3,
		`sluice_request_seconds_sum{operation="getFile"}`:               70.02,
		`sluice_request_seconds_bucket{operation="getFile",le="0.005"}`: 1,
		`sluice_request_seconds_bucket{operation="getFile",le="0.025"}`: 2,
		`sluice_request_seconds_bucket{operation="getFile",le="60"}`:    2,
		`sluice_request_seconds_bucket{operation="getFile",le="600"}`:   3,
		`sluice_downloads_total{outcome="completed"}`:                   2,
		`sluice_downloads_total{outcome="aborted"}`:                     1,
		`sluice_download_bytes_total`:                                   1<<40 + 107,
		`sluice_upload_bytes_total`:                                     5,
	}
	got := counters(t, m)
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %v, want %v", name, got[name], value)
		}
	}
	if got["go_goroutines"] < 1 {
		t.Errorf("go_goroutines is %v, want some", got["go_goroutines"])
	}
	running("getFile", "206", time.Second)
	if got := counters(t, m)["sluice_requests_running"]; got != 0 {
		t.Errorf("after the end of all requests %v are running", got)
	}
}

func TestMetricsOfTwoServersAreApart(t *testing.T) {
	a, b := metrics.New(), metrics.New()
	a.Upload(5)
	if got := counters(t, b)["sluice_upload_bytes_total"]; got != 0 {
		t.Errorf("an upload to one server counts %v bytes at another", got)
	}
}

func TestMetricsCountWhatComesAtOnce(t *testing.T) {
	const clients, each = 8, 500
	m := metrics.New()
	var group sync.WaitGroup
	for range clients {
		group.Go(func() {
			for range each {
				end := m.Begin()
				m.Download("completed", 3)
				m.Upload(2)
				end("getFile", "200", time.Millisecond)
			}
		})
	}
	group.Wait()
	got := counters(t, m)
	for name, value := range map[string]float64{
		`sluice_requests_total{operation="getFile",status="200"}`: clients * each, `sluice_requests_running`: 0,
		`sluice_download_bytes_total`: 3 * clients * each, `sluice_upload_bytes_total`: 2 * clients * each,
	} {
		if got[name] != value {
			t.Errorf("%s is %v, want %v", name, got[name], value)
		}
	}
}
