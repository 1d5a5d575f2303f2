package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/fault"
	"sluice/shared/table"
)

// keep is how long the catalogs of these tests keep what was replaced.
const keep = 24 * time.Hour

// clock is a clock that is set by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

// noon is a whole hour.
func noon() *clock { return &clock{now: time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock, back too.
func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// store is a record store and the blobs that go with it.
type store struct {
	*catalog.Catalog
	t     *testing.T
	clock *clock
	table *table.Table
	blobs *blobs
	owner string // the id of a user
	next  int
}

func open(t *testing.T) *store {
	t.Helper()
	return openOn(t, openDriver(t))
}

// openOn is open over records in d.
func openOn(t *testing.T, d table.Driver) *store {
	t.Helper()
	c := noon()
	s := &store{t: t, clock: c, table: table.New(d, c.Now), blobs: &blobs{kept: map[string]bool{}}}
	s.Catalog = s.another()
	s.owner = s.user("ada").ID
	return s
}

// another returns a catalog of the same store, as another server has it.
func (s *store) another() *catalog.Catalog {
	s.t.Helper()
	c, err := catalog.Open(s.t.Context(), s.table, catalog.Options{Keep: keep, Clock: s.clock.Now})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func (s *store) user(name string) catalog.User {
	s.t.Helper()
	u, err := s.CreateUser(s.t.Context(), catalog.User{ID: auth.NewID(s.clock.Now()), Username: name, Role: auth.User})
	if err != nil {
		s.t.Fatal(err)
	}
	return u
}

// begin records an upload to path and stores its blob.
func (s *store) begin(path string) catalog.Upload {
	s.t.Helper()
	u := catalog.Upload{ID: auth.NewID(s.clock.Now()), Owner: s.owner, Path: path, ExpiresAt: s.clock.Now().Add(7 * keep)}
	if err := s.BeginUpload(s.t.Context(), u); err != nil {
		s.t.Errorf("begin an upload to %s: %v", path, err)
	}
	s.blobs.put(u.Key())
	return u
}

// beginAll records uploads to these paths, all at once.
func (s *store) beginAll(paths []string) []catalog.Upload {
	s.t.Helper()
	begun := make([]catalog.Upload, len(paths))
	var wg sync.WaitGroup
	for i, path := range paths {
		wg.Go(func() { begun[i] = s.begin(path) })
	}
	wg.Wait()
	return begun
}

// publish uploads something to path.
func (s *store) publish(path string) catalog.File {
	s.t.Helper()
	u := s.begin(path)
	s.next++
	f, _, err := s.Publish(s.t.Context(), u, catalog.Content{Size: int64(s.next), ContentType: "text/plain"}, nil)
	if err != nil {
		s.t.Fatalf("publish %s: %v", path, err)
	}
	return f
}

func (s *store) expire(f catalog.File, at time.Time) {
	s.t.Helper()
	_, err := s.UpdateFile(s.t.Context(), f.ID, func(f *catalog.File) error { f.ExpiresAt = at; return nil })
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *store) delete(f catalog.File) {
	s.t.Helper()
	if err := s.DeleteFile(s.t.Context(), f.ID, nil); err != nil {
		s.t.Fatal(err)
	}
}

// sweep sweeps until nothing is due.
func (s *store) sweep() {
	s.t.Helper()
	for {
		n, err := s.Sweep(s.t.Context(), 10, nil, s.blobs.remove)
		if err != nil {
			s.t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

// wantBlobs fails the test unless exactly these blobs are left.
func (s *store) wantBlobs(when string, keys ...string) {
	s.t.Helper()
	slices.Sort(keys)
	if got := s.blobs.keys(); !slices.Equal(got, keys) {
		s.t.Errorf("%s the blobs %q are left, want %q", when, got, keys)
	}
}

// wantItems fails the test unless the partition has that many items.
func (s *store) wantItems(partition string, want int) {
	s.t.Helper()
	page, err := s.table.Query(s.t.Context(), table.Query{PK: partition, Limit: table.MaxQuery})
	if err != nil {
		s.t.Fatal(err)
	}
	if len(page.Items) != want {
		s.t.Errorf("%s has %d items, want %d", partition, len(page.Items), want)
	}
}

// blobs is the set of keys under which bytes are kept.
type blobs struct {
	mu    sync.Mutex
	kept  map[string]bool
	stuck string // the key of a blob that cannot be removed
}

func (b *blobs) put(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept[key] = true
}

func (b *blobs) remove(_ context.Context, key string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if key == b.stuck {
		return fmt.Errorf("%s is stuck", key)
	}
	delete(b.kept, key)
	return nil
}

func (b *blobs) unstick() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stuck = ""
}

func (b *blobs) keys() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	keys := []string{}
	for key := range b.kept {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// wantFault fails the test unless err is a fault of that kind and code.
func wantFault(t *testing.T, what string, err error, kind fault.Kind, code string) {
	t.Helper()
	if !fault.Is(err, kind, code) {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

// errRefused is what a test of a precondition answers here.
var errRefused = errors.New("refused")
