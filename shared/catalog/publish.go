package catalog

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"sluice/shared/fault"
	"sluice/shared/table"
)

// Upload is a blob on its way to become a version. Its record is written
// before the first byte, so that bytes without an owner can be found.
type Upload struct {
	ID        string // also the version's id
	Owner     string // a user id
	Path      string
	ExpiresAt time.Time // from then on it can no longer be published
	Parted    bool      // it has a record of its own: a Multipart
	Taken     Usage     // what it takes of the owner's quota before it begins
}

// Key returns the key of the upload's blob. It begins with the owner, so that
// a bucket policy can tell owners apart, and is never reused.
func (u Upload) Key() string { return u.Owner + "/" + u.ID }

func (u Upload) due() due {
	return due{Kind: dueUpload, Version: u.ID, Blob: u.Key(), At: u.ExpiresAt, Owner: u.Owner, Taken: u.Taken}
}

// BeginUpload records u, and takes what it is to take of its owner's quota. It
// fails with InsufficientStorage "quota_exceeded".
func (c *Catalog) BeginUpload(ctx context.Context, u Upload) error {
	if u.Taken == (Usage{}) {
		_, err := c.table.Apply(ctx, u.due().put())
		return err
	}
	quota, err := c.quota(ctx, u.Owner)
	if err != nil {
		return err
	}
	again := false
	for range c.tries(ctx) {
		err := c.table.Transact(ctx, u.due().put(), take(u.Owner, u.Taken, quota))
		if !lost(err) {
			return err
		}
		if err := c.refused(ctx, u.Owner, &again); err != nil {
			return err
		}
	}
	return contended()
}

// AbandonUpload gives an upload up, so that it can no longer be published, and
// reports whether its blob is now the caller's to remove. It is not where the
// upload was published, whatever its publisher was told, or where the janitor
// has it.
func (c *Catalog) AbandonUpload(ctx context.Context, u Upload) (bool, error) {
	_, err := c.table.Apply(ctx, change(u.due().key(), table.Attrs{"state": dueClaimed}, table.IfEqual("state", dueOpen)))
	if lost(err) {
		return false, nil
	}
	return err == nil, err
}

// EndUpload forgets an upload whose blob is known to be gone.
func (c *Catalog) EndUpload(ctx context.Context, u Upload) error {
	if err := c.removeManifest(ctx, u.Key()); err != nil {
		return err
	}
	taken, err := c.taken(ctx, u)
	if fault.Is(err, fault.Conflict, "upload_expired") {
		return nil
	}
	if err != nil {
		return err
	}
	u.Taken = taken
	return c.release(ctx, u.due())
}

// Content is what an upload brought.
type Content struct {
	Size        int64
	ETag        string // of its blob in the store, quoted; empty where it has none
	SHA256      []byte
	Claimed     bool // nobody has checked SHA256
	ContentType string
	By          string // a user id
}

// Publish makes an upload the current version at its path, in one
// transaction, and makes the file if the path is free. test, which may be
// nil, is asked before with the file there now, or nil; its error ends the
// publication. The version replaced is kept for a while (Options.Keep).
// created tells that the file is new.
func (c *Catalog) Publish(ctx context.Context, u Upload, content Content, test func(*File) error) (f File, created bool, err error) {
	done, err := c.turns.take(ctx, place(u.Owner, u.Path))
	if err != nil {
		return File{}, false, err
	}
	defer done()
	quota, err := c.quota(ctx, u.Owner)
	if err != nil {
		return File{}, false, err
	}
	again := false
	for range c.tries(ctx) {
		if u.Parted { // which takes more as it goes on
			if u.Taken, err = c.taken(ctx, u); err != nil {
				return File{}, false, err
			}
		}
		was, err := c.standing(ctx, u)
		if err != nil {
			return File{}, false, err
		}
		if test != nil {
			if err := test(was); err != nil {
				return File{}, false, err
			}
		}
		if was != nil && was.Version.ID == u.ID {
			return File{}, false, uploadExpired() // it was published before
		}
		f := c.next(was, u, content)
		err = c.table.Transact(ctx, c.publishOps(was, f, u, quota)...)
		c.forgetFile(f)
		switch {
		case err == nil:
			return f, was == nil, nil
		case !lost(err):
			return File{}, false, err
		case failed(err) == 0:
			return File{}, false, uploadExpired()
		case failed(err) == 1:
			return File{}, false, notFound("user")
		case failed(err) == 2:
			if err := c.refused(ctx, u.Owner, &again); err != nil {
				return File{}, false, err
			}
		}
	}
	return File{}, false, contended()
}

func uploadExpired() error {
	return fault.New(fault.Conflict, "upload_expired", "The upload has expired; send the file again.")
}

// standing returns the file at u's path, or nil where there is none. One that
// has expired is removed on the way.
func (c *Catalog) standing(ctx context.Context, u Upload) (*File, error) {
	f, err := c.freshFileAt(ctx, u.Owner, u.Path)
	if err == nil {
		return &f, nil
	}
	if fault.KindOf(err) != fault.NotFound {
		return nil, err
	}
	_, err = c.vacate(ctx, u.Owner, u.Path)
	return nil, err
}

// next returns the record after the publication. A version has the ETag of its
// blob where the store has such, so that it means the same there and here.
func (c *Catalog) next(was *File, u Upload, content Content) File {
	now := c.now().UTC().Truncate(time.Millisecond)
	v := Version{
		ID: u.ID, Key: u.Key(), Size: content.Size, ETag: cmp.Or(content.ETag, fmt.Sprintf("%q", u.ID)), StoreETag: content.ETag,
		SHA256: content.SHA256, Claimed: content.Claimed, ModifiedAt: now, CreatedBy: content.By,
	}
	if was == nil {
		return File{
			ID: u.ID, Owner: u.Owner, Path: u.Path, Visibility: Private,
			ContentType: content.ContentType, Version: v, CreatedAt: now, UpdatedAt: now, rev: 1,
		}
	}
	v.ModifiedAt = dateAfter(was.Version, now)
	f := *was
	f.Version, f.ContentType, f.UpdatedAt, f.rev = v, content.ContentType, now, was.rev+1
	return f
}

// dateAfter returns the date of a version that takes the place of was at now.
// No two versions share a second, so that a Last-Modified date names one
// version: If-Range by date (RFC 9110 §13.1.5) rests on it.
func dateAfter(was Version, now time.Time) time.Time {
	if earliest := was.ModifiedAt.Truncate(time.Second).Add(time.Second); now.Before(earliest) {
		return earliest
	}
	return now
}

// publishOps has the conditions of the upload, the owner and the quota first:
// Publish tells by the index which one failed.
func (c *Catalog) publishOps(was *File, f File, u Upload, quota Quota) []table.Op {
	added := Usage{Bytes: f.Version.Size - u.Taken.Bytes, Files: -u.Taken.Files}
	if was == nil {
		added.Files++
	}
	ops := []table.Op{
		remove(u.due().key(), table.IfEqual("state", dueOpen)),
		check(userKey(u.Owner), table.IfExists(), table.Test{Comparison: table.NotEqual, Attr: "leaving", Value: true}),
		take(u.Owner, added, quota),
		put(versionKey(f.ID, f.Version.ID), f.Version.attrs(), table.IfAbsent()),
	}
	ops = append(ops, u.completeOps(f.ID)...)
	if was == nil {
		return append(ops,
			put(locationKey(f.Owner, f.Path), table.Attrs{"id": f.ID}, table.IfAbsent()),
			put(fileKey(f.ID), f.attrs(), table.IfAbsent()))
	}
	ops = append(ops,
		check(locationKey(f.Owner, f.Path), table.IfEqual("id", f.ID)),
		change(fileKey(f.ID), f.attrs(), table.IfExists(), table.IfEqual("rev", was.rev)))
	return append(ops, c.replaceOps(*was)...)
}
