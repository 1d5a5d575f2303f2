package bolttable

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"

	"sluice/shared/table"
)

// driver is one table of a store. It never reports Contended or Throttled.
type driver struct {
	store  *Store
	bucket []byte
}

// view calls f with the table's bucket, nil if nothing was ever written to it.
// While f runs, bbolt can neither reuse pages nor grow the file, so f only
// copies a bounded number of bytes; decoding comes after.
func (d *driver) view(ctx context.Context, f func(b *bolt.Bucket)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return d.store.db.View(func(tx *bolt.Tx) error {
		f(tx.Bucket(d.bucket))
		return nil
	})
}

func (d *driver) GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	var found []pair
	err := d.view(ctx, func(b *bolt.Bucket) {
		for _, key := range keys {
			if value := get(b, key); value != nil {
				found = append(found, pair{key: key, value: bytes.Clone(value)})
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return d.store.codec.decodeItems(found)
}

func (d *driver) Query(ctx context.Context, q table.Query) (table.Page, error) {
	var found []pair
	var more bool
	err := d.view(ctx, func(b *bolt.Bucket) {
		if b != nil {
			found, more = scan(b.Cursor(), q)
		}
	})
	if err != nil {
		return table.Page{}, err
	}
	items, err := d.store.codec.decodeItems(found)
	return table.Page{Items: items, More: more}, err
}

func (d *driver) Apply(ctx context.Context, now time.Time, op table.Op) (table.Item, error) {
	var after table.Item
	err := d.store.submit(ctx, d.bucket, func(b *bolt.Bucket) (writes []write, err error) {
		writes, after, err = d.store.codec.change(b, now, op)
		if errors.Is(err, errCondition) {
			return nil, &conditionError{op: 0}
		}
		return writes, err
	})
	if err != nil {
		return table.Item{}, err
	}
	return after, nil
}

func (d *driver) Transact(ctx context.Context, now time.Time, ops []table.Op) error {
	return d.store.submit(ctx, d.bucket, func(b *bolt.Bucket) ([]write, error) {
		var all []write
		for i, op := range ops {
			writes, _, err := d.store.codec.change(b, now, op)
			if errors.Is(err, errCondition) {
				return nil, &conditionError{op: i}
			}
			if err != nil {
				return nil, err
			}
			all = append(all, writes...)
		}
		return all, nil
	})
}

func (d *driver) Ping(ctx context.Context) error { return d.store.ping(ctx) }

func (d *driver) ErrorCode(err error) table.Code {
	var condition *conditionError
	switch {
	case errors.As(err, &condition):
		return table.ConditionFailed
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return table.Canceled
	case isFull(err):
		return table.Full
	}
	return table.Unknown
}

func (d *driver) Failed(err error) int {
	if condition, ok := errors.AsType[*conditionError](err); ok {
		return condition.op
	}
	return -1
}

// Close does nothing: the store, which other tables may use, is closed by
// whoever opened it.
func (d *driver) Close() error { return nil }

// conditionError tells which op's test did not hold.
type conditionError struct{ op int }

func (e *conditionError) Error() string {
	return fmt.Sprintf("the condition of op %d did not hold", e.op)
}

// isFull reports whether err means that the file cannot grow: no space, no
// quota, or the process's limit on file sizes. bbolt keeps some of these only
// as text.
func isFull(err error) bool {
	for _, cause := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, cause) || (err != nil && strings.Contains(err.Error(), cause.Error())) {
			return true
		}
	}
	return false
}
