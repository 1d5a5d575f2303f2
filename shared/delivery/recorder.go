package delivery

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"sluice/shared/auth"
	"sluice/shared/catalog"
)

const (
	// flushEvery is how often counts are written: what a crash may lose.
	flushEvery = time.Second
	// flushTime is how long the last flush may take.
	flushTime = 5 * time.Second
	// idle is how long a session is remembered after its last request.
	idle = time.Minute
)

// Recorder counts who downloaded what. It gathers in memory and writes now and
// then, so that a delivery waits for no write. What it writes are sums so far,
// under a key of its own: written again, they count once. It is safe for
// concurrent use.
type Recorder struct {
	catalog *catalog.Catalog
	log     *slog.Logger
	clock   func() time.Time

	mu     sync.Mutex
	counts map[countKey]*Count
}

// NewRecorder returns a Recorder that writes to c.
func NewRecorder(c *catalog.Catalog, log *slog.Logger, clock func() time.Time) *Recorder {
	return &Recorder{catalog: c, log: log, clock: clock, counts: map[countKey]*Count{}}
}

// countKey is what a line is written under.
type countKey struct{ day, owner, session string }

// Count is what one session took so far; its requests share it.
type Count struct {
	recorder *Recorder
	line     catalog.Download
	running  int                   // requests under way
	ended    catalog.DownloadState // how the last one ended
	changed  bool                  // since it was last written
}

// Begin notes that a request of d's session begins. The caller sets Session,
// Owner, File, Version, User and Client, and calls End or Issue.
func (r *Recorder) Begin(d catalog.Download) *Count {
	now := r.clock().UTC()
	r.mu.Lock()
	defer r.mu.Unlock()
	d.Day = now.Format(time.DateOnly)
	at := countKey{d.Day, d.Owner, d.Session}
	c, known := r.counts[at]
	if !known {
		d.Run, d.FirstAt, d.LastAt = auth.NewID(now), now, now
		c = &Count{recorder: r, line: d}
		r.counts[at] = c
	}
	c.running++
	c.line.Client = d.Client
	return c
}

// Add notes that n more bytes of the file were handed to the connection.
func (c *Count) Add(n int64) {
	c.recorder.mu.Lock()
	defer c.recorder.mu.Unlock()
	c.line.Bytes += n
	c.touch()
}

// Issue notes that a request is over with a redirect to n bytes of the file,
// of which no more will be known.
func (c *Count) Issue(n int64) {
	c.recorder.mu.Lock()
	defer c.recorder.mu.Unlock()
	c.running--
	c.line.Requests++
	c.line.Issued += n
	c.ended = catalog.DownloadStarted
	c.touch()
}

// End notes that a request is over, of which sent bytes were added. One that
// was cut before the first byte is free.
func (c *Count) End(sent int64, complete bool) {
	c.recorder.mu.Lock()
	defer c.recorder.mu.Unlock()
	c.running--
	if sent == 0 && !complete {
		c.changed = c.changed || c.ended != "" // it may have been the last one under way
		return
	}
	c.line.Requests++
	c.ended = catalog.DownloadAborted
	if complete {
		c.ended = catalog.DownloadCompleted
	}
	c.touch()
}

// touch notes the time, which does not run backwards within a line whatever the
// clock does.
func (c *Count) touch() {
	if now := c.recorder.clock().UTC(); now.After(c.line.LastAt) {
		c.line.LastAt = now
	}
	c.changed = true
}

// Flush writes what has changed, and forgets sessions that are idle.
func (r *Recorder) Flush(ctx context.Context) error {
	changed, lines := r.take()
	err := r.catalog.PutDownloads(ctx, lines)
	if err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		for key, c := range changed {
			c.changed, r.counts[key] = true, c
		}
	}
	return err
}

// take returns what has changed since it was last written.
func (r *Recorder) take() (map[countKey]*Count, []catalog.Download) {
	now := r.clock()
	r.mu.Lock()
	defer r.mu.Unlock()
	changed := map[countKey]*Count{}
	var lines []catalog.Download
	for key, c := range r.counts {
		if c.changed {
			changed[key], lines = c, append(lines, c.written())
			c.changed = false
		} else if c.running == 0 && now.Sub(c.line.LastAt) > idle {
			delete(r.counts, key)
		}
	}
	return changed, lines
}

// written is the line as it is to be written.
func (c *Count) written() catalog.Download {
	line := c.line
	line.State = c.ended
	if c.running > 0 {
		line.State = catalog.DownloadRunning
	}
	return line
}

// Run flushes every second until ctx ends, and then once more. What cannot be
// written is tried again.
func (r *Recorder) Run(ctx context.Context) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.flushLogged(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
			defer cancel()
			r.flushLogged(last)
			return
		}
	}
}

func (r *Recorder) flushLogged(ctx context.Context) {
	if err := r.Flush(ctx); err != nil && ctx.Err() == nil {
		r.log.ErrorContext(ctx, "audit", "error", err)
	}
}
