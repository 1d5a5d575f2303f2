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

// allocate reserves the disk space of a file and makes it size bytes long.
func allocate(file *os.File, size int64) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
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
