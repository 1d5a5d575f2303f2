package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"hash"
	"io"
	"sync"

	"sluice/shared/fault"
)

const (
	// streamWindow is how far a stream is read ahead, in bytes.
	streamWindow = 8 << 20
	// streamPiece is what one request of a stream asks for, in bytes.
	streamPiece = 512 << 10
)

// stream puts bytes that come in any order in theirs, and writes them out. What
// was written cannot be taken back, so a digest that does not fit is told when
// it is known, by an error.
type stream struct {
	out   io.Writer
	ring  []byte
	moved func(window int64) // told how far bytes may come
	whole *whole
	chunk *chunksInOrder // nil: no chunk is known

	mu    sync.Mutex
	at    int64 // what is before it was written out
	there spans
	last  int64 // the size, once it is known; unknownSize until then
	wake  chan struct{}
}

func newStream(out io.Writer, moved func(int64)) *stream {
	return &stream{out: out, ring: make([]byte, streamWindow), moved: moved, last: unknownSize, wake: make(chan struct{})}
}

// await waits until bytes up to end have room.
func (s *stream) await(ctx context.Context, end int64) error {
	for {
		s.mu.Lock()
		room, wake := end <= s.at+streamWindow, s.wake
		s.mu.Unlock()
		if room {
			return nil
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// WriteAt implements io.WriterAt, for bytes that have room.
func (s *stream) WriteAt(p []byte, off int64) (int, error) {
	for done := 0; done < len(p); {
		done += copy(s.ring[(off+int64(done))%streamWindow:], p[done:])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.there = s.there.add(span{off, off + int64(len(p))})
	s.signal()
	return len(p), nil
}

func (s *stream) signal() {
	close(s.wake)
	s.wake = make(chan struct{})
}

// finish says how many bytes there are.
func (s *stream) finish(size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = size
	s.signal()
}

// run writes out until all of it has been, or ctx ends.
func (s *stream) run(ctx context.Context) error {
	for {
		s.mu.Lock()
		ready, last, wake := s.there.frontier(), s.last, s.wake
		s.mu.Unlock()
		switch {
		case s.at < ready:
			if err := s.writeOut(ready); err != nil {
				return err
			}
			continue
		case last != unknownSize && s.at >= last:
			return nil
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (s *stream) writeOut(ready int64) error {
	from := s.at % streamWindow
	p := s.ring[from:min(from+ready-s.at, streamWindow, from+bufferSize)]
	if s.whole != nil {
		_, _ = s.whole.Write(p) // never fails
	}
	if s.chunk != nil && !s.chunk.pass(p) {
		return mismatch()
	}
	if _, err := s.out.Write(p); err != nil {
		return fault.Wrap(err, fault.Internal, "output_failed", "The output takes no more.")
	}
	s.mu.Lock()
	s.at += int64(len(p))
	s.signal()
	window := s.at + streamWindow
	s.mu.Unlock()
	s.moved(window)
	return nil
}

// chunksInOrder verifies chunks that pass one after the other.
type chunksInOrder struct {
	content Content
	at      int64
	hash    hash.Hash
}

// pass is told the next bytes, and reports whether every chunk that they
// completed was right.
func (c *chunksInOrder) pass(p []byte) bool {
	for len(p) > 0 && c.at < c.content.Size {
		i := c.at / c.content.ChunkSize
		end := min((i+1)*c.content.ChunkSize, c.content.Size)
		n := min(int64(len(p)), end-c.at)
		if c.hash == nil {
			c.hash = sha256.New()
		}
		_, _ = c.hash.Write(p[:n]) // never fails
		if c.at, p = c.at+n, p[n:]; c.at < end {
			continue
		}
		if !bytes.Equal(c.hash.Sum(nil), c.content.Chunks[i*sha256.Size:(i+1)*sha256.Size]) {
			return false
		}
		c.hash = nil
	}
	return true
}
