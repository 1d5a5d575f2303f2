package fetch

import (
	"testing"
	"time"
)

// TestPace runs the controller against lines of different kinds.
func TestPace(t *testing.T) {
	for _, c := range []struct {
		name     string
		rate     func(connections int) float64 // bytes a second
		from, to int                           // connections that are right in the end
	}{
		{"each connection is held to a rate", func(n int) float64 { return float64(n) * 1e6 }, 16, 16},
		{"the line is full with one", func(int) float64 { return 1e6 }, 4, 8},
		{"the line is full with eight", func(n int) float64 { return float64(min(n, 8)) * 1e6 }, 8, 16},
		{"more make it slower", func(n int) float64 { return 1e7 / float64(n) }, 4, 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := time.Unix(0, 0)
			p := newPace(16, now)
			bytes, long := 0.0, 0
			const ticks = 600
			for range ticks {
				bytes += c.rate(p.limit) * paceEvery.Seconds()
				now = now.Add(paceEvery)
				p.observe(now, int64(bytes), p.limit, time.Millisecond)
				if c.from <= p.limit && p.limit <= c.to {
					long++
				}
			}
			if long < ticks*9/10 {
				t.Errorf("%d of %d times there were %d to %d connections; in the end %d", long, ticks, c.from, c.to, p.limit)
			}
		})
	}
}

func TestPaceHalvesWhereItIsTooMuch(t *testing.T) {
	now := time.Unix(0, 0)
	p := newPace(16, now)
	for range 20 {
		now = now.Add(paceEvery)
		p.observe(now, now.UnixNano()*int64(p.limit), p.limit, 0)
	}
	p.tooMany(now, 16)
	if p.limit != 8 {
		t.Errorf("of 16 connections %d are left, want 8", p.limit)
	}
	p.tooMany(now, 1)
	if p.limit != 1 {
		t.Errorf("of 1 connection %d is left, want 1", p.limit)
	}
}
