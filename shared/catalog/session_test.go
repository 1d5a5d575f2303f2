package catalog_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/fault"
)

// sessions is how many open sessions a user may have here.
const sessions = 10

// session begins a download session on f's version, of that life.
func (s *store) session(f catalog.File, life time.Duration) (catalog.Session, error) {
	s.t.Helper()
	now := s.clock.Now()
	session := catalog.Session{
		ID: auth.NewID(now), User: s.owner, Owner: s.owner, File: f.ID, Version: f.Version.ID,
		CreatedAt: now, ExpiresAt: now.Add(life),
	}
	return s.CreateSession(s.t.Context(), session, sessions)
}

func (s *store) mustSession(f catalog.File, life time.Duration) catalog.Session {
	s.t.Helper()
	session, err := s.session(f, life)
	if err != nil {
		s.t.Fatalf("begin a session: %v", err)
	}
	return session
}

func TestASessionPinsAReplacedVersion(t *testing.T) {
	s := open(t)
	first := s.publish("a")
	s.mustSession(first, 2*keep)
	s.mustSession(first, 3*keep)
	second := s.publish("a")
	s.clock.Advance(keep + 2*time.Second)
	s.sweep()
	s.wantBlobs("its own time over, two sessions pin it", first.Version.Key, second.Version.Key)
	s.clock.Advance(keep)
	s.sweep()
	s.wantBlobs("one session over", first.Version.Key, second.Version.Key)
	if _, err := s.Restore(t.Context(), first.ID, first.Version.ID, nil); err != nil {
		t.Errorf("restore a version that is kept for a session: %v", err)
	}
	s.clock.Advance(keep + time.Second)
	s.sweep()
	s.wantBlobs("restored, and the other replaced", first.Version.Key)
}

func TestASessionPinsADeletedFile(t *testing.T) {
	s := open(t)
	f := s.publish("a")
	s.mustSession(f, 3*keep)
	s.delete(f)
	s.clock.Advance(keep + 2*time.Second)
	s.sweep()
	s.wantBlobs("its own time over", f.Version.Key)
	if _, err := s.Undelete(t.Context(), f.ID, ""); err != nil {
		t.Errorf("undelete a file that is kept for a session: %v", err)
	}
	s.delete(f)
	s.clock.Advance(3*keep + 2*time.Second)
	s.sweep()
	s.wantBlobs("the session over")
	s.wantItems("FILE#"+f.ID, 0)
}

func TestAnEndedSessionPinsNothing(t *testing.T) {
	s := open(t)
	f := s.publish("a")
	session := s.mustSession(f, 3*keep)
	s.delete(f)
	if err := s.EndSession(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(keep + 2*time.Second)
	s.sweep()
	s.wantBlobs("ended by its user")
	_, err := s.RenewSession(t.Context(), session.ID, s.clock.Now().Add(keep))
	wantFault(t, "renew an ended session", err, fault.NotFound, "not_found")
}

func TestOpenSessionsAreThoseOfTheUser(t *testing.T) {
	s := open(t)
	f := s.publish("a")
	want := func(when string, want ...catalog.Session) {
		t.Helper()
		got, err := s.OpenSessions(t.Context(), s.owner)
		ids := func(all []catalog.Session) (ids []string) {
			for _, session := range all {
				ids = append(ids, session.ID)
			}
			return ids
		}
		if err != nil || !slices.Equal(ids(got), ids(want)) {
			t.Errorf("%s the open sessions are %q, %v; want %q", when, ids(got), err, ids(want))
		}
	}
	want("at first")
	var begun []catalog.Session
	for i := range 4 {
		begun = append(begun, s.mustSession(f, time.Duration(i+1)*keep))
		s.clock.Advance(time.Second)
	}
	want("of four", begun...)
	if err := s.EndSession(t.Context(), begun[1]); err != nil {
		t.Fatal(err)
	}
	want("when one was ended", begun[0], begun[2], begun[3])
	s.clock.Advance(keep)
	want("when one is over", begun[2], begun[3])
	if others, err := s.OpenSessions(t.Context(), auth.NewID(s.clock.Now())); err != nil || len(others) > 0 {
		t.Errorf("another user has %d sessions, %v; want none", len(others), err)
	}
}

func TestRenewingASession(t *testing.T) {
	s := open(t)
	f := s.publish("a")
	session := s.mustSession(f, keep)
	s.delete(f)
	for _, c := range []struct{ ask, want time.Duration }{
		{3 * keep, 3 * keep}, {2 * keep, 3 * keep}, {9 * keep, 7 * keep},
	} {
		renewed, err := s.RenewSession(t.Context(), session.ID, session.CreatedAt.Add(c.ask))
		if got := renewed.ExpiresAt.Sub(session.CreatedAt); err != nil || got != c.want {
			t.Errorf("renewed to %v it lasts %v, %v; want %v", c.ask, got, err, c.want)
		}
	}
	s.clock.Advance(7*keep - time.Second)
	s.sweep()
	s.wantBlobs("a second before its end", f.Version.Key)
	s.clock.Advance(3 * time.Second)
	_, err := s.Session(t.Context(), session.ID)
	wantFault(t, "a session that is over", err, fault.NotFound, "not_found")
	s.sweep()
	s.wantBlobs("over")
}

func TestASessionPinsAVersionThatWasReplacedBefore(t *testing.T) {
	s := open(t)
	first := s.publish("a")
	second := s.publish("a")
	s.mustSession(first, 3*keep)
	s.clock.Advance(keep + 2*time.Second)
	s.sweep()
	s.wantBlobs("its own time over", first.Version.Key, second.Version.Key)
	s.clock.Advance(2 * keep)
	s.sweep()
	s.wantBlobs("the session over", second.Version.Key)
}

func TestWhatNoSessionCanPin(t *testing.T) {
	s := open(t)
	first := s.publish("a")
	second := s.publish("a")
	s.clock.Advance(keep + time.Second)
	s.blobs.stuck = first.Version.Key
	_, err := s.Sweep(t.Context(), 10, nil, func(ctx context.Context, key string) error {
		_, err := s.session(first, keep)
		wantFault(t, "a session on a version that is going", err, fault.NotFound, "not_found")
		return s.blobs.remove(ctx, key)
	})
	if err == nil {
		t.Error("the sweep removed a blob that is stuck")
	}
	s.delete(second)
	_, err = s.session(second, keep)
	wantFault(t, "a session on a deleted file", err, fault.NotFound, "not_found")
	unknown := second
	unknown.Version.ID = auth.NewID(s.clock.Now())
	_, err = s.session(unknown, keep)
	wantFault(t, "a session on a version that never was", err, fault.NotFound, "not_found")
	s.wantItems("PINS#"+first.Version.ID, 0)
	s.wantItems("PINS#"+second.Version.ID, 0)
	s.wantItems("SESSIONS#"+s.owner, 0)
}

// Whichever comes first, a session or the removal: what a session was begun on
// stays.
func TestASessionAndASweepCannotBothWin(t *testing.T) {
	s := open(t)
	const files = 60
	var replaced []catalog.File
	for i := range files {
		replaced = append(replaced, s.publish(strconv.Itoa(i)))
		s.publish(strconv.Itoa(i))
	}
	s.clock.Advance(keep + time.Second)
	pinned := make([]bool, files)
	var wg sync.WaitGroup
	for i, f := range replaced {
		wg.Go(func() {
			now := s.clock.Now()
			_, err := s.another().CreateSession(t.Context(), catalog.Session{
				ID: auth.NewID(now), User: s.owner, Owner: s.owner, File: f.ID, Version: f.Version.ID, CreatedAt: now, ExpiresAt: now.Add(keep),
			}, files)
			pinned[i] = err == nil
			if err != nil && !fault.Is(err, fault.NotFound, "") {
				t.Errorf("begin a session: %v, want it there or gone", err)
			}
		})
	}
	wg.Go(func() {
		if _, err := s.another().Sweep(t.Context(), files, nil, s.blobs.remove); err != nil {
			t.Errorf("sweep: %v", err)
		}
	})
	wg.Wait()
	left := s.blobs.keys()
	for i, f := range replaced {
		if pinned[i] && !slices.Contains(left, f.Version.Key) {
			t.Errorf("file %d has a session, and its blob is gone", i)
		}
	}
}

func TestAUserHasSoManySessionsAndNoMore(t *testing.T) {
	s := open(t)
	f := s.publish("a")
	var last catalog.Session
	for range sessions {
		last = s.mustSession(f, keep)
		s.clock.Advance(time.Second)
	}
	full := func(when string, want time.Duration) {
		t.Helper()
		_, err := s.session(f, keep)
		wantFault(t, when, err, fault.TooManyRequests, "too_many_sessions")
		if refused, ok := errors.AsType[*fault.Error](err); ok && refused.RetryAfter != want {
			t.Errorf("%s: come back after %v, want %v", when, refused.RetryAfter, want)
		}
	}
	full("one more", keep-sessions*time.Second)
	s.wantItems("PINS#"+f.Version.ID, sessions)
	if _, err := s.RenewSession(t.Context(), last.ID, s.clock.Now().Add(keep)); err != nil {
		t.Fatal(err)
	}
	full("one more after a renewal", keep-sessions*time.Second)
	for range 2 { // to end it twice frees one place
		if err := s.EndSession(t.Context(), last); err != nil {
			t.Fatal(err)
		}
	}
	s.mustSession(f, keep)
	full("one more after one was ended", keep-sessions*time.Second)
	s.clock.Advance(keep - sessions*time.Second)
	s.mustSession(f, keep)
	full("one more after the first was over", time.Second)
	s.clock.Advance(8 * keep)
	for range sessions {
		s.mustSession(f, keep)
	}
}

func TestOfManySessionsBegunAtOnceSoManyAreAllowed(t *testing.T) {
	s := open(t)
	f := s.publish("a")
	servers := []*catalog.Catalog{s.another(), s.another()}
	var begun atomic.Int32
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			now := s.clock.Now()
			_, err := servers[i%2].CreateSession(t.Context(), catalog.Session{
				ID: auth.NewID(now), User: s.owner, Owner: s.owner, File: f.ID, Version: f.Version.ID, CreatedAt: now, ExpiresAt: now.Add(keep),
			}, sessions)
			switch {
			case err == nil:
				begun.Add(1)
			case !fault.Is(err, fault.TooManyRequests, "too_many_sessions"):
				t.Errorf("begin a session: %v, want too_many_sessions", err)
			}
		})
	}
	wg.Wait()
	if begun.Load() != sessions {
		t.Errorf("%d of 60 sessions were begun, want %d", begun.Load(), sessions)
	}
	s.wantItems("PINS#"+f.Version.ID, sessions)
}
