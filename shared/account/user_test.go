package account_test

import (
	"strings"
	"sync"
	"testing"

	"sluice/shared/account"
	"sluice/shared/auth"
	"sluice/shared/fault"
)

func (s *service) disable(id string, disabled bool) {
	s.t.Helper()
	if _, err := s.ChangeUser(s.t.Context(), account.Identity{}, id, account.UserChange{Disabled: &disabled}); err != nil {
		s.t.Fatal(err)
	}
}

func TestTheFirstStartMakesTheAdmin(t *testing.T) {
	s := open(t)
	made, err := s.EnsureAdmin(t.Context(), "")
	if err != nil || len(made) < 20 {
		t.Fatalf("the first start made up a password of %d bytes, %v", len(made), err)
	}
	if i := s.identity(s.login("admin", made).Access); i.User.Role != auth.Admin {
		t.Errorf("the first user is a %s, want an admin", i.User.Role)
	}
	again, err := s.EnsureAdmin(t.Context(), "another password")
	if again != "" || err != nil {
		t.Errorf("a later start made a password: %v, %v", again != "", err)
	}
	s.login("admin", made)
}

func TestTheFirstStartTakesAPassword(t *testing.T) {
	s := open(t)
	if _, err := s.EnsureAdmin(t.Context(), "short"); !fault.Is(err, fault.Invalid, "invalid_field") {
		t.Errorf("a password that is too short: %v, want invalid_field", err)
	}
	if made, err := s.EnsureAdmin(t.Context(), password); made != password || err != nil {
		t.Errorf("the password given was taken: %v, %v", made == password, err)
	}
	s.login("admin", password)
}

func TestServersMayStartAtOnce(t *testing.T) {
	s := open(t)
	made := make(chan string, 4)
	var wg sync.WaitGroup
	for range cap(made) {
		wg.Go(func() {
			p, err := s.another(s.Hasher).EnsureAdmin(t.Context(), "")
			if err != nil {
				t.Errorf("make the admin: %v", err)
			}
			if p != "" {
				made <- p
			}
		})
	}
	wg.Wait()
	if len(made) != 1 {
		t.Fatalf("%d servers made the admin, want 1", len(made))
	}
	s.login("admin", <-made)
}

func TestAUserIsMadeRightOrNotAtAll(t *testing.T) {
	s := open(t)
	s.user("ada", auth.User)
	for _, c := range []struct {
		what  string
		user  account.NewUser
		field string // "" where the name is taken
	}{
		{"no name", account.NewUser{Username: "", Password: password, Role: auth.User}, "username"},
		{"a name in capitals", account.NewUser{Username: "Bob", Password: password, Role: auth.User}, "username"},
		{"a name with a slash", account.NewUser{Username: "a/b", Password: password, Role: auth.User}, "username"},
		{"a name of 33", account.NewUser{Username: strings.Repeat("a", 33), Password: password, Role: auth.User}, "username"},
		{"a short password", account.NewUser{Username: "bob", Password: "1234567", Role: auth.User}, "password"},
		{"an endless password", account.NewUser{Username: "bob", Password: strings.Repeat("x", 257), Role: auth.User}, "password"},
		{"no role", account.NewUser{Username: "bob", Password: password}, "role"},
		{"an unknown role", account.NewUser{Username: "bob", Password: password, Role: "root"}, "role"},
		{"an endless display name", account.NewUser{Username: "bob", Password: password, Role: auth.User, DisplayName: strings.Repeat("x", 201)}, "display_name"},
		{"a display name with a line break", account.NewUser{Username: "bob", Password: password, Role: auth.User, DisplayName: "a\nb"}, "display_name"},
		{"a display name that is not UTF-8", account.NewUser{Username: "bob", Password: password, Role: auth.User, DisplayName: "\xff"}, "display_name"},
		{"a name that is taken", account.NewUser{Username: "ada", Password: password, Role: auth.User}, ""},
	} {
		_, err := s.CreateUser(t.Context(), c.user)
		f, _ := err.(*fault.Error)
		switch {
		case f == nil, c.field == "" && f.Code != "username_taken", c.field != f.Field:
			t.Errorf("%s: %v, want a fault of %q", c.what, err, c.field)
		}
	}
	users, _, err := s.Catalog.Users(t.Context(), "", 10)
	if err != nil || len(users) != 1 {
		t.Errorf("there are %d users, %v; want ada alone", len(users), err)
	}
}

func TestANewPasswordEndsTheOtherLogins(t *testing.T) {
	s := open(t)
	s.user("ada", auth.User)
	own, other := s.login("ada", password), s.login("ada", password)
	own = s.refresh(own.Refresh)
	const next = "another password"
	if _, err := s.ChangeProfile(t.Context(), s.identity(own.Access), account.ProfileChange{Password: new(next), OldPassword: new(password)}); err != nil {
		t.Fatal(err)
	}
	s.wantGood("the login that changed it", own)
	s.wantEnded("another login", other)
	_, err := s.Login(t.Context(), "ada", password, home)
	wantFault(t, "the old password", err, fault.Unauthenticated, "wrong_credentials")
	s.login("ada", next)
}

func TestANewPasswordNeedsTheOldOne(t *testing.T) {
	s := open(t)
	s.user("ada", auth.User)
	tokens := s.login("ada", password)
	i := s.identity(tokens.Access)
	for _, c := range []struct {
		what   string
		change account.ProfileChange
		kind   fault.Kind
		code   string
	}{
		{"without the old one", account.ProfileChange{Password: new("another password")}, fault.Invalid, "invalid_field"},
		{"with a wrong one", account.ProfileChange{Password: new("another password"), OldPassword: new("a wrong password")}, fault.Forbidden, "wrong_password"},
		{"too short", account.ProfileChange{Password: new("short"), OldPassword: new(password)}, fault.Invalid, "invalid_field"},
		{"with a bad display name", account.ProfileChange{Password: new("another password"), OldPassword: new(password), DisplayName: new("\n")}, fault.Invalid, "invalid_field"},
	} {
		_, err := s.ChangeProfile(t.Context(), i, c.change)
		wantFault(t, "a new password "+c.what, err, c.kind, c.code)
	}
	s.wantGood("the login", tokens)
	s.login("ada", password)
}

// A token that was stolen does not open a way to guess the password.
func TestOldPasswordsAreThrottled(t *testing.T) {
	s := open(t)
	s.user("ada", auth.User)
	i := s.identity(s.login("ada", password).Access)
	change := account.ProfileChange{Password: new("another password"), OldPassword: new("a wrong password")}
	s.spend("ada", 18)
	for range 2 {
		_, err := s.ChangeProfile(t.Context(), i, change)
		wantFault(t, "a wrong old password", err, fault.Forbidden, "wrong_password")
	}
	change.OldPassword = new(password)
	_, err := s.ChangeProfile(t.Context(), i, change)
	wantFault(t, "the right one after 20 wrong ones", err, fault.TooManyRequests, "login_throttled")
	_, err = s.Login(t.Context(), "ada", password, home)
	wantFault(t, "a login after them", err, fault.TooManyRequests, "login_throttled")
}

func TestOfTwoNewPasswordsAtOnceOneHolds(t *testing.T) {
	s := open(t)
	s.user("ada", auth.User)
	passwords := []string{"the first password", "the second password"}
	outcomes := make([]error, len(passwords))
	identities := []account.Identity{s.identity(s.login("ada", password).Access), s.identity(s.login("ada", password).Access)}
	var wg sync.WaitGroup
	for n, next := range passwords {
		wg.Go(func() {
			_, outcomes[n] = s.ChangeProfile(t.Context(), identities[n], account.ProfileChange{Password: &next, OldPassword: new(password)})
		})
	}
	wg.Wait()
	for n, next := range passwords {
		_, err := s.Login(t.Context(), "ada", next, home)
		if (outcomes[n] == nil) != (err == nil) {
			t.Errorf("the change to password %d: %v; a login with it: %v", n, outcomes[n], err)
		}
	}
	if (outcomes[0] == nil) == (outcomes[1] == nil) {
		t.Errorf("the changes: %v, %v; want one to hold", outcomes[0], outcomes[1])
	}
}

func TestAnAdminsResetEndsEveryLogin(t *testing.T) {
	s := open(t)
	u := s.user("ada", auth.User)
	tokens := s.login("ada", password)
	if _, err := s.ChangeUser(t.Context(), account.Identity{}, u.ID, account.UserChange{Password: new("another password")}); err != nil {
		t.Fatal(err)
	}
	s.wantEnded("a login of before", tokens)
	s.login("ada", "another password")
}

func TestADisabledUserIsOut(t *testing.T) {
	s := open(t)
	u := s.user("ada", auth.User)
	tokens := s.login("ada", password)
	s.disable(u.ID, true)
	s.wantEnded("a disabled user", tokens)
	_, err := s.Login(t.Context(), "ada", password, home)
	wantFault(t, "a login of a disabled user", err, fault.Unauthenticated, "wrong_credentials")
	s.disable(u.ID, false)
	s.wantEnded("a user who was disabled", tokens)
	s.wantGood("a new login", s.login("ada", password))
}

func TestARoleHoldsAtOnce(t *testing.T) {
	s := open(t)
	u := s.user("ada", auth.User)
	tokens := s.login("ada", password)
	if _, err := s.ChangeUser(t.Context(), account.Identity{}, u.ID, account.UserChange{Role: new(auth.Guest)}); err != nil {
		t.Fatal(err)
	}
	if i := s.identity(tokens.Access); i.Subject().Role != auth.Guest {
		t.Errorf("the token of a user who became a guest is of a %s", i.Subject().Role)
	}
}

func TestAnAdminIsAlwaysLeft(t *testing.T) {
	s := open(t)
	u := s.user("root", auth.Admin)
	self := account.Identity{User: u}
	for what, change := range map[string]account.UserChange{
		"disable": {Disabled: new(true)}, "demote to user": {Role: new(auth.User)}, "demote to guest": {Role: new(auth.Guest)},
	} {
		_, err := s.ChangeUser(t.Context(), self, u.ID, change)
		wantFault(t, what+" oneself", err, fault.Conflict, "own_account")
	}
	wantFault(t, "delete oneself", s.DeleteUser(t.Context(), self, u.ID), fault.Conflict, "own_account")
	if _, err := s.ChangeUser(t.Context(), self, u.ID, account.UserChange{DisplayName: new("Root"), Role: new(auth.Admin), Disabled: new(false)}); err != nil {
		t.Errorf("changing one's display name: %v", err)
	}
	s.login("root", password)
}

func TestADeletedUserIsOut(t *testing.T) {
	s := open(t)
	u := s.user("ada", auth.User)
	tokens := s.login("ada", password)
	i := s.identity(tokens.Access)
	if err := s.DeleteUser(t.Context(), account.Identity{}, u.ID); err != nil {
		t.Fatal(err)
	}
	s.wantEnded("a deleted user", tokens)
	_, err := s.ChangeProfile(t.Context(), i, account.ProfileChange{DisplayName: new("Ada")})
	wantFault(t, "a change of a deleted user", err, fault.Unauthenticated, "login_ended")
	s.user("ada", auth.User)
	s.wantEnded("a deleted user whose name is taken again", tokens)
}
