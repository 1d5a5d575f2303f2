package fetch

import (
	"io"
	"os"
	"sync"
)

const (
	// bufferSize is how much one connection reads at once, in bytes.
	bufferSize = 128 << 10
	// headerBuffer is how much net/http reads of an answer to find the end of
	// its header, in bytes: so much of a body can be in its memory. A small file
	// comes with its header in one read.
	headerBuffer = 16 << 10
	// leastDiverted is the least that is worth a pipe, in bytes.
	leastDiverted = 64 << 10
)

// buffer is what the bytes of one connection pass through.
type buffer struct {
	memory []byte
	pipe   *pipe // nil: none was needed yet
}

// buffers lends buffers to connections, and keeps those that come back. It is
// safe for concurrent use.
type buffers struct {
	size int    // of each one's memory, in bytes
	room []byte // see diversion; it is never written to, and so takes no memory

	mu      sync.Mutex
	free    []*buffer
	noPipes bool // bytes have to pass through memory
}

func (b *buffers) take() *buffer {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := len(b.free); n > 0 {
		buf := b.free[n-1]
		b.free = b.free[:n-1]
		return buf
	}
	return &buffer{memory: make([]byte, b.size)}
}

func (b *buffers) give(buf *buffer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free = append(b.free, buf)
}

// close gives up what came back.
func (b *buffers) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, buf := range b.free {
		if buf.pipe != nil {
			buf.pipe.close()
		}
	}
	b.free = nil
}

// usePipes reports whether bytes may pass through pipes.
func (b *buffers) usePipes() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.noPipes
}

func (b *buffers) leavePipes() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.noPipes = true
}

// bite is what one Read of a body brought: in memory, or in a pipe.
type bite struct {
	length int64
	memory []byte // nil: it is in the pipe
	pipe   *pipe
}

// first returns the first n bytes of a bite.
func (b bite) first(n int64) bite {
	b.length = n
	if b.memory != nil {
		b.memory = b.memory[:n]
	}
	return b
}

// after returns what follows the first n bytes of a bite.
func (b bite) after(n int64) bite {
	b.length -= n
	if b.memory != nil {
		b.memory = b.memory[n:]
	}
	return b
}

// writeTo puts a bite to its place in a file.
func (b bite) writeTo(file *os.File, at int64) error {
	if b.memory != nil {
		_, err := file.WriteAt(b.memory, at)
		return err
	}
	return b.pipe.drain(file, at, int(b.length))
}

// intake reads the body of an answer, as large pieces as it can.
type intake struct {
	body  io.Reader
	buf   *buffer
	to    *diversion // nil: all passes through memory
	begun bool       // what net/http had in its memory was read
}

// newIntake prepares to read so many bytes of a call's answer. end must follow.
func (t *Transfer) newIntake(c *call, length int64, buf *buffer) *intake {
	in := &intake{body: c.answer.body, buf: buf}
	all := &t.client.buffers
	if c.conn == nil || t.part == nil || !c.answer.counted || length < leastDiverted || all.room == nil || !all.usePipes() {
		return in
	}
	if buf.pipe == nil {
		if buf.pipe = newPipe(); buf.pipe == nil {
			return in
		}
	}
	in.to = &diversion{all.room, buf.pipe}
	c.conn.divert.Store(in.to)
	return in
}

// end gives back what was taken for the answer. What nobody wanted of it is
// dropped with the pipe.
func (in *intake) end(c *call) {
	if in.to == nil {
		return
	}
	c.conn.divert.CompareAndSwap(in.to, nil) // it may be another call's already
	if in.buf.pipe.holds > 0 {
		in.buf.pipe.close()
		in.buf.pipe = nil
	}
}

// next reads the next bytes: of at most most, some.
func (in *intake) next(most int64) (bite, error) {
	p := in.buf.memory[:min(most, int64(len(in.buf.memory)))]
	if in.to == nil || most < leastDiverted {
		n, err := in.body.Read(p)
		return bite{length: int64(n), memory: p[:n]}, err
	}
	if !in.begun {
		in.begun = true
		n, err := in.body.Read(p[:headerBuffer])
		return bite{length: int64(n), memory: p[:n]}, err
	}
	n, err := in.body.Read(in.to.room[:min(most, int64(len(in.to.room)))])
	if n != in.buf.pipe.holds {
		return bite{}, errNoPipe // it went to the room
	}
	return bite{length: int64(n), pipe: in.buf.pipe}, err
}
