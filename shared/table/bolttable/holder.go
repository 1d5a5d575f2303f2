package bolttable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// The process that has locked a file writes its number and its host into a
// file beside it, for the one that comes second to read. Nothing depends on
// it: the lock is bbolt's own. After a crash a stale one stays until the next
// process has the lock and writes its own.

func holderFile(path string) string { return path + ".pid" }

// claim says that this process holds the lock of path.
func claim(path string) error {
	host, err := os.Hostname()
	if err != nil {
		host = "an unnamed host"
	}
	line := fmt.Sprintf("process %d on %s\n", os.Getpid(), host)
	return os.WriteFile(holderFile(path), []byte(line), 0o600)
}

// release takes the claim back. It comes before the lock is let go, so that it
// never removes the next holder's.
func release(path string) error {
	if err := os.Remove(holderFile(path)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// holder names the process that holds the lock of path.
func holder(path string) string {
	line, err := os.ReadFile(holderFile(path))
	if err != nil || len(line) == 0 {
		return "another process"
	}
	return strings.TrimSpace(string(line))
}
