package fileblob_test

import (
	"os"
	"slices"
	"syscall"
	"testing"

	"sluice/shared/blob"
	"sluice/shared/blob/fileblob"
	"sluice/shared/fault"
)

// TestFileSizeLimit writes more than the system allows a file of this process
// to have. The limit cannot be lifted again, hence the child.
func TestFileSizeLimit(t *testing.T) {
	dir := os.Getenv(storeOfChild)
	if dir == "" {
		if out, err := child(t, t.TempDir()).CombinedOutput(); err != nil {
			t.Fatalf("the child: %v\n%s", err, out)
		}
		return
	}
	const limit = 1 << 20
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		t.Fatal(err)
	}
	b := blob.NewBucket(open(t, dir, fileblob.Options{}))
	defer closeStore(t, b)
	put(t, b, "just fits", make([]byte, limit))
	_, err := tryPut(t, b, "key", make([]byte, limit+1))
	wantNothingKept(t, dir, b, err)
}

// wantNothingKept checks that err tells of a full store, and that "key" left
// nothing behind.
func wantNothingKept(t *testing.T, dir string, b *blob.Bucket, err error) {
	t.Helper()
	if !fault.Is(err, fault.InsufficientStorage, "no_space") {
		t.Errorf("%v, want no_space", err)
	}
	if _, err := b.Stat(t.Context(), "key"); !fault.Is(err, fault.NotFound, "blob_not_found") {
		t.Errorf("Stat: %v, want blob_not_found", err)
	}
	if left := list(t, dir, "tmp"); !slices.Equal(left, []string{"tmp"}) {
		t.Errorf("in tmp/ are %q, want nothing", left)
	}
}
