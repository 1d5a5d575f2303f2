package bolttable

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/goleak"

	"sluice/shared/table"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var bucket = []byte("table/test")

func openStore(t *testing.T) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// writing returns a plan that writes a value under each key.
func writing(keys ...string) plan {
	return func(*bolt.Bucket) (writes []write, _ error) {
		for _, key := range keys {
			writes = append(writes, write{key: []byte(key), value: []byte("x")})
		}
		return writes, nil
	}
}

// stored reports whether something is stored under a key.
func stored(t *testing.T, s *Store, key string) (found bool) {
	t.Helper()
	err := s.db.View(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucket)
		found = b != nil && b.Get([]byte(key)) != nil
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// hold occupies the committer until release is called, so that the writes
// submitted meanwhile come into one transaction.
func hold(t *testing.T, s *Store) (release func()) {
	t.Helper()
	holding, released, done := make(chan bool), make(chan bool), make(chan error)
	go func() {
		done <- s.submit(context.Background(), bucket, func(*bolt.Bucket) ([]write, error) {
			close(holding)
			<-released
			return nil, nil
		})
	}()
	<-holding
	return func() {
		close(released)
		if err := <-done; err != nil {
			t.Errorf("the write that holds the committer: %v", err)
		}
	}
}

// queued waits until n writes are queued.
func queued(s *Store, n int) {
	for len(s.jobs) < n {
		runtime.Gosched()
	}
}

func TestPanicFailsItsOwnWriteOnly(t *testing.T) {
	s := openStore(t)
	plans := []plan{
		writing("first"),
		func(*bolt.Bucket) ([]write, error) { panic("in the plan") },
		writing("half done", ""), // bbolt refuses the second
		writing("last"),
		func(b *bolt.Bucket) ([]write, error) {
			if b.Get([]byte("first")) == nil || b.Get([]byte("half done")) != nil {
				return nil, errors.New("a plan does not see what went before it, and only that")
			}
			return writing("seen")(b)
		},
	}
	want := []string{"", "in the plan", "key required", "", ""}
	release := hold(t, s)
	errs := make([]error, len(plans))
	var all sync.WaitGroup
	for i, p := range plans {
		all.Go(func() { errs[i] = s.submit(t.Context(), bucket, p) })
		queued(s, i+1)
	}
	release()
	all.Wait()
	for i, err := range errs {
		if (err == nil) != (want[i] == "") || err != nil && !strings.Contains(err.Error(), want[i]) {
			t.Errorf("write %d: got %v, want %q", i, err, want[i])
		}
	}
	for key, want := range map[string]bool{"first": true, "half done": false, "last": true, "seen": true} {
		if got := stored(t, s, key); got != want {
			t.Errorf("%q is stored: %v, want %v", key, got, want)
		}
	}
}

func TestPanicWhileWritingSparesOthers(t *testing.T) {
	s := openStore(t)
	if err := s.submit(t.Context(), nil, writing("a")); err == nil {
		t.Error("a write to a bucket without a name succeeded")
	}
	if err := s.submit(t.Context(), bucket, writing("b")); err != nil {
		t.Error(err)
	}
}

func TestWriteGivenUpInTheQueueIsNotDone(t *testing.T) {
	s := openStore(t)
	release := hold(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	answer := make(chan error)
	go func() { answer <- s.submit(ctx, bucket, writing("given up")) }()
	queued(s, 1)
	cancel()
	if err := <-answer; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	release()
	if err := s.submit(t.Context(), bucket, writing("later")); err != nil {
		t.Error(err)
	}
	if stored(t, s, "given up") {
		t.Error("the write was done all the same")
	}
}

func TestWriteThatHasBegunIsAnsweredByItsOutcome(t *testing.T) {
	s := openStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := s.submit(ctx, bucket, func(b *bolt.Bucket) ([]write, error) {
		cancel()
		return writing("begun")(b)
	})
	if err != nil || !stored(t, s, "begun") {
		t.Errorf("got %v, stored %v, want it done", err, stored(t, s, "begun"))
	}
}

func TestTransactionsAreBounded(t *testing.T) {
	s := openStore(t)
	if err := s.submit(t.Context(), bucket, writing("makes the bucket")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name         string
		writes, size int
		most         int // in one transaction
	}{
		{"by number", 1500, 1, maxBatch},
		{"by bytes", 20, 1 << 20, 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			release := hold(t, s)
			perTransaction := map[int]int{} // only the committer's goroutine writes it
			var all sync.WaitGroup
			for i := range c.writes {
				all.Go(func() {
					err := s.submit(t.Context(), bucket, func(b *bolt.Bucket) ([]write, error) {
						perTransaction[b.Tx().ID()]++
						return []write{{key: fmt.Append(nil, i), value: make([]byte, c.size)}}, nil
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
			queued(s, min(c.writes, maxBatch))
			release()
			all.Wait()
			sum := 0
			for _, n := range perTransaction {
				sum += n
				if n > c.most {
					t.Errorf("a transaction has %d writes, want at most %d", n, c.most)
				}
			}
			if sum != c.writes || len(perTransaction) > c.writes/2 {
				t.Errorf("got %d writes in %d transactions, want %d in few", sum, len(perTransaction), c.writes)
			}
		})
	}
}

func TestSweepSparesWhatWasRenewedMeanwhile(t *testing.T) {
	s := openStore(t)
	now := time.Now().Truncate(time.Second)
	key := table.Key{PK: "p", SK: "s"}
	d := s.Table("test")
	if _, err := d.Apply(t.Context(), now, table.Op{Action: table.Put, Key: key, ExpiresAt: now}); err != nil {
		t.Fatal(err)
	}
	release := hold(t, s)
	var both sync.WaitGroup
	both.Go(func() {
		renewal := table.Op{Action: table.Put, Key: key, ExpiresAt: now.Add(time.Hour)}
		if _, err := d.Apply(t.Context(), now, renewal); err != nil {
			t.Error(err)
		}
	})
	queued(s, 1)
	both.Go(func() {
		if n, err := s.Sweep(t.Context(), now, 10); n != 0 || err != nil {
			t.Errorf("Sweep: got %d, %v, want 0", n, err)
		}
	})
	queued(s, 2)
	release()
	both.Wait()
	if items, err := d.GetMany(t.Context(), []table.Key{key}); err != nil || len(items) != 1 {
		t.Errorf("the renewed item: got %v, %v", items, err)
	}
}

func TestRefusedWritesCostNoCommit(t *testing.T) {
	s := openStore(t)
	if err := s.submit(t.Context(), bucket, writing("a")); err != nil {
		t.Fatal(err)
	}
	before := lastCommit(t, s)
	d := s.Table("test")
	for _, op := range []table.Op{
		{Action: table.Put, If: []table.Test{table.IfExists()}},
		{Action: table.Delete},
	} {
		op.Key = table.Key{PK: "p", SK: "s"}
		_, _ = d.Apply(t.Context(), time.Now(), op)
	}
	if after := lastCommit(t, s); after != before {
		t.Errorf("got %d commits, want none", after-before)
	}
	if err := s.submit(t.Context(), bucket, writing("b")); err != nil {
		t.Fatal(err)
	}
	if after := lastCommit(t, s); after != before+1 {
		t.Errorf("got %d commits, want 1", after-before)
	}
}

// lastCommit returns the number of the last transaction in the file.
func lastCommit(t *testing.T, s *Store) (id int) {
	t.Helper()
	if err := s.db.View(func(tx *bolt.Tx) error { id = tx.ID(); return nil }); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestCloseAnswersEveryWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sluice.db")
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	release := hold(t, s)
	var all sync.WaitGroup
	errs := make([]error, 50)
	for i := range errs {
		all.Go(func() { errs[i] = s.submit(context.Background(), bucket, writing(fmt.Sprint(i))) })
	}
	queued(s, len(errs))
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	<-s.closing
	release()
	all.Wait()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("the second Close: %v", err)
	}
	if err := s.submit(context.Background(), bucket, writing("after")); !errors.Is(err, errClosed) {
		t.Errorf("a write after Close: got %v, want %v", err, errClosed)
	}
	if _, err := s.Table("test").GetMany(t.Context(), []table.Key{{PK: "p", SK: "s"}}); err == nil {
		t.Error("a read after Close succeeded")
	}
	if err := s.Table("test").Ping(t.Context()); err == nil {
		t.Error("a ping after Close succeeded")
	}

	if s, err = Open(path); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i, err := range errs {
		if got := stored(t, s, fmt.Sprint(i)); got != (err == nil) {
			t.Errorf("write %d: stored %v, answered %v", i, got, err)
		}
	}
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	before := goleak.IgnoreCurrent()
	s := openStore(t)
	if err := s.submit(t.Context(), bucket, writing("a")); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}
