package fetch

import "time"

const (
	// meterFor is how much time connections must have spent, all together, to
	// tell how fast one of them is.
	meterFor = 500 * time.Millisecond
	// meterWait is how long a source that sends nothing at all is waited for
	// until that tells something.
	meterWait = stuckAfter
)

// meter measures what one connection to a source brings, by what all of them
// brought in the time that they spent. The zero value has measured nothing.
type meter struct {
	open  int           // connections at work
	since time.Time     // spent was counted up to here
	spent time.Duration // by all connections, since the last measurement
	came  int64         // bytes, since the last measurement

	rate  float64   // bytes a second of one connection, smoothed
	at    time.Time // of the last measurement; zero: there was none
	stale bool      // rate is of another number of connections
	from  time.Time // when measuring goes on
}

// entered is told of n connections more, or fewer.
func (m *meter) entered(n int, now time.Time) {
	m.spend(now)
	m.open += n
}

func (m *meter) spend(now time.Time) {
	m.spent += time.Duration(m.open) * now.Sub(m.since)
	m.since = now
}

// read measures, if there is enough to go by.
func (m *meter) read(now time.Time) {
	m.spend(now)
	if now.Before(m.from) {
		m.came, m.spent = 0, 0
		return
	}
	if m.spent < meterFor || m.came == 0 && m.spent < meterWait {
		return
	}
	const weight = 0.5
	rate := float64(m.came) / m.spent.Seconds()
	if m.at.IsZero() || m.stale {
		m.rate = rate
	}
	m.rate += weight * (rate - m.rate)
	m.came, m.spent, m.at, m.stale = 0, 0, now, false
}

// anew begins anew at a time; until there is another rate, the last one counts.
func (m *meter) anew(from time.Time) { m.from, m.stale = from, true }
