package catalog

import (
	"context"
	"iter"
	"math/rand/v2"
	"time"

	"sluice/shared/fault"
	"sluice/shared/table"
)

// attempts bounds how often a write starts over when other servers write the
// same record. Within a process writers take turns, so that it is servers that
// compete: a dozen that all write one record without a break get through.
const attempts = 20

// Before a write starts over it pauses for a random part of a bound that
// doubles, so that servers that collided do not collide again.
const (
	firstPause = 2 * time.Millisecond
	lastPause  = time.Second
)

// tries yields once for each attempt at a write, and pauses before each but the
// first. It ends when the attempts are spent or ctx ends; the write is then
// contended.
func (c *Catalog) tries(ctx context.Context) iter.Seq[int] {
	return func(yield func(int) bool) {
		longest := firstPause
		for try := range attempts {
			if try > 0 {
				if c.pause(ctx, longest) != nil {
					return
				}
				longest = min(2*longest, lastPause)
			}
			if !yield(try) {
				return
			}
		}
	}
}

// pause waits a random time up to longest, or until ctx ends, with whose error
// it then fails.
func pause(ctx context.Context, longest time.Duration) error {
	return table.Wait(ctx, rand.N(longest))
}

// contended is the error of a write that lost every one of its attempts.
func contended() error {
	return fault.New(fault.Unavailable, "contended", "Too many others changed the same record; try again.").
		WithRetryAfter(time.Second)
}
