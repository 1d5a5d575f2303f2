package table

import (
	"context"
	"errors"
	"slices"
	"time"
)

// refill is the least that Query asks for once it has met expired items, so
// that a long run of them does not cost a call each.
const refill = 100

// Table is the record store that the rest of the program sees. It checks every
// argument, hides expired items, asks again where the store was busy, and
// turns a driver's errors into these:
//
//   - *ConditionError: a test did not hold, and nothing was written;
//   - fault.Unavailable "table_busy": the store was contended or throttled,
//     even after some retries;
//   - fault.Unavailable "table_unanswered": the store did not answer, even after
//     some retries. A write may have been done;
//   - fault.Unavailable "canceled": the context ended; the error is also
//     context.Canceled or context.DeadlineExceeded. A write may have been done;
//   - fault.InsufficientStorage "no_space": the store has no room;
//   - fault.Internal "table_failed": anything else a driver reports;
//   - fault.Internal "table_misuse": an argument breaks the port's rules. That
//     is a mistake in the program; nothing was asked of the store.
//
// A Table is safe for concurrent use.
type Table struct {
	driver Driver
	clock  func() time.Time
}

// New returns a Table over d. clock tells the time by which items expire.
func New(d Driver, clock func() time.Time) *Table {
	return &Table{driver: d, clock: clock}
}

// Get returns the item under key, and whether there is one.
func (t *Table) Get(ctx context.Context, key Key) (Item, bool, error) {
	items, err := t.GetMany(ctx, []Key{key})
	if err != nil || len(items) == 0 {
		return Item{}, false, err
	}
	return items[0], true, nil
}

// GetMany returns the items found, in the order of keys. A key that is given
// twice counts once. Any number of keys will do; they are read in batches, so
// the items need not stem from one moment.
func (t *Table) GetMany(ctx context.Context, keys []Key) ([]Item, error) {
	for _, key := range keys {
		if err := checkKey(key); err != nil {
			return nil, err
		}
	}
	found := make(map[Key]Item, len(keys))
	keys = distinct(keys)
	for batch := range slices.Chunk(keys, MaxGet) {
		err := t.call(ctx, func(now time.Time) error {
			items, err := t.driver.GetMany(ctx, batch)
			for _, item := range live(items, now) {
				found[item.Key] = item
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	items := make([]Item, 0, len(found))
	for _, key := range keys {
		if item, ok := found[key]; ok {
			items = append(items, item)
		}
	}
	return items, nil
}

// Query returns a page of q's range. It holds q.Limit items unless the range
// ends before.
func (t *Table) Query(ctx context.Context, q Query) (Page, error) {
	if err := checkQuery(q); err != nil {
		return Page{}, err
	}
	page := Page{More: true}
	for ask := q; page.More && len(page.Items) < q.Limit; {
		if ask.To != "" && ask.From >= ask.To {
			page.More = false
			break
		}
		err := t.call(ctx, func(now time.Time) error {
			got, err := t.driver.Query(ctx, ask)
			if err != nil {
				return err
			}
			ask = following(ask, got)
			page.More = got.More && len(got.Items) > 0
			page.Items = append(page.Items, live(got.Items, now)...)
			return nil
		})
		if err != nil {
			return Page{}, err
		}
		ask.Limit = min(max(q.Limit-len(page.Items), refill), MaxQuery)
	}
	if len(page.Items) > q.Limit {
		page = Page{Items: page.Items[:q.Limit:q.Limit], More: true}
	}
	return page, nil
}

// Apply does one Put, Update or Delete. It returns the item as it stands after
// a Put or an Update.
func (t *Table) Apply(ctx context.Context, op Op) (Item, error) {
	op.ExpiresAt = wholeSeconds(op.ExpiresAt)
	if err := checkApply(op); err != nil {
		return Item{}, err
	}
	var item Item
	err := t.call(ctx, func(now time.Time) (err error) {
		item, err = t.driver.Apply(ctx, now, op)
		return err
	})
	if condition, ok := errors.AsType[*ConditionError](err); ok {
		condition.Failed = 0
	}
	if err != nil {
		return Item{}, err
	}
	return item, nil
}

// Transact does all ops or none. Where a test does not hold, the
// ConditionError tells whose. It takes 1 to MaxTransaction ops, each on a key
// of its own.
func (t *Table) Transact(ctx context.Context, ops ...Op) error {
	ops = slices.Clone(ops)
	for i := range ops {
		ops[i].ExpiresAt = wholeSeconds(ops[i].ExpiresAt)
	}
	if err := checkTransaction(ops); err != nil {
		return err
	}
	return t.call(ctx, func(now time.Time) error {
		return t.driver.Transact(ctx, now, ops)
	})
}

// Ping asks the store whether it answers.
func (t *Table) Ping(ctx context.Context) error {
	return t.call(ctx, func(time.Time) error { return t.driver.Ping(ctx) })
}

// Close releases the store. No call follows it.
func (t *Table) Close() error {
	if err := t.driver.Close(); err != nil {
		return failed(err)
	}
	return nil
}

// distinct returns keys without repetitions, in their first order.
func distinct(keys []Key) []Key {
	seen := make(map[Key]bool, len(keys))
	unseen := make([]Key, 0, len(keys))
	for _, key := range keys {
		if !seen[key] {
			seen[key] = true
			unseen = append(unseen, key)
		}
	}
	return unseen
}

// live returns the items that are not expired. It reuses their slice.
func live(items []Item, now time.Time) []Item {
	return slices.DeleteFunc(items, func(i Item) bool { return i.Expired(now) })
}

// following returns what to ask for after got.
func following(q Query, got Page) Query {
	if len(got.Items) == 0 {
		return q
	}
	last := got.Items[len(got.Items)-1].Key.SK
	if q.Descending {
		q.To = last
	} else {
		q.From = Next(last)
	}
	return q
}

// wholeSeconds rounds up, and drops the zone and the monotonic reading.
func wholeSeconds(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	whole := time.Unix(t.Unix(), 0).UTC()
	if whole.Before(t) {
		whole = whole.Add(time.Second)
	}
	return whole
}
