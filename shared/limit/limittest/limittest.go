// Package limittest is the suite that every driver of package limit passes.
package limittest

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/shared/fault"
	"sluice/shared/limit"
)

// Open returns a limiter without any bucket, which takes the time from now and
// has room for 100 buckets at least.
type Open func(t *testing.T, now func() time.Time) limit.Limiter

// Run runs the suite.
func Run(t *testing.T, open Open) {
	t.Run("steps", func(t *testing.T) { testSteps(t, open) })
	t.Run("refuses what makes no sense", func(t *testing.T) { testArguments(t, open) })
	t.Run("an ended context takes nothing", func(t *testing.T) { testContext(t, open) })
	t.Run("together, callers take no more than there is", func(t *testing.T) { testConcurrent(t, open) })
	t.Run("agrees with a bucket that counts tokens", func(t *testing.T) { testModel(t, open) })
}

// clock is a time that a test moves by hand.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) time() time.Time { return c.now }

// step moves the clock, takes n tokens, and wants that wait; a negative n
// returns tokens.
type step struct {
	after time.Duration
	key   string
	rate  limit.Rate
	n     int
	want  time.Duration
}

func (s step) do(ctx context.Context, limiter limit.Limiter) (time.Duration, error) {
	if s.n < 0 {
		return 0, limiter.Return(ctx, s.key, s.rate, -s.n)
	}
	return limiter.Take(ctx, s.key, s.rate, s.n)
}

func testSteps(t *testing.T, open Open) {
	const s, ms = time.Second, time.Millisecond
	five := limit.Rate{Burst: 5, Per: s}
	two := limit.Rate{Burst: 2, Per: s}
	cases := []struct {
		name  string
		steps []step
	}{
		{"a new bucket is full", []step{{0, "a", five, 5, 0}}},
		{"an empty bucket makes wait for one token", []step{{0, "a", five, 5, 0}, {0, "a", five, 1, s}}},
		{"and for as many as are asked for", []step{{0, "a", five, 5, 0}, {0, "a", five, 3, 3 * s}}},
		{"tokens are taken one by one", []step{{0, "a", two, 1, 0}, {0, "a", two, 1, 0}, {0, "a", two, 1, s}}},
		{"a refusal takes nothing", []step{{0, "a", five, 4, 0}, {0, "a", five, 2, s}, {0, "a", five, 1, 0}}},
		{"who waits gets it", []step{{0, "a", five, 5, 0}, {0, "a", five, 2, 2 * s}, {2 * s, "a", five, 2, 0}}},
		{"who comes too early does not", []step{{0, "a", five, 5, 0}, {999 * ms, "a", five, 1, 1 * ms}, {1 * ms, "a", five, 1, 0}}},
		{"a bucket refills steadily", []step{{0, "a", five, 5, 0}, {1500 * ms, "a", five, 1, 0}, {0, "a", five, 1, 500 * ms}}},
		{"a bucket never overflows", []step{{0, "a", five, 5, 0}, {time.Hour, "a", five, 5, 0}, {0, "a", five, 1, s}}},
		{"keys do not touch each other", []step{{0, "a", five, 5, 0}, {0, "b", five, 5, 0}, {0, "a", five, 1, s}}},
		{"a key is its bytes", []step{{0, "a", two, 2, 0}, {0, "A", two, 2, 0}, {0, "a ", two, 2, 0}, {0, "a\x00", two, 2, 0}, {0, "ä/:#", two, 2, 0}}},
		{"a smaller bucket is at worst empty", []step{{0, "a", five, 5, 0}, {0, "a", two, 1, s}}},
		{"a clock set back leaves it at worst empty", []step{{0, "a", five, 5, 0}, {-time.Hour, "a", five, 1, s}, {s, "a", five, 1, 0}}},
		{"a rate may be slow", []step{{0, "a", limit.Rate{Burst: 1, Per: limit.MaxFill}, 1, 0}, {time.Hour, "a", limit.Rate{Burst: 1, Per: limit.MaxFill}, 1, limit.MaxFill - time.Hour}}},
		{"what is returned is there again", []step{{0, "a", five, 5, 0}, {0, "a", five, -2, 0}, {0, "a", five, 2, 0}, {0, "a", five, 1, s}}},
		{"what is returned to a full bucket is lost", []step{{0, "a", two, -2, 0}, {0, "a", two, 1, 0}, {0, "a", two, -2, 0}, {0, "a", two, 2, 0}, {0, "a", two, 1, s}}},
		{"a return is to its own key", []step{{0, "a", two, 2, 0}, {0, "b", two, 2, 0}, {0, "a", two, -1, 0}, {0, "b", two, 1, s}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			clock := newClock()
			limiter := open(t, clock.time)
			for i, step := range c.steps {
				clock.now = clock.now.Add(step.after)
				got, err := step.do(t.Context(), limiter)
				if err != nil || got != step.want {
					t.Fatalf("step %d: Take(%q, %v, %d) = %v, %v; want %v", i, step.key, step.rate, step.n, got, err, step.want)
				}
			}
		})
	}
}

func testArguments(t *testing.T, open Open) {
	limiter := open(t, newClock().time)
	rate := limit.Rate{Burst: 5, Per: time.Second}
	longest := strings.Repeat("k", limit.MaxKey)
	cases := []struct {
		name string
		key  string
		rate limit.Rate
		n    int
		ok   bool
	}{
		{"the longest key", longest, rate, 1, true},
		{"a longer key", longest + "k", rate, 1, false},
		{"no key", "", rate, 1, false},
		{"no token", "a", rate, 0, false},
		{"less than no token", "a", rate, -1, false},
		{"more tokens than fit", "a", rate, 6, false},
		{"no burst", "a", limit.Rate{Burst: 0, Per: time.Second}, 1, false},
		{"no time", "a", limit.Rate{Burst: 5}, 1, false},
		{"negative time", "a", limit.Rate{Burst: 5, Per: -1}, 1, false},
		{"too slow", "a", limit.Rate{Burst: 2, Per: limit.MaxFill/2 + 1}, 1, false},
		{"a burst that overflows", "a", limit.Rate{Burst: 1 << 62, Per: time.Second}, 1, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			wait, err := limiter.Take(t.Context(), c.key, c.rate, c.n)
			if c.ok && (err != nil || wait != 0) {
				t.Errorf("Take = %v, %v; want it taken", wait, err)
			}
			if !c.ok && !fault.Is(err, fault.Internal, "bad_limit") {
				t.Errorf("Take = %v, %v; want the fault bad_limit", wait, err)
			}
			if err := limiter.Return(t.Context(), c.key, c.rate, c.n); c.ok != (err == nil) {
				t.Errorf("Return = %v; want an error only where Take has one", err)
			}
		})
	}
}

func testContext(t *testing.T, open Open) {
	limiter := open(t, newClock().time)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	rate := limit.Rate{Burst: 1, Per: time.Second}
	if wait, err := limiter.Take(ended, "a", rate, 1); !fault.Is(err, fault.Unavailable, "canceled") {
		t.Errorf("Take = %v, %v; want the fault canceled", wait, err)
	}
	if wait, err := limiter.Take(t.Context(), "a", rate, 1); wait != 0 || err != nil {
		t.Errorf("Take after it = %v, %v; want the token to be still there", wait, err)
	}
}

func testConcurrent(t *testing.T, open Open) {
	const callers, tries, burst = 8, 20, 50
	limiter := open(t, newClock().time)
	var taken atomic.Int64
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for range tries {
				wait, err := limiter.Take(t.Context(), "a", limit.Rate{Burst: burst, Per: time.Second}, 1)
				if err != nil {
					t.Errorf("Take: %v", err)
				}
				if wait == 0 {
					taken.Add(1)
				}
			}
		})
	}
	group.Wait()
	if got := taken.Load(); got != burst {
		t.Errorf("%d callers took %d tokens; want %d", callers, got, burst)
	}
}

// testModel compares with the plain form of a token bucket: a level that rises
// with time, counted in the time that it took to rise.
func testModel(t *testing.T, open Open) {
	clock := newClock()
	limiter := open(t, clock.time)
	rapid.Check(t, func(t *rapid.T) {
		rate := limit.Rate{
			Burst: rapid.IntRange(1, 20).Draw(t, "burst"),
			Per:   time.Duration(rapid.IntRange(1, 5000).Draw(t, "per, ms")) * time.Millisecond,
		}
		full := time.Duration(rate.Burst) * rate.Per
		clock.now = clock.now.Add(24 * time.Hour) // all buckets are full again
		level := full
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			passed := time.Duration(rapid.IntRange(0, 2*int(rate.Per/time.Millisecond)).Draw(t, "passed, ms")) * time.Millisecond
			clock.now = clock.now.Add(passed)
			level = min(full, level+passed)
			n := rapid.IntRange(1, rate.Burst).Draw(t, "n")
			cost := time.Duration(n) * rate.Per
			want := max(0, cost-level)
			if want == 0 {
				level -= cost
			}
			got, err := limiter.Take(context.Background(), "model", rate, n)
			if err != nil || got != want {
				t.Fatalf("Take(%d) = %v, %v; want %v", n, got, err, want)
			}
		}
	})
}
