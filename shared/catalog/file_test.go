package catalog_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/fault"
)

// move returns an edit that gives a file another path.
func move(to string) func(*catalog.File) error {
	return func(f *catalog.File) error { f.Path = to; return nil }
}

func TestAnIDThatIsNoneNamesNothing(t *testing.T) {
	s := open(t)
	for _, id := range []string{"", "x", "\xff", "\x00", strings.Repeat("0", 26) + "1", strings.Repeat("x", 3000), auth.NewID(s.clock.Now())} {
		_, err := s.File(t.Context(), id)
		wantFault(t, fmt.Sprintf("the file %.30q", id), err, fault.NotFound, "not_found")
		_, err = s.User(t.Context(), id)
		wantFault(t, fmt.Sprintf("the user %.30q", id), err, fault.NotFound, "not_found")
		_, err = s.Login(t.Context(), id)
		wantFault(t, fmt.Sprintf("the login %.30q", id), err, fault.NotFound, "not_found")
		_, err = s.UpdateFile(t.Context(), id, move("b"))
		wantFault(t, fmt.Sprintf("moving the file %.30q", id), err, fault.NotFound, "not_found")
		wantFault(t, fmt.Sprintf("deleting the file %.30q", id), s.DeleteFile(t.Context(), id, nil), fault.NotFound, "not_found")
	}
}

func TestAFileIsMoved(t *testing.T) {
	s := open(t)
	f := s.publish("old")
	other := s.another()
	if _, err := other.FileAt(t.Context(), s.owner, "old"); err != nil {
		t.Fatal(err)
	}
	moved, err := s.UpdateFile(t.Context(), f.ID, move("new/name"))
	if err != nil || moved.ID != f.ID || moved.Version.ID != f.Version.ID {
		t.Fatalf("the moved file is %+v, %v; want %+v under another path", moved, err, f)
	}
	if got, err := s.FileAt(t.Context(), s.owner, "new/name"); err != nil || got.ID != f.ID {
		t.Errorf("at the new path: %+v, %v", got, err)
	}
	_, err = s.FileAt(t.Context(), s.owner, "old")
	wantFault(t, "at the old path", err, fault.NotFound, "not_found")
	s.clock.Advance(catalog.MaxAge)
	_, err = other.FileAt(t.Context(), s.owner, "old")
	wantFault(t, "at the old path, for another server, when its cache is old", err, fault.NotFound, "not_found")
	if second := s.publish("old"); second.ID == f.ID {
		t.Error("a new file at the old path has the id of the moved one")
	}
}

func TestAPathHasOneFile(t *testing.T) {
	s := open(t)
	a, b := s.publish("a"), s.publish("b")
	_, err := s.UpdateFile(t.Context(), a.ID, move("b"))
	wantFault(t, "moving a file onto another", err, fault.Conflict, "path_taken")
	for path, want := range map[string]catalog.File{"a": a, "b": b} {
		if got, err := s.another().FileAt(t.Context(), s.owner, path); err != nil || got.ID != want.ID {
			t.Errorf("at %s: %+v, %v; want %+v", path, got, err, want)
		}
	}
}

func TestAPathIsFreeAgainOnceItsFileIsGone(t *testing.T) {
	for name, remove := range map[string]func(*store, catalog.File){
		"deleted": func(s *store, f catalog.File) { s.delete(f) },
		"expired": func(s *store, f catalog.File) {
			s.expire(f, s.clock.Now().Add(time.Minute))
			s.clock.Advance(time.Minute)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			f, mover := s.publish("a"), s.publish("b")
			remove(s, f)
			_, err := s.FileAt(t.Context(), s.owner, "a")
			wantFault(t, "the file", err, fault.NotFound, "not_found")
			wantFault(t, "deleting it again", s.DeleteFile(t.Context(), f.ID, nil), fault.NotFound, "not_found")
			_, err = s.UpdateFile(t.Context(), f.ID, move("c"))
			wantFault(t, "moving it", err, fault.NotFound, "not_found")
			if _, err := s.UpdateFile(t.Context(), mover.ID, move("a")); err != nil {
				t.Errorf("moving another file to its path: %v", err)
			}
			s.delete(mover)
			if again := s.publish("a"); again.ID == f.ID {
				t.Error("a new file at its path has its id")
			}
			s.clock.Advance(3 * keep)
			s.sweep()
			s.wantItems("FILES#"+s.owner, 1)
		})
	}
}

func TestAnExpiredFileGivesItsPathToAPublication(t *testing.T) {
	s := open(t)
	f := s.publish("a")
	s.expire(f, s.clock.Now().Add(time.Minute))
	s.clock.Advance(time.Minute)
	again := s.publish("a")
	if again.ID == f.ID {
		t.Error("the new file has the id of the expired one")
	}
	s.clock.Advance(keep + time.Minute)
	s.sweep()
	s.wantBlobs("after the expired file was swept", again.Version.Key)
}

func TestTheTestOfADeletionSeesWhatIsThere(t *testing.T) {
	s := open(t)
	f := s.publish("a")
	err := s.DeleteFile(t.Context(), f.ID, func(got catalog.File) error {
		if got.Version.ID != f.Version.ID {
			t.Errorf("the test saw %+v, want %+v", got, f)
		}
		return errRefused
	})
	if err != errRefused {
		t.Errorf("a deletion that is refused: %v, want the refusal", err)
	}
	if _, err := s.another().File(t.Context(), f.ID); err != nil {
		t.Errorf("after a refusal: %v", err)
	}
}

func TestARefusedEditChangesNothing(t *testing.T) {
	s := open(t)
	f := s.publish("a")
	_, err := s.UpdateFile(t.Context(), f.ID, func(f *catalog.File) error { f.Path = "b"; return errRefused })
	if err != errRefused {
		t.Errorf("an edit that is refused: %v, want the refusal", err)
	}
	if got, err := s.File(t.Context(), f.ID); err != nil || got.Path != "a" {
		t.Errorf("after a refusal the file is at %q, %v", got.Path, err)
	}
}

// Moves and overwrites of the same files at once lose nothing: every version
// is at some path, and every path has one file.
func TestMovesAndPublicationsAtOnce(t *testing.T) {
	s := open(t)
	const rounds = 25
	for i := range rounds {
		f := s.publish(fmt.Sprintf("a%d", i))
		target := fmt.Sprintf("b%d", i)
		if i%2 == 1 {
			s.expire(s.publish(target), s.clock.Now().Add(time.Millisecond))
			s.clock.Advance(time.Millisecond)
		}
		onSource, onTarget := s.begin(f.Path), s.begin(target)
		var moved, overSource, overTarget error
		var wg sync.WaitGroup
		wg.Go(func() { _, moved = s.UpdateFile(t.Context(), f.ID, move(target)) })
		wg.Go(func() { _, _, overSource = s.another().Publish(t.Context(), onSource, catalog.Content{}, nil) })
		wg.Go(func() { _, _, overTarget = s.another().Publish(t.Context(), onTarget, catalog.Content{}, nil) })
		wg.Wait()
		if overSource != nil || overTarget != nil || moved != nil && !fault.Is(moved, fault.Conflict, "path_taken") {
			t.Errorf("the move: %v; the publications: %v, %v", moved, overSource, overTarget)
		}
		s.checkPlaces(t)
	}
}

// checkPlaces checks that what is listed is found, by path and by id.
func (s *store) checkPlaces(t *testing.T) {
	t.Helper()
	fresh := s.another()
	listed, err := fresh.List(t.Context(), catalog.Listing{Owner: s.owner, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range listed.Files {
		at, err := fresh.FileAt(t.Context(), s.owner, f.Path)
		if err != nil || at.ID != f.ID || seen[f.ID] {
			t.Errorf("%s is listed at %q, where %s is, %v; listed before: %v", f.ID, f.Path, at.ID, err, seen[f.ID])
		}
		seen[f.ID] = true
	}
}

func TestDeletionsAndPublicationsAtOnce(t *testing.T) {
	s := open(t)
	for i := range 25 {
		f := s.publish(fmt.Sprintf("a%d", i))
		u := s.begin(f.Path)
		var deleted, published error
		var wg sync.WaitGroup
		wg.Go(func() { deleted = s.DeleteFile(t.Context(), f.ID, nil) })
		wg.Go(func() { _, _, published = s.another().Publish(t.Context(), u, catalog.Content{}, nil) })
		wg.Wait()
		if deleted != nil || published != nil {
			t.Errorf("the deletion: %v; the publication: %v", deleted, published)
		}
		s.checkPlaces(t)
	}
	s.clock.Advance(2 * keep)
	s.sweep()
	listed, err := s.List(t.Context(), catalog.Listing{Owner: s.owner, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, f := range listed.Files {
		keys = append(keys, f.Version.Key)
	}
	s.wantBlobs("after the sweep", keys...)
}
