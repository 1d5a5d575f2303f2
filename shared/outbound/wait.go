package outbound

import (
	"context"
	"math/rand/v2"
	"time"
)

// MaxRetryAfter is the longest wait that a server may ask for; whoever asks for a
// longer one is left alone.
const MaxRetryAfter = 10 * time.Minute

const (
	firstBackoff = 500 * time.Millisecond
	maxBackoff   = 30 * time.Second
)

// Backoff returns how long a server is left alone that has failed so often in a
// row, once at least: a random time, up to one that doubles (full jitter).
func Backoff(failures int) time.Duration {
	return rand.N(min(maxBackoff, firstBackoff<<min(failures-1, 10)))
}

// Pause waits for a time, if that is not 0, or for a change. When ctx ends it
// returns its cause.
func Pause(ctx context.Context, wait time.Duration, changed <-chan struct{}) error {
	var due <-chan time.Time
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-due:
	case <-changed:
	}
	return nil
}
