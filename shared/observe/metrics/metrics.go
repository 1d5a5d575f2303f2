// Package metrics counts what a server does for Prometheus to ask for. It
// stands apart from package observe, since Prometheus's client is two megabytes
// that a function need not carry.
package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Prometheus is the counters of one server. It implements observe.Metrics.
type Prometheus struct {
	registry  *prometheus.Registry
	requests  *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	downloads *prometheus.CounterVec
	sent      prometheus.Counter
	issued    prometheus.Counter
	received  prometheus.Counter
	running   prometheus.Gauge
}

// New returns counters with a registry of their own.
func New() *Prometheus {
	m := &Prometheus{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_requests_total", Help: "Requests answered.",
		}, []string{"operation", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sluice_request_seconds", Help: "Time from a request's header to the end of its answer.",
			Buckets: []float64{.001, .005, .025, .1, .5, 2.5, 10, 60, 600, 3600},
		}, []string{"operation"}),
		downloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_downloads_total", Help: "Answers that carried bytes of a file or led to them, by how they ended.",
		}, []string{"outcome"}),
		sent:     prometheus.NewCounter(prometheus.CounterOpts{Name: "sluice_download_bytes_total", Help: "Bytes of files handed to connections."}),
		issued:   prometheus.NewCounter(prometheus.CounterOpts{Name: "sluice_download_issued_bytes_total", Help: "Bytes of files that redirects led to; whether they were fetched is not known."}),
		received: prometheus.NewCounter(prometheus.CounterOpts{Name: "sluice_upload_bytes_total", Help: "Bytes of files taken in and published."}),
		running:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "sluice_requests_running", Help: "Requests being answered now."}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.downloads, m.sent, m.issued, m.received, m.running,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the metrics in Prometheus's text format.
func (m *Prometheus) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Begin implements observe.Metrics.
func (m *Prometheus) Begin() (end func(operation, status string, took time.Duration)) {
	m.running.Inc()
	return func(operation, status string, took time.Duration) {
		m.running.Dec()
		m.requests.WithLabelValues(operation, status).Inc()
		m.seconds.WithLabelValues(operation).Observe(took.Seconds())
	}
}

// Download implements observe.Metrics.
func (m *Prometheus) Download(outcome string, bytes int64) {
	m.downloads.WithLabelValues(outcome).Inc()
	m.sent.Add(float64(bytes))
}

// Redirect implements observe.Metrics.
func (m *Prometheus) Redirect(bytes int64) {
	m.downloads.WithLabelValues("started").Inc()
	m.issued.Add(float64(bytes))
}

// Upload implements observe.Metrics.
func (m *Prometheus) Upload(bytes int64) { m.received.Add(float64(bytes)) }
