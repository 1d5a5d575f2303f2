package blob

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"sluice/shared/fault"
)

// MaxList is the most that one List may ask for, as in S3.
const MaxList = 1000

// Object is a blob that is there, whoever put it there.
type Object struct {
	Key        string // as Open takes it
	Size       int64  // bytes
	ETag       string // quoted
	ModifiedAt time.Time
}

// Lister lists the blobs that are there, those that others put there too.
type Lister interface {
	// List returns at most limit of those whose keys begin with prefix, in the
	// order of the keys' bytes, from the first that follows after. more tells
	// that others may follow.
	List(ctx context.Context, prefix, after string, limit int) (objects []Object, more bool, err error)
}

// Lists reports whether the store lists its blobs.
func (b *Bucket) Lists() bool { return b.driver.Lister() != nil }

// List returns at most limit of the blobs whose keys begin with prefix, in the
// order of the keys' bytes, from the first that follows after. more tells that
// others may follow: go on after the last key. A blob that is there throughout
// is never missed. It fails with list_unsupported where the store does not
// list.
func (b *Bucket) List(ctx context.Context, prefix, after string, limit int) (objects []Object, more bool, err error) {
	for field, key := range map[string]string{"prefix": prefix, "after": after} {
		if len(key) > MaxKey || !utf8.ValidString(key) || strings.IndexByte(key, 0) >= 0 {
			return nil, false, fault.InvalidField(field, "No blob's key begins so.")
		}
	}
	if limit < 1 || limit > MaxList {
		return nil, false, fault.InvalidField("limit", "A list has 1 to %d blobs.", MaxList)
	}
	if err := alive(ctx); err != nil {
		return nil, false, err
	}
	lister := b.driver.Lister()
	if lister == nil {
		return nil, false, fault.New(fault.Unprocessable, "list_unsupported", "The store does not list its blobs.")
	}
	objects, more, err = lister.List(ctx, prefix, after, limit)
	if err != nil {
		return nil, false, b.wrap(ctx, err)
	}
	return objects, more, nil
}
