package table

import (
	"context"
	"math/rand/v2"
	"time"
)

// A busy store is asked again with full jitter: each pause is a random part of
// a bound that doubles, so that callers who collided do not collide again.
const (
	attempts   = 6
	firstBound = 20 * time.Millisecond
	lastBound  = 500 * time.Millisecond
)

// call asks the driver, again while the store is busy, and returns the error
// that callers see. f is given the time by which items expire.
func (t *Table) call(ctx context.Context, f func(now time.Time) error) error {
	for attempt := 1; ; attempt++ {
		if err := ctx.Err(); err != nil {
			return canceled(ctx, err)
		}
		err := f(t.clock())
		if err == nil {
			return nil
		}
		code := t.driver.ErrorCode(err)
		if (code != Contended && code != Throttled) || attempt == attempts {
			return t.translate(ctx, err)
		}
		if err := Pause(ctx, attempt); err != nil {
			return canceled(ctx, err)
		}
	}
}

// bound returns the longest pause after attempt, which counts from 1.
func bound(attempt int) time.Duration {
	return min(firstBound<<(attempt-1), lastBound)
}

// Pause waits, after the attempt given, which counts from 1, a random time up
// to a bound that doubles with each, or until ctx ends; then it returns the
// context's error. It is for a Driver that has to ask again itself.
func Pause(ctx context.Context, attempt int) error {
	return Wait(ctx, rand.N(bound(attempt)))
}

// Wait waits for a time, or until ctx ends; then it returns the context's error.
func Wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
