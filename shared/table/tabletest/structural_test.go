package tabletest

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"strings"
	"time"

	"sluice/shared/table"
)

// structural returns the mutants that a change of arguments or answers does
// not make.
func structural() map[string]func(*Memory) table.Driver {
	return map[string]func(*Memory) table.Driver{
		"reads share the store's memory":            sharedReads,
		"writes share the caller's memory":          sharedWrites,
		"transactions are done op by op":            opByOp,
		"transactions leave out the checks":         withoutChecks,
		"the failed op is always the first":         func(m *Memory) table.Driver { return mutant{Memory: m, failed: func(error) int { return 0 }} },
		"tests and writes are apart":                apart,
		"additions lose each other":                 lostAdditions,
		"additions wrap around":                     wrapping,
		"contexts are ignored":                      contextless,
		"only 25 items are got":                     fewItems,
		"partitions hold those they begin":          prefixes,
		"both halves of a key are written together": joinedKeys,
		"items grow without end":                    endless,
		"removing what is absent fails":             strictDelete,
		"Put keeps the expiry":                      keptExpiry,
	}
}

type applyFunc = func(ctx context.Context, now time.Time, op table.Op) (table.Item, error)

// applying returns a mutant with another Apply.
func applying(m *Memory, apply applyFunc) table.Driver { return mutant{Memory: m, apply: apply} }

func sharedReads(m *Memory) table.Driver {
	return mutant{Memory: m, getMany: func(_ context.Context, keys []table.Key) (items []table.Item, _ error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, key := range keys {
			if item, ok := m.items[key]; ok {
				items = append(items, item)
			}
		}
		return items, nil
	}}
}

func sharedWrites(m *Memory) table.Driver {
	return applying(m, func(ctx context.Context, now time.Time, op table.Op) (table.Item, error) {
		item, err := m.Apply(ctx, now, op)
		m.mu.Lock()
		defer m.mu.Unlock()
		maps.Copy(m.items[op.Key].Attrs, op.Set)
		return item, err
	})
}

func opByOp(m *Memory) table.Driver {
	return mutant{Memory: m, transact: func(ctx context.Context, now time.Time, ops []table.Op) error {
		for i, op := range ops {
			if err := m.Transact(ctx, now, []table.Op{op}); errors.As(err, new(*refusal)) {
				return &refusal{op: i}
			} else if err != nil {
				return err
			}
		}
		return nil
	}}
}

func withoutChecks(m *Memory) table.Driver {
	return mutant{Memory: m, transact: func(ctx context.Context, now time.Time, ops []table.Op) error {
		var writes []table.Op
		for _, op := range ops {
			if op.Action != table.Check {
				writes = append(writes, op)
			}
		}
		return m.Transact(ctx, now, writes)
	}}
}

// dawdle gives other goroutines time to come in between.
func dawdle() {
	for range 100 {
		runtime.Gosched()
	}
}

// apart gives others time between the test and the write.
func apart(m *Memory) table.Driver {
	return applying(m, func(ctx context.Context, now time.Time, op table.Op) (table.Item, error) {
		check := []table.Op{{Action: table.Check, Key: op.Key, If: op.If}}
		if err := m.Transact(ctx, now, check); err != nil {
			return table.Item{}, err
		}
		dawdle()
		op.If = nil
		return m.Apply(ctx, now, op)
	})
}

func lostAdditions(m *Memory) table.Driver {
	return applying(m, func(ctx context.Context, now time.Time, op table.Op) (table.Item, error) {
		before, _ := m.GetMany(ctx, []table.Key{op.Key})
		dawdle()
		for name, delta := range op.Add {
			if op.Set == nil {
				op.Set = table.Attrs{}
			}
			op.Set[name] = delta
			if len(before) > 0 {
				n, _ := before[0].Attrs[name].(int64)
				op.Set[name] = n + delta
			}
		}
		op.Add = nil
		return m.Apply(ctx, now, op)
	})
}

func wrapping(m *Memory) table.Driver {
	return applying(m, func(ctx context.Context, now time.Time, op table.Op) (table.Item, error) {
		item, err := m.Apply(ctx, now, op)
		if err == nil || len(op.Add) == 0 {
			return item, err
		}
		before, _ := m.GetMany(ctx, []table.Key{op.Key})
		for name, delta := range op.Add {
			n, _ := before[0].Attrs[name].(int64)
			op.Set = table.Attrs{name: n + delta}
		}
		op.Add = nil
		return m.Apply(ctx, now, op)
	})
}

func contextless(m *Memory) table.Driver {
	return applying(m, func(ctx context.Context, now time.Time, op table.Op) (table.Item, error) {
		return m.Apply(context.WithoutCancel(ctx), now, op)
	})
}

func fewItems(m *Memory) table.Driver {
	return mutant{Memory: m, getMany: func(ctx context.Context, keys []table.Key) ([]table.Item, error) {
		return m.GetMany(ctx, keys[:min(25, len(keys))])
	}}
}

func prefixes(m *Memory) table.Driver {
	return mutant{Memory: m, query: func(ctx context.Context, q table.Query) (table.Page, error) {
		page, err := m.Query(ctx, q)
		m.mu.Lock()
		defer m.mu.Unlock()
		for key, item := range m.items {
			if key.PK != q.PK && strings.HasPrefix(key.PK, q.PK) && len(page.Items) < q.Limit {
				page.Items = append(page.Items, item)
			}
		}
		return page, err
	}}
}

func joinedKeys(m *Memory) table.Driver {
	return mutant{Memory: m, getMany: func(ctx context.Context, keys []table.Key) (items []table.Item, _ error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, asked := range keys {
			var match table.Key
			for key := range m.items {
				if key.PK+key.SK == asked.PK+asked.SK && len(key.PK) > len(match.PK) {
					match = key
				}
			}
			if item, ok := m.items[match]; ok {
				item = clone(item)
				item.Key = asked
				items = append(items, item)
			}
		}
		return items, nil
	}}
}

func endless(m *Memory) table.Driver {
	return applying(m, func(ctx context.Context, now time.Time, op table.Op) (table.Item, error) {
		item, err := m.Apply(ctx, now, op)
		if errors.Is(err, errTooLarge) {
			err = nil
		}
		return item, err
	})
}

func strictDelete(m *Memory) table.Driver {
	return applying(m, func(ctx context.Context, now time.Time, op table.Op) (table.Item, error) {
		if op.Action == table.Delete {
			op.If = append(op.If, table.IfExists())
		}
		return m.Apply(ctx, now, op)
	})
}

func keptExpiry(m *Memory) table.Driver {
	return applying(m, func(ctx context.Context, now time.Time, op table.Op) (table.Item, error) {
		before, _ := m.GetMany(ctx, []table.Key{op.Key})
		if op.Action == table.Put && op.ExpiresAt.IsZero() && len(before) > 0 {
			op.ExpiresAt = before[0].ExpiresAt
		}
		return m.Apply(ctx, now, op)
	})
}
