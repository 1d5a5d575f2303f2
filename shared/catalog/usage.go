package catalog

import (
	"context"

	"sluice/shared/fault"
	"sluice/shared/table"
)

// Quota bounds what an owner has: the bytes of all versions that are kept, with
// those replaced and deleted that can still be brought back, and their files,
// counted likewise. The zero Quota bounds nothing.
type Quota struct {
	Bytes *int64 // nil: no bound
	Files *int64 // nil: no bound
}

// unbounded is how a bound that there is not is stored.
const unbounded = -1

func storedBound(bound *int64) int64 {
	if bound == nil {
		return unbounded
	}
	return *bound
}

// bound reads a bound; one that was never set is none.
func (r reader) bound(name string) *int64 {
	if n, ok := r.attrs[name].(int64); ok && n != unbounded {
		return &n
	}
	return nil
}

// Usage is what an owner has, and what uploads under way have taken for it. It
// changes in the transactions of the records that it counts, so that it adds up
// whatever is interrupted.
type Usage struct {
	Bytes int64
	Files int64
}

func usageKey(owner string) table.Key { return table.Key{PK: "USAGE#" + owner, SK: "USAGE"} }

// Usage returns what the owner has.
func (c *Catalog) Usage(ctx context.Context, owner string) (Usage, error) {
	item, found, err := c.table.Get(ctx, usageKey(owner))
	if err != nil || !found {
		return Usage{}, err
	}
	r, err := read(item)
	return Usage{Bytes: r.num("bytes"), Files: r.num("files")}, err
}

// count adds u to what the owner has.
func count(owner string, u Usage) table.Op {
	return table.Op{Action: table.Update, Key: usageKey(owner), Add: map[string]int64{"bytes": u.Bytes, "files": u.Files}}
}

// take is count on condition that the quota allows it. What is given back is
// always allowed.
func take(owner string, u Usage, q Quota) table.Op {
	op := count(owner, u)
	if q.Bytes != nil && u.Bytes > 0 {
		op.If = append(op.If, table.Test{Comparison: table.AtMost, Attr: "bytes", Value: *q.Bytes - u.Bytes})
	}
	if q.Files != nil && u.Files > 0 {
		op.If = append(op.If, table.Test{Comparison: table.AtMost, Attr: "files", Value: *q.Files - u.Files})
	}
	return op
}

// givenBack is u with its sign turned.
func (u Usage) givenBack() Usage { return Usage{Bytes: -u.Bytes, Files: -u.Files} }

// refused tells what it means that take's condition did not hold. The first
// time nothing may have been counted for the owner before, which is mended: nil
// says to try again. The second time the quota is used up.
func (c *Catalog) refused(ctx context.Context, owner string, again *bool) error {
	if *again {
		return fault.New(fault.InsufficientStorage, "quota_exceeded", "The quota does not allow this; remove something first.")
	}
	*again = true
	_, err := c.table.Apply(ctx, put(usageKey(owner), table.Attrs{"bytes": int64(0), "files": int64(0)}, table.IfAbsent()))
	if lost(err) {
		return nil // it was counted, or another one was first
	}
	return err
}

// quota returns the owner's, at most MaxAge old.
func (c *Catalog) quota(ctx context.Context, owner string) (Quota, error) {
	u, err := c.User(ctx, owner)
	return u.Quota, err
}

// Reserve raises what an upload in parts has taken of its owner's quota to so
// many bytes, if it has less: an upload of unknown size takes room before each
// of its parts may come. It fails with InsufficientStorage "quota_exceeded".
func (c *Catalog) Reserve(ctx context.Context, u Upload, bytes int64) error {
	quota, err := c.quota(ctx, u.Owner)
	if err != nil {
		return err
	}
	again := false
	for range c.tries(ctx) {
		taken, err := c.taken(ctx, u)
		if err != nil || taken.Bytes >= bytes {
			return err
		}
		err = c.table.Transact(ctx,
			change(u.due().key(), table.Attrs{"bytes": bytes}, table.IfEqual("state", dueOpen), table.IfEqual("bytes", taken.Bytes)),
			take(u.Owner, Usage{Bytes: bytes - taken.Bytes}, quota),
			check(multipartKey(u.ID), table.IfEqual("state", string(UploadOpen))))
		switch {
		case !lost(err):
			return err
		case failed(err) == 1:
			if err := c.refused(ctx, u.Owner, &again); err != nil {
				return err
			}
		case failed(err) == 2:
			return uploadExpired()
		}
	}
	return contended()
}

// taken returns what the upload has taken of its owner's quota.
func (c *Catalog) taken(ctx context.Context, u Upload) (Usage, error) {
	item, found, err := c.table.Get(ctx, u.due().key())
	if err == nil && !found {
		err = uploadExpired()
	}
	if err != nil {
		return Usage{}, err
	}
	d, err := readDue(item)
	return d.Taken, err
}

// release forgets the due item of an upload of which nothing is left, and gives
// back what it had taken.
func (c *Catalog) release(ctx context.Context, d due) error {
	forget := remove(d.key(), table.IfExists())
	var err error
	if d.Taken == (Usage{}) {
		_, err = c.table.Apply(ctx, forget)
	} else {
		err = c.table.Transact(ctx, forget, count(d.Owner, d.Taken.givenBack()))
	}
	if lost(err) {
		return nil // somebody else did
	}
	return err
}
