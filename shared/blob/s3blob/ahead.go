package s3blob

import (
	"context"
	"errors"
	"io"
	"sync"
)

// ahead reads a range in blocks, several at a time. There are never more than
// ReadAhead.Connections of them, fetched or being fetched.
type ahead struct {
	ctx     context.Context // Open's governs the reader
	cancel  context.CancelFunc
	fetches sync.WaitGroup
	room    chan struct{}       // one token for each block that may still be begun
	queue   chan (<-chan block) // in the order of the range
	now     []byte              // what is left of the block that is read
	whole   []byte              // that block, from its first byte on
	spare   sync.Pool           // of *[]byte
	err     error
}

// block is a piece of the range, and what ended it early.
type block struct {
	data []byte
	err  error
}

// openAhead returns a reader of which the first block is being fetched.
func (d *Driver) openAhead(ctx context.Context, key string, offset, length int64, pin string) (io.ReadCloser, error) {
	o := d.options.ReadAhead
	ctx, cancel := context.WithCancel(ctx)
	first, err := d.open(ctx, key, offset, min(length, o.Block), pin)
	if err != nil {
		cancel()
		return nil, err
	}
	a := &ahead{ctx: ctx, cancel: cancel, room: make(chan struct{}, o.Connections), queue: make(chan (<-chan block), o.Connections)}
	pin = first.pin
	a.fetches.Go(func() {
		defer close(a.queue)
		for at, end := offset, offset+length; at < end; at += o.Block {
			select {
			case a.room <- struct{}{}:
			case <-ctx.Done():
				if first != nil {
					_ = first.Close() // it was only read
				}
				return
			}
			size := min(o.Block, end-at)
			from := first
			first = nil
			a.begin(size, func() (*reader, error) {
				if from != nil {
					return from, nil
				}
				return d.open(ctx, key, at, size, pin)
			})
		}
	})
	return a, nil
}

// begin fetches a block of size bytes, and queues it.
func (a *ahead) begin(size int64, open func() (*reader, error)) {
	done := make(chan block, 1)
	a.queue <- done // has room, since the block has
	a.fetches.Go(func() { done <- a.fetch(size, open) })
}

// fetch reads a block. One that is short ends with an error.
func (a *ahead) fetch(size int64, open func() (*reader, error)) block {
	r, err := open()
	if err != nil {
		return block{err: err}
	}
	defer r.Close()
	data, ok := a.spare.Get().(*[]byte)
	if !ok || int64(cap(*data)) < size {
		data = new(make([]byte, size))
	}
	n, err := io.ReadFull(r, (*data)[:size])
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF // the object ends here
	}
	return block{(*data)[:n], err}
}

// Read implements io.Reader.
func (a *ahead) Read(p []byte) (int, error) {
	for len(a.now) == 0 {
		if a.err != nil {
			return 0, a.err
		}
		a.advance()
	}
	n := copy(p, a.now)
	a.now = a.now[n:]
	return n, nil
}

// advance goes on to the next block.
func (a *ahead) advance() {
	a.release()
	fetch, more := <-a.queue
	if !more {
		if a.err = a.ctx.Err(); a.err == nil {
			a.err = io.EOF
		}
		return
	}
	select {
	case b := <-fetch:
		a.now, a.whole, a.err = b.data, b.data, b.err
	case <-a.ctx.Done():
		a.err = a.ctx.Err()
	}
}

// release makes room for another block in place of the one that was read.
func (a *ahead) release() {
	if a.whole == nil {
		return
	}
	a.spare.Put(new(a.whole[:0]))
	a.whole = nil
	<-a.room
}

// Close implements io.Closer. It waits until every connection is given back.
func (a *ahead) Close() error {
	a.cancel()
	a.fetches.Wait()
	return nil
}
