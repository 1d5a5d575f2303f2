package fileblob

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path"
	"sync"
)

// objectName returns the file of a key's blob.
func objectName(key string) string {
	sum := sha256.Sum256([]byte(key))
	name := hex.EncodeToString(sum[:])
	return path.Join("objects", name[:2], name)
}

// shards are the directories objects/00 to objects/ff. They are made when
// first needed and never removed, so that Create and Delete cannot race.
type shards struct {
	mu   sync.Mutex
	made map[string]bool // by this process, durably
}

// make makes dir, unless this process did so before.
func (s *shards) make(root *os.Root, dir string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
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
