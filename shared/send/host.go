package send

import (
	"context"
	"sync"
	"time"

	"sluice/shared/outbound"
)

// firstBodies is how many connections carry bytes to a host at first.
const firstBodies = 4

// hosts are the hosts by their origin. It is safe for concurrent use.
type hosts struct {
	mu   sync.Mutex
	by   map[string]*host
	most int
}

func (h *hosts) of(origin string) *host {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.by[origin] == nil {
		h.by[origin] = &host{limit: min(firstBodies, h.most), most: h.most, changed: make(chan struct{})}
	}
	return h.by[origin]
}

// host is what is known of one server. How many bodies may be on their way to
// it grows by one with each round that went well, and is halved where it says
// that it is too much. It is safe for concurrent use.
type host struct {
	mu       sync.Mutex
	failures int       // in a row
	last     time.Time // when the last one that counted was seen
	closed   time.Time // no request goes out before
	limit    int       // of bodies on their way
	most     int       // that limit may become
	busy     int       // bodies that are on their way
	went     int       // bodies that went well since limit changed
	changed  chan struct{}
}

// enter waits until a request may go out, with a body that takes its time or
// without one. leave must follow.
func (h *host) enter(ctx context.Context, body bool) error {
	for {
		wait, changed := h.mayEnter(time.Now(), body)
		if wait == 0 && changed == nil {
			return nil
		}
		if err := outbound.Pause(ctx, wait, changed); err != nil {
			return err
		}
	}
}

// mayEnter returns 0 and nil if a request may go out and counts it, else how
// long to wait or what to wait for.
func (h *host) mayEnter(now time.Time, body bool) (time.Duration, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if wait := h.closed.Sub(now); wait > 0 {
		return wait, nil
	}
	if body {
		if h.busy >= h.limit {
			return 0, h.changed
		}
		h.busy++
	}
	return 0, nil
}

// outcome is what came of a request.
type outcome int

const (
	fine    outcome = iota
	useless         // it tells nothing about the host
	failed
	tooMuch // the host says that it has too much to do
)

// leave says what came of a request that began at a time. Requests that failed
// side by side count once. The next may go out after a random time, up to one
// that doubles (full jitter), or after what the server asked for.
func (h *host) leave(body bool, began time.Time, came outcome, retryAfter time.Duration) {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if body {
		h.busy--
	}
	switch {
	case came == fine:
		h.failures = 0
		if body {
			h.grow()
		}
	case came != useless && began.After(h.last):
		h.failures++
		h.last = now
		if came == tooMuch {
			h.limit, h.went = max(1, h.limit/2), 0
		}
		h.closeUntil(now.Add(outbound.Backoff(h.failures)))
	}
	h.closeUntil(now.Add(min(retryAfter, outbound.MaxRetryAfter)))
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *host) grow() {
	if h.went++; h.went >= h.limit {
		h.limit, h.went = min(h.limit+1, h.most), 0
	}
}

func (h *host) closeUntil(t time.Time) {
	if t.After(h.closed) {
		h.closed = t
	}
}
