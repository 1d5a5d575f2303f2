//go:build unix

package fileblob

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"sluice/shared/blob"
	"sluice/shared/filelock"
)

var _ blob.Driver = (*Driver)(nil)

// Open opens the store in dir, which is made if absent, and removes what a
// crash left behind. It fails where another process, or another Driver, has
// the store open.
func Open(dir string, opts Options) (*Driver, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	lock, err := acquireLock(root)
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	space, err := openSpace(root, opts.Reserve)
	if err != nil {
		return nil, errors.Join(err, lock.Close(), root.Close())
	}
	d := &Driver{root: root, lock: lock, space: space, shards: newShards(), uploads: newUploads()}
	if err := d.settle(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// settle makes the directories, clears tmp/ and checks that blobs can be
// published.
func (d *Driver) settle() error {
	if err := makeLayout(d.root); err != nil {
		return err
	}
	if err := clearTemp(d.root); err != nil {
		return err
	}
	if err := d.clearUploads(); err != nil {
		return err
	}
	return probeLink(d.root)
}

// acquireLock locks the file "lock", which holds the process id of its holder
// for whoever fails to. The kernel releases it when the process ends.
func acquireLock(root *os.Root) (*os.File, error) {
	file, err := root.OpenFile("lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = filelock.Try(file)
	if errors.Is(err, filelock.ErrHeld) {
		holder, _ := io.ReadAll(io.LimitReader(file, 20)) // only to say who
		err = fmt.Errorf("%s is in use by process %s, which holds its file \"lock\"", root.Name(), strings.TrimSpace(string(holder)))
		return nil, errors.Join(err, file.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path.Join(root.Name(), "lock"), err), file.Close())
	}
	if err := writeHolder(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

func writeHolder(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := fmt.Fprintln(file, os.Getpid())
	return err
}

// makeLayout makes the directories that do not depend on a key.
func makeLayout(root *os.Root) error {
	for _, name := range []string{"tmp", "uploads", "objects"} {
		if err := makeDir(root, name); err != nil {
			return err
		}
	}
	return nil
}

// clearTemp removes the blobs that were never published. It touches only what
// bears their suffix, in case dir is not the directory it was meant to be.
func clearTemp(root *os.Root) error {
	dir, err := root.Open("tmp")
	if err != nil {
		return err
	}
	entries, err := dir.ReadDir(-1)
	if err := errors.Join(err, dir.Close()); err != nil {
		return err
	}
	for _, entry := range entries {
		if !entry.Type().IsRegular() || path.Ext(entry.Name()) != partial {
			continue
		}
		if err := root.Remove(path.Join("tmp", entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// probeLink publishes an empty file and removes it. It finds a file system
// without hard links, or objects/ on another one than tmp/, at the start.
func probeLink(root *os.Root) error {
	const probe = "objects/probe"
	if err := root.Remove(probe); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // one that a crash left
	}
	file, name, err := createTemp(root)
	if err != nil {
		return err
	}
	if err := root.Link(name, probe); err != nil {
		err = fmt.Errorf("%s needs a file system with hard links, the same for tmp and objects: %w", root.Name(), err)
		return errors.Join(err, file.Close(), root.Remove(name))
	}
	return errors.Join(file.Close(), root.Remove(probe), root.Remove(name))
}
