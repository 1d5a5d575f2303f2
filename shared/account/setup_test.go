package account_test

import (
	"crypto/rand"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"sluice/shared/account"
	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/fault"
	"sluice/shared/limit/memorylimit"
	"sluice/shared/table"
	"sluice/shared/table/bolttable"
)

// password is that of every user in these tests.
const password = "a password for tests"

// home is where logins come from, unless a test says otherwise.
var home = netip.MustParseAddr("192.0.2.1")

// clock is a clock that is set by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// service is an account.Service with a store and limits of its own.
type service struct {
	*account.Service
	t     *testing.T
	clock *clock
	table *table.Table
	key   auth.TokenKey
}

func open(t *testing.T) *service {
	t.Helper()
	file, err := bolttable.Open(filepath.Join(t.TempDir(), "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
	c := &clock{now: time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)}
	seed := make([]byte, 32)
	_, _ = rand.Read(seed) // never fails
	s := &service{
		t: t, clock: c, table: table.New(file.Table("domain"), c.Now),
		key: auth.TokenKey{ID: auth.NewID(c.Now()), Seed: auth.NewSecret(seed)},
	}
	s.Service = s.another(auth.NewHasher(2, 300))
	return s
}

// another returns a service on the same store with the same keys, as another
// server has it.
func (s *service) another(h *auth.Hasher) *account.Service {
	s.t.Helper()
	cat, err := catalog.Open(s.t.Context(), s.table, catalog.Options{Clock: s.clock.Now})
	if err != nil {
		s.t.Fatal(err)
	}
	public, err := s.key.Public()
	if err != nil {
		s.t.Fatal(err)
	}
	authority := auth.Authority{Issuer: "sluice", Audience: "sluice"}
	signer, err := auth.NewSigner(authority, s.key, s.clock.Now)
	if err != nil {
		s.t.Fatal(err)
	}
	verifier, err := auth.NewVerifier(authority, s.clock.Now, public)
	if err != nil {
		s.t.Fatal(err)
	}
	verified, err := auth.NewCache(verifier, 1000)
	if err != nil {
		s.t.Fatal(err)
	}
	limits, err := memorylimit.New(1000, s.clock.Now)
	if err != nil {
		s.t.Fatal(err)
	}
	return &account.Service{
		Catalog: cat, Signer: signer, Verifier: verifier, Verified: verified, Hasher: h, Limits: limits, Clock: s.clock.Now,
	}
}

func (s *service) user(name string, role auth.Role) catalog.User {
	s.t.Helper()
	u, err := s.CreateUser(s.t.Context(), account.NewUser{Username: name, Password: password, Role: role})
	if err != nil {
		s.t.Fatal(err)
	}
	return u
}

func (s *service) login(name, password string) account.Tokens {
	s.t.Helper()
	tokens, err := s.Login(s.t.Context(), name, password, home)
	if err != nil {
		s.t.Fatalf("log in as %s: %v", name, err)
	}
	return tokens
}

func (s *service) refresh(token string) account.Tokens {
	s.t.Helper()
	tokens, err := s.Refresh(s.t.Context(), token)
	if err != nil {
		s.t.Fatalf("refresh: %v", err)
	}
	return tokens
}

func (s *service) identity(access string) account.Identity {
	s.t.Helper()
	i, err := s.Authenticate(s.t.Context(), access)
	if err != nil {
		s.t.Fatalf("authenticate: %v", err)
	}
	return i
}

// wantGood fails the test unless both tokens of a login are good. It rotates
// the login, and returns the new tokens.
func (s *service) wantGood(what string, tokens account.Tokens) account.Tokens {
	s.t.Helper()
	if _, err := s.Authenticate(s.t.Context(), tokens.Access); err != nil {
		s.t.Errorf("the access token of %s: %v, want it good", what, err)
	}
	next, err := s.Refresh(s.t.Context(), tokens.Refresh)
	if err != nil {
		s.t.Errorf("the refresh token of %s: %v, want it good", what, err)
	}
	return next
}

// wantEnded fails the test unless both tokens of a login are refused.
func (s *service) wantEnded(what string, tokens account.Tokens) {
	s.t.Helper()
	_, err := s.Authenticate(s.t.Context(), tokens.Access)
	wantFault(s.t, "the access token of "+what, err, fault.Unauthenticated, "login_ended")
	_, err = s.Refresh(s.t.Context(), tokens.Refresh)
	wantFault(s.t, "the refresh token of "+what, err, fault.Unauthenticated, "login_ended")
}

// wantFault fails the test unless err is a fault of that kind and code.
func wantFault(t *testing.T, what string, err error, kind fault.Kind, code string) {
	t.Helper()
	if !fault.Is(err, kind, code) {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}
