package catalog

import (
	"context"
	"encoding/json"
	"time"

	"sluice/shared/auth"
	"sluice/shared/fault"
	"sluice/shared/table"
)

// ImportState says how far an import is.
type ImportState string

// The states. An import runs until it is one of the others.
const (
	ImportRunning ImportState = "running"
	ImportDone    ImportState = "done"
	ImportStopped ImportState = "stopped" // by somebody, while it ran or after
	ImportFailed  ImportState = "failed"  // it cannot go on
)

// Import is a job that registers the objects under a prefix of the store.
type Import struct {
	ID        string
	Owner     string // the id of the user whose files they become
	Path      string // put before each file's path: empty, or ends in a slash
	Prefix    string // of the keys: empty, or ends in a slash
	By        string // the id of the user who asked
	DryRun    bool   // nothing is registered
	State     ImportState
	Problem   string // the code of why it failed
	Cursor    string // the last key that was dealt with
	Counts    ImportCounts
	Problems  []ImportProblem // the first few
	CreatedAt time.Time
	UpdatedAt time.Time

	rev int64
}

// ImportCounts are what an import has done. Each object that was seen is one of
// the others.
type ImportCounts struct {
	Seen       int64
	Registered int64 // new files, and new versions of files registered before
	Unchanged  int64
	Skipped    int64 // a file of another origin has the path, or no file can
	Failed     int64
	Bytes      int64 // of those registered
}

// Add adds other.
func (c *ImportCounts) Add(other ImportCounts) {
	c.Seen += other.Seen
	c.Registered += other.Registered
	c.Unchanged += other.Unchanged
	c.Skipped += other.Skipped
	c.Failed += other.Failed
	c.Bytes += other.Bytes
}

// ImportProblem is an object that was not registered, and why.
type ImportProblem struct {
	Key    string `json:"key"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// importPartition holds all imports. They are few, and are kept: they tell to
// whom an object belongs that appears later.
const importPartition = "IMPORTS"

func importKey(id string) table.Key { return table.Key{PK: importPartition, SK: id} }

// importingKey names the item by which a server finds, when it starts, what it
// or another one was importing.
func importingKey(id string) table.Key { return table.Key{PK: "IMPORTING", SK: id} }

func (i Import) attrs() table.Attrs {
	problems, err := json.Marshal(i.Problems)
	if err != nil {
		panic(err) // strings always marshal
	}
	return table.Attrs{
		"owner": i.Owner, "path": i.Path, "prefix": i.Prefix, "by": i.By, "dry": i.DryRun, "state": string(i.State), "problem": i.Problem,
		"cursor": i.Cursor, "seen": i.Counts.Seen, "registered": i.Counts.Registered, "unchanged": i.Counts.Unchanged,
		"skipped": i.Counts.Skipped, "failed": i.Counts.Failed, "bytes": i.Counts.Bytes, "problems": problems,
		"created": millis(i.CreatedAt), "updated": millis(i.UpdatedAt), "rev": i.rev,
	}
}

func readImport(item table.Item) (Import, error) {
	r, err := read(item)
	if err != nil {
		return Import{}, err
	}
	i := Import{
		ID: item.Key.SK, Owner: r.str("owner"), Path: r.str("path"), Prefix: r.str("prefix"), By: r.str("by"), DryRun: r.flag("dry"),
		State: ImportState(r.str("state")), Problem: r.str("problem"), Cursor: r.str("cursor"),
		Counts: ImportCounts{
			Seen: r.num("seen"), Registered: r.num("registered"), Unchanged: r.num("unchanged"),
			Skipped: r.num("skipped"), Failed: r.num("failed"), Bytes: r.num("bytes"),
		},
		CreatedAt: r.time("created"), UpdatedAt: r.time("updated"), rev: r.num("rev"),
	}
	problems, _ := r.attrs["problems"].([]byte)
	if err := json.Unmarshal(problems, &i.Problems); err != nil {
		return i, fault.Wrap(err, fault.Internal, "import_damaged", "The record of an import is damaged.")
	}
	return i, nil
}

// CreateImport records an import that is to run. It fails with NotFound where
// its owner is not there.
func (c *Catalog) CreateImport(ctx context.Context, i Import) (Import, error) {
	i.State, i.CreatedAt, i.UpdatedAt, i.rev = ImportRunning, c.now(), c.now(), 1
	err := c.table.Transact(ctx,
		check(userKey(i.Owner), table.IfExists(), table.Test{Comparison: table.NotEqual, Attr: "leaving", Value: true}),
		put(importKey(i.ID), i.attrs(), table.IfAbsent()),
		put(importingKey(i.ID), table.Attrs{}))
	if lost(err) {
		return i, notFound("user")
	}
	return i, err
}

// Import returns the import with that id, as it is now, or NotFound.
func (c *Catalog) Import(ctx context.Context, id string) (Import, error) {
	if !auth.ValidID(id) {
		return Import{}, notFound("import")
	}
	item, found, err := c.table.Get(ctx, importKey(id))
	if err != nil {
		return Import{}, err
	}
	if !found {
		return Import{}, notFound("import")
	}
	return readImport(item)
}

// Imports lists up to limit imports, the latest first, from the first that
// follows after. more tells that others may follow.
func (c *Catalog) Imports(ctx context.Context, after string, limit int) (imports []Import, more bool, err error) {
	page, err := c.table.Query(ctx, table.Query{PK: importPartition, To: after, Descending: true, Limit: limit})
	if err != nil {
		return nil, false, err
	}
	for _, item := range page.Items {
		i, err := readImport(item)
		if err != nil {
			return nil, false, err
		}
		imports = append(imports, i)
	}
	return imports, page.More, nil
}

// Importing returns the ids of up to limit imports that run.
func (c *Catalog) Importing(ctx context.Context, limit int) ([]string, error) {
	page, err := c.table.Query(ctx, table.Query{PK: importingKey("").PK, Limit: limit})
	ids := make([]string, 0, len(page.Items))
	for _, item := range page.Items {
		ids = append(ids, item.Key.SK)
	}
	return ids, err
}

// SaveImport keeps how far an import came that runs, unless somebody else has
// changed it since it was read: that is Conflict "import_moved".
func (c *Catalog) SaveImport(ctx context.Context, i Import) (Import, error) {
	seen := i.rev
	i.UpdatedAt, i.rev = c.now(), seen+1
	ops := []table.Op{change(importKey(i.ID), i.attrs(), table.IfExists(), table.IfEqual("rev", seen))}
	if i.State != ImportRunning {
		ops = append(ops, remove(importingKey(i.ID)))
	}
	err := c.table.Transact(ctx, ops...)
	if lost(err) {
		err = fault.New(fault.Conflict, "import_moved", "Somebody else has changed the import.")
	}
	return i, err
}

// StopImport ends an import that runs. Of one that has ended it takes back that
// it tells to whom later objects belong.
func (c *Catalog) StopImport(ctx context.Context, id string) error {
	for range c.tries(ctx) {
		i, err := c.Import(ctx, id)
		if err != nil || i.State == ImportStopped {
			return err
		}
		i.State = ImportStopped
		if _, err := c.SaveImport(ctx, i); !fault.Is(err, fault.Conflict, "import_moved") {
			return err
		}
	}
	return contended()
}
