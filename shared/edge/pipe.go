package edge

import "sync"

// pipe hands pieces from a goroutine that writes to one that reads, as io.Pipe
// does. But who writes is woken once for each piece, not for each Read of it:
// the runtime reads 32 KiB at a time of pieces that have up to 1 MiB.
type pipe struct {
	mu     sync.Mutex
	change sync.Cond
	piece  []byte // what is left to be read
	ended  error  // why there is no more; nil: there may be
}

func newPipe() *pipe {
	p := &pipe{}
	p.change.L = &p.mu
	return p
}

// Write returns when b was read, or no more is. It keeps nothing of b.
func (p *pipe) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended != nil {
		return 0, p.ended
	}
	p.piece = b
	p.change.Broadcast()
	for p.ended == nil && len(p.piece) > 0 {
		p.change.Wait()
	}
	n := len(b) - len(p.piece)
	p.piece = nil
	return n, p.ended
}

// Read waits for the first bytes of a piece.
func (p *pipe) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.ended == nil && len(p.piece) == 0 {
		p.change.Wait()
	}
	if p.ended != nil {
		return 0, p.ended
	}
	n := copy(b, p.piece)
	if p.piece = p.piece[n:]; len(p.piece) == 0 {
		p.change.Broadcast()
	}
	return n, nil
}

// end has both sides end by err; io.EOF is the end of a whole body. The first
// to end it counts. A Write that waits tells how much of it was read.
func (p *pipe) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended == nil {
		p.ended = err
		p.change.Broadcast()
	}
}
