package blob

import (
	"context"
	"math"
	"strings"
	"unicode/utf8"

	"sluice/shared/fault"
)

// Bucket is a blob store. It is safe for concurrent use.
type Bucket struct {
	driver Driver
}

// NewBucket returns the Bucket over d. Closing the Bucket closes d.
func NewBucket(d Driver) *Bucket {
	return &Bucket{driver: d}
}

// Create starts a new blob of size bytes, or of an unknown number where size
// is -1. ctx governs the Writer as a whole, Commit excepted, which has its
// own. It fails with no_space at once where the store knows that it has less
// room.
func (b *Bucket) Create(ctx context.Context, key string, size int64) (*Writer, error) {
	if err := ready(ctx, key); err != nil {
		return nil, err
	}
	if size < -1 {
		return nil, fault.InvalidField("size", "A blob cannot have %d bytes.", size)
	}
	dw, err := b.driver.Create(ctx, key, size)
	if err != nil {
		return nil, b.wrap(ctx, err)
	}
	return &Writer{ctx: ctx, bucket: b, driver: dw, size: size}, nil
}

// Open returns a Reader of the length bytes from offset on. pin, where not
// empty, is the ETag that the blob must have, else Open fails with
// blob_changed. A range past the end shows when it is read, as
// blob_truncated. ctx governs the Reader as a whole.
func (b *Bucket) Open(ctx context.Context, key string, offset, length int64, pin string) (*Reader, error) {
	if err := ready(ctx, key); err != nil {
		return nil, err
	}
	if offset < 0 || length < 0 || offset > math.MaxInt64-length {
		return nil, fault.InvalidField("range", "There is no range of %d bytes from %d on.", length, offset)
	}
	rc, err := b.driver.Open(ctx, key, offset, length, pin)
	if err != nil {
		return nil, b.wrap(ctx, err)
	}
	return newReader(ctx, b, rc, length), nil
}

// Stat describes the blob.
func (b *Bucket) Stat(ctx context.Context, key string) (Attrs, error) {
	if err := ready(ctx, key); err != nil {
		return Attrs{}, err
	}
	attrs, err := b.driver.Stat(ctx, key)
	if err != nil {
		return Attrs{}, b.wrap(ctx, err)
	}
	return attrs, nil
}

// Delete removes the blob. Removing an absent one is no error. A Reader that
// is open goes on with the same bytes or fails; it never yields others.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	if err := ready(ctx, key); err != nil {
		return err
	}
	if err := b.driver.Delete(ctx, key); err != nil {
		return b.wrap(ctx, err)
	}
	return nil
}

// Ping asks the store whether it answers and can be written to.
func (b *Bucket) Ping(ctx context.Context) error {
	if err := alive(ctx); err != nil {
		return err
	}
	if err := b.driver.Ping(ctx); err != nil {
		return b.wrap(ctx, err)
	}
	return nil
}

// Close releases the store. No call follows it.
func (b *Bucket) Close() error {
	if err := b.driver.Close(); err != nil {
		return b.wrap(context.Background(), err)
	}
	return nil
}

// ready returns why a call must not reach the driver, else nil.
func ready(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	return alive(ctx)
}

// checkKey holds a key to S3's rules, and to one more: no NUL, which no store
// on a disk could keep.
func checkKey(key string) error {
	switch {
	case key == "":
		return fault.InvalidField("key", "A blob's key must not be empty.")
	case len(key) > MaxKey:
		return fault.InvalidField("key", "A blob's key has at most %d bytes, not %d.", MaxKey, len(key))
	case !utf8.ValidString(key):
		return fault.InvalidField("key", "A blob's key must be valid UTF-8.")
	case strings.IndexByte(key, 0) >= 0:
		return fault.InvalidField("key", "A blob's key must not hold NUL.")
	}
	return nil
}
