package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"

	"sluice/shared/fault"
)

// Part is one piece of a blob that is sent in parts.
type Part struct {
	Number int    // from 1 on
	Size   int64  // bytes
	ETag   string // names these bytes of this part; quoted
	SHA256 []byte // 32 bytes; nil where the store does not keep it
}

// Multiparter takes a blob in parts, in any order, several at a time, for days
// if need be. Its shape is that of S3's multipart uploads. All that is known of
// an upload is in the store, so that it survives every crash of a server.
//
// Every part but the last has the size that CreateMultipart was told.
type Multiparter interface {
	// CreateMultipart begins an upload of the blob under key and names it.
	CreateMultipart(ctx context.Context, key string, partSize int64) (id string, err error)

	// PutPart keeps the size bytes of body, and returns once they are durable.
	// It replaces the part of that number, all at once: while it runs, and
	// where it fails, the former one stays. Of several that run at once the
	// last to return wins. sum is the SHA-256 that the bytes must have, or nil.
	// A body that fails to come is an error of the call, and nothing is kept.
	PutPart(ctx context.Context, key, id string, number int, body io.Reader, size int64, sum []byte) (Part, error)

	// ListParts returns at most limit parts by number, from the first that
	// follows after. more tells that others may follow.
	ListParts(ctx context.Context, key, id string, after, limit int) (parts []Part, more bool, err error)

	// CompleteMultipart makes the blob of these parts and ends the upload. It
	// fails with Changed where one of them is not as given, and with Exists
	// where the key is taken; the upload then goes on.
	CompleteMultipart(ctx context.Context, key, id string, parts []Part) (Attrs, error)

	// AbortMultipart ends every upload of the key and removes its parts. It is
	// no error if there is none.
	AbortMultipart(ctx context.Context, key string) error
}

// Multipart reports whether the store takes blobs in parts.
func (b *Bucket) Multipart() bool { return b.driver.Multipart() != nil }

// parter returns what takes parts, or why the call must not reach it.
func (b *Bucket) parter(ctx context.Context, key string) (Multiparter, error) {
	if err := ready(ctx, key); err != nil {
		return nil, err
	}
	m := b.driver.Multipart()
	if m == nil {
		return nil, fault.New(fault.Unprocessable, "multipart_unsupported", "The store takes no blob in parts.")
	}
	return m, nil
}

// CreateMultipart begins a blob that is sent in parts of partSize bytes, the
// last one excepted, and names the upload. It fails with multipart_unsupported
// where the store does not take parts.
func (b *Bucket) CreateMultipart(ctx context.Context, key string, partSize int64) (string, error) {
	m, err := b.parter(ctx, key)
	if err != nil {
		return "", err
	}
	if partSize < 1 {
		return "", fault.InvalidField("part_size", "A part cannot have %d bytes.", partSize)
	}
	id, err := m.CreateMultipart(ctx, key, partSize)
	if err != nil {
		return "", b.wrap(ctx, err)
	}
	return id, nil
}

// PutPart keeps the size bytes of body as a part, durably, in place of a former
// one of that number. It fails with blob_size_mismatch where body has fewer,
// with digest_mismatch where sum is given and is not their SHA-256, and with
// blob_not_found where there is no such upload; nothing is kept then, and a
// former part stays. Errors of body are returned as they are.
func (b *Bucket) PutPart(ctx context.Context, key, id string, number int, body io.Reader, size int64, sum []byte) (Part, error) {
	m, err := b.parter(ctx, key)
	if err != nil {
		return Part{}, err
	}
	if number < 1 || size < 0 {
		return Part{}, fault.InvalidField("number", "There is no part %d of %d bytes.", number, size)
	}
	checked := &checkedBody{ctx: ctx, body: body, left: size, hash: sha256.New(), want: sum}
	part, err := m.PutPart(ctx, key, id, number, checked, size, sum)
	switch {
	case checked.err != nil:
		return Part{}, checked.err
	case err != nil:
		return Part{}, b.wrap(ctx, err)
	}
	return part, nil
}

// ListParts returns every part that was kept, by number.
func (b *Bucket) ListParts(ctx context.Context, key, id string) ([]Part, error) {
	m, err := b.parter(ctx, key)
	if err != nil {
		return nil, err
	}
	var all []Part
	for after := 0; ; after = all[len(all)-1].Number {
		parts, more, err := m.ListParts(ctx, key, id, after, listLimit)
		if err != nil {
			return nil, b.wrap(ctx, err)
		}
		if all = append(all, parts...); !more || len(parts) == 0 {
			return all, nil
		}
	}
}

// listLimit is how many parts are asked for at a time, as S3 answers.
const listLimit = 1000

// CompleteMultipart makes the blob of these parts, which are all there are, and
// ends the upload. It fails with blob_changed where one of them is not as
// given, and with blob_exists where the key is taken.
func (b *Bucket) CompleteMultipart(ctx context.Context, key, id string, parts []Part) (Attrs, error) {
	m, err := b.parter(ctx, key)
	if err != nil {
		return Attrs{}, err
	}
	for i, p := range parts {
		if p.Number != i+1 {
			return Attrs{}, fault.InvalidField("parts", "Part %d is missing.", i+1)
		}
	}
	if len(parts) == 0 {
		return Attrs{}, fault.InvalidField("parts", "A blob has at least one part, if an empty one.")
	}
	attrs, err := m.CompleteMultipart(ctx, key, id, parts)
	if err != nil {
		return Attrs{}, b.wrap(ctx, err)
	}
	return attrs, nil
}

// Discard removes whatever there is under key: the blob, and parts of one. It
// is no error if there is nothing.
func (b *Bucket) Discard(ctx context.Context, key string) error {
	if err := ready(ctx, key); err != nil {
		return err
	}
	if m := b.driver.Multipart(); m != nil {
		if err := m.AbortMultipart(ctx, key); err != nil {
			return b.wrap(ctx, err)
		}
	}
	return b.Delete(ctx, key)
}

// checkedBody yields exactly the bytes announced, and keeps the last of them
// back where the digest is wrong: no driver can take such a body for whole.
type checkedBody struct {
	ctx  context.Context
	body io.Reader
	left int64
	hash hash.Hash
	want []byte
	err  error // why the body is not to be kept
}

func (c *checkedBody) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	if c.left == 0 {
		return 0, c.end()
	}
	if err := alive(c.ctx); err != nil {
		return 0, c.fail(err)
	}
	n, err := c.body.Read(p[:min(int64(len(p)), c.left)])
	_, _ = c.hash.Write(p[:n]) // never fails
	c.left -= int64(n)
	if c.left == 0 {
		if err := c.end(); !errors.Is(err, io.EOF) {
			return 0, err
		}
		return n, nil
	}
	if errors.Is(err, io.EOF) {
		err = fault.Wrap(io.ErrUnexpectedEOF, fault.Unprocessable, "blob_size_mismatch", "Fewer bytes came than were announced.")
	}
	if err != nil {
		return n, c.fail(err)
	}
	return n, nil
}

// end returns io.EOF, or what is wrong with the whole.
func (c *checkedBody) end() error {
	if c.want != nil && !bytes.Equal(c.want, c.hash.Sum(nil)) {
		return c.fail(fault.New(fault.Unprocessable, "digest_mismatch", "The body is not what its digest announced; nothing was kept."))
	}
	return io.EOF
}

func (c *checkedBody) fail(err error) error {
	c.err = err
	return err
}
