package blob

import (
	"context"
	"io"

	"sluice/shared/fault"
)

// Writer takes the bytes of one new blob. Nothing can be read under its key
// before Commit. Exactly one of Commit and Abort ends it; Abort after Commit
// does nothing, so that it can be deferred.
//
// The first error is final: every later Write and Commit returns it again. A
// Writer is used by one goroutine at a time.
type Writer struct {
	ctx     context.Context
	bucket  *Bucket
	driver  DriverWriter
	size    int64 // announced to Create, or -1
	written int64
	err     error // the first error
	ended   bool
}

// Write adds p to the blob. It fails with blob_size_mismatch, and adds
// nothing, where the blob would outgrow the size announced to Create.
func (w *Writer) Write(p []byte) (int, error) {
	if err := w.usable(w.ctx); err != nil {
		return 0, err
	}
	if w.size >= 0 && int64(len(p)) > w.size-w.written {
		return 0, w.fail(fault.Newf(fault.Unprocessable, "blob_size_mismatch",
			"More than the announced %d bytes came.", w.size))
	}
	n, err := w.driver.Write(p)
	w.written += int64(n)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return n, w.fail(w.bucket.wrap(w.ctx, err))
	}
	return n, nil
}

// Written returns how many bytes were written.
func (w *Writer) Written() int64 { return w.written }

// Commit makes the blob durable and readable. It fails with blob_exists where
// the key is taken, with blob_size_mismatch where fewer bytes were written
// than announced, and with the first error of Write where there was one.
// After an error nothing is kept.
func (w *Writer) Commit(ctx context.Context) (Attrs, error) {
	err := w.usable(ctx)
	if err == nil && w.size >= 0 && w.written != w.size {
		err = w.fail(fault.Newf(fault.Unprocessable, "blob_size_mismatch",
			"%d bytes were announced, but %d came.", w.size, w.written))
	}
	if err != nil {
		_ = w.Abort() // the first error tells more
		return Attrs{}, err
	}
	w.ended = true
	attrs, err := w.driver.Commit(ctx)
	if err != nil {
		return Attrs{}, w.fail(w.bucket.wrap(ctx, err))
	}
	return attrs, nil
}

// Abort drops what was written. After Commit or Abort it does nothing.
func (w *Writer) Abort() error {
	if w.ended {
		return nil
	}
	w.ended = true
	if err := w.driver.Abort(); err != nil {
		return w.bucket.wrap(w.ctx, err)
	}
	return nil
}

// usable returns why the Writer can take no further call, else nil.
func (w *Writer) usable(ctx context.Context) error {
	switch {
	case w.err != nil:
		return w.err
	case w.ended:
		return fault.New(fault.Internal, "blob_closed", "The blob was committed or aborted already.")
	}
	if err := alive(ctx); err != nil {
		return w.fail(err)
	}
	return nil
}

func (w *Writer) fail(err error) error {
	w.err = err
	return err
}
