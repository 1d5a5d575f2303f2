package catalog

import (
	"context"
	"time"

	"sluice/shared/auth"
	"sluice/shared/fault"
	"sluice/shared/table"
)

// Versions lists up to limit versions of the file with that id, the one whose
// upload began last first, from the first that follows after. A version that
// was restored keeps its place. more tells that others may follow.
func (c *Catalog) Versions(ctx context.Context, file, after string, limit int) (versions []Version, more bool, err error) {
	prefix := versionKey(file, "")
	q := table.Query{PK: prefix.PK, From: prefix.SK, To: table.After(prefix.SK), Descending: true, Limit: limit}
	if after != "" {
		q.To = versionKey(file, after).SK
	}
	page, err := c.table.Query(ctx, q)
	if err != nil {
		return nil, false, err
	}
	for _, item := range page.Items {
		r, err := read(item)
		if err != nil {
			return nil, false, err
		}
		versions = append(versions, readVersion(r))
	}
	return versions, page.More, nil
}

// ContentType returns the content type of a version of f: the file's own, or
// of a version that was replaced, what the file's was then.
func (v Version) ContentType(f File) string {
	if v.KeptUntil.IsZero() {
		return f.ContentType
	}
	return v.contentType
}

// At returns f as it was with that version of it, or NotFound: with the
// version's bytes and the content type that it had. Everything else of f is as
// it is now.
func (c *Catalog) At(ctx context.Context, f File, version string) (File, error) {
	if version == f.Version.ID {
		return f, nil
	}
	v, err := c.version(ctx, f.ID, version)
	if err == nil && v.KeptUntil.IsZero() { // it is current again, and f is older than that
		f, err = c.freshFile(ctx, f.ID)
		if err == nil && (c.gone(f) || f.Version.ID != version) {
			err = notFound("version")
		}
		return f, err
	}
	f.Version, f.ContentType = v, v.contentType
	return f, err
}

// version returns the record of one version, or NotFound.
func (c *Catalog) version(ctx context.Context, file, id string) (Version, error) {
	if !auth.ValidID(id) {
		return Version{}, notFound("version")
	}
	item, found, err := c.table.Get(ctx, versionKey(file, id))
	if err != nil {
		return Version{}, err
	}
	if !found {
		return Version{}, notFound("version")
	}
	r, err := read(item)
	return readVersion(r), err
}

// due is the removal to come of a version that was replaced.
func (v Version) due(file string) due {
	return due{Kind: dueVersion, File: file, Version: v.ID, Blob: v.content(), At: v.KeptUntil}
}

// replaceOps makes f's current version one that was replaced. Its record tells
// when it goes, so that Restore finds the due item, and the content type that
// it had.
func (c *Catalog) replaceOps(f File) []table.Op {
	v := f.Version
	v.KeptUntil = c.now().UTC().Truncate(time.Millisecond).Add(c.keep)
	return []table.Op{
		change(versionKey(f.ID, v.ID), table.Attrs{"kept": millis(v.KeptUntil), "content_type": f.ContentType}, table.IfExists()),
		v.due(f.ID).put(),
	}
}

// Restore makes a version that was replaced the current one again, in one
// transaction, and the one that was current a replaced one. Bytes and ETag
// stay; the date does not: it is later than that of the version it replaces,
// since who has that one must not be told by If-Modified-Since that nothing
// changed. Restoring the current version changes nothing.
//
// test, which may be nil, is asked before with the record as it is; its error
// ends the restoration. A version that there is not fails with NotFound, one
// that the janitor is removing with Conflict "version_removed".
func (c *Catalog) Restore(ctx context.Context, id, version string, test func(File) error) (File, error) {
	f, err := c.freshFile(ctx, id)
	if err != nil {
		return File{}, err
	}
	done, err := c.turns.take(ctx, place(f.Owner, f.Path)) // publications are what competes
	if err != nil {
		return File{}, err
	}
	defer done()
	for range c.tries(ctx) {
		was, err := c.freshFile(ctx, id)
		if err == nil && c.gone(was) {
			err = notFound("file")
		}
		if err == nil && test != nil {
			err = test(was)
		}
		if err != nil || was.Version.ID == version {
			return was, err
		}
		v, err := c.version(ctx, id, version)
		if err != nil {
			return File{}, err
		}
		if claimed, err := c.claimed(ctx, v.due(id)); err != nil || claimed {
			return File{}, versionRemoved(err)
		}
		f := c.restored(was, v)
		err = c.table.Transact(ctx, c.restoreOps(was, f, v)...)
		c.forgetFile(f)
		if !lost(err) {
			return f, err
		}
	}
	return File{}, contended()
}

func versionRemoved(err error) error {
	if err != nil {
		return err
	}
	return fault.New(fault.Conflict, "version_removed", "The version is being removed.")
}

// claimed reports whether the janitor has begun a removal. One that is not
// there was taken away, or is done: what it was about tells which.
func (c *Catalog) claimed(ctx context.Context, d due) (bool, error) {
	item, found, err := c.table.Get(ctx, d.key())
	if err != nil || !found {
		return false, err
	}
	r, err := read(item)
	return r.str("state") != dueOpen, err
}

// restored returns the record after the restoration of v.
func (c *Catalog) restored(was File, v Version) File {
	now := c.now().UTC().Truncate(time.Millisecond)
	f := was
	f.Version, f.ContentType, f.UpdatedAt, f.rev = v, v.contentType, now, was.rev+1
	f.Version.KeptUntil, f.Version.ModifiedAt = time.Time{}, dateAfter(was.Version, now)
	return f
}

// restoreOps takes the removal of v away, if it is still open: the janitor
// claims it before it removes anything, so that exactly one of the two wins.
func (c *Catalog) restoreOps(was, f File, v Version) []table.Op {
	return append([]table.Op{
		remove(v.due(f.ID).key(), table.IfEqual("state", dueOpen)),
		change(fileKey(f.ID), f.attrs(), table.IfExists(), table.IfEqual("rev", was.rev)),
		change(versionKey(f.ID, v.ID), f.Version.attrs(), table.IfExists()),
	}, c.replaceOps(was)...)
}
