package catalog

import (
	"context"
	"sync"

	"sluice/shared/fault"
)

// turns lets the writers of one record in this process go one after the other.
// Writes are safe without it, being conditional; but of many at once all but
// one would start over, again and again, until their attempts are spent.
type turns struct {
	mu    sync.Mutex
	taken map[string]*turn
}

type turn struct {
	free  chan struct{} // holds a token while nobody's turn it is
	users int           // who has it or waits for it
}

func newTurns() *turns { return &turns{taken: map[string]*turn{}} }

// take waits for key's turn, or until ctx ends. done ends the turn.
func (t *turns) take(ctx context.Context, key string) (done func(), err error) {
	queue := t.join(key)
	select {
	case <-queue.free:
		return func() { queue.free <- struct{}{}; t.leave(key, queue) }, nil
	case <-ctx.Done():
		t.leave(key, queue)
		return nil, fault.Wrap(ctx.Err(), fault.Unavailable, "canceled", "The request ended before its turn to write came.")
	}
}

func (t *turns) join(key string) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	queue, ok := t.taken[key]
	if !ok {
		queue = &turn{free: make(chan struct{}, 1)}
		queue.free <- struct{}{}
		t.taken[key] = queue
	}
	queue.users++
	return queue
}

func (t *turns) leave(key string, queue *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if queue.users--; queue.users == 0 {
		delete(t.taken, key)
	}
}
