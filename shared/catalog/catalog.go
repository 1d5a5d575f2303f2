// Package catalog is the typed face of the table: users, logins, files,
// versions, and what is due for removal. It knows keys, attributes and
// conditions, so that the use cases above it need not.
//
// Reads by id, name and path are at most MaxAge old and come from a small
// cache in the process; what this process writes, it sees at once. Every
// write reads afresh and is conditional on what it read.
//
// Access patterns and keys are listed in docs/design.md.
package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/shared/fault"
	"sluice/shared/table"
)

// MaxAge is how old a cached record may be: the time within which every
// server has noticed a disabled user, a revoked login or a replaced file.
const MaxAge = 5 * time.Second

// format is the newest record format that this program reads and writes.
const format = 1

// Options are what a Catalog needs beside its table.
type Options struct {
	Keep  time.Duration    // how long a replaced or deleted version is kept
	Clock func() time.Time // time.Now where nil
	Hot   *table.Table     // of what changes often: sessions, audit; nil: the same as the other records
	Made  bool             // the store is there and marked with the format: Open asks nothing

	// Pause waits a random time up to longest before a write starts over that
	// others came before, or until ctx ends, whose error it returns; nil: by a
	// timer.
	Pause func(ctx context.Context, longest time.Duration) error
}

// Catalog reads and writes records. It is safe for concurrent use.
type Catalog struct {
	table *table.Table
	hot   *table.Table
	keep  time.Duration
	now   func() time.Time
	past  *past // of now
	pause func(context.Context, time.Duration) error

	users   *cache[User]   // by id
	names   *cache[string] // username to id
	logins  *cache[Login]  // by id
	files   *cache[File]   // by id
	located *cache[string] // owner and path to file id

	sessions *cache[Session] // by id
	revoked  *cache[bool]    // by file and link

	turns *turns // by record written
}

// Open returns the catalog in t. Unless Options.Made it refuses a store whose
// format is newer than this program, and marks a new store with the format. A
// record of a newer format is refused wherever it is read.
func Open(ctx context.Context, t *table.Table, o Options) (*Catalog, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Hot == nil {
		o.Hot = t
	}
	if o.Pause == nil {
		o.Pause = pause
	}
	past := newPast(o.Clock)
	o.Clock = past.now
	c := &Catalog{
		table: t, hot: o.Hot, past: past, keep: o.Keep, now: o.Clock, pause: o.Pause,
		sessions: newCache[Session](o.Clock), revoked: newCache[bool](o.Clock),
		users: newCache[User](o.Clock), names: newCache[string](o.Clock), logins: newCache[Login](o.Clock),
		files: newCache[File](o.Clock), located: newCache[string](o.Clock), turns: newTurns(),
	}
	if o.Made {
		return c, nil
	}
	return c, c.checkFormat(ctx)
}

func (c *Catalog) checkFormat(ctx context.Context) error {
	key := table.Key{PK: "STORE", SK: "FORMAT"}
	item, found, err := c.table.Get(ctx, key)
	if err != nil {
		return err
	}
	if found {
		_, err := read(item)
		return err
	}
	err = c.table.Transact(ctx,
		put(key, table.Attrs{}, table.IfAbsent()),
		put(sweptKey(), table.Attrs{"hour": dueHour(c.now())})) // nothing can be due before
	if lost(err) {
		return nil // another server made the mark at the same moment
	}
	return err
}

// Ping asks the table whether it answers.
func (c *Catalog) Ping(ctx context.Context) error { return c.table.Ping(ctx) }

// put returns a Put that marks the item with the format.
func put(key table.Key, attrs table.Attrs, tests ...table.Test) table.Op {
	attrs["v"] = int64(format)
	return table.Op{Action: table.Put, Key: key, Set: attrs, If: tests}
}

// change returns an Update that keeps the attributes it does not name.
func change(key table.Key, attrs table.Attrs, tests ...table.Test) table.Op {
	return table.Op{Action: table.Update, Key: key, Set: attrs, If: tests}
}

func remove(key table.Key, tests ...table.Test) table.Op {
	return table.Op{Action: table.Delete, Key: key, If: tests}
}

func check(key table.Key, tests ...table.Test) table.Op {
	return table.Op{Action: table.Check, Key: key, If: tests}
}

// lost reports whether a write failed because a condition did not hold.
func lost(err error) bool {
	_, ok := errors.AsType[*table.ConditionError](err)
	return ok
}

// failed returns which op's condition failed, or -1.
func failed(err error) int {
	if ce, ok := errors.AsType[*table.ConditionError](err); ok {
		return ce.Failed
	}
	return -1
}

func notFound(what string) error {
	return fault.New(fault.NotFound, "not_found", "There is no such "+what+".")
}

// reader takes typed attributes from an item; an absent one is its zero value.
type reader struct{ attrs table.Attrs }

// read refuses an item of a format newer than this program.
func read(item table.Item) (reader, error) {
	r := reader{item.Attrs}
	if v := r.num("v"); v > format {
		return r, fault.Wrap(fmt.Errorf("record %q has format %d", item.Key.PK, v), fault.Internal, "store_newer",
			fmt.Sprintf("The store was written by a newer Sluice (format %d, this program knows %d): upgrade this program.", v, format))
	}
	return r, nil
}

func (r reader) str(name string) string {
	s, _ := r.attrs[name].(string)
	return s
}

func (r reader) num(name string) int64 {
	n, _ := r.attrs[name].(int64)
	return n
}

func (r reader) flag(name string) bool {
	b, _ := r.attrs[name].(bool)
	return b
}

// time reads milliseconds since 1970; 0 is the zero time.
func (r reader) time(name string) time.Time {
	ms := r.num(name)
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// millis is the inverse of reader.time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
