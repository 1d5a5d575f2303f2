package fetch

import "time"

const (
	firstConnections = 4
	// paceEvery is how often the number of connections is thought over.
	paceEvery = 100 * time.Millisecond
	// firstHold is how long a number that proved best is kept; longer each
	// time, up to maxHold.
	firstHold = 500 * time.Millisecond
	maxHold   = 8 * time.Second
	// maxDoubts is how often in a row more connections may seem to be of no use
	// before they are taken back: one measurement is too short to say.
	maxDoubts = 3
	// gain is by how much twice the connections must be faster to be worth it:
	// each costs something, here and at the server.
	gain = 1.25
)

// pace finds how many connections are best: it adds some as long as that makes
// the whole faster, takes them back where it does not, and tries again later.
// A server that says it is too much halves them.
type pace struct {
	limit, max int

	rate    float64 // with as many connections as before the last step
	before  int     // how many those were
	since   time.Time
	bytes   int64     // at since
	until   time.Time // the limit is kept
	hold    time.Duration
	doubts  int
	settled time.Time // when connections that were added have got going
}

func newPace(limit int, now time.Time) pace {
	return pace{limit: min(firstConnections, limit), max: limit, since: now}
}

// observe is told how many bytes there are in all, how many connections are
// open, and how long an answer takes to come, and returns how many connections
// there should be.
func (p *pace) observe(now time.Time, bytes int64, open int, latency time.Duration) int {
	took := now.Sub(p.since)
	if took < paceEvery {
		return p.limit
	}
	rate := float64(bytes-p.bytes) / took.Seconds()
	p.since, p.bytes = now, bytes
	if open > p.limit { // those that are too many end with their spans
		p.until = now.Add(p.hold)
	}
	if now.Before(p.until) || now.Before(p.settled) || open < p.limit {
		return p.limit
	}
	switch {
	case p.before != 0 && rate < p.rate*gain:
		if p.doubts++; p.doubts >= maxDoubts {
			p.limit, p.before = p.before, 0
			p.wait(now)
		}
	case p.limit < p.max:
		p.rate, p.before, p.doubts = rate, p.limit, 0
		p.limit = min(p.max, p.limit*2)
		p.settled = now.Add(max(paceEvery, 2*latency))
	default:
		p.before = 0
	}
	return p.limit
}

// tooMany says that a server was asked too much.
func (p *pace) tooMany(now time.Time, open int) {
	p.limit = max(1, min(p.limit, open)/2)
	p.before, p.hold = 0, maxHold
	p.wait(now)
}

// wait keeps the limit for a while.
func (p *pace) wait(now time.Time) {
	p.hold = min(max(2*p.hold, firstHold), maxHold)
	p.until = now.Add(p.hold)
}
