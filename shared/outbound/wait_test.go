package outbound_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"sluice/shared/outbound"
)

func TestABackoffIsRandomUpToATimeThatDoubles(t *testing.T) {
	for _, c := range []struct {
		failures int
		most     time.Duration
	}{{1, 500 * time.Millisecond}, {2, time.Second}, {6, 16 * time.Second}, {7, 30 * time.Second}, {1000, 30 * time.Second}} {
		least, longest := c.most, time.Duration(0)
		for range 1000 {
			wait := outbound.Backoff(c.failures)
			least, longest = min(least, wait), max(longest, wait)
		}
		if least < 0 || least > c.most/10 || longest < c.most*9/10 || longest >= c.most {
			t.Errorf("after %d failures the waits are %s to %s; want 0 to less than %s", c.failures, least, longest, c.most)
		}
	}
}

func TestAPauseEndsWithItsTimeAChangeOrItsContext(t *testing.T) {
	gone := errors.New("gone")
	for _, c := range []struct {
		name          string
		wait          time.Duration
		changes, ends bool
		took          time.Duration
		err           error
	}{
		{"its time", time.Minute, false, false, time.Minute, nil},
		{"a change", time.Minute, true, false, 0, nil},
		{"a change, of no time", 0, true, false, 0, nil},
		{"its context", time.Minute, false, true, 0, gone},
		{"its context, of no time", 0, false, true, 0, gone},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				changed := make(chan struct{})
				if c.changes {
					close(changed)
				}
				if c.ends {
					cancel(gone)
				}
				began := time.Now()
				if err := outbound.Pause(ctx, c.wait, changed); !errors.Is(err, c.err) || time.Since(began) != c.took {
					t.Errorf("it took %s and returned %v; want %s and %v", time.Since(began), err, c.took, c.err)
				}
			})
		})
	}
}
