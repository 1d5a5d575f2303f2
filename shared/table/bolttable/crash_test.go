//go:build unix

package bolttable_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"sluice/shared/table"
	"sluice/shared/table/bolttable"
)

// crashVariable tells a child process which file to write to.
const (
	crashVariable = "BOLTTABLE_CRASH_FILE"
	roundVariable = "BOLTTABLE_CRASH_ROUND"
	crashWriters  = 8
)

// TestCrashChild writes until it is killed, and prints what was answered.
func TestCrashChild(t *testing.T) {
	path := os.Getenv(crashVariable)
	if path == "" {
		t.Skip("this is the child process of TestAnsweredWritesOutliveACrash")
	}
	store, err := bolttable.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	records := table.New(store.Table("domain"), time.Now)
	var all sync.WaitGroup
	for worker := range crashWriters {
		all.Go(func() {
			for n := 0; ; n++ {
				if err := records.Transact(context.Background(), crashOps(os.Getenv(roundVariable), worker, n)...); err != nil {
					t.Error(err)
					return
				}
				fmt.Fprintf(os.Stdout, "answered %d %d\n", worker, n)
			}
		})
	}
	all.Wait()
}

// crashOps returns the n-th transaction of a worker: two items that belong
// together, and a count.
func crashOps(round string, worker, n int) []table.Op {
	half := func(name string) table.Op {
		return table.Op{Action: table.Put, Key: crashKey(round, worker, n, name), Set: table.Attrs{"v": make([]byte, 100*(n%50))}}
	}
	count := table.Op{Action: table.Update, Key: table.Key{PK: round, SK: fmt.Sprint("count ", worker)}, Add: map[string]int64{"n": 1}}
	return []table.Op{half("a"), half("b"), count}
}

func crashKey(round string, worker, n int, name string) table.Key {
	return table.Key{PK: round, SK: fmt.Sprintf("%d %06d %s", worker, n, name)}
}

func TestAnsweredWritesOutliveACrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sluice.db")
	for round := range 6 {
		name := fmt.Sprint("round ", round)
		answered := crash(t, path, name, 20+150*round)
		store, err := bolttable.Open(path)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		records := table.New(store.Table("domain"), time.Now)
		for worker, n := range answered {
			wantSurvivors(t, records, name, worker, n)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		wantSound(t, path)
	}
}

// crash runs a child until it has answered some writes, kills it, and returns
// how many each worker was answered.
func crash(t *testing.T, path, round string, enough int) (answered [crashWriters]int) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestCrashChild$")
	child.Env = append(os.Environ(), crashVariable+"="+path, roundVariable+"="+round)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines, total := bufio.NewScanner(out), 0
	for lines.Scan() {
		var worker, n int
		if _, err := fmt.Sscanf(lines.Text(), "answered %d %d", &worker, &n); err != nil {
			t.Errorf("%s: the child says %q", round, lines.Text())
			continue
		}
		answered[worker] = n + 1
		if total++; total == enough {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = child.Wait() // it was killed
	if total < enough {
		t.Fatalf("%s: the child ended after %d answers", round, total)
	}
	return answered
}

// wantSurvivors checks that the first n transactions of a worker are there,
// and that a later one, which was not answered, is there wholly or not at all.
func wantSurvivors(t *testing.T, records *table.Table, round string, worker, n int) {
	t.Helper()
	var there int
	for i := range n + 1 {
		keys := []table.Key{crashKey(round, worker, i, "a"), crashKey(round, worker, i, "b")}
		items, err := records.GetMany(t.Context(), keys)
		if err != nil {
			t.Fatal(err)
		}
		if i < n && len(items) != 2 {
			t.Errorf("%s: write %d of worker %d was answered, but %d of its 2 items are there", round, i, worker, len(items))
		}
		if len(items) == 1 {
			t.Errorf("%s: write %d of worker %d was done by half", round, i, worker)
		}
		there += len(items) / 2
	}
	count, _, err := records.Get(t.Context(), table.Key{PK: round, SK: fmt.Sprint("count ", worker)})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := count.Attrs["n"].(int64); got != int64(there) {
		t.Errorf("%s: worker %d has counted %d writes, but %d are there", round, worker, got, there)
	}
}

// wantSound checks the structure of a closed file.
func wantSound(t *testing.T, path string) {
	t.Helper()
	plain(t, path, func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			t.Errorf("%s: %v", path, err)
		}
		return nil
	})
}

func TestSecondProcessIsToldWhoIsFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sluice.db")
	child := exec.Command(os.Args[0], "-test.run=^TestCrashChild$")
	child.Env = append(os.Environ(), crashVariable+"="+path, roundVariable+"=0")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(out)
	if _, err := answers.ReadString('\n'); err != nil {
		t.Error(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _, _ = answers.WriteTo(io.Discard) }()
	_, err = bolttable.Open(path)
	wantFault(t, err, "table_in_use", path, fmt.Sprintf("process %d on ", child.Process.Pid))

	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-done
	_ = child.Wait() // it was killed
	store, err := bolttable.Open(path)
	if err != nil {
		t.Fatalf("after the first process was killed: %v", err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}
