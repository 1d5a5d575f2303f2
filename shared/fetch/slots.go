package fetch

import (
	"context"
	"sync"
)

// slots are the connections that all files of a client share. Who waits gets
// one in order of priority, then of coming. It is safe for concurrent use.
type slots struct {
	mu      sync.Mutex
	free    int
	waiting []*waiter // in the order in which they are served
}

type waiter struct {
	priority int
	ready    chan struct{}
}

// take waits for a slot; give returns it. A higher priority is served first.
func (s *slots) take(ctx context.Context, priority int) error {
	s.mu.Lock()
	if s.free > 0 && len(s.waiting) == 0 {
		s.free--
		s.mu.Unlock()
		return ctx.Err()
	}
	w := &waiter{priority: priority, ready: make(chan struct{})}
	at := len(s.waiting)
	for at > 0 && s.waiting[at-1].priority < priority {
		at--
	}
	s.waiting = append(s.waiting[:at], append([]*waiter{w}, s.waiting[at:]...)...)
	s.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
		s.leave(w)
		return context.Cause(ctx)
	}
}

// leave takes a waiter away, with the slot that it may have got meanwhile.
func (s *slots) leave(w *waiter) {
	s.mu.Lock()
	for i, other := range s.waiting {
		if other == w {
			s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
			s.mu.Unlock()
			return
		}
	}
	s.mu.Unlock()
	s.give()
}

func (s *slots) give() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 {
		s.free++
		return
	}
	close(s.waiting[0].ready)
	s.waiting = s.waiting[1:]
}
