package tabletest

import (
	"context"
	"errors"
	"maps"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice/shared/table"
)

// Memory is a driver that keeps its items in a map. It is the model that the
// suite compares other drivers with, so it is written to be read, not to be
// fast. Make one with NewMemory.
type Memory struct {
	mu    sync.Mutex
	items map[table.Key]table.Item
}

// NewMemory returns a Memory without items.
func NewMemory() *Memory {
	return &Memory{items: map[table.Key]table.Item{}}
}

// GetMany implements table.Driver.
func (m *Memory) GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []table.Item
	for _, key := range keys {
		if item, ok := m.items[key]; ok {
			found = append(found, clone(item))
		}
	}
	return found, ctx.Err()
}

// Query implements table.Driver.
func (m *Memory) Query(ctx context.Context, q table.Query) (table.Page, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []table.Item
	for key, item := range m.items {
		if key.PK == q.PK && key.SK >= q.From && (q.To == "" || key.SK < q.To) {
			found = append(found, clone(item))
		}
	}
	slices.SortFunc(found, func(a, b table.Item) int { return strings.Compare(a.Key.SK, b.Key.SK) })
	if q.Descending {
		slices.Reverse(found)
	}
	n := min(q.Limit, len(found))
	return table.Page{Items: found[:n], More: n < len(found)}, ctx.Err()
}

// Apply implements table.Driver.
func (m *Memory) Apply(ctx context.Context, now time.Time, op table.Op) (table.Item, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.transact(ctx, now, []table.Op{op}); err != nil || op.Action == table.Delete {
		return table.Item{}, err
	}
	return clone(m.items[op.Key]), nil
}

// Transact implements table.Driver.
func (m *Memory) Transact(ctx context.Context, now time.Time, ops []table.Op) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.transact(ctx, now, ops)
}

func (m *Memory) transact(ctx context.Context, now time.Time, ops []table.Op) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	after := make([]*table.Item, len(ops))
	for i, op := range ops {
		item, err := m.outcome(now, op)
		if errors.Is(err, errRefused) {
			return &refusal{op: i}
		}
		if err != nil {
			return err
		}
		after[i] = item
	}
	for i, op := range ops {
		switch {
		case op.Action == table.Check:
		case after[i] == nil:
			delete(m.items, op.Key)
		default:
			m.items[op.Key] = clone(*after[i])
		}
	}
	return nil
}

// Ping implements table.Driver.
func (m *Memory) Ping(ctx context.Context) error { return ctx.Err() }

// ErrorCode implements table.Driver.
func (m *Memory) ErrorCode(err error) table.Code {
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		return table.ConditionFailed
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return table.Canceled
	}
	return table.Unknown
}

// Failed implements table.Driver.
func (m *Memory) Failed(err error) int {
	if refused, ok := errors.AsType[*refusal](err); ok {
		return refused.op
	}
	return -1
}

// Close implements table.Driver. The items stay.
func (m *Memory) Close() error { return nil }

// refusal tells which op's test did not hold.
type refusal struct{ op int }

func (r *refusal) Error() string { return "a test did not hold" }

var (
	errRefused  = errors.New("a test did not hold")
	errTooLarge = errors.New("the item would be too large")
)

// outcome returns the item that op leaves, nil for none.
func (m *Memory) outcome(now time.Time, op table.Op) (*table.Item, error) {
	before, present := m.items[op.Key]
	if present && before.Expired(now) {
		before, present = table.Item{}, false
	}
	for _, test := range op.If {
		if !satisfied(test, before, present) {
			return nil, errRefused
		}
	}
	after := table.Item{Key: op.Key, Attrs: table.Attrs{}, ExpiresAt: op.ExpiresAt}
	switch op.Action {
	case table.Delete, table.Check:
		return nil, nil
	case table.Update:
		after = clone(before)
		after.Key = op.Key
		if !op.ExpiresAt.IsZero() {
			after.ExpiresAt = op.ExpiresAt
		}
	}
	maps.Copy(after.Attrs, op.Set)
	for name, delta := range op.Add {
		total, err := total(after.Attrs[name], delta)
		if err != nil {
			return nil, err
		}
		after.Attrs[name] = total
	}
	for _, name := range op.Remove {
		delete(after.Attrs, name)
	}
	if after.Size() > table.MaxItem {
		return nil, errTooLarge
	}
	return &after, nil
}

// total returns value, or 0 where there is none, plus delta.
func total(value any, delta int64) (int64, error) {
	number, isNumber := value.(int64)
	if value != nil && !isNumber {
		return 0, errRefused
	}
	sum := new(big.Int).Add(big.NewInt(number), big.NewInt(delta))
	if !sum.IsInt64() {
		return 0, errRefused
	}
	return sum.Int64(), nil
}

// satisfied reports whether a test holds.
func satisfied(test table.Test, item table.Item, present bool) bool {
	value, found := item.Attrs[test.Attr]
	same := found && reflect.DeepEqual(value, clonedValue(test.Value))
	number, isNumber := value.(int64)
	switch test.Comparison {
	case table.Exists:
		return present
	case table.Absent:
		return !present
	case table.Equal:
		return same
	case table.NotEqual:
		return !same
	case table.Less:
		return isNumber && number < test.Value.(int64)
	case table.AtMost:
		return isNumber && number <= test.Value.(int64)
	case table.AtLeast:
		return isNumber && number >= test.Value.(int64)
	}
	return false
}

// clone returns a copy that shares no memory with item.
func clone(item table.Item) table.Item {
	attrs := table.Attrs{}
	for name, value := range item.Attrs {
		attrs[name] = clonedValue(value)
	}
	item.Attrs = attrs
	return item
}

func clonedValue(value any) any {
	if b, ok := value.([]byte); ok {
		return append([]byte{}, b...)
	}
	return value
}
