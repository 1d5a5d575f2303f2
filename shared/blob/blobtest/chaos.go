package blobtest

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"

	"sluice/shared/blob"
)

// OpenCall is one call of Open, as the driver under a Chaos was asked.
type OpenCall struct {
	Key    string
	Offset int64
	Length int64
	Pin    string
}

// Chaos is a driver that disturbs another one by a script. Without a script
// it is that driver: it passes the suite, and its readers are the other's own.
//
//	chaos := blobtest.NewChaos(driver)
//	bucket := blob.NewBucket(chaos)
//	chaos.Script(blobtest.Read, blobtest.Fault{After: 100, Err: io.ErrUnexpectedEOF}) // the next reader breaks, then all is well
//	chaos.Script(blobtest.Open, blobtest.Fault{}, blobtest.Fault{Err: errors.New("down")}) // the second Open fails
//	chaos.Always(blobtest.Commit, blobtest.Fault{Err: blobtest.Error{Code: blob.Full}})    // the disk is full
type Chaos struct {
	driver blob.Driver

	mu     sync.Mutex
	script map[Op][]Fault
	always map[Op]Fault
	calls  map[Op]int
	opens  []OpenCall
}

// NewChaos returns a Chaos without a script. Closing it closes d.
func NewChaos(d blob.Driver) *Chaos {
	return &Chaos{driver: d, script: map[Op][]Fault{}, always: map[Op]Fault{}, calls: map[Op]int{}}
}

// Script adds faults, one for each of the next calls of op.
func (c *Chaos) Script(op Op, faults ...Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.script[op] = append(c.script[op], faults...)
}

// Always sets the fault of every call of op that no Script covers.
func (c *Chaos) Always(op Op, f Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.always[op] = f
}

// Calm drops what Script and Always set. Readers and writers that already
// took a fault keep it.
func (c *Chaos) Calm() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.script)
	clear(c.always)
}

// Calls returns how often op was called; Read counts readers, Write writers.
func (c *Chaos) Calls(op Op) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[op]
}

// Opens returns the calls of Open so far.
func (c *Chaos) Opens() []OpenCall {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.opens)
}

// take counts a call of op and returns its fault.
func (c *Chaos) take(op Op) Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[op]++
	if queue := c.script[op]; len(queue) > 0 {
		c.script[op] = queue[1:]
		return queue[0]
	}
	return c.always[op]
}

func (c *Chaos) disturb(ctx context.Context, op Op) error {
	return c.take(op).strike(ctx)
}

// Create implements blob.Driver.
func (c *Chaos) Create(ctx context.Context, key string, size int64) (blob.DriverWriter, error) {
	if err := c.disturb(ctx, Create); err != nil {
		return nil, err
	}
	w, err := c.driver.Create(ctx, key, size)
	if err != nil {
		return nil, err
	}
	return &chaosWriter{DriverWriter: w, pending: pending{ctx: ctx, fault: c.take(Write)}, chaos: c}, nil
}

// Open implements blob.Driver.
func (c *Chaos) Open(ctx context.Context, key string, offset, length int64, pin string) (io.ReadCloser, error) {
	c.mu.Lock()
	c.opens = append(c.opens, OpenCall{Key: key, Offset: offset, Length: length, Pin: pin})
	c.mu.Unlock()
	if err := c.disturb(ctx, Open); err != nil {
		return nil, err
	}
	r, err := c.driver.Open(ctx, key, offset, length, pin)
	if err != nil {
		return nil, err
	}
	fault := c.take(Read)
	if fault == (Fault{}) {
		return r, nil
	}
	return &chaosReader{ReadCloser: r, pending: pending{ctx: ctx, fault: fault}}, nil
}

// Stat implements blob.Driver.
func (c *Chaos) Stat(ctx context.Context, key string) (blob.Attrs, error) {
	if err := c.disturb(ctx, Stat); err != nil {
		return blob.Attrs{}, err
	}
	return c.driver.Stat(ctx, key)
}

// Delete implements blob.Driver.
func (c *Chaos) Delete(ctx context.Context, key string) error {
	if err := c.disturb(ctx, Delete); err != nil {
		return err
	}
	return c.driver.Delete(ctx, key)
}

// Ping implements blob.Driver.
func (c *Chaos) Ping(ctx context.Context) error {
	if err := c.disturb(ctx, Ping); err != nil {
		return err
	}
	return c.driver.Ping(ctx)
}

// ErrorCode implements blob.Driver.
func (c *Chaos) ErrorCode(err error) blob.Code {
	var injected Error
	switch {
	case errors.As(err, &injected):
		return injected.Code
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return blob.Canceled
	}
	return c.driver.ErrorCode(err)
}

// Close implements blob.Driver.
func (c *Chaos) Close() error { return c.driver.Close() }
