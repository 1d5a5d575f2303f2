package auth_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/shared/auth"
)

func TestNewIDHoldsItsTime(t *testing.T) {
	// The time and the first ten characters of the specification's example.
	got := auth.NewID(time.UnixMilli(1469922850259))
	if want := "01ARZ3NDEK"; !strings.HasPrefix(got, want) || len(got) != 26 {
		t.Errorf("NewID = %q; want 26 characters, the first ten %s", got, want)
	}
}

func TestIDsSortByTime(t *testing.T) {
	var ids []string
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for range 100 {
		ids = append(ids, auth.NewID(now))
		now = now.Add(time.Millisecond)
	}
	if !slices.IsSorted(ids) {
		t.Errorf("ids a millisecond apart are out of order: %q", ids)
	}
}

func TestIDsOfOneMomentDiffer(t *testing.T) {
	const callers, each = 8, 500
	now := time.Now()
	var mu sync.Mutex
	seen := map[string]bool{}
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for range each {
				id := auth.NewID(now)
				mu.Lock()
				seen[id] = true
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if len(seen) != callers*each {
		t.Errorf("%d ids, of which %d differ", callers*each, len(seen))
	}
}

func TestValidID(t *testing.T) {
	const good = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
	cases := []struct {
		name string
		id   string
		want bool
	}{
		{"a ULID", good, true},
		{"a new id", auth.NewID(time.Now()), true},
		{"the largest", "7" + strings.Repeat("Z", 25), true},
		{"larger", "8" + strings.Repeat("Z", 25), false},
		{"nothing", "", false},
		{"lower case", strings.ToLower(good), false},
		{"too short", good[1:], false},
		{"too long", good + "0", false},
		{"a letter that Crockford leaves out", "01ARZ3NDEKTSV4RRFFQ69G5FAU", false},
		{"a NUL", good[:25] + "\x00", false},
		{"a slash", good[:25] + "/", false},
		{"invalid UTF-8", good[:25] + "\xff", false},
	}
	for _, c := range cases {
		if got := auth.ValidID(c.id); got != c.want {
			t.Errorf("ValidID(%q), %s: %v; want %v", c.id, c.name, got, c.want)
		}
	}
}
