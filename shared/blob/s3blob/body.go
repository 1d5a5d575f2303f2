package s3blob

import (
	"context"
	"io"
	"sync"
	"time"
)

// body is what is being sent, and the watch over the store that takes it: a
// source that is slow is no fault of the store.
type body struct {
	ctx    context.Context // of the request that carries it
	cancel context.CancelCauseFunc
	parent context.Context // of the caller
	source io.Reader
	stall  time.Duration
	timer  *time.Timer
	begun  bool // something was taken of the source

	once   sync.Once
	closed chan struct{}
}

func newBody(ctx context.Context, source io.Reader, stall time.Duration) *body {
	b := &body{parent: ctx, source: source, stall: stall, closed: make(chan struct{})}
	b.ctx, b.cancel = context.WithCancelCause(ctx)
	b.timer = time.AfterFunc(stall, func() { b.cancel(errStalled) })
	return b
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	b.timer.Stop()
	b.begun = true
	n, err := b.source.Read(p)
	b.timer.Reset(b.stall)
	return n, err
}

// Close implements io.Closer: the transport calls it when it reads no more.
func (b *body) Close() error {
	b.once.Do(func() { close(b.closed) })
	return nil
}

// end ends the request, and waits until nothing reads from the source.
func (b *body) end() {
	b.cancel(nil)
	<-b.closed
	b.timer.Stop()
}

// why returns what ended the request: the end of the caller's context, the
// watch, or else what the connection says.
func (b *body) why(err error) error {
	if b.parent.Err() == nil && context.Cause(b.ctx) == errStalled { //nolint:errorlint // it is set by identity
		return errStalled
	}
	return err
}
