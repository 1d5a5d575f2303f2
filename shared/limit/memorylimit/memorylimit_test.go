package memorylimit_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/shared/limit"
	"sluice/shared/limit/limittest"
	"sluice/shared/limit/memorylimit"
)

func TestSuite(t *testing.T) {
	limittest.Run(t, func(t *testing.T, now func() time.Time) limit.Limiter {
		return open(t, 100, now)
	})
}

func TestNewRefusesNoRoom(t *testing.T) {
	for _, room := range []int{0, -1} {
		if _, err := memorylimit.New(room, time.Now); err == nil {
			t.Errorf("New(%d) gave no error", room)
		}
	}
}

func TestFloodOfKeysFillsNoBucketAgain(t *testing.T) {
	const room = 100
	now := start
	limiter := open(t, room, func() time.Time { return now })
	rate := limit.Rate{Burst: 5, Per: time.Minute}
	take(t, limiter, "throttled", rate, 5, 0)
	for i := range 100 * room {
		if _, err := limiter.Take(t.Context(), fmt.Sprint("flood ", i), rate, 1); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Millisecond)
	}
	take(t, limiter, "throttled", rate, 1, start.Add(time.Minute).Sub(now))
	if got := limiter.Len(); got > room {
		t.Errorf("%d buckets are kept; want at most %d", got, room)
	}
}

func TestAfterTheFloodNewKeysAreFullAgain(t *testing.T) {
	now := start
	limiter := open(t, 1, func() time.Time { return now })
	rate := limit.Rate{Burst: 2, Per: time.Minute}
	take(t, limiter, "a", rate, 2, 0)
	take(t, limiter, "b", rate, 2, 0) // one of the two is forgotten, with two minutes to go
	take(t, limiter, "c", rate, 1, time.Minute)
	now = now.Add(2 * time.Minute)
	take(t, limiter, "d", rate, 2, 0)
}

func TestAClockSetBackLeavesABucketAsFullAsItWas(t *testing.T) {
	now := start
	limiter := open(t, 1, func() time.Time { return now })
	rate := limit.Rate{Burst: 5, Per: time.Minute}
	take(t, limiter, "forgotten", rate, 2, 0)
	take(t, limiter, "kept", rate, 3, 0) // floors: the other one's two minutes
	now = now.Add(-24 * time.Hour)
	take(t, limiter, "kept", rate, 3, time.Minute)
	take(t, limiter, "kept", rate, 2, 0)
	take(t, limiter, "new", rate, 4, time.Minute)
	now = now.Add(time.Minute)
	take(t, limiter, "kept", rate, 1, 0)
}

func TestFloodAtOneRateDelaysNoOtherRate(t *testing.T) {
	limiter := open(t, 2, func() time.Time { return start })
	slow := limit.Rate{Burst: 1, Per: time.Hour}
	for i := range 3 {
		take(t, limiter, fmt.Sprint("user ", i), slow, 1, 0)
	}
	take(t, limiter, "user 3", slow, 1, time.Hour)
	quick := limit.Rate{Burst: 1, Per: time.Second}
	take(t, limiter, "address", quick, 1, 0)
}

func TestTheBucketNearestToFullIsForgotten(t *testing.T) {
	limiter := open(t, 2, func() time.Time { return start })
	rate := limit.Rate{Burst: 5, Per: time.Minute}
	take(t, limiter, "a", rate, 1, 0)
	take(t, limiter, "b", rate, 2, 0)
	take(t, limiter, "a", rate, 3, 0)
	take(t, limiter, "c", rate, 3, 0) // b goes, with two minutes left
	take(t, limiter, "a", rate, 1, 0)
	take(t, limiter, "d", rate, 4, time.Minute)
	take(t, limiter, "d", rate, 3, 0)
}

func TestFullBucketsAreForgotten(t *testing.T) {
	now := start
	limiter := open(t, 1000, func() time.Time { return now })
	rate := limit.Rate{Burst: 5, Per: time.Second}
	for i := range 500 {
		take(t, limiter, fmt.Sprint("key ", i), rate, 3, 0)
	}
	take(t, limiter, "slower", rate, 5, 0)
	now = now.Add(3 * time.Second)
	take(t, limiter, "slower", rate, 3, 0)
	if got := limiter.Len(); got != 1 {
		t.Errorf("%d buckets are kept once 500 of 501 are full; want 1", got)
	}
}

// However many keys share however little room, no key gets more than a bucket
// of its own would give.
func TestBoundedNeverGivesMoreThanUnbounded(t *testing.T) {
	rates := []limit.Rate{{Burst: 3, Per: time.Second}, {Burst: 2, Per: 7 * time.Second}}
	rapid.Check(t, func(rt *rapid.T) {
		now := start
		limiter := open(t, rapid.IntRange(1, 4).Draw(rt, "room"), func() time.Time { return now })
		fullAt := map[int]time.Time{}
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(rt, "passed, ms")) * time.Millisecond)
			id := rapid.IntRange(0, 9).Draw(rt, "key")
			rate := rates[id%len(rates)]
			n := rapid.IntRange(1, rate.Burst).Draw(rt, "n")
			wait, err := limiter.Take(context.Background(), fmt.Sprint(id), rate, n)
			if err != nil {
				rt.Fatal(err)
			}
			if wait > 0 {
				continue
			}
			next, due := rate.Spend(fullAt[id], now, n)
			if due > 0 {
				rt.Fatalf("key %d got %d tokens %v too early", id, n, due)
			}
			fullAt[id] = next
		}
	})
}

func BenchmarkTakeUnderFlood(b *testing.B) {
	const room = 100_000
	limiter, err := memorylimit.New(room, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	keys := make([]string, 2*room)
	for i := range keys {
		keys[i] = fmt.Sprint("address ", i)
	}
	rate := limit.Rate{Burst: 10, Per: time.Minute}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := limiter.Take(context.Background(), keys[i%len(keys)], rate, 1); err != nil {
			b.Fatal(err)
		}
	}
}

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func open(t *testing.T, room int, now func() time.Time) *memorylimit.Limiter {
	t.Helper()
	limiter, err := memorylimit.New(room, now)
	if err != nil {
		t.Fatal(err)
	}
	return limiter
}

func take(t *testing.T, limiter limit.Limiter, key string, rate limit.Rate, n int, want time.Duration) {
	t.Helper()
	got, err := limiter.Take(t.Context(), key, rate, n)
	if err != nil || got != want {
		t.Errorf("Take(%q, %v, %d) = %v, %v; want %v", key, rate, n, got, err, want)
	}
}
