package fetch

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// bootID names the running system; it is another one after each start of the
// machine. Empty means unknown.
func bootID() string {
	text, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // a sandbox may hide it
	return strings.TrimSpace(string(text))
}

// allocate reserves the disk space of a file and makes it size bytes long. In
// memory (tmpfs) that would take every page of it, one after the other, before
// the first byte is fetched: there it only looks whether there is room.
func allocate(file *os.File, size int64) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		var in unix.Statfs_t
		if unix.Fstatfs(int(fd), &in) == nil && in.Type == unix.TMPFS_MAGIC {
			failed = allocateLater(int(fd), size, in)
			return
		}
		for {
			if failed = unix.Fallocate(int(fd), 0, 0, size); !errors.Is(failed, unix.EINTR) {
				return
			}
		}
	})
	if errors.Is(failed, unix.EOPNOTSUPP) || errors.Is(failed, unix.ENOSYS) {
		failed = file.Truncate(size)
	}
	return errors.Join(err, failed)
}

// allocateLater makes a file size bytes long, if what it lacks of that has room.
func allocateLater(fd int, size int64, in unix.Statfs_t) error {
	var has unix.Stat_t
	if err := unix.Fstat(fd, &has); err != nil {
		return err
	}
	const block = 512 // of Stat_t.Blocks, in bytes
	limited := in.Blocks > 0
	if lacks := size - has.Blocks*block; limited && lacks > 0 && uint64(lacks) > in.Bavail*uint64(in.Bsize) {
		return unix.ENOSPC
	}
	return unix.Ftruncate(fd, size)
}
