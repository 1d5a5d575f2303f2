package fetch

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMemoryIsTakenAsItIsWritten(t *testing.T) {
	const tmpfs = "/dev/shm"
	var in unix.Statfs_t
	if err := unix.Statfs(tmpfs, &in); err != nil || in.Type != unix.TMPFS_MAGIC {
		t.Skip(tmpfs + " is no tmpfs")
	}
	file, err := os.CreateTemp(tmpfs, "sluice-test-")
	if err != nil {
		t.Skip(err)
	}
	defer os.Remove(file.Name())
	defer file.Close()
	const size = 8 << 20
	if err := allocate(file, size); err != nil {
		t.Fatal(err)
	}
	var got unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &got); err != nil {
		t.Fatal(err)
	}
	if got.Size != size || got.Blocks != 0 {
		t.Errorf("the file is %d bytes long and has %d blocks; want %d and none", got.Size, got.Blocks, size)
	}
	if in.Blocks == 0 {
		return // it has no limit
	}
	for _, more := range []int64{1 << 20, 1 << 50} {
		if err := allocate(file, int64(in.Blocks)*in.Bsize+more); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("room for more than all of it was found: %v", err)
		}
	}
}
