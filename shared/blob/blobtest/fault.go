package blobtest

import (
	"context"
	"fmt"
	"sync"

	"sluice/shared/blob"
)

// Op names what a Chaos can disturb.
type Op uint8

// The operations. A fault of Read or Write is taken by a reader when it is
// opened, or by a writer when it is created, and strikes as its bytes flow.
const (
	Create Op = iota
	Write
	Commit
	Abort
	Open
	Read
	Stat
	Delete
	Ping
	CreateMultipart
	PutPart
	ListParts
	CompleteMultipart
	AbortMultipart
	Presign
	List
)

// Fault is one disturbance. Its parts happen in the order of the fields, and
// the zero Fault does nothing: it lets one call pass.
type Fault struct {
	// After is how many bytes pass unharmed; for Read and Write only.
	After int64

	// Hold, where not nil, stops the operation until it is released or the
	// context ends, with whose error the operation then fails.
	Hold *Hold

	// Cut ends a reader as if the blob were no longer; for Read only.
	Cut bool

	// Err, where not nil, is what the operation fails with, now and, for Read
	// and Write, ever after. An Error carries the code it is classified by.
	// Of a Commit that fails nothing is kept.
	Err error
}

// Error is an injected error that a driver classifies as Code.
type Error struct{ Code blob.Code }

// Error returns the code by its number.
func (e Error) Error() string { return fmt.Sprintf("chaos: code %d", e.Code) }

// Hold stops an operation in its midst.
type Hold struct {
	reached  chan struct{}
	released chan struct{}
	once     sync.Once
}

// NewHold returns a Hold for one Fault.
func NewHold() *Hold {
	return &Hold{reached: make(chan struct{}), released: make(chan struct{})}
}

// Reached is closed when the operation stands still.
func (h *Hold) Reached() <-chan struct{} { return h.reached }

// Release lets the operation go on.
func (h *Hold) Release() { close(h.released) }

func (h *Hold) wait(ctx context.Context) error {
	h.once.Do(func() { close(h.reached) })
	select {
	case <-h.released:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// strike does what a fault does to a call, bytes and Cut excepted.
func (f Fault) strike(ctx context.Context) error {
	if f.Hold != nil {
		if err := f.Hold.wait(ctx); err != nil {
			return err
		}
	}
	return f.Err
}
