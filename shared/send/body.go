package send

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

var errStalled = errors.New("no progress")

// watch gives a request up that makes no progress.
type watch struct {
	timer  *time.Timer
	began  time.Time
	limit  time.Duration
	cancel context.CancelCauseFunc
}

func newWatch(limit time.Duration, cancel context.CancelCauseFunc) *watch {
	w := &watch{began: time.Now(), limit: limit, cancel: cancel}
	w.timer = time.AfterFunc(limit, func() { cancel(errStalled) })
	return w
}

func (w *watch) moved() { w.timer.Reset(w.limit) }

// sent says that all was given to the system. What that still holds takes no
// longer than what it has passed on already.
func (w *watch) sent() { w.timer.Reset(w.limit + time.Since(w.began)) }

func (w *watch) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// body is that of one attempt: limited, watched and counted. The transport may
// still read it when the answer is there, until end is called.
type body struct {
	ctx    context.Context
	client *Client
	watch  *watch
	told   func(n int64) // may be nil

	mu    sync.Mutex
	from  io.Reader
	count int64
	ended bool
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if l := b.client.limiter; l != nil {
		p = p[:min(len(p), l.Burst())]
	}
	n, err := b.read(p)
	if n > 0 && b.client.limiter != nil {
		if waitErr := b.client.limiter.WaitN(b.ctx, n); waitErr != nil {
			return 0, waitErr
		}
	}
	return n, err
}

func (b *body) read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return 0, io.ErrClosedPipe
	}
	n, err := b.from.Read(p)
	b.count += int64(n)
	if b.told != nil {
		b.told(int64(n))
	}
	if errors.Is(err, io.EOF) {
		b.watch.sent()
	} else {
		b.watch.moved()
	}
	return n, err
}

// Close implements io.Closer; end is what ends it.
func (b *body) Close() error { return nil }

// end keeps the body from being read. Where the bytes went for nothing they are
// taken back.
func (b *body) end(inVain bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	if inVain && b.told != nil {
		b.told(-b.count)
	}
}
