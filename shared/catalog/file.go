package catalog

import (
	"context"
	"strings"
	"time"

	"sluice/shared/auth"
	"sluice/shared/fault"
	"sluice/shared/table"
)

// Visibility says who may read a file.
type Visibility string

// The visibilities.
const (
	Private Visibility = "private" // its owner and admins
	Public  Visibility = "public"  // everybody
)

// Delivery says how a file's bytes leave.
type Delivery string

// The deliveries.
const (
	DeliverAuto     Delivery = "auto"     // as the deployment has it
	DeliverStream   Delivery = "stream"   // through us
	DeliverRedirect Delivery = "redirect" // from the store, where that can give the same answer
)

// File is what a user sees: a name, and the version that is current.
type File struct {
	ID          string
	Owner       string // a user id
	Path        string // unique with its owner
	Visibility  Visibility
	Delivery    Delivery // empty: auto
	ContentType string
	Version     Version // the current one
	CreatedAt   time.Time
	UpdatedAt   time.Time
	ExpiresAt   time.Time // zero: never

	deletedAt time.Time // zero: it is there
	purgeAt   time.Time // when a deleted file goes for good
	rev       int64
}

// Name returns the last segment of the path.
func (f File) Name() string { return f.Path[strings.LastIndexByte(f.Path, '/')+1:] }

// Verified returns the version's SHA-256 where we have computed it, else nil.
func (v Version) Verified() []byte {
	if v.Claimed {
		return nil
	}
	return v.SHA256
}

// Version is one immutable content of a file.
type Version struct {
	ID         string
	Key        string // of its blob; never reused by us
	Size       int64
	ETag       string // quoted and strong; fixed when the version is published
	StoreETag  string // that of its blob in the store, quoted; empty where it has none
	SHA256     []byte // 32 bytes, or none
	Claimed    bool   // SHA256 is what the sender says, and nobody has checked it
	ModifiedAt time.Time
	CreatedBy  string    // a user id
	Import     string    // what registered an object that was there already; empty: nothing did
	Changed    bool      // the object that was there is another one now, or gone
	KeptUntil  time.Time // when a replaced version goes; zero: it is current

	contentType string // the file's, when this version was replaced
}

func fileKey(id string) table.Key { return table.Key{PK: "FILE#" + id, SK: "FILE"} }

func versionKey(file, id string) table.Key {
	return table.Key{PK: fileKey(file).PK, SK: "VERSION#" + id}
}

// locationPartition holds an owner's paths, each leading to a file id. Paths
// are the sort keys: unique by it, and listed in the order of their bytes.
func locationPartition(owner string) string { return "FILES#" + owner }

func locationKey(owner, path string) table.Key {
	return table.Key{PK: locationPartition(owner), SK: path}
}

func (v Version) attrs() table.Attrs {
	return table.Attrs{
		"version": v.ID, "key": v.Key, "size": v.Size, "etag": v.ETag, "store_etag": v.StoreETag, "sha256": v.SHA256, "claimed": v.Claimed,
		"modified": millis(v.ModifiedAt), "by": v.CreatedBy, "kept": millis(v.KeptUntil), "import": v.Import, "changed": v.Changed,
	}
}

func readVersion(r reader) Version {
	sum, _ := r.attrs["sha256"].([]byte)
	if len(sum) == 0 {
		sum = nil
	}
	return Version{
		ID: r.str("version"), Key: r.str("key"), Size: r.num("size"), ETag: r.str("etag"), StoreETag: r.str("store_etag"), SHA256: sum, Claimed: r.flag("claimed"),
		ModifiedAt: r.time("modified"), CreatedBy: r.str("by"), Import: r.str("import"), Changed: r.flag("changed"),
		KeptUntil: r.time("kept"), contentType: r.str("content_type"),
	}
}

func (f File) attrs() table.Attrs {
	a := f.Version.attrs()
	a["owner"], a["path"], a["visibility"], a["content_type"] = f.Owner, f.Path, string(f.Visibility), f.ContentType
	a["delivery"] = string(f.Delivery)
	a["created"], a["updated"], a["expires"], a["deleted"] = millis(f.CreatedAt), millis(f.UpdatedAt), millis(f.ExpiresAt), millis(f.deletedAt)
	a["purge"], a["rev"] = millis(f.purgeAt), f.rev
	return a
}

func readFile(item table.Item) (File, error) {
	r, err := read(item)
	return File{
		ID: item.Key.PK[len("FILE#"):], Owner: r.str("owner"), Path: r.str("path"),
		Visibility: Visibility(r.str("visibility")), Delivery: Delivery(r.str("delivery")),
		ContentType: r.str("content_type"), Version: readVersion(r),
		CreatedAt: r.time("created"), UpdatedAt: r.time("updated"), ExpiresAt: r.time("expires"),
		deletedAt: r.time("deleted"), purgeAt: r.time("purge"), rev: r.num("rev"),
	}, err
}

// gone reports whether nobody may see f any more.
func (c *Catalog) gone(f File) bool {
	return !f.deletedAt.IsZero() || !f.ExpiresAt.IsZero() && !c.now().Before(f.ExpiresAt)
}

// File returns the file with that id, or NotFound.
func (c *Catalog) File(ctx context.Context, id string) (File, error) {
	f, err := c.files.get(ctx, id, func(ctx context.Context) (File, error) { return c.freshFile(ctx, id) })
	if err == nil && c.gone(f) {
		err = notFound("file")
	}
	return f, err
}

// freshFile returns the record even of a file that is gone.
func (c *Catalog) freshFile(ctx context.Context, id string) (File, error) {
	if !auth.ValidID(id) {
		return File{}, notFound("file")
	}
	item, found, err := c.table.Get(ctx, fileKey(id))
	if err != nil {
		return File{}, err
	}
	if !found {
		return File{}, notFound("file")
	}
	return readFile(item)
}

// FileAt returns the owner's file at path, or NotFound.
func (c *Catalog) FileAt(ctx context.Context, owner, path string) (File, error) {
	id, err := c.located.get(ctx, place(owner, path), func(ctx context.Context) (string, error) { return c.locate(ctx, owner, path) })
	if err != nil {
		return File{}, err
	}
	f, err := c.File(ctx, id)
	if err == nil && f.Owner == owner && f.Path == path {
		return f, nil
	}
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return File{}, err
	}
	// Moved or replaced since it was located, perhaps by another server.
	c.located.forget(place(owner, path))
	return c.freshFileAt(ctx, owner, path)
}

// place names a path of an owner in what this process keeps in memory.
func place(owner, path string) string { return owner + "\x00" + path }

// locate returns the id of the file at path, which may be gone by expiry.
func (c *Catalog) locate(ctx context.Context, owner, path string) (string, error) {
	item, found, err := c.table.Get(ctx, locationKey(owner, path))
	if err != nil {
		return "", err
	}
	if !found {
		return "", notFound("file")
	}
	r, err := read(item)
	return r.str("id"), err
}

func (c *Catalog) freshFileAt(ctx context.Context, owner, path string) (File, error) {
	id, err := c.locate(ctx, owner, path)
	if err != nil {
		return File{}, err
	}
	f, err := c.freshFile(ctx, id)
	if err == nil && (c.gone(f) || f.Path != path) {
		err = notFound("file")
	}
	return f, err
}

// forgetFile drops what the caches know of f.
func (c *Catalog) forgetFile(f File) {
	c.files.forget(f.ID)
	c.located.forget(place(f.Owner, f.Path))
}

// UpdateFile changes a file's path, visibility, content type or expiry by
// edit, which gets the record as it is and may run several times; an error of
// edit ends the update and is returned as it is. A path that another file has
// fails with Conflict "path_taken".
func (c *Catalog) UpdateFile(ctx context.Context, id string, edit func(*File) error) (File, error) {
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
		if c.gone(was) {
			return File{}, notFound("file")
		}
		f := was
		if err := edit(&f); err != nil {
			return File{}, err
		}
		f.UpdatedAt, f.rev = c.now(), was.rev+1
		err = c.table.Transact(ctx, c.updateOps(was, f)...)
		c.forgetFile(was)
		c.forgetFile(f)
		if !lost(err) {
			return f, err
		}
		if failed(err) != 0 && f.Path != was.Path {
			if free, err := c.vacate(ctx, f.Owner, f.Path); err != nil || !free {
				return File{}, pathTaken(err)
			}
		}
	}
	return File{}, contended()
}

func pathTaken(err error) error {
	if err != nil {
		return err
	}
	return fault.New(fault.Conflict, "path_taken", "Another file has that path.")
}

// updateOps has the record's own condition first, so that a lost race for it
// can be told from a path that is taken.
func (c *Catalog) updateOps(was, f File) []table.Op {
	ops := []table.Op{change(fileKey(f.ID), f.attrs(), table.IfExists(), table.IfEqual("rev", was.rev))}
	if f.Path != was.Path {
		ops = append(ops,
			put(locationKey(f.Owner, f.Path), table.Attrs{"id": f.ID}, table.IfAbsent()),
			remove(locationKey(was.Owner, was.Path), table.IfEqual("id", f.ID)))
	}
	if !f.ExpiresAt.IsZero() && !f.ExpiresAt.Equal(was.ExpiresAt) {
		ops = append(ops, due{Kind: dueExpiry, File: f.ID, At: f.ExpiresAt}.put())
	}
	return ops
}

// vacate reports whether path is free, or may be by now, after removing a file
// there that has expired but whose record still holds the path.
func (c *Catalog) vacate(ctx context.Context, owner, path string) (bool, error) {
	id, err := c.locate(ctx, owner, path)
	if fault.Is(err, fault.NotFound, "") {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	f, err := c.freshFile(ctx, id)
	switch {
	case fault.Is(err, fault.NotFound, ""), err == nil && f.Path != path:
		return true, nil // removed or moved meanwhile
	case err != nil, !c.gone(f):
		return false, err
	}
	err = c.deleteFile(ctx, f)
	if lost(err) {
		return true, nil // somebody else did it, or changed the file
	}
	return err == nil, err
}

// DeleteFile removes the file with that id. Its versions are kept for a while
// (Options.Keep), out of sight. test, which may be nil, is asked before with
// the record as it is; its error ends the removal.
func (c *Catalog) DeleteFile(ctx context.Context, id string, test func(File) error) error {
	done, err := c.turns.take(ctx, fileKey(id).PK)
	if err != nil {
		return err
	}
	defer done()
	for range c.tries(ctx) {
		f, err := c.freshFile(ctx, id)
		if err != nil {
			return err
		}
		if c.gone(f) {
			return notFound("file")
		}
		if test != nil {
			if err := test(f); err != nil {
				return err
			}
		}
		if err := c.deleteFile(ctx, f); !lost(err) {
			return err
		}
	}
	return contended()
}

// deleteFile removes f if it is still as it was read.
func (c *Catalog) deleteFile(ctx context.Context, f File) error {
	seen := f.rev
	f.deletedAt, f.UpdatedAt, f.rev = c.now(), c.now(), seen+1
	f.purgeAt = f.deletedAt.Add(c.keep)
	err := c.table.Transact(ctx,
		change(fileKey(f.ID), f.attrs(), table.IfExists(), table.IfEqual("rev", seen)),
		remove(locationKey(f.Owner, f.Path), table.IfEqual("id", f.ID)),
		f.purge().put())
	c.forgetFile(f)
	return err
}
