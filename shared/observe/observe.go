// Package observe is how a server is watched: structured logs, and what is
// counted. Package metrics counts for Prometheus.
package observe

import (
	"context"
	"io"
	"log/slog"
	"time"
)

// NewLogger returns a logger of JSON lines, times in UTC.
func NewLogger(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(handler{newHandler(w, level), func() {}})
}

func newHandler(w io.Writer, level slog.Level) slog.Handler {
	return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})
}

// handler turns the times of records into UTC, and flushes behind those that
// are to be seen at once. A ReplaceAttr would do as much for the times, and cost
// each line a third more, since it is asked for every attribute.
type handler struct {
	slog.Handler

	flush func()
}

// Handle implements slog.Handler.
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	r.Time = r.Time.UTC()
	err := h.Handler.Handle(ctx, r)
	if r.Level >= slog.LevelWarn {
		h.flush()
	}
	return err
}

// WithAttrs implements slog.Handler.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs), h.flush}
}

// WithGroup implements slog.Handler.
func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.Handler.WithGroup(name), h.flush}
}

// Metrics count what a server does. They are safe for concurrent use.
type Metrics interface {
	// Begin counts a request that is being answered; call the result at its end.
	Begin() (end func(operation, status string, took time.Duration))

	// Download counts the bytes of one answer and how it ended: "completed" or
	// "aborted".
	Download(outcome string, bytes int64)

	// Redirect counts an answer that led to bytes in the store.
	Redirect(bytes int64)

	// Upload counts the bytes of a version that was published.
	Upload(bytes int64)
}

// Uncounted is Metrics that count nothing: for a function, which no Prometheus
// can ask, and which need not link it.
type Uncounted struct{}

// Begin implements Metrics.
func (Uncounted) Begin() func(operation, status string, took time.Duration) {
	return func(string, string, time.Duration) {}
}

// Download implements Metrics.
func (Uncounted) Download(string, int64) {}

// Redirect implements Metrics.
func (Uncounted) Redirect(int64) {}

// Upload implements Metrics.
func (Uncounted) Upload(int64) {}
