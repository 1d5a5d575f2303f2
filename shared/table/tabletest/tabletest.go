// Package tabletest is the suite that every driver of the table port passes,
// and a driver in memory that passes it too.
//
// A driver's own test is one call of Run, plus what only that driver promises.
package tabletest

import (
	"crypto/rand"
	"errors"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"sluice/shared/table"
)

// Run runs the suite. open is called for each subtest and returns a driver
// that is ready; it registers with t whatever has to be undone. The driver may
// be shared and hold items of other tests, for each subtest keeps to
// partitions of its own. Items whose expiry is in the real past may vanish.
func Run(t *testing.T, open func(t *testing.T) table.Driver) {
	all := slices.Concat(
		valueTests(), keyTests(), queryTests(), conditionTests(), actionTests(),
		expiryTests(), transactionTests(), concurrencyTests(), contractTests(), modelTests(),
	)
	for _, test := range all {
		t.Run(test.name, func(t *testing.T) { test.run(newFixture(t, open(t))) })
	}
}

// subtest is one sentence that must be true of a driver.
type subtest struct {
	name string
	run  func(f *fixture)
}

// fixture is what a subtest works with.
type fixture struct {
	*testing.T
	*table.Table
	driver table.Driver
	clock  *clock
	pk     string // a partition that nobody else uses
}

func newFixture(t *testing.T, d table.Driver) *fixture {
	c := newClock()
	return &fixture{T: t, Table: table.New(d, c.Now), driver: d, clock: c, pk: "suite-" + rand.Text()}
}

// clock stands still until it is moved. It begins at the real time, because
// some stores remove by their own clock what has expired.
type clock struct{ unix atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.unix.Store(time.Now().Unix())
	return c
}

// Now returns the clock's time.
func (c *clock) Now() time.Time { return time.Unix(c.unix.Load(), 0).UTC() }

func (c *clock) advance(d time.Duration) { c.unix.Add(int64(d / time.Second)) }

// in returns the time that the clock shows after d.
func (c *clock) in(d time.Duration) time.Time { return c.Now().Add(d) }

func (f *fixture) key(sk string) table.Key { return table.Key{PK: f.pk, SK: sk} }

// apply does op, which must succeed.
func (f *fixture) apply(op table.Op) table.Item {
	f.Helper()
	item, err := f.Apply(f.Context(), op)
	if err != nil {
		f.Fatalf("Apply: %v", err)
	}
	return item
}

// put writes an item that must be written.
func (f *fixture) put(sk string, attrs table.Attrs) {
	f.Helper()
	f.apply(table.Op{Action: table.Put, Key: f.key(sk), Set: attrs})
}

// putUntil writes an item with an expiry.
func (f *fixture) putUntil(sk string, attrs table.Attrs, expires time.Time) {
	f.Helper()
	f.apply(table.Op{Action: table.Put, Key: f.key(sk), Set: attrs, ExpiresAt: expires})
}

// putAll writes an item without attributes under each sort key.
func (f *fixture) putAll(sks ...string) {
	f.Helper()
	for chunk := range slices.Chunk(sks, table.MaxTransaction) {
		ops := make([]table.Op, len(chunk))
		for i, sk := range chunk {
			ops[i] = table.Op{Action: table.Put, Key: f.key(sk)}
		}
		f.transact(ops...)
	}
}

// transact does ops, which must succeed.
func (f *fixture) transact(ops ...table.Op) {
	f.Helper()
	if err := f.Transact(f.Context(), ops...); err != nil {
		f.Fatalf("Transact: %v", err)
	}
}

// query asks for a page, which must come.
func (f *fixture) query(q table.Query) table.Page {
	f.Helper()
	page, err := f.Query(f.Context(), q)
	if err != nil {
		f.Fatalf("Query: %v", err)
	}
	return page
}

// get returns an item and whether it is there.
func (f *fixture) get(sk string) (table.Item, bool) {
	f.Helper()
	item, found, err := f.Get(f.Context(), f.key(sk))
	if err != nil {
		f.Fatalf("Get: %v", err)
	}
	return item, found
}

// want checks that an item is there with attrs and nothing else.
func (f *fixture) want(sk string, attrs table.Attrs) {
	f.Helper()
	item, found := f.get(sk)
	if !found {
		f.Fatalf("item %q: absent, want %v", sk, attrs)
	}
	f.wantItem(item, table.Item{Key: f.key(sk), Attrs: attrs, ExpiresAt: item.ExpiresAt})
}

// wantAbsent checks that an item is not there.
func (f *fixture) wantAbsent(sk string) {
	f.Helper()
	if item, found := f.get(sk); found {
		f.Fatalf("item %q: there with %v, want it absent", sk, item.Attrs)
	}
}

func (f *fixture) wantItem(got, want table.Item) {
	f.Helper()
	if !same(got, want) {
		f.Fatalf("item:\n got %#v\nwant %#v", got, want)
	}
}

// wantCondition checks that err tells of the failed test of an op.
func (f *fixture) wantCondition(err error, failed int) {
	f.Helper()
	var condition *table.ConditionError
	if !errors.As(err, &condition) {
		f.Fatalf("error: got %v, want a ConditionError", err)
	}
	if condition.Failed != failed {
		f.Fatalf("failed op: got %d, want %d", condition.Failed, failed)
	}
}

// same reports whether two items are equal. No attributes are as none.
func same(a, b table.Item) bool {
	if len(a.Attrs) == 0 && len(b.Attrs) == 0 {
		a.Attrs, b.Attrs = nil, nil
	}
	return a.Key == b.Key && a.ExpiresAt.Equal(b.ExpiresAt) && reflect.DeepEqual(a.Attrs, b.Attrs)
}

// sortKeys returns the sort keys of items, in their order.
func sortKeys(items []table.Item) []string {
	sks := make([]string, len(items))
	for i, item := range items {
		sks[i] = item.Key.SK
	}
	return sks
}
