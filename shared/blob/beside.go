package blob

import (
	"errors"
	"strings"

	"sluice/shared/fault"
)

// Beside are buckets that belong to others, by their URLs, such as s3://media.
// What is in them is read and never changed. A blob there is named by a
// reference, its bucket's URL, a slash and its key, wherever a key alone names
// one of our own. The zero Beside has none.
type Beside map[string]*Bucket

// referred is what every reference begins with. A key of our own that does too
// would be taken for one: what reads by references must not meet it.
const referred = "s3://"

// Dereference cuts a reference into its bucket's URL and the key there. bucket
// is empty for what is no reference, but a key of our own.
func Dereference(ref string) (bucket, key string) {
	rest, found := strings.CutPrefix(ref, referred)
	if !found {
		return "", ref
	}
	name, key, _ := strings.Cut(rest, "/")
	return referred + name, key
}

// At returns the bucket that a key or a reference is of, which is own for a key,
// and the key there. It fails with blob_failed for a bucket that is not among
// these: whether the blob is there is not known.
func (b Beside) At(own *Bucket, ref string) (*Bucket, string, error) {
	name, key := Dereference(ref)
	if name == "" {
		return own, ref, nil
	}
	other := b[name]
	if other == nil {
		return nil, "", fault.Newf(fault.Upstream, "blob_failed", "The blob is in %s, which this server does not read.", name)
	}
	return other, key, nil
}

// Close releases the buckets.
func (b Beside) Close() error {
	var errs []error
	for _, bucket := range b {
		errs = append(errs, bucket.Close())
	}
	return errors.Join(errs...)
}
