package bolttable

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"time"

	bolt "go.etcd.io/bbolt"

	"sluice/shared/table"
)

var errCondition = errors.New("a condition did not hold")

// change works out what op does to the bucket and how the item stands
// afterwards. It is errCondition where a test does not hold.
func (c codec) change(b *bolt.Bucket, now time.Time, op table.Op) ([]write, table.Item, error) {
	before, present, err := c.load(b, now, op.Key)
	if err != nil {
		return nil, table.Item{}, err
	}
	for _, test := range op.If {
		if !holds(test, before.Attrs, present) {
			return nil, table.Item{}, errCondition
		}
	}
	switch op.Action {
	case table.Check:
		return nil, table.Item{}, nil
	case table.Delete:
		if get(b, op.Key) == nil {
			return nil, table.Item{}, nil
		}
		return []write{{key: encodeKey(op.Key)}}, table.Item{}, nil
	}
	after, err := result(before, op)
	if err != nil {
		return nil, table.Item{}, err
	}
	value, err := c.encodeValue(after)
	return []write{{key: encodeKey(op.Key), value: value}}, after, err
}

// load returns the item under key and whether it is there. An expired item is
// not there, and nothing of it is left.
func (c codec) load(b *bolt.Bucket, now time.Time, key table.Key) (table.Item, bool, error) {
	value := get(b, key)
	if value == nil {
		return table.Item{Key: key}, false, nil
	}
	item, err := c.decodeItem(key, value)
	if err != nil {
		return table.Item{}, false, err
	}
	if item.Expired(now) {
		return table.Item{Key: key}, false, nil
	}
	return item, true, nil
}

// result returns the item that a Put or an Update leaves. It shares no memory
// with op.
func result(before table.Item, op table.Op) (table.Item, error) {
	after := table.Item{Key: op.Key, Attrs: table.Attrs{}, ExpiresAt: op.ExpiresAt}
	if op.Action == table.Update {
		maps.Copy(after.Attrs, before.Attrs)
		if op.ExpiresAt.IsZero() {
			after.ExpiresAt = before.ExpiresAt
		}
	}
	for name, value := range op.Set {
		if b, ok := value.([]byte); ok {
			value = append([]byte{}, b...)
		}
		after.Attrs[name] = value
	}
	for name, delta := range op.Add {
		total, ok := sum(after.Attrs[name], delta)
		if !ok {
			return table.Item{}, errCondition
		}
		after.Attrs[name] = total
	}
	for _, name := range op.Remove {
		delete(after.Attrs, name)
	}
	if size := after.Size(); size > table.MaxItem {
		return table.Item{}, fmt.Errorf("the item would have %d bytes; %d is the most", size, table.MaxItem)
	}
	return after, nil
}

// sum returns value plus delta, where nil counts as 0. It is not ok if value
// is no number or the sum no int64.
func sum(value any, delta int64) (total int64, ok bool) {
	if value == nil {
		return delta, true
	}
	n, ok := value.(int64)
	total = n + delta
	return total, ok && (total > n) == (delta > 0)
}

// holds reports whether a test holds on an item's attributes.
func holds(test table.Test, attrs table.Attrs, present bool) bool {
	value, found := attrs[test.Attr]
	switch test.Comparison {
	case table.Exists:
		return present
	case table.Absent:
		return !present
	case table.Equal:
		return found && equal(value, test.Value)
	case table.NotEqual:
		return !found || !equal(value, test.Value)
	}
	n, isNumber := value.(int64)
	bound, _ := test.Value.(int64)
	switch test.Comparison {
	case table.Less:
		return isNumber && n < bound
	case table.AtMost:
		return isNumber && n <= bound
	case table.AtLeast:
		return isNumber && n >= bound
	}
	return false
}

// equal reports whether two attributes have the same type and value.
func equal(a, b any) bool {
	if x, ok := a.([]byte); ok {
		y, ok := b.([]byte)
		return ok && bytes.Equal(x, y)
	}
	if _, ok := b.([]byte); ok {
		return false
	}
	return a == b
}
