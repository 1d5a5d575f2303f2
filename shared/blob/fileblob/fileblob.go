// Package fileblob keeps blobs as files in a directory of a local disk.
//
// # Layout
//
//	lock                  held by the one process that has the store open
//	tmp/<random>.partial  blobs being written
//	uploads/<hash>/       a blob being sent in parts, see below
//	objects/<xx>/<hash>   blobs: hash is the SHA-256 of the key, in lower-case
//	                      hex, and xx its first two digits
//
// No byte of a key reaches the file system. So every key fits every one of
// them, whether it ignores case or rewrites Unicode, "a" and "a/b" live side
// by side, and no directory comes or goes with a key. To find a blob by hand:
// printf %s "$key" | sha256sum.
//
// Everything is reached through an os.Root: a symbolic link that leads out of
// the directory is an error. A blob that is itself a link is one, wherever it
// leads. The directory must be on one file system, with
// hard links.
//
// # Durability
//
// A blob is written to tmp/, synced, linked to its name, which fails where the
// name is taken, and the directory is synced; then Commit returns. So a file
// in objects/ is whole at all times. What a crash leaves in tmp/ is removed by
// the next Open.
//
// # Parts
//
// A blob that is sent in parts has a directory until it is complete or aborted:
//
//	parts       a journal: a header, then a line for each part that is durable
//	data        a sparse file with each part at its offset
//	<n>-<random> a part that came while another one had, or was taking, its place
//	whole       what data is called once no part may change
//
// A part is written, synced, and then added to the journal, which is synced; so
// the journal is the one truth of what arrived, and a part that breaks off, even
// one that was to replace another, has changed nothing. To complete is to copy
// the few parts that are not in data to their places, sync, rename data to
// whole, and link it to its name. Nothing is copied twice where every part came
// once.
//
// # Space
//
// A store leaves Options.Reserve bytes of its file system free. The bytes that
// running writers have announced but not yet written count as used.
//
// Blobs have no entity tag: keys are never reused, so that the key itself pins
// the bytes.
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

// DefaultReserve is what a store leaves free unless told otherwise: 64 MiB.
const DefaultReserve = 64 << 20

// Options are the settings of a store. The zero value holds the defaults.
type Options struct {
	// Reserve is how many bytes of the file system are never used. 0 means
	// DefaultReserve; a negative number means none.
	Reserve int64
}

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
