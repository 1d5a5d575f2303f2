package tabletest

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"sluice/shared/table"
)

func mutants() map[string]func(*Memory) table.Driver {
	all := map[string]func(*Memory) table.Driver{
		"numbers pass through floats":   revaluing(func(n int64) any { return int64(float64(n)) }),
		"empty texts become numbers":    revaluing(func(s string) any { return map[bool]any{true: int64(0), false: s}[s == ""] }),
		"bytes become texts":            revaluing(func(b []byte) any { return string(b) }),
		"booleans are true":             revaluing(func(bool) any { return true }),
		"texts lose what follows a NUL": revaluing(func(s string) any { return strings.SplitN(s, "\x00", 2)[0] }),
		"expiries are lost":             misreading(func(i *table.Item) { i.ExpiresAt = time.Time{} }),
		"long names are cut":            misreading(func(i *table.Item) { maps.DeleteFunc(i.Attrs, func(n string, _ any) bool { return len(n) > 255 }) }),
		"pages end one early":           querying(func(q *table.Query) { q.Limit = max(q.Limit-1, 1) }, func(p *table.Page) { p.More = false }),
		"pages never tell of more":      querying(nil, func(p *table.Page) { p.More = false }),
		"ranges leave out their start":  querying(func(q *table.Query) { q.From += "\x00" }, nil),
		"ranges hold their end":         querying(func(q *table.Query) { q.To += map[bool]string{true: "\x00"}[q.To != ""] }, nil),
		"downwards is upwards":          querying(func(q *table.Query) { q.Descending = false }, nil),
		"sort keys are in UTF-16 order": querying(nil, func(p *table.Page) { slices.SortFunc(p.Items, utf16Order) }),
		"pages are in no order":         querying(nil, func(p *table.Page) { slices.Reverse(p.Items) }),
		"tests are ignored":             changing(func(_ *Memory, _ *time.Time, op *table.Op) { op.If = nil }),
		"only the first test counts":    changing(func(_ *Memory, _ *time.Time, op *table.Op) { op.If = op.If[:min(1, len(op.If))] }),
		"expiry is a second late":       changing(func(_ *Memory, now *time.Time, _ *table.Op) { *now = now.Add(-time.Second) }),
		"expiry is a second early":      changing(func(_ *Memory, now *time.Time, _ *table.Op) { *now = now.Add(time.Second) }),
		"expiry goes by the real clock": changing(func(_ *Memory, now *time.Time, _ *table.Op) { *now = time.Now() }),
		"Update takes the place of all": changing(func(_ *Memory, _ *time.Time, op *table.Op) {
			op.Action = map[table.Action]table.Action{table.Delete: table.Delete}[op.Action]
		}),
		"Remove is ignored":          changing(func(_ *Memory, _ *time.Time, op *table.Op) { op.Remove = nil }),
		"a new expiry is ignored":    changing(func(_ *Memory, _ *time.Time, op *table.Op) { op.ExpiresAt = time.Time{} }),
		"expired attributes live on": changing(revive),
		"negative additions are ignored": changing(func(_ *Memory, _ *time.Time, op *table.Op) {
			maps.DeleteFunc(op.Add, func(_ string, n int64) bool { return n < 0 })
		}),
	}
	maps.Copy(all, structural())
	return all
}

func utf16Order(a, b table.Item) int {
	return slices.Compare(utf16.Encode([]rune(a.Key.SK)), utf16.Encode([]rune(b.Key.SK)))
}

// revive makes an update find the item that has expired.
func revive(m *Memory, now *time.Time, op *table.Op) {
	if op.Action == table.Update && len(op.If) == 0 {
		*now = time.Time{}
	}
}

// changing returns a mutant that alters each op of Apply and its time.
func changing(change func(m *Memory, now *time.Time, op *table.Op)) func(*Memory) table.Driver {
	return func(m *Memory) table.Driver {
		return mutant{Memory: m, apply: func(ctx context.Context, now time.Time, op table.Op) (table.Item, error) {
			change(m, &now, &op)
			return m.Apply(ctx, now, op)
		}}
	}
}

// misreading returns a mutant that alters each item that GetMany returns.
func misreading(change func(i *table.Item)) func(*Memory) table.Driver {
	return func(m *Memory) table.Driver {
		return mutant{Memory: m, getMany: func(ctx context.Context, keys []table.Key) ([]table.Item, error) {
			items, err := m.GetMany(ctx, keys)
			for i := range items {
				change(&items[i])
			}
			return items, err
		}}
	}
}

// querying returns a mutant that alters each query and its page.
func querying(before func(q *table.Query), after func(p *table.Page)) func(*Memory) table.Driver {
	return func(m *Memory) table.Driver {
		return mutant{Memory: m, query: func(ctx context.Context, q table.Query) (table.Page, error) {
			if before != nil {
				before(&q)
			}
			page, err := m.Query(ctx, q)
			if after != nil {
				after(&page)
			}
			return page, err
		}}
	}
}

// revaluing returns a mutant that reads the values of one type as others.
func revaluing[V any](change func(v V) any) func(*Memory) table.Driver {
	return misreading(func(i *table.Item) {
		for name, value := range i.Attrs {
			if v, ok := value.(V); ok {
				i.Attrs[name] = change(v)
			}
		}
	})
}
