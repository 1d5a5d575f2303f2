package upload

import (
	"context"
	"io"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sluice/shared/catalog"
)

// quiet is how long nothing has come of a body whose client is taken to be gone,
// once it asks where to go on. A connection that was lost without a word would
// else be waited for much longer, and what came over it counted as not come.
const quiet = time.Second

// settleTime bounds how long Settle waits.
const settleTime = 5 * time.Second

// Interrupter is a body whose reading can be ended from elsewhere: the Read that
// waits, and all to come, then fail. It is safe for concurrent use.
type Interrupter interface {
	io.Reader
	Interrupt()
}

// running are the bodies that this process is taking, by upload. The zero value
// has none.
type running struct {
	mu     sync.Mutex
	bodies map[string]map[*watched]bool
}

// watched is a body that tells when something last came of it.
type watched struct {
	io.Reader

	last  atomic.Int64 // nanoseconds since 1970
	ended chan struct{}
}

// Read implements io.Reader.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if n > 0 {
		w.last.Store(time.Now().UnixNano())
	}
	return n, err
}

// begin watches a body of the upload until end is called.
func (r *running) begin(id string, body io.Reader) (w *watched, end func()) {
	w = &watched{Reader: body, ended: make(chan struct{})}
	w.last.Store(time.Now().UnixNano())
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bodies == nil {
		r.bodies = map[string]map[*watched]bool{}
	}
	if r.bodies[id] == nil {
		r.bodies[id] = map[*watched]bool{}
	}
	r.bodies[id][w] = true
	return w, func() { r.end(id, w) }
}

func (r *running) end(id string, w *watched) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.bodies[id], w)
	if len(r.bodies[id]) == 0 {
		delete(r.bodies, id)
	}
	close(w.ended)
}

// interrupt ends the bodies of the upload of which nothing comes any more, and
// returns them.
func (r *running) interrupt(id string) []*watched {
	r.mu.Lock()
	defer r.mu.Unlock()
	gone := slices.Collect(maps.Keys(r.bodies[id]))
	gone = slices.DeleteFunc(gone, func(w *watched) bool {
		return time.Since(time.Unix(0, w.last.Load())) < quiet
	})
	for _, w := range gone {
		if body, ok := w.Reader.(Interrupter); ok {
			body.Interrupt()
		}
	}
	return gone
}

// Settle ends the bodies that this process is taking for the upload and of which
// nothing comes any more, so that what came of them is kept, and returns the
// upload as it is then. Call it for a client that asks where to go on.
func (s *Service) Settle(ctx context.Context, m catalog.Multipart) (catalog.Multipart, error) {
	gone := s.running.interrupt(m.ID)
	if len(gone) == 0 {
		return m, nil
	}
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	for _, w := range gone {
		select {
		case <-w.ended:
		case <-ctx.Done():
		}
	}
	return s.Catalog.Multipart(context.WithoutCancel(ctx), m.ID)
}
