package fetch

import "sync"

// together runs a function for several at once: one run serves all who asked
// before it began. It is safe for concurrent use.
type together struct {
	run  func() error
	turn chan struct{} // held by who runs it

	mu   sync.Mutex
	next *round // that has not begun; nil: nobody has asked for it
}

// round is one run, which all who wait for it share.
type round struct {
	ended chan struct{}
	err   error
}

func newTogether(run func() error) *together {
	return &together{run: run, turn: make(chan struct{}, 1)}
}

// do returns what came of a run that began after it was called.
func (t *together) do() error {
	t.mu.Lock()
	r := t.next
	if r != nil {
		t.mu.Unlock()
		<-r.ended
		return r.err
	}
	r = &round{ended: make(chan struct{})}
	t.next = r
	t.mu.Unlock()

	t.turn <- struct{}{}
	t.mu.Lock()
	t.next = nil // who comes from now on needs another one
	t.mu.Unlock()
	r.err = t.run()
	<-t.turn
	close(r.ended)
	return r.err
}
