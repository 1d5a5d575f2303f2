package catalog_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/fault"
	"sluice/shared/table"
	"sluice/shared/table/bolttable"
)

// losing is a store in which others are always faster, for as many writes as
// that.
type losing struct {
	table.Driver
	writes atomic.Int64
}

var errLost = errors.New("others were faster")

func (l *losing) Apply(ctx context.Context, now time.Time, op table.Op) (table.Item, error) {
	if l.writes.Add(-1) >= 0 {
		return table.Item{}, errLost
	}
	return l.Driver.Apply(ctx, now, op)
}

func (l *losing) ErrorCode(err error) table.Code {
	if errors.Is(err, errLost) {
		return table.ConditionFailed
	}
	return l.Driver.ErrorCode(err)
}

func (l *losing) Failed(err error) int {
	if errors.Is(err, errLost) {
		return 0
	}
	return l.Driver.Failed(err)
}

// contest returns a catalog on a losing store, a user in it, and the pauses
// that it makes, which take no time.
func contest(t *testing.T) (c *catalog.Catalog, user string, store *losing, pauses *[]time.Duration) {
	t.Helper()
	file, err := bolttable.Open(filepath.Join(t.TempDir(), "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	store, pauses = &losing{Driver: file.Table("domain")}, &[]time.Duration{}
	clock := noon()
	c, err = catalog.Open(t.Context(), table.New(store, clock.Now), catalog.Options{Clock: clock.Now,
		Pause: func(ctx context.Context, longest time.Duration) error {
			*pauses = append(*pauses, longest)
			return ctx.Err()
		}})
	if err != nil {
		t.Fatal(err)
	}
	u, err := c.CreateUser(t.Context(), catalog.User{ID: auth.NewID(clock.Now()), Username: "ada", Role: auth.User})
	if err != nil {
		t.Fatal(err)
	}
	return c, u.ID, store, pauses
}

func noEdit(*catalog.User) error { return nil }

func TestAWritePausesBeforeItStartsOver(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		lost int64
		want []time.Duration
	}{
		{0, nil},
		{1, []time.Duration{2 * ms}},
		{10, []time.Duration{2 * ms, 4 * ms, 8 * ms, 16 * ms, 32 * ms, 64 * ms, 128 * ms, 256 * ms, 512 * ms, 1000 * ms}},
	} {
		records, user, store, pauses := contest(t)
		store.writes.Store(c.lost)
		if _, err := records.UpdateUser(t.Context(), user, noEdit); err != nil || !slices.Equal(*pauses, c.want) {
			t.Errorf("having lost %d times: %v, with pauses of up to %v; want them up to %v", c.lost, err, *pauses, c.want)
		}
	}
}

func TestAWriteThatAlwaysLosesIsGivenUp(t *testing.T) {
	records, user, store, pauses := contest(t)
	store.writes.Store(1000)
	_, err := records.UpdateUser(t.Context(), user, noEdit)
	wantFault(t, "a write that always loses", err, fault.Unavailable, "contended")
	if len(*pauses) != 19 {
		t.Errorf("it paused %d times, want 19: between 20 attempts", len(*pauses))
	}
}

func TestAWriteWhoseRequestEndsStartsOverNoMore(t *testing.T) {
	records, user, store, pauses := contest(t)
	store.writes.Store(1000)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := records.UpdateUser(ctx, user, func(*catalog.User) error { cancel(); return nil })
	if fault.KindOf(err) != fault.Unavailable || len(*pauses) > 1 {
		t.Errorf("a write whose request ended: %v after %d pauses, want it unavailable after one", err, len(*pauses))
	}
}

// So many servers publish at one path without a break. Without pauses those that
// collided would do so again, until their attempts are spent.
func TestManyServersPublishAtOnePath(t *testing.T) {
	s := open(t)
	const servers, each = 10, 5
	var wg sync.WaitGroup
	for range servers {
		server := s.another()
		wg.Go(func() {
			for range each {
				u := s.begin("a")
				if _, _, err := server.Publish(t.Context(), u, catalog.Content{Size: 1, ContentType: "text/plain"}, nil); err != nil {
					t.Errorf("publish: %v", err)
				}
			}
		})
	}
	wg.Wait()
	f, err := s.FileAt(t.Context(), s.owner, "a")
	if err != nil {
		t.Fatal(err)
	}
	versions, _, err := s.Versions(t.Context(), f.ID, "", table.MaxQuery)
	if err != nil || len(versions) != servers*each {
		t.Errorf("there are %d versions, %v; want %d", len(versions), err, servers*each)
	}
	dates := map[time.Time]bool{}
	for _, v := range versions {
		dates[v.ModifiedAt.Truncate(time.Second)] = true
	}
	if len(dates) != servers*each {
		t.Errorf("they have %d dates, want one each", len(dates))
	}
}
