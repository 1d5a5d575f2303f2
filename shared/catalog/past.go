package catalog

import (
	"math"
	"sync/atomic"
	"time"
)

// past is a clock that remembers how far back it has been. What is due is
// looked for by time, from where the last sweep came to; a clock that was set
// back for a while leaves things due before that. It is safe for concurrent
// use.
type past struct {
	clock    func() time.Time
	earliest atomic.Int64 // nanoseconds since 1970
}

func newPast(clock func() time.Time) *past {
	p := &past{clock: clock}
	p.earliest.Store(math.MaxInt64)
	return p
}

// now returns the time.
func (p *past) now() time.Time {
	now := p.clock()
	p.note(now)
	return now
}

// note remembers that it was at once.
func (p *past) note(at time.Time) {
	for {
		earliest := p.earliest.Load()
		if at.UnixNano() >= earliest || p.earliest.CompareAndSwap(earliest, at.UnixNano()) {
			return
		}
	}
}

// forget returns the earliest time that now has returned since the last forget.
func (p *past) forget() time.Time {
	return time.Unix(0, min(p.earliest.Swap(math.MaxInt64), p.clock().UnixNano()))
}
