package blob

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"syscall"
)

// Reader yields one range of a blob: exactly its bytes, or an error. After an
// error of the blob, Remaining tells where to go on under the same pin, by
// another Reader. A Reader is used by one goroutine at a time.
type Reader struct {
	ctx    context.Context
	bucket *Bucket
	closer io.Closer
	source io.LimitedReader // R: the driver's reader itself, or tap around it
	tap    *tap             // nil where the driver's reader may be copied in the kernel
	left   int64
	broken error // why bytes were taken from the blob that no destination got
}

func newReader(ctx context.Context, b *Bucket, rc io.ReadCloser, length int64) *Reader {
	r := &Reader{ctx: ctx, bucket: b, closer: rc, left: length}
	if _, ok := rc.(syscall.Conn); ok {
		r.source.R = rc
	} else {
		r.tap = &tap{r: rc}
		r.source.R = r.tap
	}
	return r
}

// Read implements io.Reader. It returns io.EOF once the whole range was read,
// blob_truncated where the blob ended before that, and blob_failed where the
// store did.
func (r *Reader) Read(p []byte) (int, error) {
	if r.broken != nil {
		return 0, r.broken
	}
	if r.left == 0 {
		return 0, io.EOF
	}
	if err := alive(r.ctx); err != nil {
		return 0, err
	}
	r.source.N = r.left
	n, err := r.source.Read(p)
	r.left -= int64(n)
	switch {
	case err == nil || r.left == 0:
		return n, nil
	case err == io.EOF:
		return n, truncated()
	}
	return n, r.bucket.wrap(r.ctx, err)
}

// CopyN copies up to n bytes to dst. Like io.CopyN it returns a nil error if
// and only if it copied n, and io.EOF where the range ended first.
//
// It hands dst's ReadFrom, where it has one, an *io.LimitedReader over the
// driver's own reader, so that a file is copied to a *net.TCPConn in the
// kernel.
//
// Errors of the blob are faults (blob_failed, blob_truncated, canceled), and
// the bytes returned as copied are then exactly those taken from the blob.
// Errors of dst are returned as they are. After one, such as a deadline that
// passed, copying may go on with the next byte if every byte taken from the
// blob was copied, as in the kernel, or if the blob is a file, which is
// rewound. Of other readers a copy through a buffer may have taken bytes that
// dst then refused. They are lost: every later CopyN and Read fails with the
// same error, so that no body has a hole.
//
// Who failed is known for certain where CopyN saw each Read: on every reader
// but a file. A file that dst's ReadFrom copies in the kernel yields one error
// for both ends: EIO, ESTALE and EBADMSG are the file's (sendfile(2)), all
// others dst's, and a copy that stops early without an error is a truncated
// blob.
func (r *Reader) CopyN(dst io.Writer, n int64) (int64, error) {
	if r.broken != nil {
		return 0, r.broken
	}
	if r.left == 0 && n > 0 {
		return 0, io.EOF
	}
	if err := alive(r.ctx); err != nil {
		return 0, err
	}
	want := min(max(n, 0), r.left)
	r.source.N = want
	copied, err := io.Copy(dst, &r.source)
	r.left -= copied
	switch {
	case err == nil && copied < want:
		err = truncated()
	case err == nil && copied < n:
		err = io.EOF
	case err != nil && r.failed(err):
		err = r.bucket.wrap(r.ctx, err)
	}
	if lost := want - r.source.N - copied; lost != 0 && !r.rewind(lost) {
		r.broken = err
	}
	return copied, err
}

// rewind goes back over bytes that were taken but not copied, where the blob
// is a file. They are few: a buffer's worth.
func (r *Reader) rewind(lost int64) bool {
	file, ok := r.source.R.(io.Seeker)
	if !ok || r.left == 0 {
		return false
	}
	_, err := file.Seek(-lost, io.SeekCurrent)
	return err == nil
}

// Remaining returns how many bytes of the range are still to come.
func (r *Reader) Remaining() int64 { return r.left }

// IsFile reports whether the blob is an open file, which a copy to a socket
// leaves in the kernel. Such a copy can go on after a deadline of the socket.
func (r *Reader) IsFile() bool { return r.tap == nil }

// Close releases the store's reader.
func (r *Reader) Close() error {
	if err := r.closer.Close(); err != nil {
		return r.bucket.wrap(r.ctx, err)
	}
	return nil
}

// failed reports whether err came from the blob, not from a destination.
func (r *Reader) failed(err error) bool {
	if r.tap != nil {
		return r.tap.err != nil
	}
	if path := (*fs.PathError)(nil); errors.As(err, &path) && path.Op == "read" {
		return true
	}
	return errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ESTALE) || errors.Is(err, syscall.EBADMSG)
}

// tap remembers the error of the reader under it, so that a copy that failed
// tells which end did.
type tap struct {
	r   io.Reader
	err error
}

func (t *tap) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if err != nil && err != io.EOF {
		t.err = err
	}
	return n, err
}
