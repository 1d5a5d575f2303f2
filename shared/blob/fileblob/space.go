//go:build unix

package fileblob

import (
	"fmt"
	"math"
	"os"
	"sync"
	"syscall"
)

// step is how many bytes a writer claims at a time where it outgrows what was
// announced: few enough to fill a disk nearly, enough to ask seldom.
const step = 1 << 20

// space knows the free space of a file system. It counts as used what writers
// have claimed: one writer cannot be promised what another one was.
type space struct {
	dir     *os.File
	reserve int64

	mu      sync.Mutex
	claimed int64
}

func openSpace(root *os.Root, reserve int64) (*space, error) {
	if reserve == 0 {
		reserve = DefaultReserve
	}
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	return &space{dir: dir, reserve: max(reserve, 0)}, nil
}

// claim promises n bytes to a writer, or fails with errFull.
func (s *space) claim(n int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	free, err := freeBytes(s.dir)
	if err != nil {
		return err
	}
	if room := free - s.reserve - s.claimed; n > room {
		return fmt.Errorf("%w: %d bytes wanted, %d free, %d reserved, %d promised to others", errFull, n, free, s.reserve, s.claimed)
	}
	s.claimed += n
	return nil
}

// release takes back the promise of n bytes, which were written or are not
// needed.
func (s *space) release(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claimed -= n
}

func (s *space) close() error { return s.dir.Close() }

// freeBytes returns how many bytes the file system has left for this process.
// A file system that does not know its own size has no end of them.
func freeBytes(dir *os.File) (int64, error) {
	var stat syscall.Statfs_t
	if err := syscall.Fstatfs(int(dir.Fd()), &stat); err != nil {
		return 0, os.NewSyscallError("fstatfs", err)
	}
	if stat.Blocks == 0 {
		return math.MaxInt64, nil
	}
	return int64(stat.Bavail) * int64(stat.Bsize), nil //nolint:unconvert // their types differ by system
}
