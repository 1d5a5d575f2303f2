package bolttable_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"sluice/shared/table"
	"sluice/shared/table/bolttable"
)

// fill puts n items into a table, of which every third is eternal, every third
// expires in an hour and every third in two.
func fill(t *testing.T, store *bolttable.Store, name string, now time.Time, n int) {
	t.Helper()
	records := table.New(store.Table(name), time.Now)
	var ops []table.Op
	for i := range n {
		op := table.Op{Action: table.Put, Key: table.Key{PK: fmt.Sprint("p", i%7), SK: fmt.Sprintf("%06d", i)}}
		if i%3 > 0 {
			op.ExpiresAt = now.Add(time.Duration(i%3) * time.Hour)
		}
		if ops = append(ops, op); len(ops) == table.MaxTransaction || i == n-1 {
			if err := records.Transact(t.Context(), ops...); err != nil {
				t.Fatal(err)
			}
			ops = ops[:0]
		}
	}
}

// count returns how many items a closed file holds, expired or not.
func count(t *testing.T, path string) (n int) {
	t.Helper()
	plain(t, path, func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			if string(name) == "meta" {
				return nil
			}
			return b.ForEach(func(_, _ []byte) error { n++; return nil })
		})
	})
	return n
}

func TestSweepRemovesWhatHasExpired(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sluice.db")
	store, err := bolttable.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Truncate(time.Second)
	if n, err := store.Sweep(t.Context(), now, 10); n != 0 || err != nil {
		t.Errorf("a new file: got %d, %v", n, err)
	}
	fill(t, store, "domain", now, 3000)
	fill(t, store, "empty", now, 0)
	fill(t, store, "hot", now, 30)
	for _, c := range []struct {
		after       time.Duration
		limit, want int
	}{
		{0, 10000, 0},
		{time.Hour - time.Second, 10000, 0},
		{time.Hour, 0, 0},
		{time.Hour, 400, 400},
		{time.Hour, 400, 400},
		{time.Hour, 400, 210}, // 1010 in all, then the end of the file
		{time.Hour, 400, 0},
		{2 * time.Hour, 1, 1},
		{2 * time.Hour, 10000, 1009},
		{time.Hour * 9999, 10000, 0},
	} {
		n, err := store.Sweep(t.Context(), now.Add(c.after), c.limit)
		if n != c.want || err != nil {
			t.Errorf("after %v, up to %d: got %d, %v, want %d", c.after, c.limit, n, err, c.want)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if got := count(t, path); got != 1010 {
		t.Errorf("got %d items in the file, want the 1010 eternal ones", got)
	}
}

func TestSweepEndsWithItsContext(t *testing.T) {
	store := open(t)
	now := time.Now()
	fill(t, store, "domain", now, 30)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n, err := store.Sweep(ctx, now.Add(3*time.Hour), 100); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("got %d, %v, want context.Canceled", n, err)
	}
	if n, err := store.Sweep(t.Context(), now.Add(3*time.Hour), 100); n != 20 || err != nil {
		t.Errorf("the next sweep: got %d, %v, want 20", n, err)
	}
}

// TestSweptRoomIsUsedAgain holds the file to one size while sessions come and
// go.
func TestSweptRoomIsUsedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sluice.db")
	store, err := bolttable.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	now := time.Now().Truncate(time.Second)
	records := table.New(store.Table("hot"), func() time.Time { return now })
	var sizes []int64
	for round := range 30 {
		for i := range 10 {
			var ops []table.Op
			for j := range table.MaxTransaction {
				key := table.Key{PK: "session", SK: fmt.Sprintf("%d-%d-%d", round, i, j)}
				set := table.Attrs{"v": make([]byte, 500)}
				ops = append(ops, table.Op{Action: table.Put, Key: key, Set: set, ExpiresAt: now.Add(time.Hour)})
			}
			if err := records.Transact(t.Context(), ops...); err != nil {
				t.Fatal(err)
			}
		}
		now = now.Add(time.Hour)
		if n, err := store.Sweep(t.Context(), now, 10000); n != 1000 || err != nil {
			t.Fatalf("round %d: got %d, %v, want 1000", round, n, err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, info.Size())
	}
	if sizes[29] > sizes[4] {
		t.Errorf("the file grows: after 5 rounds %d bytes, after 30 %d", sizes[4], sizes[29])
	}
}
