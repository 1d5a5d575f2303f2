package catalog_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/shared/catalog"
	"sluice/shared/fault"
)

// lease takes the lease "work" for a minute as another server would, and fails
// the test unless it is free or taken as wanted.
func (s *store) lease(when string, free bool) *catalog.Lease {
	s.t.Helper()
	l, err := s.another().Lease(s.t.Context(), "work", time.Minute)
	if err != nil {
		s.t.Fatal(err)
	}
	if (l != nil) != free {
		s.t.Errorf("%s the lease is free: %v, want %v", when, l != nil, free)
	}
	return l
}

func TestALeaseIsHeldByOne(t *testing.T) {
	s := open(t)
	first := s.lease("at first", true)
	s.lease("while it is held", false)
	if err := first.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.lease("once it was given back", true)
}

func TestOfManyWhoAskAtOnceOneGetsTheLease(t *testing.T) {
	s := open(t)
	var taken atomic.Int32
	var wg sync.WaitGroup
	for range 20 {
		server := s.another()
		wg.Go(func() {
			l, err := server.Lease(t.Context(), "work", time.Minute)
			if err != nil {
				t.Error(err)
			}
			if l != nil {
				taken.Add(1)
			}
		})
	}
	wg.Wait()
	if taken.Load() != 1 {
		t.Errorf("%d of 20 got the lease, want 1", taken.Load())
	}
}

func TestTheLeaseOfADeadHolderRunsOut(t *testing.T) {
	s := open(t)
	s.lease("at first", true)
	s.clock.Advance(59 * time.Second)
	s.lease("before its minute is over", false)
	s.clock.Advance(time.Second)
	s.lease("when its minute is over", true)
}

func TestAKeptLeaseLasts(t *testing.T) {
	s := open(t)
	held := s.lease("at first", true)
	for range 20 {
		s.clock.Advance(15 * time.Second)
		if err := held.Keep(t.Context()); err != nil {
			t.Fatalf("keep: %v", err)
		}
		s.lease("while it is kept", false)
	}
}

func TestALostLeaseIsNotKept(t *testing.T) {
	s := open(t)
	held := s.lease("at first", true)
	s.clock.Advance(time.Minute)
	wantFault(t, "keep a lease that has run out", held.Keep(t.Context()), fault.Conflict, "lease_lost")
	s.lease("when it has run out", true)
	wantFault(t, "keep a lease that another has", held.Keep(t.Context()), fault.Conflict, "lease_lost")
	if err := held.Release(t.Context()); err != nil {
		t.Errorf("release a lease that another has: %v", err)
	}
	s.lease("after one who had lost it gave it back", false)
}

// A clock that is set back must not make a holder believe in a lease that is
// another's by now.
func TestALeaseIsLostByTheRecordNotByTheClock(t *testing.T) {
	s := open(t)
	held := s.lease("at first", true)
	s.clock.Advance(2 * time.Minute)
	s.lease("when it has run out", true)
	s.clock.Advance(-2 * time.Minute)
	wantFault(t, "keep it with the clock set back", held.Keep(t.Context()), fault.Conflict, "lease_lost")
}

func TestBrokenLeasesAreFree(t *testing.T) {
	s := open(t)
	held := s.lease("at first", true)
	if err := s.BreakLeases(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantFault(t, "keep a broken lease", held.Keep(t.Context()), fault.Conflict, "lease_lost")
	s.lease("once it was broken", true)
}

// The lease is lost during the second removal: there is no third.
func TestASweepEndsWithItsLease(t *testing.T) {
	for name, fill := range map[string]func(s *store){
		"five uploads": func(s *store) {
			for range 5 {
				s.begin("a")
			}
		},
		"a file of five versions": func(s *store) {
			var f catalog.File
			for range 5 {
				f = s.publish("a")
			}
			s.delete(f)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			fill(s)
			s.clock.Advance(8 * keep)
			held := s.lease("at first", true)
			removed := 0
			_, err := s.Sweep(t.Context(), 100, held.Keep, func(ctx context.Context, key string) error {
				if removed++; removed == 2 {
					s.clock.Advance(time.Minute)
					s.lease("during the second removal", true)
				}
				return s.blobs.remove(ctx, key)
			})
			wantFault(t, "a sweep that lost its lease", err, fault.Conflict, "lease_lost")
			if left := len(s.blobs.keys()); removed != 2 || left != 3 {
				t.Errorf("%d removals and %d blobs left, want 2 and 3", removed, left)
			}
			s.sweep()
			s.wantBlobs("after the next sweep")
		})
	}
}

// However many versions a file has, a sweep does no more than it may, and the
// next one goes on.
func TestAFileOfManyVersionsGoesInSeveralSweeps(t *testing.T) {
	s := open(t)
	var f catalog.File
	for range 7 {
		f = s.publish("a")
	}
	s.delete(f)
	s.wantUsage("before the sweeps", 1+2+3+4+5+6+7, 1)
	s.clock.Advance(keep + time.Second)
	for range 3 { // the file is due first, then its versions by themselves
		if n, err := s.Sweep(t.Context(), 3, nil, s.blobs.remove); n != 3 || err != nil {
			t.Errorf("a sweep of at most 3: %d, %v", n, err)
		}
	}
	s.sweep()
	s.wantBlobs("after the sweeps")
	s.wantItems("FILE#"+f.ID, 0)
	s.wantUsage("after the sweeps", 0, 0)
}
