package catalog_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/fault"
)

func TestAUsernameIsTakenOnce(t *testing.T) {
	s := open(t)
	made := make([]bool, 50)
	var wg sync.WaitGroup
	for i := range made {
		wg.Go(func() {
			_, err := s.CreateUser(t.Context(), catalog.User{ID: auth.NewID(s.clock.Now()), Username: "bob"})
			made[i] = err == nil
			if err != nil && !fault.Is(err, fault.Conflict, "username_taken") {
				t.Errorf("create: %v, want username_taken", err)
			}
		})
	}
	wg.Wait()
	if n := count(made); n != 1 {
		t.Errorf("%d users got the name, want 1", n)
	}
}

func TestUsersArePagedByName(t *testing.T) {
	s := open(t)
	var want []string
	for i := range 7 {
		want = append(want, s.user(fmt.Sprintf("user-%d", i)).Username)
	}
	want = append([]string{"ada"}, want...)
	for _, limit := range []int{1, 3, 8, 100} {
		var got []string
		for after, more := "", true; more; {
			users, another, err := s.Users(t.Context(), after, limit)
			if err != nil || len(users) > limit {
				t.Fatalf("%d users, %v; want at most %d", len(users), err, limit)
			}
			for _, u := range users {
				got, after = append(got, u.Username), u.Username
			}
			more = another
		}
		if !slices.Equal(got, want) {
			t.Errorf("by %d: %q, want %q", limit, got, want)
		}
	}
}

func TestNoUpdateIsLost(t *testing.T) {
	s := open(t)
	u := s.user("bob")
	const updates = 100
	var wg sync.WaitGroup
	for range updates {
		wg.Go(func() {
			if _, err := s.UpdateUser(t.Context(), u.ID, func(u *catalog.User) error { u.Epoch++; return nil }); err != nil {
				t.Errorf("update: %v", err)
			}
		})
	}
	wg.Wait()
	if got, err := s.User(t.Context(), u.ID); err != nil || got.Epoch != updates {
		t.Errorf("after %d updates the epoch is %d, %v", updates, got.Epoch, err)
	}
}

func TestADeletedUserIsGone(t *testing.T) {
	s := open(t)
	u := s.user("bob")
	if err := s.DeleteUser(t.Context(), u.ID); err != nil {
		t.Fatal(err)
	}
	_, err := s.User(t.Context(), u.ID)
	wantFault(t, "by id", err, fault.NotFound, "not_found")
	_, err = s.UserByName(t.Context(), "bob")
	wantFault(t, "by name", err, fault.NotFound, "not_found")
	wantFault(t, "deleting again", s.DeleteUser(t.Context(), u.ID), fault.NotFound, "not_found")
	if again := s.user("bob"); again.ID == u.ID {
		t.Error("a new user of that name has the old id")
	}
}

func TestAUserWithFilesStays(t *testing.T) {
	s := open(t)
	before, err := s.User(t.Context(), s.owner)
	if err != nil {
		t.Fatal(err)
	}
	f := s.publish("a")
	s.clock.Advance(time.Minute)
	wantFault(t, "deleting a user with a file", s.DeleteUser(t.Context(), s.owner), fault.Conflict, "user_has_files")
	if after, err := s.User(t.Context(), s.owner); err != nil || !after.UpdatedAt.Equal(before.UpdatedAt) {
		t.Errorf("after the refusal: %+v, %v; want %+v", after, err, before)
	}
	s.publish("b")
	s.delete(f)
	f, err = s.FileAt(t.Context(), s.owner, "b")
	if err != nil {
		t.Fatal(err)
	}
	s.delete(f)
	if err := s.DeleteUser(t.Context(), s.owner); err != nil {
		t.Errorf("deleting a user without files: %v", err)
	}
}

// Other servers see a change at the latest when their cache is old; the one
// that made it at once.
func TestAChangeIsSeenInTime(t *testing.T) {
	s := open(t)
	u := s.user("bob")
	other := s.another()
	disabled := func(c *catalog.Catalog) bool {
		t.Helper()
		u, err := c.UserByName(t.Context(), "bob")
		if err != nil {
			t.Fatal(err)
		}
		return u.Disabled
	}
	if disabled(s.Catalog) || disabled(other) {
		t.Fatal("a new user is disabled")
	}
	if _, err := s.UpdateUser(t.Context(), u.ID, func(u *catalog.User) error { u.Disabled = true; return nil }); err != nil {
		t.Fatal(err)
	}
	if !disabled(s.Catalog) {
		t.Error("the server that disabled the user does not see it")
	}
	s.clock.Advance(catalog.MaxAge)
	if !disabled(other) {
		t.Errorf("after %v another server does not see it", catalog.MaxAge)
	}
}

// What was read before a clock was set back is of no known age, and is read
// again.
func TestAChangeIsSeenAfterTheClockWasSetBack(t *testing.T) {
	s := open(t)
	other := s.another()
	if _, err := other.User(t.Context(), s.owner); err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(-24 * time.Hour)
	_, err := s.UpdateUser(t.Context(), s.owner, func(u *catalog.User) error { u.Disabled = true; return nil })
	if err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(catalog.MaxAge)
	if u, err := other.User(t.Context(), s.owner); err != nil || !u.Disabled {
		t.Errorf("another server has the user disabled: %v, %v, want true", u.Disabled, err)
	}
}

func TestALoginEnds(t *testing.T) {
	s := open(t)
	login := func() catalog.Login {
		t.Helper()
		now := s.clock.Now()
		l := catalog.Login{ID: auth.NewID(now), UserID: s.owner, Generation: 1, CreatedAt: now, RotatedAt: now, ExpiresAt: now.Add(time.Hour)}
		if err := s.CreateLogin(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Login(t.Context(), l.ID); err != nil || got != l {
			t.Fatalf("the login is %+v, %v; want %+v", got, err, l)
		}
		return l
	}
	revoked, expired := login(), login()
	if err := s.RevokeLogin(t.Context(), revoked.ID); err != nil {
		t.Fatal(err)
	}
	_, err := s.Login(t.Context(), revoked.ID)
	wantFault(t, "a revoked login", err, fault.NotFound, "not_found")
	won, err := s.RotateLogin(t.Context(), revoked, revoked)
	if won || err != nil {
		t.Errorf("rotating a revoked login: %v, %v; want it lost", won, err)
	}
	s.clock.Advance(time.Hour)
	_, err = s.Login(t.Context(), expired.ID)
	wantFault(t, "an expired login", err, fault.NotFound, "not_found")
}

func TestOneOfManyRotationsWins(t *testing.T) {
	s := open(t)
	now := s.clock.Now()
	l := catalog.Login{ID: auth.NewID(now), UserID: s.owner, Epoch: 3, Generation: 1, ExpiresAt: now.Add(time.Hour)}
	if err := s.CreateLogin(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	next := l
	next.Generation, next.ExpiresAt = 2, now.Add(2*time.Hour)
	won := make([]bool, 50)
	var wg sync.WaitGroup
	for i := range won {
		wg.Go(func() {
			var err error
			if won[i], err = s.RotateLogin(t.Context(), l, next); err != nil {
				t.Errorf("rotate: %v", err)
			}
		})
	}
	wg.Wait()
	if n := count(won); n != 1 {
		t.Errorf("%d rotations won, want 1", n)
	}
	if got, err := s.Login(t.Context(), l.ID); err != nil || got != next {
		t.Errorf("the login is %+v, %v; want %+v", got, err, next)
	}
}
