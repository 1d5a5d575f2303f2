package account_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sluice/shared/account"
	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/fault"
	"sluice/shared/limit"
)

func TestALoginBringsAnIdentity(t *testing.T) {
	s := open(t)
	u := s.user("ada", auth.Guest)
	tokens := s.login("ada", password)
	if tokens.ExpiresIn != auth.AccessLifetime {
		t.Errorf("the access token expires in %v, want %v", tokens.ExpiresIn, auth.AccessLifetime)
	}
	i := s.identity(tokens.Access)
	if want := (auth.Subject{UserID: u.ID, Role: auth.Guest}); i.Subject() != want {
		t.Errorf("the identity is %+v, want %+v", i.Subject(), want)
	}
	if !(account.Identity{}).Subject().Anonymous() {
		t.Error("no identity is somebody")
	}
}

func TestTokensExpire(t *testing.T) {
	s := open(t)
	s.user("ada", auth.User)
	tokens := s.login("ada", password)
	s.clock.Advance(auth.AccessLifetime)
	s.identity(tokens.Access) // within the leeway
	s.clock.Advance(time.Minute)
	_, err := s.Authenticate(t.Context(), tokens.Access)
	wantFault(t, "an access token after its time", err, fault.Unauthenticated, "token_expired")
	s.clock.Advance(account.RefreshLifetime - 20*time.Minute)
	tokens = s.refresh(tokens.Refresh) // which gives it its lifetime anew
	s.clock.Advance(account.RefreshLifetime - 20*time.Minute)
	tokens = s.refresh(tokens.Refresh)
	s.clock.Advance(account.RefreshLifetime + time.Minute)
	_, err = s.Refresh(t.Context(), tokens.Refresh)
	wantFault(t, "a refresh token after its time", err, fault.Unauthenticated, "token_expired")
}

func TestTokensAreNotTakenForOneAnother(t *testing.T) {
	s := open(t)
	s.user("ada", auth.User)
	tokens := s.login("ada", password)
	_, err := s.Authenticate(t.Context(), tokens.Refresh)
	wantFault(t, "a refresh token as an access token", err, fault.Unauthenticated, "token_invalid")
	_, err = s.Refresh(t.Context(), tokens.Access)
	wantFault(t, "an access token as a refresh token", err, fault.Unauthenticated, "token_invalid")
}

// Neither the answer nor the work tells who has an account.
func TestEveryFailedLoginIsTheSame(t *testing.T) {
	s := open(t)
	s.user("ada", auth.User)
	disabled := s.user("off", auth.User)
	s.disable(disabled.ID, true)
	for _, c := range []struct{ what, username, password string }{
		{"a wrong password", "ada", "a wrong password"},
		{"an empty password", "ada", ""},
		{"a long password", "ada", strings.Repeat("x", 50_000)},
		{"a disabled user", "off", password},
		{"a disabled user and a wrong password", "off", "a wrong password"},
		{"an unknown user", "eve", password},
		{"a name that none can have", "Ada!", password},
		{"an endless name", strings.Repeat("a", 50_000), password},
		{"a name that is not UTF-8", "\xff", password},
	} {
		before := s.Hasher.Hashed()
		_, err := s.Login(t.Context(), c.username, c.password, home)
		wantFault(t, c.what, err, fault.Unauthenticated, "wrong_credentials")
		if n := s.Hasher.Hashed() - before; n != 1 {
			t.Errorf("%s: %d hashes, want 1", c.what, n)
		}
	}
}

// spend takes tries at a user's password without the work of a hash.
func (s *service) spend(username string, tries int) {
	s.t.Helper()
	wait, err := s.Limits.Take(s.t.Context(), "login/user/"+username, limit.Rate{Burst: 20, Per: 10 * time.Second}, tries)
	if wait > 0 || err != nil {
		s.t.Fatalf("%d tries of 20: wait %v, %v", tries, wait, err)
	}
}

// wrong tries wrong passwords until it is throttled, and returns how often.
func (s *service) wrong(username string, from netip.Addr) int {
	s.t.Helper()
	for n := 0; ; n++ {
		_, err := s.Login(s.t.Context(), username, "a wrong password", from)
		if !fault.Is(err, fault.Unauthenticated, "wrong_credentials") {
			wantFault(s.t, "a wrong password too many", err, fault.TooManyRequests, "login_throttled")
			return n
		}
	}
}

func TestWrongPasswordsAreThrottledByUser(t *testing.T) {
	s := open(t)
	s.user("ada", auth.User)
	s.user("bob", auth.User)
	other := netip.MustParseAddr("198.51.100.7")
	if n := s.wrong("ada", home); n != 20 {
		t.Errorf("%d wrong passwords were taken, want 20", n)
	}
	before := s.Hasher.Hashed()
	_, err := s.Login(t.Context(), "ada", password, other)
	wantFault(t, "the right password of a throttled user, from elsewhere", err, fault.TooManyRequests, "login_throttled")
	if n := s.Hasher.Hashed() - before; n != 0 {
		t.Errorf("a throttled login cost %d hashes, want none", n)
	}
	var f *fault.Error
	if f, _ = err.(*fault.Error); f == nil || f.RetryAfter <= 0 || f.RetryAfter > 10*time.Second {
		t.Errorf("a throttled login may come back after %+v, want within 10 s", f)
	}
	s.login("bob", password)
	s.clock.Advance(f.RetryAfter)
	for range 3 { // the right one does not count
		s.login("ada", password)
	}
	if n := s.wrong("ada", home); n != 1 {
		t.Errorf("%d wrong passwords were taken after the wait, want 1", n)
	}
}

func TestUnknownUsersAreThrottledAlike(t *testing.T) {
	s := open(t)
	s.spend("eve", 18)
	if n := s.wrong("eve", home); n != 2 {
		t.Errorf("%d tries at an unknown user were taken after 18, want 2", n)
	}
	// Names that none can have share a count, so that they cannot fill memory.
	s.spend("", 17)
	for i := range 3 {
		_, err := s.Login(t.Context(), fmt.Sprintf("NO SUCH %d", i), password, home)
		wantFault(t, "a name that none can have", err, fault.Unauthenticated, "wrong_credentials")
	}
	_, err := s.Login(t.Context(), "NOR THIS", password, home)
	wantFault(t, "one more of them", err, fault.TooManyRequests, "login_throttled")
}

func TestWrongPasswordsAreThrottledByAddress(t *testing.T) {
	s := open(t)
	s.user("ada", auth.User)
	// All but three of the tries are taken without the work of a hash.
	wait, err := s.Limits.Take(t.Context(), "login/address/2001:db8::/64", limit.Rate{Burst: 100, Per: time.Second}, 97)
	if wait > 0 || err != nil {
		t.Fatalf("97 tries of a hundred: wait %v, %v", wait, err)
	}
	for i := range 3 {
		_, err := s.Login(t.Context(), fmt.Sprintf("user%d", i), "a wrong password", netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", i)))
		wantFault(t, "a wrong password", err, fault.Unauthenticated, "wrong_credentials")
	}
	_, err = s.Login(t.Context(), "ada", password, netip.MustParseAddr("2001:db8::ffff"))
	wantFault(t, "another user from the same network", err, fault.TooManyRequests, "login_throttled")
	if _, err := s.Login(t.Context(), "ada", password, netip.MustParseAddr("2001:db8:0:1::1")); err != nil {
		t.Errorf("from the next network: %v", err)
	}
	s.clock.Advance(time.Second)
	if _, err := s.Login(t.Context(), "ada", password, netip.MustParseAddr("2001:db8::ffff")); err != nil {
		t.Errorf("a second later: %v", err)
	}
}

// A password that was not checked tells nobody anything, so it is no try.
func TestAPasswordThatWasNotCheckedDoesNotCount(t *testing.T) {
	s := open(t)
	s.user("ada", auth.User)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	i := s.identity(s.login("ada", password).Access)
	for range 30 {
		_, err := s.Login(ctx, "ada", "a wrong password", home)
		if err == nil || fault.KindOf(err) == fault.Unauthenticated {
			t.Fatalf("a login whose request had ended: %v", err)
		}
	}
	busy := s.another(auth.NewHasher(0, 0))
	busy.Limits = s.Limits
	wrong, next := "a wrong password", "another password"
	for range 30 {
		_, err := busy.Login(t.Context(), "ada", wrong, home)
		wantFault(t, "a login to a server that is busy", err, fault.Unavailable, "busy")
		_, err = busy.ChangeProfile(t.Context(), i, account.ProfileChange{Password: &next, OldPassword: &wrong})
		wantFault(t, "a new password on a server that is busy", err, fault.Unavailable, "busy")
	}
	s.spend("ada", 18)
	if n := s.wrong("ada", home); n != 2 {
		t.Errorf("%d wrong passwords were taken after 18, want 2", n)
	}
}

func TestALogoutEndsItsLoginAlone(t *testing.T) {
	s := open(t)
	s.user("ada", auth.User)
	ended, other := s.login("ada", password), s.login("ada", password)
	i := s.identity(ended.Access)
	if err := s.Still(t.Context(), i); err != nil {
		t.Errorf("before the logout: %v", err)
	}
	if err := s.Logout(t.Context(), i); err != nil {
		t.Fatal(err)
	}
	wantFault(t, "going on after the logout", s.Still(t.Context(), i), fault.Unauthenticated, "login_ended")
	s.wantEnded("a login that ended", ended)
	s.wantGood("another login", other)
}

func TestOtherServersNoticeALogoutInTime(t *testing.T) {
	s := open(t)
	s.user("ada", auth.User)
	tokens := s.login("ada", password)
	other := s.another(s.Hasher)
	i, err := other.Authenticate(t.Context(), tokens.Access)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Logout(t.Context(), i); err != nil {
		t.Fatal(err)
	}
	_, err = other.Refresh(t.Context(), tokens.Refresh)
	wantFault(t, "the refresh token, at once", err, fault.Unauthenticated, "login_ended")
	s.clock.Advance(catalog.MaxAge)
	_, err = other.Authenticate(t.Context(), tokens.Access)
	wantFault(t, "the access token, in time", err, fault.Unauthenticated, "login_ended")
}
