package catalog_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"sluice/shared/catalog"
	"sluice/shared/fault"
)

func TestAKeptFileComesBackWithItsVersions(t *testing.T) {
	s := open(t)
	first := s.publish("a")
	s.clock.Advance(time.Hour)
	second := s.publish("a")
	s.delete(second)
	s.clock.Advance(time.Hour)
	f, err := s.Undelete(t.Context(), second.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	if f.Path != "a" || f.Version.ID != second.Version.ID || !f.Version.ModifiedAt.After(second.Version.ModifiedAt) {
		t.Errorf("the file came back as %+v", f)
	}
	if got, err := s.another().FileAt(t.Context(), s.owner, "a"); err != nil || got.ID != second.ID {
		t.Errorf("at its path is %s, %v", got.ID, err)
	}
	if _, err := s.Restore(t.Context(), f.ID, first.Version.ID, nil); err != nil {
		t.Errorf("restore what was replaced before: %v", err)
	}
	s.clock.Advance(keep + time.Hour)
	s.sweep()
	s.wantBlobs("of a file that came back", first.Version.Key)
}

func TestAKeptFileComesBackToAnotherPath(t *testing.T) {
	s := open(t)
	f := s.publish("a")
	s.delete(f)
	other := s.publish("a")
	_, err := s.Undelete(t.Context(), f.ID, "")
	wantFault(t, "to a path that is taken", err, fault.Conflict, "path_taken")
	if got, err := s.Undelete(t.Context(), f.ID, "b/c"); err != nil || got.Path != "b/c" {
		t.Errorf("to another path: %+v, %v", got, err)
	}
	for path, want := range map[string]string{"a": other.ID, "b/c": f.ID} {
		if got, err := s.another().FileAt(t.Context(), s.owner, path); err != nil || got.ID != want {
			t.Errorf("at %s is %s, %v; want %s", path, got.ID, err, want)
		}
	}
}

func TestWhatCannotComeBack(t *testing.T) {
	s := open(t)
	there := s.publish("there")
	_, err := s.Undelete(t.Context(), there.ID, "")
	wantFault(t, "a file that is there", err, fault.Conflict, "not_deleted")
	_, err = s.Undelete(t.Context(), "x", "")
	wantFault(t, "no id", err, fault.NotFound, "not_found")

	purged := s.publish("purged")
	s.delete(purged)
	s.clock.Advance(keep + 2*time.Second)
	s.sweep()
	_, err = s.Undelete(t.Context(), purged.ID, "")
	wantFault(t, "a file that was purged", err, fault.NotFound, "not_found")

	stuck := s.publish("stuck")
	s.delete(stuck)
	s.blobs.stuck = stuck.Version.Key
	s.clock.Advance(keep + 2*time.Second)
	if _, err := s.Sweep(t.Context(), 10, nil, s.blobs.remove); err == nil {
		t.Error("a stuck blob was swept")
	}
	_, err = s.Undelete(t.Context(), stuck.ID, "")
	wantFault(t, "a file that is being purged", err, fault.NotFound, "not_found")
}

func TestNothingComesBackToAUserWhoIsGone(t *testing.T) {
	s := open(t)
	f := s.publish("a")
	s.delete(f)
	if err := s.DeleteUser(t.Context(), s.owner); err != nil {
		t.Fatal(err)
	}
	_, err := s.Undelete(t.Context(), f.ID, "")
	wantFault(t, "to a deleted user", err, fault.NotFound, "not_found")
}

func TestAnExpiredFileComesBackWithoutAnEnd(t *testing.T) {
	for name, swept := range map[string]bool{"before the janitor saw it": false, "after": true} {
		s := open(t)
		f := s.publish("a")
		s.expire(f, s.clock.Now().Add(time.Hour))
		s.clock.Advance(time.Hour + 2*time.Second)
		if swept {
			s.sweep()
		}
		got, err := s.Undelete(t.Context(), f.ID, "")
		if err != nil || !got.ExpiresAt.IsZero() {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		s.clock.Advance(2 * keep)
		s.sweep()
		s.wantBlobs("of a file that came back "+name, f.Version.Key)
	}
}

func TestAFileThatComesBackInTimeStillExpires(t *testing.T) {
	s := open(t)
	f := s.publish("a")
	s.expire(f, s.clock.Now().Add(time.Hour))
	s.delete(f)
	if _, err := s.Undelete(t.Context(), f.ID, ""); err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(time.Hour + 2*time.Second)
	_, err := s.File(t.Context(), f.ID)
	wantFault(t, "after its end", err, fault.NotFound, "not_found")
	s.sweep()
	s.clock.Advance(keep + 2*time.Second)
	s.sweep()
	s.wantBlobs("of a file that came back and expired")
}

// Whoever takes the due item first, the janitor or the owner, wins.
func TestAnUndeleteAndASweepCannotBothWin(t *testing.T) {
	s := open(t)
	const files = 40
	deleted := make([]catalog.File, files)
	for i := range files {
		deleted[i] = s.publish(fmt.Sprint(i))
		s.delete(deleted[i])
	}
	s.clock.Advance(keep + time.Minute)
	back := make([]bool, files)
	var wg sync.WaitGroup
	for i, f := range deleted {
		wg.Go(func() {
			_, err := s.Undelete(t.Context(), f.ID, "")
			back[i] = err == nil
			if err != nil && !fault.Is(err, fault.NotFound, "not_found") {
				t.Errorf("undelete: %v, want not_found", err)
			}
		})
	}
	wg.Go(func() {
		if _, err := s.another().Sweep(t.Context(), files, nil, s.blobs.remove); err != nil {
			t.Errorf("sweep: %v", err)
		}
	})
	wg.Wait()
	var want []string
	for i, f := range deleted {
		if back[i] {
			want = append(want, f.Version.Key)
		}
		if _, err := s.another().File(t.Context(), f.ID); (err == nil) != back[i] {
			t.Errorf("file %d came back: %v, and now it is %v", i, back[i], err)
		}
	}
	s.wantBlobs("after the race", want...)
	s.wantItems("FILES#"+s.owner, len(want))
}
