//go:build unix

package fileblob

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"

	"sluice/shared/blob"
)

var _ blob.Multiparter = (*Driver)(nil)

// uploadDir returns the directory of a key's upload.
func uploadDir(key string) string { return "uploads/" + path.Base(objectName(key)) }

// Multipart implements blob.Driver.
func (d *Driver) Multipart() blob.Multiparter { return d }

// CreateMultipart implements blob.Multiparter. A key has one upload at most.
func (d *Driver) CreateMultipart(_ context.Context, key string, partSize int64) (string, error) {
	dir := uploadDir(key)
	id, err := createParts(d.root, dir, partSize)
	if err != nil && !errors.Is(err, errExists) {
		err = errors.Join(err, d.root.RemoveAll(dir))
	}
	return id, err
}

// PutPart implements blob.Multiparter.
func (d *Driver) PutPart(_ context.Context, key, id string, number int, body io.Reader, size int64, _ []byte) (blob.Part, error) {
	p, err := d.uploads.get(d.root, uploadDir(key), id)
	if err != nil {
		return blob.Part{}, err
	}
	if size > p.PartSize {
		return blob.Part{}, fmt.Errorf("fileblob: a part of %d bytes, of %d at most", size, p.PartSize)
	}
	w, err := newPartWriter(p, number, size, d.space)
	if err != nil {
		return blob.Part{}, err
	}
	e, err := w.receive(body)
	if err == nil {
		err = p.record(e)
	}
	if err := errors.Join(err, w.close(err == nil)); err != nil {
		return blob.Part{}, err
	}
	return e.part(), nil
}

// part is e as the port has it. Its tag is its digest: the same tag, the same
// bytes.
func (e entry) part() blob.Part {
	return blob.Part{Number: e.Number, Size: e.Size, ETag: `"` + hex.EncodeToString(e.SHA256) + `"`, SHA256: bytes.Clone(e.SHA256)}
}

// ListParts implements blob.Multiparter.
func (d *Driver) ListParts(_ context.Context, key, id string, after, limit int) ([]blob.Part, bool, error) {
	p, err := d.uploads.get(d.root, uploadDir(key), id)
	if err != nil {
		return nil, false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []blob.Part
	for _, number := range slices.Sorted(maps.Keys(p.kept)) {
		if number <= after {
			continue
		}
		if len(out) == limit {
			return out, true, nil
		}
		out = append(out, p.kept[number].part())
	}
	return out, false, nil
}

// CompleteMultipart implements blob.Multiparter. After a crash it may be called
// again: what was done stays done.
func (d *Driver) CompleteMultipart(_ context.Context, key, id string, parts []blob.Part) (blob.Attrs, error) {
	dir := uploadDir(key)
	p, err := d.finish(dir, id)
	if err != nil {
		return blob.Attrs{}, err
	}
	defer p.finish.Unlock()
	defer d.uploads.forget(dir) // what goes on after a failure starts from the disk
	if err := p.agree(parts); err != nil {
		return blob.Attrs{}, err
	}
	size, err := p.seal(parts)
	if err != nil {
		return blob.Attrs{}, absent(err)
	}
	if err := d.publish(path.Join(dir, wholeName), objectName(key)); err != nil {
		return blob.Attrs{}, err
	}
	// Published it is: what is left is only a second name of the file, and the
	// next Open removes it.
	_ = d.root.RemoveAll(dir)
	return blob.Attrs{Size: size}, nil
}

// finish returns the upload once nobody else ends it, closed to writers.
func (d *Driver) finish(dir, id string) (*parts, error) {
	for {
		p, err := d.uploads.get(d.root, dir, id)
		if err != nil {
			return nil, err
		}
		p.finish.Lock()
		if !p.isClosed() {
			p.close()
			return p, nil
		}
		p.finish.Unlock() // somebody was before us
	}
}

// agree holds the parts given against those kept.
func (p *parts) agree(given []blob.Part) error {
	for i, g := range given {
		e, ok := p.part(g.Number)
		if !ok || e.part().ETag != g.ETag {
			return fmt.Errorf("%w: part %d is another one", errChanged, g.Number)
		}
		if i < len(given)-1 && e.Size != p.PartSize {
			return fmt.Errorf("fileblob: part %d has %d bytes, not %d", g.Number, e.Size, p.PartSize)
		}
	}
	return nil
}

// seal brings every part to its place in data, and renames it: from then on no
// process writes to it. It returns the size of the whole.
func (p *parts) seal(given []blob.Part) (int64, error) {
	last, _ := p.part(len(given))
	size := int64(len(given)-1)*p.PartSize + last.Size
	whole := path.Join(p.dir, wholeName)
	if _, err := p.root.Lstat(whole); err == nil {
		return size, nil // a crash came between
	}
	file, err := p.root.OpenFile(path.Join(p.dir, slotsName), os.O_WRONLY, 0)
	if err != nil {
		return 0, err
	}
	err = p.gather(file, given)
	if err == nil {
		err = file.Truncate(size)
	}
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return 0, err
	}
	if err := p.root.Rename(path.Join(p.dir, slotsName), whole); err != nil {
		return 0, err
	}
	return size, syncDir(p.root, p.dir)
}

// gather copies the parts that have files of their own to their places.
func (p *parts) gather(dst *os.File, given []blob.Part) error {
	for _, g := range given {
		e, _ := p.part(g.Number)
		if e.Spool == "" {
			continue
		}
		src, err := p.root.Open(path.Join(p.dir, e.Spool))
		if err != nil {
			return err
		}
		_, err = io.Copy(io.NewOffsetWriter(dst, int64(g.Number-1)*p.PartSize), src)
		if err = errors.Join(err, src.Close()); err != nil {
			return err
		}
	}
	return nil
}

// AbortMultipart implements blob.Multiparter.
func (d *Driver) AbortMultipart(_ context.Context, key string) error {
	dir := uploadDir(key)
	d.uploads.forget(dir)
	return d.root.RemoveAll(dir)
}

// clearUploads removes the uploads that a crash left after they had become
// blobs, or before they had begun.
func (d *Driver) clearUploads() error {
	entries, err := fs.ReadDir(d.root.FS(), "uploads")
	if err != nil {
		return err
	}
	for _, found := range entries {
		dir := path.Join("uploads", found.Name())
		over, err := d.isOver(dir)
		if err == nil && over {
			err = d.root.RemoveAll(dir)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// isOver reports whether nobody can go on with the upload in dir.
func (d *Driver) isOver(dir string) (bool, error) {
	if _, err := d.root.Lstat(path.Join(dir, journalName)); errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	whole, err := d.root.Lstat(path.Join(dir, wholeName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	object, err := d.root.Lstat("objects/" + path.Base(dir)[:2] + "/" + path.Base(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(whole, object), err
}
