package fetch

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"sluice/shared/outbound"
)

// Source is one place that a file can be fetched from.
type Source struct {
	URL    string
	Header http.Header // sent to the URL's own host and port only

	// Priority orders sources until they have been measured; lower is tried
	// first (RFC 5854 §4.2.16.2).
	Priority int

	// Expires is when the URL is over; zero: never, as far as is known.
	Expires time.Time

	// Renew returns a fresh URL for the same content, before Expires or once
	// a server refused the one in use; nil: there is no other.
	Renew func(context.Context) (Source, error)
}

// renewBefore is how long before its end a URL is renewed.
const renewBefore = time.Minute

// maxStrikes is how often a source may do what no server should.
const maxStrikes = 5

// source is a Source in use. It is safe for concurrent use.
type source struct {
	host *host
	name string // host and port, for people

	renewing sync.Mutex // held by who renews

	mu       sync.Mutex
	given    Source
	url      *url.URL
	resolved *url.URL // where it redirected to; nil: it did not
	renewed  int      // how often
	pin      pin
	pinned   bool
	single   bool  // it knows no ranges
	dead     error // why it is of no use any more
	strikes  int
	rate     float64 // bytes a second of one connection, smoothed; 0: not measured
	sure     bool    // it was measured to the end of a span, not in passing
	open     int     // connections
	bytes    int64   // kept of it
}

func newSource(given Source, hosts *hosts) (*source, error) {
	u, err := parseURL(given.URL)
	if err != nil {
		return nil, err
	}
	return &source{given: given, url: u, name: u.Host, host: hosts.of(u)}, nil
}

// place returns where to ask, which host its credentials are for, and how
// often the URL was renewed.
func (s *source) place() (at *url.URL, home string, own http.Header, age int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.resolved != nil {
		return s.resolved, outbound.Origin(s.url), s.given.Header, s.renewed
	}
	return s.url, outbound.Origin(s.url), s.given.Header, s.renewed
}

// settle remembers where the source redirected to.
func (s *source) settle(at *url.URL) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at != s.url {
		s.resolved = at
	}
}

// retreat forgets where the source redirected to, and reports whether it did.
func (s *source) retreat() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.resolved != nil
	s.resolved = nil
	return was
}

// known returns the pin, once there is one.
func (s *source) known() pin {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pin
}

// learn pins the source to the content of its first answer.
func (s *source) learn(p pin) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.pinned {
		s.pin, s.pinned = p, true
	}
}

func (s *source) oneStream() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.single
}

func (s *source) setOneStream() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.single = true
}

// usable returns nil, or why the source is of no use any more.
func (s *source) usable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dead
}

func (s *source) bury(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead == nil {
		s.dead = why
	}
}

// struck counts what no server should do, and reports whether it was too often.
func (s *source) struck() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.strikes++
	return s.strikes >= maxStrikes
}

func (s *source) entered(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open += n
}

// measured adds what a connection did, to the end of its span, to what is known
// of its source.
func (s *source) measured(bytes int64, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes += bytes
	if took <= 0 || bytes < leastSteal {
		return
	}
	const weight = 0.3
	rate := float64(bytes) / took.Seconds()
	if !s.sure {
		s.rate, s.sure = rate, true
		return
	}
	s.rate += weight * (rate - s.rate)
}

// glanced is what there is to go by until a span has ended.
func (s *source) glanced(bytes int64, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.sure && took > 0 {
		s.rate = float64(bytes) / took.Seconds()
	}
}

// speed is what one connection to the source does, in bytes a second; 0:
// unknown.
func (s *source) speed() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rate
}

// worth is what one more connection to the source promises: the speed of one,
// less for each that there is. One that was never measured is worth a try.
func (s *source) worth() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rate == 0 {
		const untried = 1e18
		if s.open > 0 {
			return 1 / float64(s.open+1)
		}
		return untried - float64(s.given.Priority)
	}
	return s.rate / float64(s.open+1)
}

// best returns the source for the next connection: of those that are of use
// and need not be waited for the one that is worth most, but for some. It
// returns the reason where none is left.
func best(sources []*source, now time.Time, but []*source) (*source, error) {
	var chosen *source
	var why error
	for _, waits := range []bool{false, true} {
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
			if chosen == nil || s.worth() > chosen.worth() {
				chosen = s
			}
		}
		if chosen != nil {
			return chosen, nil
		}
	}
	for _, s := range sources {
		if s.usable() == nil {
			return nil, nil // for now
		}
	}
	return nil, why
}

func (s *source) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// expired reports whether the URL has to be renewed.
func (s *source) expired(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.given.Renew != nil && !s.given.Expires.IsZero() && s.given.Expires.Sub(now) < renewBefore
}

// renew asks for a fresh URL, unless another connection did since age. It
// reports whether there is one.
func (s *source) renew(ctx context.Context, age int) (bool, error) {
	s.renewing.Lock()
	defer s.renewing.Unlock()
	s.mu.Lock()
	ask, now := s.given.Renew, s.renewed
	s.mu.Unlock()
	if now != age {
		return true, nil
	}
	if ask == nil {
		return false, nil
	}
	fresh, err := ask(ctx)
	if err != nil {
		return false, err
	}
	u, err := parseURL(fresh.URL)
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if fresh.Renew == nil {
		fresh.Renew = ask
	}
	s.given, s.url, s.resolved = fresh, u, nil
	s.renewed++
	return true, nil
}

// hosts keeps what is known of each server.
type hosts struct {
	mu sync.Mutex
	by map[string]*host
}

func (h *hosts) of(u *url.URL) *host {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := outbound.Origin(u)
	if h.by[key] == nil {
		h.by[key] = newHost()
	}
	return h.by[key]
}
