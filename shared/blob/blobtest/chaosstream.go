package blobtest

import (
	"context"
	"errors"
	"io"

	"sluice/shared/blob"
)

// pending is the fault of a stream. It strikes once; its error stays.
type pending struct {
	ctx    context.Context
	fault  Fault
	struck bool
}

func (p *pending) strike() error {
	if !p.struck {
		p.struck = true
		p.fault.Err = p.fault.strike(p.ctx)
	}
	if p.fault.Err == nil && p.fault.Cut {
		return io.EOF
	}
	return p.fault.Err
}

// chaosReader disturbs a reader once After bytes have passed.
type chaosReader struct {
	io.ReadCloser
	pending
}

func (r *chaosReader) Read(p []byte) (int, error) {
	if r.fault.After > 0 {
		n, err := r.ReadCloser.Read(p[:min(int64(len(p)), r.fault.After)])
		r.fault.After -= int64(n)
		return n, err
	}
	if err := r.strike(); err != nil {
		return 0, err
	}
	return r.ReadCloser.Read(p)
}

// chaosWriter disturbs a writer once After bytes have passed, and Commit and
// Abort when they are called.
type chaosWriter struct {
	blob.DriverWriter
	pending
	chaos *Chaos
}

func (w *chaosWriter) Write(p []byte) (int, error) {
	n, err := w.DriverWriter.Write(p[:min(int64(len(p)), w.fault.After)])
	w.fault.After -= int64(n)
	if err != nil || n == len(p) {
		return n, err
	}
	if err := w.strike(); err != nil {
		return n, err
	}
	m, err := w.DriverWriter.Write(p[n:])
	return n + m, err
}

func (w *chaosWriter) Commit(ctx context.Context) (blob.Attrs, error) {
	if err := w.chaos.disturb(ctx, Commit); err != nil {
		return blob.Attrs{}, errors.Join(err, w.DriverWriter.Abort())
	}
	return w.DriverWriter.Commit(ctx)
}

func (w *chaosWriter) Abort() error {
	return errors.Join(w.chaos.disturb(w.ctx, Abort), w.DriverWriter.Abort())
}
