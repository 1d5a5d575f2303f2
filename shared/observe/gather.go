package observe

import (
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	// gatherTime is how long a line waits for others: what a crash may lose.
	gatherTime = 100 * time.Millisecond
	// gatherSize is how many bytes of lines do not wait any longer.
	gatherSize = 64 << 10
)

// NewGatheringLogger is NewLogger for a server of many small requests, of whose
// log a call of the system for each line is the larger half. Lines wait for
// others for up to 100 ms; one of a warning or an error is written at once, and
// those before it. Call flush before the process ends.
func NewGatheringLogger(w io.Writer, level slog.Level) (log *slog.Logger, flush func()) {
	g := &gatherer{to: w}
	return slog.New(handler{newHandler(g, level), g.flush}), g.flush
}

// gatherer writes several lines in one piece. It is safe for concurrent use.
type gatherer struct {
	to io.Writer

	mu    sync.Mutex
	lines []byte
}

// Write implements io.Writer. It never fails: an error of a later write would
// be nobody's.
func (g *gatherer) Write(line []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.lines) == 0 {
		time.AfterFunc(gatherTime, g.flush)
	}
	g.lines = append(g.lines, line...)
	if len(g.lines) >= gatherSize {
		g.write()
	}
	return len(line), nil
}

// flush writes what waits.
func (g *gatherer) flush() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.write()
}

// write is flush for who holds mu.
func (g *gatherer) write() {
	if len(g.lines) > 0 {
		_, _ = g.to.Write(g.lines) // the log is where this would be told
		g.lines = g.lines[:0]
	}
}
