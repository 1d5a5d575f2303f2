package catalog

import (
	"cmp"
	"context"
	"strings"

	"sluice/shared/auth"
	"sluice/shared/fault"
	"sluice/shared/table"
)

// OwnKey reports whether a blob under key is one that an upload wrote: its
// owner's id, a slash, and its own. Every other one was there already, and is
// never removed from the store.
func OwnKey(key string) bool {
	owner, id, found := strings.Cut(key, "/")
	return found && auth.ValidID(owner) && auth.ValidID(id)
}

// Object is one that is in the store already, on its way to become a version as
// it is.
type Object struct {
	Owner       string // a user id
	Path        string
	Key         string // of its blob; not an OwnKey
	Size        int64
	ETag        string // of its blob, quoted
	ContentType string
	By          string // a user id
	Import      string // the id of what registers it
}

// Registered is what became of an Object.
type Registered string

// What becomes of an Object.
const (
	RegisteredNew     Registered = "new"       // it is a new file
	RegisteredAgain   Registered = "again"     // it is a new version: the object had changed
	RegisteredBefore  Registered = "before"    // it was registered as it is
	RegisteredNothing Registered = "untouched" // the path is taken by a file of another origin
)

// Register makes an object the current version at its path, in one transaction,
// as Publish does an upload. It may be done again: an object that has not
// changed stays as it is registered, and of one that has the version before is
// marked changed, since its bytes are gone. What o's own Import registered
// before counts as registered now, so that an import that starts over counts
// right. A file of another origin is never touched.
func (c *Catalog) Register(ctx context.Context, o Object) (Registered, error) {
	done, err := c.turns.take(ctx, place(o.Owner, o.Path))
	if err != nil {
		return "", err
	}
	defer done()
	quota, err := c.quota(ctx, o.Owner)
	if err != nil {
		return "", err
	}
	again := false
	for range c.tries(ctx) {
		was, err := c.standing(ctx, Upload{Owner: o.Owner, Path: o.Path})
		if err != nil {
			return "", err
		}
		outcome := o.outcome(was)
		if outcome == RegisteredNothing || outcome == RegisteredBefore {
			return o.counted(*was, outcome), nil
		}
		f := c.registered(was, o)
		err = c.table.Transact(ctx, c.registerOps(was, f, quota)...)
		c.forgetFile(f)
		switch {
		case !lost(err):
			return outcome, err
		case failed(err) == 0:
			return "", notFound("user")
		case failed(err) == 1:
			if err := c.refused(ctx, o.Owner, &again); err != nil {
				return "", err
			}
		}
	}
	return "", contended()
}

// WouldRegister tells what Register would return as things stand, the quota
// aside, and writes nothing.
func (c *Catalog) WouldRegister(ctx context.Context, o Object) (Registered, error) {
	was, err := c.freshFileAt(ctx, o.Owner, o.Path)
	if fault.Is(err, fault.NotFound, "") {
		return RegisteredNew, nil
	}
	if err != nil {
		return "", err
	}
	return o.counted(was, o.outcome(&was)), nil
}

// outcome tells what becomes of o where was is there, which may be nil.
func (o Object) outcome(was *File) Registered {
	switch {
	case was == nil:
		return RegisteredNew
	case was.Version.Key != o.Key:
		return RegisteredNothing
	case was.Version.StoreETag == o.ETag && !was.Version.Changed:
		return RegisteredBefore
	default:
		return RegisteredAgain
	}
}

// counted is the outcome of an object of which nothing is left to do.
func (o Object) counted(was File, outcome Registered) Registered {
	if outcome != RegisteredBefore || was.Version.Import != o.Import {
		return outcome
	}
	if was.Version.ID == was.ID {
		return RegisteredNew
	}
	return RegisteredAgain
}

// registered returns the record after the registration. The first version of a
// file shares its id.
func (c *Catalog) registered(was *File, o Object) File {
	id := auth.NewID(c.now())
	f := c.next(was, Upload{ID: id, Owner: o.Owner, Path: o.Path}, Content{
		Size: o.Size, ETag: o.ETag, ContentType: cmp.Or(o.ContentType, "application/octet-stream"), By: o.By,
	})
	f.Version.Key, f.Version.Import = o.Key, o.Import
	return f
}

// registerOps has the conditions of the owner and the quota first: Register
// tells by the index which one failed.
func (c *Catalog) registerOps(was *File, f File, quota Quota) []table.Op {
	added := Usage{Bytes: f.Version.Size}
	if was == nil {
		added.Files = 1
	}
	ops := []table.Op{
		check(userKey(f.Owner), table.IfExists(), table.Test{Comparison: table.NotEqual, Attr: "leaving", Value: true}),
		take(f.Owner, added, quota),
		put(versionKey(f.ID, f.Version.ID), f.Version.attrs(), table.IfAbsent()),
	}
	if was == nil {
		return append(ops,
			put(locationKey(f.Owner, f.Path), table.Attrs{"id": f.ID}, table.IfAbsent()),
			put(fileKey(f.ID), f.attrs(), table.IfAbsent()))
	}
	replaced := c.replaceOps(*was)
	replaced[0].Set["changed"] = true
	ops = append(ops,
		check(locationKey(f.Owner, f.Path), table.IfEqual("id", f.ID)),
		change(fileKey(f.ID), f.attrs(), table.IfExists(), table.IfEqual("rev", was.rev)))
	return append(ops, replaced...)
}

// MarkChanged notes of a version of f that was registered that its object is
// another one now, or gone: its bytes can no longer be had. One that an upload
// brought is left as it is, since nothing would ever take the mark away.
func (c *Catalog) MarkChanged(ctx context.Context, f File) error {
	if !f.Version.Imported() {
		return nil
	}
	mark := table.Attrs{"changed": true}
	ops := []table.Op{change(versionKey(f.ID, f.Version.ID), mark, table.IfExists())}
	if f.Version.KeptUntil.IsZero() { // its content is in the file's record too
		file := change(fileKey(f.ID), mark, table.IfExists(), table.IfEqual("version", f.Version.ID))
		file.Add = map[string]int64{"rev": 1}
		ops = append(ops, file)
	}
	err := c.table.Transact(ctx, ops...)
	c.forgetFile(f)
	if lost(err) {
		return nil // it was removed or replaced meanwhile
	}
	return err
}

// MarkGone is MarkChanged for the file at o's path, if that is made of o's object,
// of which nothing but its owner, path and key is asked. It reports whether there
// was anything to note.
func (c *Catalog) MarkGone(ctx context.Context, o Object) (bool, error) {
	f, err := c.freshFileAt(ctx, o.Owner, o.Path)
	if fault.Is(err, fault.NotFound, "") || err == nil && (f.Version.Key != o.Key || f.Version.Changed) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, c.MarkChanged(ctx, f)
}

// Imported reports whether the version is an object that was there already.
func (v Version) Imported() bool { return v.Key != "" && !OwnKey(v.Key) }

// content names the bytes of v among all that were ever under its key. Those of
// an upload are the only ones.
func (v Version) content() string {
	if v.Imported() {
		return v.Key + "#" + v.ID
	}
	return v.Key
}
