package fetch

import (
	"cmp"
	"slices"
	"time"
)

const (
	// slower is how much less than the fastest source's a connection to another
	// one may bring to be as good. Where sources are held to a rate for each
	// connection, every one to a slower source is one lost to the fastest.
	// Where a source is at its end its connections bring less, and those to
	// others count again.
	slower = 1.0 / 2
	// farSlower is when a connection had better go to the fastest source now.
	farSlower = 1.0 / 3
	// tryAgainAfter is how long a source that was too slow is left in peace.
	tryAgainAfter = 10 * time.Second
)

// best returns the source for the next connection: of those that are of use
// and need not be waited for the one that is worth most, but for some. It
// returns the reason where none is left.
func best(sources []*source, now time.Time, but []*source) (*source, error) {
	var why error
	for _, waits := range []bool{false, true} {
		var may []*source
		for _, s := range sources {
			if err := s.usable(); err != nil {
				if why == nil {
					why = err
				}
				continue
			}
			if s.oneStream() && s.connections() > 0 || slices.Contains(but, s) || s.host.busy(now) != waits {
				continue
			}
			may = append(may, s)
		}
		if len(may) > 0 {
			return worthMost(may, now), nil
		}
	}
	for _, s := range sources {
		if s.usable() == nil {
			return nil, nil // for now
		}
	}
	return nil, why
}

func worthMost(may []*source, now time.Time) *source {
	top := fastest(may)
	return slices.MaxFunc(may, func(a, b *source) int {
		return cmp.Compare(a.worth(top, now), b.worth(top, now))
	})
}

// fastest is what one connection brings to the fastest of the sources that were
// measured, in bytes a second.
func fastest(sources []*source) float64 {
	top := 0.0
	for _, s := range sources {
		top = max(top, s.speed())
	}
	return top
}

// worth is what one more connection promises: the speed of one, less for each
// that there is. A source that was never measured is worth a try, and one that
// was too slow is worth one now and then.
func (s *source) worth(top float64, now time.Time) float64 {
	const untried, slow = 1e18, 1e-9
	s.mu.Lock()
	defer s.mu.Unlock()
	m := &s.meter
	each := 1 / float64(s.open+1)
	switch {
	case m.at.IsZero() && s.open == 0:
		return untried - float64(s.given.Priority)
	case m.at.IsZero():
		return max(top, 1) * each // nothing speaks against it
	case m.rate >= slower*top:
		return m.rate * each
	case s.open == 0 && now.Sub(m.at) >= tryAgainAfter:
		return untried / 2
	}
	return m.rate * each * slow
}

// speed is what one connection to the source brings, in bytes a second; 0:
// unknown.
func (s *source) speed() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.meter.rate
}

func (s *source) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// entered is told of n connections more, or fewer.
func (s *source) entered(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open += n
}

// serving is told of n connections more, or fewer, that are at work.
func (s *source) serving(n int, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.meter.entered(n, now)
}

// sent is told of bytes that came.
func (s *source) sent(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.meter.came += n
}

// kept is told of bytes that were kept.
func (s *source) kept(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes += n
}

// measure reads the meters of all sources. Half of the connections to one that
// is far slower than another of use are called back at a time: it may be faster
// with fewer.
func (t *Transfer) measure(now time.Time) {
	var may []*source
	for _, s := range t.sources {
		s.read(now)
		if s.usable() == nil && !s.oneStream() && !s.host.busy(now) {
			may = append(may, s)
		}
	}
	top := fastest(may)
	for _, s := range t.sources {
		if n := s.surplus(top, now); n > 0 {
			t.plan.recall(s, n)
		}
	}
}

func (s *source) read(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.meter.read(now)
}

// surplus returns how many connections the source had better do without, which
// is then measured anew.
func (s *source) surplus(top float64, now time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := &s.meter
	if m.at.IsZero() || m.stale || m.rate >= farSlower*top {
		return 0
	}
	m.anew(now.Add(2 * patientFor)) // when those have ended
	return (s.open + 1) / 2
}
