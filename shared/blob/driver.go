package blob

import (
	"context"
	"io"
)

// Driver is one implementation of the port. It may assume that Bucket has
// checked every argument. Methods are safe for concurrent use.
//
// Bucket calls nothing with a context that has ended. What takes long should
// stop, with Canceled, when its context ends; the contexts of Create and Open
// also govern the DriverWriter and the reader that they return.
type Driver interface {
	// Create starts a new blob. size is its length where known, else -1; a
	// store that knows it has less room fails with Full at once. A taken key
	// may go unnoticed until Commit.
	Create(ctx context.Context, key string, size int64) (DriverWriter, error)

	// Open returns a reader positioned at offset. It yields at least length
	// bytes (Bucket's Reader stops there), so that a driver on a disk can
	// return the open *os.File itself and a copy to a socket can stay in the
	// kernel. A range past the end is no error of Open: the reader yields what
	// there is, then io.EOF, which Bucket's Reader turns into
	// io.ErrUnexpectedEOF. pin, where not empty, is the ETag that the blob
	// must have, else Changed. Should the blob be deleted meanwhile, the
	// reader goes on with the same bytes or fails; it never yields others.
	Open(ctx context.Context, key string, offset, length int64, pin string) (io.ReadCloser, error)

	// Stat describes the blob.
	Stat(ctx context.Context, key string) (Attrs, error)

	// Delete removes the blob. Removing an absent one is no error.
	Delete(ctx context.Context, key string) error

	// Ping asks the store whether it answers and can be written to.
	Ping(ctx context.Context) error

	// Multipart returns what takes blobs in parts, or nil where the store does
	// not.
	Multipart() Multiparter

	// Presigner returns what makes URLs by which others reach the store, or nil
	// where there are none.
	Presigner() Presigner

	// Lister returns what lists the blobs that are there, or nil where the
	// store cannot.
	Lister() Lister

	// ErrorCode classifies an error that a method, a reader or a DriverWriter
	// returned.
	ErrorCode(err error) Code

	// Close releases the store. No call follows it.
	Close() error
}

// DriverWriter takes the bytes of one new blob. Nothing can be read under its
// key before Commit; then all of it can. Exactly one of Commit and Abort ends
// it, and no call follows. It is used by one goroutine at a time.
type DriverWriter interface {
	io.Writer

	// Commit makes the blob durable and readable. It fails with Exists where
	// the key is taken. After an error nothing is kept.
	Commit(ctx context.Context) (Attrs, error)

	// Abort drops what was written.
	Abort() error
}

// Code classifies a driver's error.
type Code uint8

// The codes.
const (
	Unknown  Code = iota // anything else
	NotFound             // no blob under that key
	Exists               // the key is taken
	Changed              // the blob is not the pinned one
	Full                 // the store has no room
	Canceled             // the context ended
	Busy                 // the store asks to be left alone for now
	Refused              // the store can keep no blob under that key
)
