//go:build unix

package fileblob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"sluice/shared/blob"
)

// Driver is a blob.Driver over a directory.
type Driver struct {
	root   *os.Root // the directory
	lock   *os.File
	space  *space
	shards *shards

	uploads *uploads
}

// Stat implements blob.Driver.
func (d *Driver) Stat(_ context.Context, key string) (blob.Attrs, error) {
	name := objectName(key)
	info, err := d.root.Lstat(name)
	if err != nil {
		return blob.Attrs{}, absent(err)
	}
	if !info.Mode().IsRegular() {
		return blob.Attrs{}, notRegular(name)
	}
	return blob.Attrs{Size: info.Size()}, nil
}

// Open implements blob.Driver. The reader is an *os.File.
func (d *Driver) Open(_ context.Context, key string, offset, _ int64, pin string) (io.ReadCloser, error) {
	name := objectName(key)
	dir, err := d.shards.dir(d.root, path.Dir(name))
	if err != nil {
		return nil, absent(err)
	}
	file, err := openIn(dir, path.Base(name))
	if err != nil {
		return nil, absent(err)
	}
	if err := prepare(file, offset, pin); err != nil {
		_ = file.Close() // it was only read
		return nil, err
	}
	return file, nil
}

// prepare checks that file is a blob that pin allows, and seeks to offset.
func prepare(file *os.File, offset int64, pin string) error {
	if pin != "" {
		return fmt.Errorf("%w: blobs on a disk have no entity tag", errChanged)
	}
	var stat unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &stat); err != nil {
		return &fs.PathError{Op: "fstat", Path: file.Name(), Err: err}
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFREG {
		return notRegular(file.Name())
	}
	if offset == 0 {
		return nil
	}
	_, err := file.Seek(offset, io.SeekStart)
	return err
}

// Presigner implements blob.Driver: nobody but us reaches a disk.
func (d *Driver) Presigner() blob.Presigner { return nil }

// Lister implements blob.Driver: the names on the disk are not the keys.
func (d *Driver) Lister() blob.Lister { return nil }

// Delete implements blob.Driver. The removal is durable when it returns.
func (d *Driver) Delete(_ context.Context, key string) error {
	name := objectName(key)
	err := d.root.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return syncDir(d.root, path.Dir(name))
}

// Ping implements blob.Driver: it makes and removes an empty file. A disk
// without room is no failure, since what is there can still be read.
func (d *Driver) Ping(_ context.Context) error {
	file, name, err := createTemp(d.root)
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), d.root.Remove(name))
}

// Close implements blob.Driver. It gives the lock back; readers that are open
// stay usable.
func (d *Driver) Close() error {
	return errors.Join(d.shards.close(), d.space.close(), d.root.Close(), d.lock.Close())
}
