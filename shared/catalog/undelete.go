package catalog

import (
	"cmp"
	"context"
	"time"

	"sluice/shared/fault"
	"sluice/shared/table"
)

// purge is the removal to come of a deleted file.
func (f File) purge() due { return due{Kind: dueFile, File: f.ID, At: f.purgeAt} }

// KeptFile returns the file with that id even where it was deleted or has
// expired, as long as it is kept, or NotFound.
func (c *Catalog) KeptFile(ctx context.Context, id string) (File, error) { return c.freshFile(ctx, id) }

// Undelete brings a deleted file back, with the versions that are still kept,
// to its old path or to another one; empty: the old one. It fails with
// Conflict "path_taken" where another file has the path, with Conflict
// "not_deleted" for a file that is there, and with NotFound once the file is
// being removed for good. A file whose own time was over comes back without an
// end.
func (c *Catalog) Undelete(ctx context.Context, id, path string) (File, error) {
	done, err := c.turns.take(ctx, fileKey(id).PK)
	if err != nil {
		return File{}, err
	}
	defer done()
	for range c.tries(ctx) {
		was, err := c.freshFile(ctx, id)
		if err != nil {
			return File{}, err
		}
		if !c.gone(was) {
			return File{}, fault.New(fault.Conflict, "not_deleted", "The file is not deleted.")
		}
		if was.deletedAt.IsZero() { // it expired, and nobody has looked since
			if err := c.deleteFile(ctx, was); err != nil && !lost(err) {
				return File{}, err
			}
			continue
		}
		if claimed, err := c.claimed(ctx, was.purge()); err != nil || claimed {
			return File{}, cmp.Or(err, notFound("file"))
		}
		f := c.undeleted(was, path)
		err = c.table.Transact(ctx, undeleteOps(was, f)...)
		c.forgetFile(f)
		switch {
		case !lost(err):
			return f, err
		case failed(err) == 0:
			return File{}, notFound("user")
		case failed(err) == 1:
			if free, err := c.vacate(ctx, f.Owner, f.Path); err != nil || !free {
				return File{}, pathTaken(err)
			}
		}
	}
	return File{}, contended()
}

// undeleted returns the record after the file came back. Its date is a new
// one, since another file may have had the path meanwhile.
func (c *Catalog) undeleted(was File, path string) File {
	now := c.now().UTC().Truncate(time.Millisecond)
	f := was
	f.deletedAt, f.purgeAt, f.UpdatedAt, f.rev = time.Time{}, time.Time{}, now, was.rev+1
	f.Version.ModifiedAt = dateAfter(was.Version, now)
	if !f.ExpiresAt.IsZero() && !now.Before(f.ExpiresAt) {
		f.ExpiresAt = time.Time{}
	}
	if path != "" {
		f.Path = path
	}
	return f
}

// undeleteOps has the owner's and the path's conditions first: Undelete tells
// by the index which one failed.
func undeleteOps(was, f File) []table.Op {
	return []table.Op{
		check(userKey(f.Owner), table.IfExists(), table.Test{Comparison: table.NotEqual, Attr: "leaving", Value: true}),
		put(locationKey(f.Owner, f.Path), table.Attrs{"id": f.ID}, table.IfAbsent()),
		remove(was.purge().key(), table.IfEqual("state", dueOpen)),
		change(fileKey(f.ID), f.attrs(), table.IfExists(), table.IfEqual("rev", was.rev)),
		change(versionKey(f.ID, f.Version.ID), f.Version.attrs(), table.IfExists()),
	}
}
