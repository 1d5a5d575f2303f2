// Package memorylimit keeps token buckets in memory, for one process. A
// restart fills them all.
package memorylimit

import (
	"container/heap"
	"context"
	"fmt"
	"sync"
	"time"

	"sluice/shared/fault"
	"sluice/shared/limit"
)

// Limiter is a limit.Limiter of bounded size. Full buckets are forgotten, as
// nothing is lost by it. Where there are too many others, the one that will
// be full soonest is forgotten, but not what was taken from it: from then on
// a bucket that is not known counts as no fuller than that one was. So no flood
// of new keys can fill a bucket again; what it does, if it goes on, is to make
// new keys wait, until the forgotten buckets would have been full.
type Limiter struct {
	now  func() time.Time
	room int

	mu      sync.Mutex
	seen    time.Time // the time of the last call
	buckets map[string]*bucket
	soonest byFullAt
	// floors has, by rate, when the last of the forgotten buckets will be full.
	// A program has few rates.
	floors map[limit.Rate]time.Time
}

// New returns a Limiter that keeps at most room buckets, at least 1 (some 200
// bytes each, and the key), and takes the time from now.
func New(room int, now func() time.Time) (*Limiter, error) {
	if room < 1 {
		return nil, fmt.Errorf("memorylimit: at most %d buckets", room)
	}
	return &Limiter{
		now:     now,
		room:    room,
		buckets: map[string]*bucket{},
		floors:  map[limit.Rate]time.Time{},
	}, nil
}

// Take implements limit.Limiter.
func (l *Limiter) Take(ctx context.Context, key string, rate limit.Rate, n int) (time.Duration, error) {
	if err := check(ctx, key, rate, n); err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.tick()
	l.forgetFull(now)
	if b, known := l.buckets[key]; known {
		next, wait := rate.Spend(b.fullAt, now, n)
		b.fullAt, b.rate = next, rate
		heap.Fix(&l.soonest, b.index)
		return wait, nil
	}
	next, wait := rate.Spend(l.floors[rate], now, n)
	if wait == 0 {
		l.add(&bucket{key: key, rate: rate, fullAt: next})
	}
	return wait, nil
}

// Return implements limit.Limiter. A bucket that was forgotten meanwhile gets
// nothing back.
func (l *Limiter) Return(ctx context.Context, key string, rate limit.Rate, n int) error {
	if err := check(ctx, key, rate, n); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.tick()
	if b, known := l.buckets[key]; known {
		b.fullAt = b.fullAt.Add(-time.Duration(n) * rate.Per)
		heap.Fix(&l.soonest, b.index)
		l.forgetFull(now)
	}
	return nil
}

func check(ctx context.Context, key string, rate limit.Rate, n int) error {
	if err := limit.Check(key, rate, n); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return fault.Wrap(context.Cause(ctx), fault.Unavailable, "canceled", "The request ended before it was counted.")
	}
	return nil
}

// Len returns how many buckets are kept, for a metric.
func (l *Limiter) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.buckets)
}

// tick returns the time. Where the clock was set back, every bucket goes back
// with it, and is as full as it was.
func (l *Limiter) tick() time.Time {
	now := l.now()
	if back := l.seen.Sub(now); back > 0 {
		for _, b := range l.soonest {
			b.fullAt = b.fullAt.Add(-back)
		}
		for rate, full := range l.floors {
			l.floors[rate] = full.Add(-back)
		}
	}
	l.seen = now
	return now
}

// forgetFull drops every full bucket.
func (l *Limiter) forgetFull(now time.Time) {
	for len(l.soonest) > 0 && !l.soonest[0].fullAt.After(now) {
		l.drop()
	}
}

// add keeps a bucket, and forgets one if that makes too many. Floors only
// rise: what is kept will be full later than what is forgotten.
func (l *Limiter) add(b *bucket) {
	l.buckets[b.key] = b
	heap.Push(&l.soonest, b)
	if len(l.buckets) > l.room {
		forgotten := l.drop()
		l.floors[forgotten.rate] = forgotten.fullAt
	}
}

// drop removes the bucket that will be full soonest.
func (l *Limiter) drop() *bucket {
	b := heap.Pop(&l.soonest).(*bucket)
	delete(l.buckets, b.key)
	return b
}
