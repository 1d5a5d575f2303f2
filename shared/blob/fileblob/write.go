//go:build unix

package fileblob

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"sluice/shared/blob"
)

// partial is the suffix of the files in tmp/.
const partial = ".partial"

// Create implements blob.Driver.
func (d *Driver) Create(_ context.Context, key string, size int64) (blob.DriverWriter, error) {
	claimed := max(size, 0)
	if err := d.space.claim(claimed); err != nil {
		return nil, err
	}
	file, name, err := createTemp(d.root)
	if err != nil {
		d.space.release(claimed)
		return nil, err
	}
	return &writer{driver: d, file: file, temp: name, object: objectName(key), claimed: claimed}, nil
}

// createTemp makes a new file in tmp/ and returns it with its name.
func createTemp(root *os.Root) (*os.File, string, error) {
	name := path.Join("tmp", rand.Text()+partial)
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	return file, name, err
}

// writer is a blob being written.
type writer struct {
	driver  *Driver
	file    *os.File
	temp    string
	object  string
	claimed int64 // bytes of space claimed and not yet written
	written int64
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	if short := int64(len(p)) - w.claimed; short > 0 {
		short = max(short, step)
		if err := w.driver.space.claim(short); err != nil {
			return 0, err
		}
		w.claimed += short
	}
	n, err := w.file.Write(p)
	w.written += int64(n)
	w.claimed -= int64(n)
	w.driver.space.release(int64(n))
	return n, err
}

// Commit implements blob.DriverWriter.
func (w *writer) Commit(context.Context) (blob.Attrs, error) {
	if err := w.file.Sync(); err != nil {
		return blob.Attrs{}, errors.Join(err, w.Abort())
	}
	if err := w.driver.publish(w.temp, w.object); err != nil {
		return blob.Attrs{}, errors.Join(err, w.Abort())
	}
	// Published it is: a leftover in tmp/ is only a second name of the file,
	// and the next Open removes it.
	_ = w.Abort()
	return blob.Attrs{Size: w.written}, nil
}

// publish gives the file temp the name of an object, which must be free, for
// good.
func (d *Driver) publish(temp, object string) error {
	root, dir := d.root, path.Dir(object)
	if err := d.shards.make(root, dir); err != nil {
		return err
	}
	err := root.Link(temp, object)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %w", errExists, err)
	}
	if err != nil {
		return err
	}
	if err := syncDir(root, dir); err != nil {
		return errors.Join(err, root.Remove(object))
	}
	return nil
}

// Abort implements blob.DriverWriter.
func (w *writer) Abort() error {
	w.driver.space.release(w.claimed)
	w.claimed = 0
	return errors.Join(w.file.Close(), w.driver.root.Remove(w.temp))
}
