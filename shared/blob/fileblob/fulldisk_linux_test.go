package fileblob_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sluice/shared/blob"
	"sluice/shared/blob/fileblob"
	"sluice/shared/fault"
)

// diskSize is the size of the small disk, in bytes.
const diskSize = 8 << 20

// onSmallDisk runs test in a child with a file system of 8 MiB of its own.
// The mount is seen by the child alone and ends with it.
func onSmallDisk(t *testing.T, test func(t *testing.T, dir string)) {
	t.Helper()
	if dir := os.Getenv(storeOfChild); dir != "" {
		if err := syscall.Mount("small", dir, "tmpfs", 0, "size=8m"); err != nil {
			t.Fatalf("mount: %v", err)
		}
		test(t, dir)
		return
	}
	cmd := child(t, t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	}
	out, err := cmd.CombinedOutput()
	if cmd.Process == nil {
		cannotRun(t, "no mount namespace to be had here: "+err.Error())
	}
	if err != nil {
		t.Fatalf("the child: %v\n%s", err, out)
	}
}

func TestFullDiskWhileWriting(t *testing.T) {
	onSmallDisk(t, func(t *testing.T, dir string) {
		b := blob.NewBucket(open(t, dir, fileblob.Options{Reserve: -1}))
		defer closeStore(t, b)
		put(t, b, "old", []byte("bytes"))
		w, err := b.Create(t.Context(), "key", 6<<20)
		if err != nil {
			t.Fatalf("Create: %v", err)
		}
		stranger := filepath.Join(dir, "stranger")
		if err := os.WriteFile(stranger, make([]byte, 4<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = w.Write(make([]byte, 6<<20))
		if !fault.Is(err, fault.InsufficientStorage, "no_space") {
			t.Errorf("Write: %v, want no_space", err)
		}
		_, err = w.Commit(t.Context())
		wantNothingKept(t, dir, b, err)
		if got := read(t, b, "old", 5); string(got) != "bytes" {
			t.Errorf("the blob of before is %q, want %q", got, "bytes")
		}

		if err := os.Remove(stranger); err != nil {
			t.Fatal(err)
		}
		put(t, b, "key", make([]byte, 6<<20))
	})
}

func TestAnnouncedBytesArePromised(t *testing.T) {
	onSmallDisk(t, func(t *testing.T, dir string) {
		b := blob.NewBucket(open(t, dir, fileblob.Options{Reserve: -1}))
		defer closeStore(t, b)
		first, err := b.Create(t.Context(), "first", 5<<20)
		if err != nil {
			t.Fatalf("Create of 5 MiB of 8: %v", err)
		}
		if _, err := b.Create(t.Context(), "key", 5<<20); !fault.Is(err, fault.InsufficientStorage, "no_space") {
			t.Errorf("Create of 5 MiB more: %v, want no_space", err)
		}
		if err := first.Abort(); err != nil {
			t.Fatalf("Abort: %v", err)
		}
		put(t, b, "key", make([]byte, 5<<20))
		put(t, b, "rest", make([]byte, 2<<20))
	})
}

func TestReserveStaysFree(t *testing.T) {
	onSmallDisk(t, func(t *testing.T, dir string) {
		const reserve = 3 << 20
		b := blob.NewBucket(open(t, dir, fileblob.Options{Reserve: reserve}))
		defer closeStore(t, b)
		w, err := b.Create(t.Context(), "key", -1)
		if err != nil {
			t.Fatalf("Create: %v", err)
		}
		for err == nil {
			_, err = w.Write(make([]byte, 100_000))
		}
		if w.Written() < diskSize-reserve-2<<20 || w.Written() > diskSize-reserve {
			t.Errorf("%d bytes were written before the store was full, want up to %d", w.Written(), diskSize-reserve)
		}
		_, commitErr := w.Commit(t.Context())
		if commitErr != err {
			t.Errorf("Commit: %v, want the error of Write", commitErr)
		}
		wantNothingKept(t, dir, b, commitErr)
		if _, err := tryPut(t, b, "key", make([]byte, diskSize-reserve)); !fault.Is(err, fault.InsufficientStorage, "no_space") {
			t.Errorf("put of all but the reserve, with directories there: %v, want no_space", err)
		}
	})
}

func TestOpenRefusesAStoreOnTwoFileSystems(t *testing.T) {
	onSmallDisk(t, func(t *testing.T, dir string) {
		objects := filepath.Join(dir, "objects")
		if err := os.Mkdir(objects, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount("another", objects, "tmpfs", 0, "size=1m"); err != nil {
			t.Fatalf("mount: %v", err)
		}
		d, err := fileblob.Open(dir, fileblob.Options{Reserve: -1})
		if err == nil {
			d.Close()
			t.Fatal("Open passed")
		}
		if !strings.Contains(err.Error(), "the same for tmp and objects") {
			t.Errorf("Open: %v, want it to say what is wrong", err)
		}
		if left := list(t, dir, "tmp"); len(left) != 1 {
			t.Errorf("in tmp/ are %q, want nothing", left)
		}
	})
}
