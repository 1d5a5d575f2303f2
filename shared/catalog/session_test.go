package catalog_test

import (
	"testing"
	"time"

	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/fault"
)

// session begins a download session on f's version, of that life.
func (s *store) session(f catalog.File, life time.Duration) (catalog.Session, error) {
	s.t.Helper()
	now := s.clock.Now()
	session := catalog.Session{
		ID: auth.NewID(now), User: s.owner, Owner: s.owner, File: f.ID, Version: f.Version.ID,
		CreatedAt: now, ExpiresAt: now.Add(life),
	}
	return session, s.CreateSession(s.t.Context(), session)
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

// A session on what is no longer current would come too late to pin it.
func TestASessionIsOnTheCurrentVersion(t *testing.T) {
	s := open(t)
	first := s.publish("a")
	second := s.publish("a")
	_, err := s.session(first, keep)
	wantFault(t, "a session on a replaced version", err, fault.Conflict, "contended")
	s.delete(second)
	_, err = s.session(second, keep)
	wantFault(t, "a session on a deleted file", err, fault.Conflict, "contended")
}
