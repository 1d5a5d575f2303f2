package catalog_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/shared/catalog"
	"sluice/shared/fault"
)

func TestAnUploadThatIsNeverPublishedGoesWhenItExpires(t *testing.T) {
	s := open(t)
	u := s.begin("a")
	s.clock.Advance(7*keep - time.Second)
	s.sweep()
	s.wantBlobs("before it expires", u.Key())
	s.clock.Advance(2 * time.Second)
	s.sweep()
	s.wantBlobs("when it has expired")
	_, _, err := s.Publish(t.Context(), u, catalog.Content{}, nil)
	wantFault(t, "publish after the sweep", err, fault.Conflict, "upload_expired")
}

func TestAnUploadThatEndedIsForgotten(t *testing.T) {
	s := open(t)
	u := s.begin("a")
	if err := s.EndUpload(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(8 * keep)
	s.sweep()
	s.wantBlobs("of an upload that others removed", u.Key())
}

func TestAReplacedVersionIsKeptForAWhile(t *testing.T) {
	s := open(t)
	first := s.publish("a")
	s.clock.Advance(time.Minute)
	second := s.publish("a")
	if first.ID != second.ID {
		t.Fatalf("the new version made another file: %s, then %s", first.ID, second.ID)
	}
	s.clock.Advance(keep - time.Second)
	s.sweep()
	s.wantBlobs("a second before its time", first.Version.Key, second.Version.Key)
	s.clock.Advance(2 * time.Second)
	s.sweep()
	s.wantBlobs("after its time", second.Version.Key)
	s.wantItems("FILE#"+first.ID, 2) // the file and its current version
	if f, err := s.File(t.Context(), first.ID); err != nil || f.Version.Key != second.Version.Key {
		t.Errorf("the file is now %+v, %v; want the second version", f.Version, err)
	}
}

func TestAKeptFileGoesWholly(t *testing.T) {
	s := open(t)
	first := s.publish("a")
	s.clock.Advance(time.Minute)
	second := s.publish("a")
	s.clock.Advance(time.Minute)
	s.delete(second)
	s.wantItems("FILES#"+s.owner, 0)
	s.clock.Advance(keep - time.Second)
	s.sweep()
	s.wantBlobs("a second before the file's time", second.Version.Key)
	s.clock.Advance(2 * time.Second)
	s.sweep()
	s.wantBlobs("after its time")
	s.wantItems("FILE#"+first.ID, 0)
}

func TestAnExpiredFileGoes(t *testing.T) {
	s := open(t)
	f := s.publish("a")
	at := s.clock.Now().Add(time.Hour)
	s.expire(f, at)
	s.clock.Advance(time.Hour)
	_, err := s.File(t.Context(), f.ID)
	wantFault(t, "the file at its expiry", err, fault.NotFound, "not_found")
	s.wantItems("FILES#"+s.owner, 1)
	s.clock.Advance(time.Second)
	s.sweep()
	s.wantItems("FILES#"+s.owner, 0)
	s.wantBlobs("while it is kept", f.Version.Key)
	s.clock.Advance(keep + time.Second)
	s.sweep()
	s.wantBlobs("after it was kept")
	s.wantItems("FILE#"+f.ID, 0)
}

// An expiry may fall within a second: a sweep earlier in that second must not
// take it for done.
func TestNothingIsSweptBeforeItsTime(t *testing.T) {
	for _, lead := range []time.Duration{time.Millisecond, 900 * time.Millisecond, time.Second, time.Hour} {
		s := open(t)
		f := s.publish("a")
		s.clock.Advance(50 * time.Millisecond)
		s.expire(f, s.clock.Now().Add(lead))
		s.sweep()
		s.clock.Advance(lead + time.Second)
		s.sweep()
		s.wantItems("FILES#"+s.owner, 0)
		s.clock.Advance(keep + time.Second)
		s.sweep()
		s.wantBlobs("of a file that expired " + lead.String() + " after a sweep")
	}
}

func TestAFileThatWasGivenMoreTimeStays(t *testing.T) {
	s := open(t)
	f := s.publish("a")
	s.expire(f, s.clock.Now().Add(time.Hour))
	s.expire(f, s.clock.Now().Add(3*time.Hour))
	s.clock.Advance(2 * time.Hour)
	s.sweep()
	if _, err := s.File(t.Context(), f.ID); err != nil {
		t.Errorf("an hour before the new expiry: %v", err)
	}
	s.expire(f, time.Time{})
	s.clock.Advance(2 * time.Hour)
	s.sweep()
	if _, err := s.File(t.Context(), f.ID); err != nil {
		t.Errorf("without an expiry: %v", err)
	}
	s.wantBlobs("of a file that stays", f.Version.Key)
}

func TestABlobThatCannotBeRemovedStaysDueAndHoldsUpNobody(t *testing.T) {
	s := open(t)
	var keys []string
	for _, path := range []string{"a", "b", "c"} {
		f := s.publish(path)
		s.delete(f)
		keys = append(keys, f.Version.Key)
		s.clock.Advance(time.Hour) // each in a partition of its own
	}
	s.blobs.stuck = keys[0]
	s.clock.Advance(keep)
	for range 2 {
		_, err := s.Sweep(t.Context(), 10, nil, s.blobs.remove)
		if err == nil || !strings.Contains(err.Error(), "stuck") {
			t.Errorf("a sweep that cannot remove %s: %v, want its error", keys[0], err)
		}
		s.wantBlobs("with one of them stuck", keys[0])
	}
	s.clock.Advance(48 * time.Hour)
	s.blobs.unstick()
	s.sweep()
	s.wantBlobs("with none of them stuck")
}

func TestASweepDoesNoMoreThanItMay(t *testing.T) {
	s := open(t)
	for range 7 {
		s.begin("a")
	}
	s.clock.Advance(8 * keep)
	for _, want := range []int{3, 3, 1, 0} {
		n, err := s.Sweep(t.Context(), 3, nil, s.blobs.remove)
		if n != want || err != nil {
			t.Errorf("a sweep of at most 3: %d, %v; want %d", n, err, want)
		}
	}
}

func TestASweepEndsWithItsContext(t *testing.T) {
	s := open(t)
	for range 3 {
		s.begin("a")
	}
	s.clock.Advance(8 * keep)
	ctx, cancel := context.WithCancel(t.Context())
	n, _ := s.Sweep(ctx, 10, nil, func(ctx context.Context, key string) error {
		cancel()
		return s.blobs.remove(ctx, key)
	})
	if n > 1 {
		t.Errorf("a sweep whose context ended with the first removal did %d", n)
	}
	s.sweep()
	s.wantBlobs("after a sweep that was cut")
}

// Whoever takes the due item first, the janitor or the publication, wins; the
// other one leaves the blob alone.
func TestAPublicationAndASweepCannotBothWin(t *testing.T) {
	s := open(t)
	const uploads = 200
	var paths []string
	for i := range uploads {
		paths = append(paths, strconv.Itoa(i))
	}
	begun := s.beginAll(paths)
	s.clock.Advance(7*keep + time.Second)
	published := make([]bool, uploads)
	var wg sync.WaitGroup
	for i, u := range begun {
		wg.Go(func() {
			_, _, err := s.Publish(t.Context(), u, catalog.Content{}, nil)
			published[i] = err == nil
			if err != nil && !fault.Is(err, fault.Conflict, "upload_expired") {
				t.Errorf("publish: %v, want upload_expired", err)
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			if _, err := s.another().Sweep(t.Context(), uploads, nil, s.blobs.remove); err != nil {
				t.Errorf("sweep: %v", err)
			}
		})
	}
	wg.Wait()
	var want []string
	for i, u := range begun {
		if published[i] {
			want = append(want, u.Key())
		}
	}
	s.wantBlobs("after the race", want...)
}

func TestSweepsMayOverlap(t *testing.T) {
	s := open(t)
	s.beginAll(slices.Repeat([]string{"a"}, 50))
	s.clock.Advance(8 * keep)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := s.another().Sweep(t.Context(), 1000, nil, s.blobs.remove); err != nil {
				t.Errorf("sweep: %v", err)
			}
		})
	}
	wg.Wait()
	s.wantBlobs("after four sweeps at once")
}

func TestAClockThatJumpsLosesNothingDue(t *testing.T) {
	s := open(t)
	s.sweep()
	before := s.publish("before")
	s.clock.Advance(10 * time.Hour) // ahead of the true time
	s.sweep()
	ahead := s.publish("ahead")
	s.delete(ahead)
	s.clock.Advance(-10 * time.Hour)
	s.delete(before)
	s.sweep()
	after := s.publish("after")
	s.delete(after)
	s.wantBlobs("before anything is due", before.Version.Key, ahead.Version.Key, after.Version.Key)
	for range 12 {
		s.clock.Advance(3 * time.Hour)
		s.sweep()
	}
	s.wantBlobs("a day and a half after the jumps")
}

// Something may become due in an hour that a sweep has just left behind: its
// time was taken before the sweep, and it was written after.
func TestWhatIsWrittenLateIsSwept(t *testing.T) {
	s := open(t)
	f := s.publish("a")
	s.sweep()
	s.clock.Advance(time.Hour + time.Minute)
	s.sweep()
	s.expire(f, s.clock.Now().Add(-2*time.Minute))
	s.clock.Advance(time.Minute)
	s.sweep()
	s.wantItems("FILES#"+s.owner, 0)
}

// The janitor may first run long after the store was made: on a machine that
// was off, or where it is a function of its own.
func TestTheFirstSweepMayBeLate(t *testing.T) {
	s := open(t)
	s.begin("a")
	s.clock.Advance(30 * keep)
	s.sweep()
	s.wantBlobs("after a first sweep three weeks late")
}
