package filelock_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"sluice/shared/filelock"
)

func open(t *testing.T, name string) *os.File {
	t.Helper()
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() }) // it may be closed already
	return file
}

func TestALockIsOneOpenFilesAlone(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	first, second, other := open(t, name), open(t, name), open(t, name+"2")
	if err := filelock.Try(first); err != nil {
		t.Fatalf("the first lock: %v", err)
	}
	if err := filelock.Try(second); !errors.Is(err, filelock.ErrHeld) {
		t.Errorf("a second lock: %v, want ErrHeld", err)
	}
	if err := filelock.Try(other); err != nil {
		t.Errorf("a lock of another file: %v", err)
	}
	if _, err := second.WriteString("written"); err != nil {
		t.Errorf("who has no lock cannot write: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := filelock.Try(second); err != nil {
		t.Errorf("a lock once the first one's file is closed: %v", err)
	}
}

// TestWhoWaitsComesOneAfterTheOther has many add one to a number in a file,
// which loses some of them where two have the lock at once.
func TestWhoWaitsComesOneAfterTheOther(t *testing.T) {
	const many = 50
	name := filepath.Join(t.TempDir(), "file")
	number := name + ".number"
	if err := os.WriteFile(number, []byte("0"), 0o600); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range many {
		file := open(t, name)
		wg.Go(func() {
			defer file.Close()
			if err := filelock.Wait(file); err != nil {
				t.Error(err)
			}
			text, err := os.ReadFile(number)
			n, convErr := strconv.Atoi(string(text))
			if err := errors.Join(err, convErr, os.WriteFile(number, []byte(strconv.Itoa(n+1)), 0o600)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if text, err := os.ReadFile(number); err != nil || string(text) != strconv.Itoa(many) {
		t.Errorf("the number is %s, %v, want %d", text, err, many)
	}
}
