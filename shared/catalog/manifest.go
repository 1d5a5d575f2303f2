package catalog

import (
	"context"
	"fmt"

	"sluice/shared/fault"
	"sluice/shared/manifest"
	"sluice/shared/table"
)

// manifestPiece is how much of a packed manifest one item holds: well below
// what an item may have (table.MaxItem).
const manifestPiece = 256 << 10

// manifestPartition holds a blob's manifest, in pieces in their order. It goes
// with the blob, not with a version: several versions may share a blob.
func manifestPartition(blob string) string { return "MANIFEST#" + blob }

func manifestKey(blob string, piece int) table.Key {
	return table.Key{PK: manifestPartition(blob), SK: fmt.Sprintf("%04d", piece)}
}

// PutManifest keeps the manifest of the upload's blob. It is called before the
// upload is published, so that a version has its manifest from the first
// moment on, and only while the upload stands, which takes it along if it is
// given up. One of a single chunk follows from the version's digest and is not
// kept.
func (c *Catalog) PutManifest(ctx context.Context, u Upload, m manifest.Manifest) error {
	if m.Size <= manifest.MinChunk {
		return nil
	}
	packed := m.Pack()
	for piece := 0; len(packed) > 0; piece++ {
		n := min(len(packed), manifestPiece)
		err := c.table.Transact(ctx,
			check(u.due().key(), table.IfEqual("state", dueOpen)),
			put(manifestKey(u.Key(), piece), table.Attrs{"packed": packed[:n]}))
		if lost(err) {
			return uploadExpired()
		}
		if err != nil {
			return err
		}
		packed = packed[n:]
	}
	return nil
}

// Manifest returns the manifest of v, or NotFound "no_manifest" where its
// chunks were never hashed.
func (c *Catalog) Manifest(ctx context.Context, v Version) (manifest.Manifest, error) {
	if sum := v.Verified(); sum != nil && v.Size <= manifest.MinChunk {
		return manifest.Single(v.Size, sum), nil
	}
	page, err := c.table.Query(ctx, table.Query{PK: manifestPartition(v.content()), Limit: table.MaxQuery})
	if err != nil {
		return manifest.Manifest{}, err
	}
	if len(page.Items) == 0 {
		return manifest.Manifest{}, fault.New(fault.NotFound, "no_manifest", "The chunks of this version have not been hashed.")
	}
	var packed []byte
	for _, item := range page.Items {
		r, err := read(item)
		if err != nil {
			return manifest.Manifest{}, err
		}
		piece, _ := r.attrs["packed"].([]byte)
		packed = append(packed, piece...)
	}
	m, err := manifest.Unpack(packed)
	if err != nil {
		return m, fault.Wrap(err, fault.Internal, "manifest_damaged", "The manifest of this version is damaged.")
	}
	return m, nil
}

// withManifest returns a remover of blobs that takes the manifest along. It
// goes first: the blob's removal is what is tried again after a failure. What
// no upload of ours wrote is not ours to remove: of it the manifest goes alone.
func (c *Catalog) withManifest(removeBlob func(context.Context, string) error) func(context.Context, string) error {
	return func(ctx context.Context, blob string) error {
		if err := c.removeManifest(ctx, blob); err != nil {
			return err
		}
		if !OwnKey(blob) {
			return nil
		}
		return removeBlob(ctx, blob)
	}
}

func (c *Catalog) removeManifest(ctx context.Context, blob string) error {
	page, err := c.table.Query(ctx, table.Query{PK: manifestPartition(blob), Limit: table.MaxQuery})
	if err != nil {
		return err
	}
	for _, item := range page.Items {
		if _, err := c.table.Apply(ctx, remove(item.Key)); err != nil {
			return err
		}
	}
	return nil
}
