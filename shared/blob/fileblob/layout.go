//go:build unix

package fileblob

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path"
	"sync"

	"golang.org/x/sys/unix"
)

// objectName returns the file of a key's blob.
func objectName(key string) string {
	sum := sha256.Sum256([]byte(key))
	name := hex.AppendEncode([]byte("objects/"), sum[:1])
	return string(hex.AppendEncode(append(name, '/'), sum[:]))
}

// shards are the directories objects/00 to objects/ff. They are made when
// first needed and never removed, so that Create and Delete cannot race. Once
// a blob was looked for in one it is kept open, so that to open a blob is to
// look up one name.
type shards struct {
	making sync.Mutex
	made   map[string]bool // by this process, durably

	opening sync.RWMutex // not the other one, which is held while a disk syncs
	open    map[string]*os.File
}

func newShards() *shards {
	return &shards{made: map[string]bool{}, open: map[string]*os.File{}}
}

// dir returns the open directory of that name. Only close closes it.
func (s *shards) dir(root *os.Root, name string) (*os.File, error) {
	s.opening.RLock()
	dir := s.open[name]
	s.opening.RUnlock()
	if dir != nil {
		return dir, nil
	}
	s.opening.Lock()
	defer s.opening.Unlock()
	if dir := s.open[name]; dir != nil {
		return dir, nil
	}
	dir, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	s.open[name] = dir
	return dir, nil
}

func (s *shards) close() error {
	var errs []error
	for _, dir := range s.open {
		errs = append(errs, dir.Close())
	}
	return errors.Join(errs...)
}

// openIn opens the file of that name, which is no path, in dir for reading. A
// link is not followed, so that nothing outside dir can be reached. os.Root
// would do as much by ten calls of the system, most of them to find that a
// file cannot be polled.
func openIn(dir *os.File, name string) (*os.File, error) {
	full := dir.Name() + "/" + name
	for {
		fd, err := unix.Openat(int(dir.Fd()), name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		switch {
		case err == nil:
			return os.NewFile(uintptr(fd), full), nil
		case !errors.Is(err, unix.EINTR):
			return nil, &fs.PathError{Op: "openat", Path: full, Err: err}
		}
	}
}

// make makes dir, unless this process did so before.
func (s *shards) make(root *os.Root, dir string) error {
	s.making.Lock()
	defer s.making.Unlock()
	if s.made[dir] {
		return nil
	}
	if err := makeDir(root, dir); err != nil {
		return err
	}
	s.made[dir] = true
	return nil
}

// makeDir makes a directory, if absent, and makes its own entry durable.
func makeDir(root *os.Root, name string) error {
	if err := root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(root, path.Dir(name))
}

// syncDir makes the entries of a directory durable.
func syncDir(root *os.Root, name string) error {
	dir, err := root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
