//go:build linux

package bolttable_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/shared/fault"
	"sluice/shared/table"
	"sluice/shared/table/bolttable"
)

// fullVariable tells a child process how the disk fills up, and dirVariable
// where.
const (
	fullVariable = "BOLTTABLE_FULL"
	dirVariable  = "BOLTTABLE_FULL_DIR"
)

// TestFullDisk runs each child under a real limit. Both end in the same error
// by different ways: a limit on file sizes stops bbolt when it makes the file
// longer, a small file system when it writes into it.
func TestFullDisk(t *testing.T) {
	t.Run("limit on file sizes", func(t *testing.T) {
		runFullChild(t, "rlimit", nil)
	})
	t.Run("small file system", func(t *testing.T) {
		own := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
		if os.Geteuid() != 0 {
			own.Cloneflags |= syscall.CLONE_NEWUSER
			own.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
			own.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
		}
		runFullChild(t, "tmpfs", own)
	})
}

func runFullChild(t *testing.T, how string, attributes *syscall.SysProcAttr) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestFullDiskChild$", "-test.v")
	child.Env = append(os.Environ(), fullVariable+"="+how, dirVariable+"="+t.TempDir())
	child.SysProcAttr = attributes
	out, err := child.CombinedOutput()
	exit := new(exec.ExitError)
	switch {
	case err == nil && strings.Contains(string(out), "--- PASS: TestFullDiskChild"):
	case attributes != nil && (strings.Contains(string(out), "cannot mount") || !errors.As(err, &exit)):
		cannotRun(t, fmt.Sprintf("no file system of its own: %v\n%s", err, out))
	default:
		t.Errorf("%v\n%s", err, out)
	}
}

// cannotRun skips a test, but not where every test has to run.
func cannotRun(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("must run where CI=true: " + reason)
	}
	t.Skip(reason)
}

// TestFullDiskChild fills a disk and goes on when there is room again.
func TestFullDiskChild(t *testing.T) {
	dir := os.Getenv(dirVariable)
	var makeRoom func()
	switch os.Getenv(fullVariable) {
	case "rlimit":
		makeRoom = limitFiles(t, 1<<20)
	case "tmpfs":
		makeRoom = mountSmall(t, dir, "1m")
	default:
		t.Skip("this is the child process of TestFullDisk")
	}
	path := filepath.Join(dir, "sluice.db")
	store, err := bolttable.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	records := table.New(store.Table("domain"), time.Now)
	answered := fillUp(t, records)
	wantAll(t, records, answered)
	if err := records.Ping(t.Context()); err != nil {
		t.Errorf("Ping of a full store: %v", err)
	}
	answered = append(answered, fillUpAlone(t, records)...)
	for range 20 {
		if err := putLarge(t, records, "refused"); err != nil {
			wantNoSpace(t, err)
		}
	}
	wantAll(t, records, answered)

	makeRoom()
	for i := range 100 {
		sk := fmt.Sprint("after ", i)
		if err := putLarge(t, records, sk); err != nil {
			t.Fatalf("when there is room again: %v", err)
		}
		answered = append(answered, sk)
	}
	wantAll(t, records, answered)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	wantSound(t, path)
	if store, err = bolttable.Open(path); err != nil {
		t.Fatal(err)
	}
	wantAll(t, table.New(store.Table("domain"), time.Now), answered)
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}

// limitFiles sets the process's limit on file sizes, and returns what lifts it.
func limitFiles(t *testing.T, bytes uint64) (lift func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ) // else the limit kills the process
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	set := func(limit unix.Rlimit) {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
	}
	set(unix.Rlimit{Cur: bytes, Max: before.Max})
	return func() { set(before) }
}

// mountSmall mounts a small file system, and returns what enlarges it. The
// child has a mount namespace of its own, which ends with it.
func mountSmall(t *testing.T, dir, size string) (enlarge func()) {
	t.Helper()
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatalf("cannot mount: %v", err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatalf("cannot mount: %v", err)
	}
	return func() {
		if err := unix.Mount("", dir, "", unix.MS_REMOUNT, "size=64m"); err != nil {
			t.Fatalf("cannot mount again: %v", err)
		}
	}
}

// fillUp writes from many goroutines until each is refused, and returns the
// sort keys of what was answered.
func fillUp(t *testing.T, records *table.Table) (answered []string) {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	for worker := range 16 {
		all.Go(func() {
			for n := range 10_000 {
				sk := fmt.Sprintf("%d %06d", worker, n)
				if err := putLarge(t, records, sk); err != nil {
					wantNoSpace(t, err)
					return
				}
				mu.Lock()
				answered = append(answered, sk)
				mu.Unlock()
			}
			t.Error("the disk does not fill up")
		})
	}
	all.Wait()
	if len(answered) == 0 {
		t.Fatal("nothing was answered before the disk was full")
	}
	return answered
}

// fillUpAlone uses the room that was too little for many writes at once.
func fillUpAlone(t *testing.T, records *table.Table) (answered []string) {
	t.Helper()
	for n := range 10_000 {
		sk := fmt.Sprint("alone ", n)
		if err := putLarge(t, records, sk); err != nil {
			wantNoSpace(t, err)
			return answered
		}
		answered = append(answered, sk)
	}
	t.Error("the disk does not fill up")
	return answered
}

func putLarge(t *testing.T, records *table.Table, sk string) error {
	key := table.Key{PK: "p", SK: sk}
	_, err := records.Apply(t.Context(), table.Op{Action: table.Put, Key: key, Set: table.Attrs{"v": make([]byte, 3000)}})
	return err
}

func wantNoSpace(t *testing.T, err error) {
	t.Helper()
	if !fault.Is(err, fault.InsufficientStorage, "no_space") {
		t.Errorf("got %v, want a fault no_space", err)
	}
}

// wantAll checks that every answered write is there.
func wantAll(t *testing.T, records *table.Table, answered []string) {
	t.Helper()
	for _, sk := range answered {
		item, found, err := records.Get(t.Context(), table.Key{PK: "p", SK: sk})
		if v, _ := item.Attrs["v"].([]byte); err != nil || !found || len(v) != 3000 {
			t.Fatalf("item %q: got %v, %v, %d bytes", sk, found, err, len(v))
		}
	}
}
