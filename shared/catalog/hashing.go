package catalog

import (
	"context"
	"fmt"
	"time"

	"sluice/shared/manifest"
	"sluice/shared/table"
)

// hashingKept is how long it is remembered how far a version was read: whoever
// asks for its manifest later begins anew.
const hashingKept = 24 * time.Hour

// Hashing is how far the blob of a version was read to make its manifest. It
// is a hot record: a loss of it costs time alone.
type Hashing struct {
	Read    int64  // bytes
	Saved   []byte // by the manifest's Hasher; none where nothing was read
	Damaged bool   // the bytes are not those that were published
}

func hashingPartition(blob string) string { return "HASHING#" + blob }

// Hashing returns how far v was read; the zero Hashing where nobody began.
func (c *Catalog) Hashing(ctx context.Context, v Version) (Hashing, error) {
	page, err := c.hot.Query(ctx, table.Query{PK: hashingPartition(v.content()), Limit: table.MaxQuery})
	if err != nil {
		return Hashing{}, err
	}
	var h Hashing
	for i, item := range page.Items {
		r, err := read(item)
		if err != nil {
			return Hashing{}, err
		}
		if i == 0 {
			h.Read, h.Damaged = r.num("read"), r.flag("damaged")
		}
		piece, _ := r.attrs["saved"].([]byte)
		h.Saved = append(h.Saved, piece...)
	}
	return h, nil
}

// PutHashing notes how far v was read, in one transaction.
func (c *Catalog) PutHashing(ctx context.Context, v Version, h Hashing) error {
	var ops []table.Op
	for saved := h.Saved; len(ops) == 0 || len(saved) > 0; {
		n := min(len(saved), manifestPiece)
		op := put(table.Key{PK: hashingPartition(v.content()), SK: fmt.Sprintf("%04d", len(ops))},
			table.Attrs{"read": h.Read, "damaged": h.Damaged, "saved": saved[:n]})
		op.ExpiresAt = c.now().Add(hashingKept)
		ops, saved = append(ops, op), saved[n:]
	}
	return c.hot.Transact(ctx, ops...)
}

// KeepManifest keeps the manifest of a version that was published without one,
// in one transaction, as long as the version is there: what removes it takes
// the manifest along. It fails with NotFound for a version that is not.
func (c *Catalog) KeepManifest(ctx context.Context, file string, v Version, m manifest.Manifest) error {
	ops := []table.Op{
		check(versionKey(file, v.ID), table.IfExists()),
		check(fileKey(file), table.IfEqual("deleted", int64(0))),
	}
	for packed := m.Pack(); len(packed) > 0; {
		n := min(len(packed), manifestPiece)
		ops = append(ops, put(manifestKey(v.content(), len(ops)-2), table.Attrs{"packed": packed[:n]}))
		packed = packed[n:]
	}
	err := c.table.Transact(ctx, ops...)
	if lost(err) {
		return notFound("version")
	}
	return err
}
