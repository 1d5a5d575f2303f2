package catalog_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/fault"
	"sluice/shared/table/tabletest"
)

// wantUsage fails the test unless that is what the owner has.
func (s *store) wantUsage(when string, bytes, files int64) {
	s.t.Helper()
	got, err := s.Usage(s.t.Context(), s.owner)
	if want := (catalog.Usage{Bytes: bytes, Files: files}); err != nil || got != want {
		s.t.Errorf("%s %+v is counted, %v, want %+v", when, got, err, want)
	}
}

// allow sets the owner's quota; a negative bound is none.
func (s *store) allow(bytes, files int64) {
	s.t.Helper()
	bound := func(n int64) *int64 {
		if n < 0 {
			return nil
		}
		return &n
	}
	_, err := s.UpdateUser(s.t.Context(), s.owner, func(u *catalog.User) error {
		u.Quota = catalog.Quota{Bytes: bound(bytes), Files: bound(files)}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *store) take(bytes, files int64) error {
	u := catalog.Upload{
		ID: auth.NewID(s.clock.Now()), Owner: s.owner, Path: "a", ExpiresAt: s.clock.Now().Add(7 * keep),
		Taken: catalog.Usage{Bytes: bytes, Files: files},
	}
	return s.BeginUpload(s.t.Context(), u)
}

func TestAQuotaIsTakenToItsLastByteAndFile(t *testing.T) {
	for _, c := range []struct {
		name                   string
		quotaBytes, quotaFiles int64
		takenBytes, takenFiles int64
		bytes, files           int64
		refused                bool
	}{
		{"no quota", -1, -1, 1 << 40, 1000, 1 << 40, 1000, false},
		{"the last byte", 10, -1, 9, 1, 1, 1, false},
		{"a byte more", 10, -1, 9, 1, 2, 1, true},
		{"all at once", 10, 1, 0, 0, 10, 1, false},
		{"more than there is at once", 10, -1, 0, 0, 11, 0, true},
		{"the last file", -1, 2, 5, 1, 1 << 40, 1, false},
		{"a file more", -1, 2, 5, 2, 1, 1, true},
		{"no file, at the bound", -1, 2, 5, 2, 1, 0, false},
		{"no byte, at the bound", 5, -1, 5, 2, 0, 1, false},
		{"a quota of nothing", 0, 0, 0, 0, 1, 0, true},
		{"no byte of a quota of nothing", 0, -1, 0, 0, 0, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			if err := s.take(c.takenBytes, c.takenFiles); err != nil {
				t.Fatal(err)
			}
			s.allow(c.quotaBytes, c.quotaFiles)
			err := s.take(c.bytes, c.files)
			if c.refused {
				wantFault(t, "the take", err, fault.InsufficientStorage, "quota_exceeded")
				s.wantUsage("after it", c.takenBytes, c.takenFiles)
				return
			}
			if err != nil {
				t.Errorf("the take: %v, want it allowed", err)
			}
			s.wantUsage("after it", c.takenBytes+c.bytes, c.takenFiles+c.files)
		})
	}
}

func TestOfManyTakesAtOnceExactlySoManySucceed(t *testing.T) {
	s := open(t)
	other := s.another()
	const asked, allowed = 500, 123
	s.allow(10*allowed, -1)
	var took atomic.Int64
	var group sync.WaitGroup
	for i := range asked {
		c := s.Catalog
		if i%2 == 1 {
			c = other
		}
		group.Go(func() {
			u := catalog.Upload{ID: auth.NewID(s.clock.Now()), Owner: s.owner, Path: "a", ExpiresAt: s.clock.Now().Add(keep), Taken: catalog.Usage{Bytes: 10}}
			err := c.BeginUpload(t.Context(), u)
			if err == nil {
				took.Add(1)
			} else if !fault.Is(err, fault.InsufficientStorage, "quota_exceeded") {
				t.Errorf("a take: %v, want quota_exceeded", err)
			}
		})
	}
	group.Wait()
	if took.Load() != allowed {
		t.Errorf("of %d takes %d succeeded, want %d", asked, took.Load(), allowed)
	}
	s.wantUsage("after them", 10*allowed, 0)
}

func TestAReservationOnlyGrows(t *testing.T) {
	s := open(t)
	m := s.parted("a", 10)
	s.allow(100, -1)
	for _, c := range []struct{ ask, used int64 }{{5, 10}, {10, 10}, {60, 60}, {30, 60}, {100, 100}} {
		if err := s.Reserve(t.Context(), m.Upload, c.ask); err != nil {
			t.Errorf("reserve %d: %v", c.ask, err)
		}
		s.wantUsage("after a reservation", c.used, 1)
	}
	wantFault(t, "more than the quota", s.Reserve(t.Context(), m.Upload, 101), fault.InsufficientStorage, "quota_exceeded")
	if _, err := s.Verify(t.Context(), m.ID); err != nil {
		t.Fatal(err)
	}
	s.allow(-1, -1)
	wantFault(t, "one of an upload that is closed", s.Reserve(t.Context(), m.Upload, 102), fault.Conflict, "upload_expired")
	if _, err := s.complete(m); err != nil {
		t.Fatal(err)
	}
	s.wantUsage("once it is published", 10, 1)
}

// Whatever is done in whatever order, what is counted is what there is.
func TestUsageIsWhatTheRecordsAddUpTo(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := openOn(t, tabletest.NewMemory()) // in which a hundred histories take a second
		var uploads []catalog.Upload
		files := map[string]bool{}
		paths := rapid.SampledFrom([]string{"a", "b", "c"})
		sizes := rapid.Int64Range(0, 1000)
		rt.Repeat(map[string]func(*rapid.T){
			"begin": func(rt *rapid.T) {
				u := catalog.Upload{
					ID: auth.NewID(s.clock.Now()), Owner: s.owner, Path: paths.Draw(rt, "path"), ExpiresAt: s.clock.Now().Add(7 * keep),
					Taken: catalog.Usage{Bytes: sizes.Draw(rt, "taken"), Files: rapid.Int64Range(0, 1).Draw(rt, "files")},
				}
				if err := s.BeginUpload(t.Context(), u); err != nil {
					rt.Fatal(err)
				}
				s.blobs.put(u.Key())
				uploads = append(uploads, u)
			},
			"publish": func(rt *rapid.T) {
				if len(uploads) == 0 {
					rt.Skip("no upload")
				}
				u := uploads[len(uploads)-1]
				uploads = uploads[:len(uploads)-1]
				f, _, err := s.Publish(t.Context(), u, catalog.Content{Size: sizes.Draw(rt, "size")}, nil)
				if err != nil && !fault.Is(err, fault.Conflict, "upload_expired") {
					rt.Fatal(err)
				}
				if err == nil {
					files[f.ID] = true
				}
			},
			"abandon": func(rt *rapid.T) {
				if len(uploads) == 0 {
					rt.Skip("no upload")
				}
				u := uploads[0]
				uploads = uploads[1:]
				if mine, err := s.AbandonUpload(t.Context(), u); err != nil || mine && s.EndUpload(t.Context(), u) != nil {
					rt.Fatal(err)
				}
			},
			"delete": func(rt *rapid.T) {
				if f, err := s.FileAt(t.Context(), s.owner, paths.Draw(rt, "path")); err == nil {
					s.delete(f)
				}
			},
			"undelete": func(rt *rapid.T) {
				for id := range files {
					_, _ = s.Undelete(t.Context(), id, "") // most cannot be
				}
			},
			"restore": func(rt *rapid.T) {
				f, err := s.FileAt(t.Context(), s.owner, paths.Draw(rt, "path"))
				if err != nil {
					rt.Skip("no file")
				}
				versions, _, err := s.Versions(t.Context(), f.ID, "", 100)
				if err != nil {
					rt.Fatal(err)
				}
				if _, err := s.Restore(t.Context(), f.ID, rapid.SampledFrom(versions).Draw(rt, "version").ID, nil); err != nil {
					rt.Fatal(err)
				}
			},
			"wait": func(rt *rapid.T) {
				s.clock.Advance(time.Duration(rapid.Int64Range(1, 60).Draw(rt, "hours")) * time.Hour)
			},
			"sweep": func(*rapid.T) {
				s.sweep()
				uploads = slices.DeleteFunc(uploads, func(u catalog.Upload) bool { return u.ExpiresAt.Before(s.clock.Now()) })
			},
			"": func(rt *rapid.T) { s.wantLedger(rt, files, uploads) },
		})
	})
}

// wantLedger wants what is counted to be what the files have and what uploads
// under way have taken.
func (s *store) wantLedger(rt *rapid.T, files map[string]bool, uploads []catalog.Upload) {
	rt.Helper()
	var want catalog.Usage
	for id := range files {
		if _, err := s.KeptFile(s.t.Context(), id); fault.Is(err, fault.NotFound, "") {
			continue
		}
		want.Files++
		versions, _, err := s.Versions(s.t.Context(), id, "", 1000)
		if err != nil {
			rt.Fatal(err)
		}
		for _, v := range versions {
			want.Bytes += v.Size
		}
	}
	for _, u := range uploads {
		want.Bytes += u.Taken.Bytes
		want.Files += u.Taken.Files
	}
	if got, err := s.Usage(s.t.Context(), s.owner); err != nil || got != want {
		rt.Fatalf("%+v is counted, %v, and the records add up to %+v", got, err, want)
	}
}
