package fetch

import (
	"context"
	"sync"
	"time"

	"sluice/shared/outbound"
)

// breakerAt is how many failures in a row open a host's circuit breaker: from
// then on one request at a time tries whether it is well again.
const breakerAt = 4

// host is what is known of one server, by all that is fetched from it. It is
// safe for concurrent use.
type host struct {
	mu       sync.Mutex
	failures int       // in a row
	last     time.Time // when the last one that counted was seen
	closed   time.Time // no request goes out before
	trying   bool      // one request is out to see whether it is well again
	changed  chan struct{}
}

func newHost() *host { return &host{changed: make(chan struct{})} }

// enter waits until a request may go out. leave must follow.
func (h *host) enter(ctx context.Context) error {
	for {
		wait, changed := h.mayEnter(time.Now())
		if wait == 0 && changed == nil {
			return ctx.Err()
		}
		if err := outbound.Pause(ctx, wait, changed); err != nil {
			return err
		}
	}
}

// mayEnter returns 0 and nil if a request may go out, else how long to wait or
// what to wait for.
func (h *host) mayEnter(now time.Time) (time.Duration, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if wait := h.closed.Sub(now); wait > 0 {
		return wait, h.changed
	}
	if h.failures < breakerAt {
		return 0, nil
	}
	if h.trying {
		return 0, h.changed
	}
	h.trying = true
	return 0, nil
}

// busy reports whether requests have to wait; another host may be better.
func (h *host) busy(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.closed.After(now) || h.failures >= breakerAt && h.trying
}

// succeeded says that a request got on.
func (h *host) succeeded() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failures, h.trying = 0, false
	h.wake()
}

// failed says that a request which began at a time did not get on, and returns
// how many did in a row. Requests that failed side by side count once. The next
// may go out after a random time, up to one that doubles (full jitter), or
// after what the server asked for.
func (h *host) failed(began, now time.Time, retryAfter time.Duration) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.trying = false
	if !began.Before(h.last) {
		h.failures++
		h.last = now
		h.closeUntil(now.Add(outbound.Backoff(h.failures)))
	}
	h.closeUntil(now.Add(min(retryAfter, outbound.MaxRetryAfter)))
	h.wake()
	return h.failures
}

// left says that a request ended without telling anything about the host.
func (h *host) left() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.trying = false
	h.wake()
}

func (h *host) closeUntil(t time.Time) {
	if t.After(h.closed) {
		h.closed = t
	}
}

func (h *host) wake() {
	close(h.changed)
	h.changed = make(chan struct{})
}
