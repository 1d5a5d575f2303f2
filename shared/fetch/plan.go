package fetch

import (
	"math"
	"sync"
	"time"
)

const (
	// leastSteal is the least that is worth a request of its own, in bytes.
	leastSteal = 256 << 10
	// patientFor is how long a connection is left in peace, though others are
	// idle and it has more to do than they.
	patientFor = 250 * time.Millisecond
	// stuckAfter is how long a connection may stand still before an idle one
	// takes over all that it had left, at first.
	stuckAfter = 2 * time.Second
	// unknownSize is the size of a file whose server does not tell it.
	unknownSize = -1
)

// claim is the span that one connection fetches. Its end moves down when
// another connection steals from it.
type claim struct {
	source *source
	began  time.Time
	stop   func() // ends the request

	mu    sync.Mutex // held while bytes are written, so that end never moves under a write
	start int64
	pos   int64 // what is before it has been kept
	end   int64
	moved time.Time // when the last byte came

	// patience is how long the connection may stand still. Who takes over what
	// brought nothing is more patient: else a server that is slow to answer
	// would never be waited for, and one that never does never be given up.
	patience time.Duration
}

// rest returns what is still to fetch.
func (c *claim) rest() span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return span{c.pos, c.end}
}

// kept returns what was fetched.
func (c *claim) kept() span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return span{c.start, c.pos}
}

// plan says which bytes are there, which are on their way, and which connection
// fetches what next. It is safe for concurrent use.
type plan struct {
	unit int64 // spans end at multiples of it where they can: the chunk size; 1 where there is none

	mu     sync.Mutex
	size   int64
	piece  int64 // the most that is claimed at once
	done   spans
	claims map[*claim]struct{}
	window int64 // how far a stream's buffer reaches; no claim goes beyond it
}

func newPlan(size, unit, piece int64, done spans) *plan {
	return &plan{unit: max(unit, 1), size: size, piece: piece, done: done, claims: map[*claim]struct{}{}, window: math.MaxInt64}
}

// end is the size, or the largest number where that is unknown. p.mu is held.
func (p *plan) end() int64 {
	if p.size == unknownSize {
		return math.MaxInt64
	}
	return p.size
}

// setSize says how large the file turned out to be.
func (p *plan) setSize(size int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.size = size
}

// setWindow lets claims reach up to end.
func (p *plan) setWindow(end int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.window = end
}

// claim returns the next span for a connection to source: the first bytes that
// nobody has claimed, else the end of what a slow connection has left. It
// returns nil where there is nothing to do.
func (p *plan) claim(src *source, now time.Time, avoid func(span) bool) *claim {
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := p.done
	for c := range p.claims {
		taken = taken.add(span{c.start, p.endOf(c)})
	}
	for _, gap := range taken.gaps(span{0, min(p.end(), p.window)}) {
		if next := p.cut(gap, src); avoid == nil || !avoid(next) {
			return p.add(next, src, now)
		}
	}
	if src.oneStream() {
		return nil
	}
	return p.steal(src, now)
}

// endOf reads the end of a claim, which may be under way.
func (p *plan) endOf(c *claim) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.end
}

// cut returns the part of a gap that one request asks for. A source that knows
// no ranges sends all at once.
func (p *plan) cut(gap span, src *source) span {
	if src.oneStream() || gap.length() <= p.piece {
		return gap
	}
	end := gap.Start + p.piece
	if aligned := end / p.unit * p.unit; aligned > gap.Start {
		end = aligned
	}
	return span{gap.Start, end}
}

func (p *plan) add(s span, src *source, now time.Time) *claim {
	c := &claim{source: src, began: now, moved: now, start: s.Start, pos: s.Start, end: s.End, patience: stuckAfter, stop: func() {}}
	p.claims[c] = struct{}{}
	return c
}

// steal takes so much of what the connection with the longest way to go has
// left that both end together, or all of it where that one stands still.
func (p *plan) steal(src *source, now time.Time) *claim {
	var slowest *claim
	var longest time.Duration
	for c := range p.claims {
		if c.source.oneStream() {
			continue
		}
		if eta := c.eta(now); eta > longest {
			slowest, longest = c, eta
		}
	}
	if slowest == nil || longest < patientFor {
		return nil
	}
	s, patience := slowest.split(now, src.speed())
	if s.length() <= 0 {
		return nil
	}
	c := p.add(s, src, now)
	c.patience = patience
	return c
}

// eta is how long a claim will take at the speed it had so far.
func (c *claim) eta(now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	left, got := c.end-c.pos, c.pos-c.start
	if left <= 0 {
		return 0
	}
	if got == 0 {
		return now.Sub(c.began)
	}
	seconds := float64(left) * now.Sub(c.began).Seconds() / float64(got)
	return time.Duration(min(seconds, math.MaxInt32) * float64(time.Second))
}

// split shortens a claim and returns what it lost to a connection that promises
// so many bytes a second, and how patient one should be with that.
func (c *claim) split(now time.Time, promise float64) (lost span, patience time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	lost, patience = span{c.pos + c.share(now, promise), c.end}, stuckAfter
	if c.hopeless(now, promise) {
		lost.Start = c.pos
		if c.pos == c.start {
			patience = 2 * c.patience
		}
		c.stop()
	} else if lost.length() < leastSteal {
		return span{}, 0
	}
	c.end = lost.Start
	return lost, patience
}

// share is how much of what is left stays, where another connection that
// promises so many bytes a second takes the rest. c.mu is held.
func (c *claim) share(now time.Time, promise float64) int64 {
	left := c.end - c.pos
	own := float64(c.pos-c.start) / now.Sub(c.began).Seconds()
	if !(own > 0 && promise > 0) { // or there is nothing to go by
		return left / 2
	}
	return int64(float64(left) * own / (own + promise))
}

// recall ends n connections to a source soon: of what they have claimed, all
// but what comes in a moment is for others.
func (p *plan) recall(src *source, n int) {
	speed := src.speed()
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.claims {
		if n > 0 && c.source == src && c.shorten(int64(speed*patientFor.Seconds())) {
			n--
		}
	}
}

// shorten leaves a claim so many bytes, if that takes anything from it.
func (c *claim) shorten(left int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	end := c.pos + left
	if c.end-end < leastSteal {
		return false
	}
	c.end = end
	return true
}

// hopeless reports a connection that stands still, or is far slower than others
// are. c.mu is held.
func (c *claim) hopeless(now time.Time, promise float64) bool {
	if now.Sub(c.moved) >= c.patience {
		return true
	}
	took := now.Sub(c.began)
	return took >= c.patience && float64(c.pos-c.start)/took.Seconds() < promise/4
}

// release ends a claim: what it fetched is done, and the rest is for others.
func (p *plan) release(c *claim) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.claims, c)
	p.done = p.done.add(c.kept())
}

// forget takes bytes back that turned out to be wrong.
func (p *plan) forget(s span) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.claims { // a connection may be further on than its claim's release
		c.mu.Lock()
		if shared := (span{c.start, c.pos}).overlap(s); shared.length() > 0 {
			p.done = p.done.add(span{c.start, c.pos})
			c.start = c.pos
		}
		c.mu.Unlock()
	}
	p.done = p.done.remove(s)
}

// written returns every byte that is there, of unfinished claims too.
func (p *plan) written() spans {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.done
	for c := range p.claims {
		all = all.add(c.kept())
	}
	return all
}

// whole reports whether every byte is there.
func (p *plan) whole() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.size != unknownSize && p.done.bytes() == p.size
}

// larger reports whether the file has more than n bytes.
func (p *plan) larger(n int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.end() > n
}

// open returns how many claims are under way.
func (p *plan) open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.claims)
}
