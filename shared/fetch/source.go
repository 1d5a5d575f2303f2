package fetch

import (
	"context"
	"net/http"
	"net/url"
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
	open     int   // connections that are for it
	bytes    int64 // kept of it
	meter    meter
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
