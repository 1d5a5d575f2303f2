package account_test

import (
	"sync"
	"testing"
	"time"

	"sluice/shared/auth"
	"sluice/shared/fault"
)

func TestARefreshReplacesTheToken(t *testing.T) {
	s := open(t)
	s.user("ada", auth.User)
	first := s.login("ada", password)
	second := s.refresh(first.Refresh)
	if second.Refresh == first.Refresh || second.Access == first.Access {
		t.Error("a refresh brought a token of before")
	}
	s.identity(first.Access) // an access token lives its time
	s.wantGood("the refreshed login", second)
}

// The answer was lost, or two tabs came at once: nothing happened.
func TestATokenJustReplacedDoesNoHarm(t *testing.T) {
	s := open(t)
	s.user("ada", auth.User)
	first := s.login("ada", password)
	second := s.refresh(first.Refresh)
	for range 3 {
		_, err := s.Refresh(t.Context(), first.Refresh)
		wantFault(t, "the token just replaced", err, fault.Conflict, "refresh_superseded")
	}
	s.clock.Advance(10 * time.Second)
	_, err := s.Refresh(t.Context(), first.Refresh)
	wantFault(t, "the token replaced 10 s ago", err, fault.Conflict, "refresh_superseded")
	s.wantGood("the login", second)
}

func TestATokenThatWasCopiedEndsTheLogin(t *testing.T) {
	for _, c := range []struct {
		name  string
		later time.Duration // when the first token comes again
		uses  int           // how often the login was refreshed before
	}{
		{"replaced more than 10 s ago", 10*time.Second + time.Millisecond, 1},
		{"replaced long ago", 24 * time.Hour, 1},
		{"replaced twice", 0, 2},
		{"replaced many times", time.Minute, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			s.user("ada", auth.User)
			other := s.login("ada", password)
			first := s.login("ada", password)
			last := first
			for range c.uses {
				last = s.refresh(last.Refresh)
			}
			s.clock.Advance(c.later)
			_, err := s.Refresh(t.Context(), first.Refresh)
			wantFault(t, "the first token", err, fault.Unauthenticated, "refresh_reused")
			_, err = s.Refresh(t.Context(), last.Refresh)
			wantFault(t, "the newest token of that login", err, fault.Unauthenticated, "login_ended")
			s.refresh(other.Refresh)
		})
	}
}

func TestOneOfManyRefreshesWins(t *testing.T) {
	s := open(t)
	s.user("ada", auth.User)
	tokens := s.login("ada", password)
	const tabs = 200
	won := make(chan string, tabs)
	other := s.another(s.Hasher)
	var wg sync.WaitGroup
	for i := range tabs {
		server := s.Service
		if i%2 == 1 {
			server = other
		}
		wg.Go(func() {
			next, err := server.Refresh(t.Context(), tokens.Refresh)
			if err == nil {
				won <- next.Refresh
			} else if !fault.Is(err, fault.Conflict, "refresh_superseded") {
				t.Errorf("refresh: %v, want refresh_superseded", err)
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Fatalf("%d of %d refreshes won, want 1", len(won), tabs)
	}
	s.refresh(<-won)
}
