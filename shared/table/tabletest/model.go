package tabletest

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"math"
	"slices"
	"time"

	"pgregory.net/rapid"

	"sluice/shared/table"
)

func modelTests() []subtest {
	return []subtest{
		{"any sequence of calls ends as in memory", testModel},
	}
}

func testModel(f *fixture) {
	rapid.Check(f.T, func(t *rapid.T) { newMachine(f, t).run() })
}

// machine makes the same random calls to the driver and to a Memory, and
// compares the answers. It keeps to few keys, names and values, so that calls
// meet.
type machine struct {
	*rapid.T
	real, model *table.Table
	ctx         context.Context
	clock       *clock
	prefix      string // of the partitions
}

func newMachine(f *fixture, t *rapid.T) *machine {
	c := newClock()
	return &machine{
		T: t, ctx: f.Context(), clock: c, prefix: f.pk + rand.Text(),
		real: table.New(f.driver, c.Now), model: table.New(NewMemory(), c.Now),
	}
}

func (m *machine) run() {
	m.Repeat(map[string]func(*rapid.T){
		"Apply":    func(*rapid.T) { m.apply() },
		"Transact": func(*rapid.T) { m.transact() },
		"GetMany":  func(*rapid.T) { m.getMany() },
		"Query":    func(*rapid.T) { m.query() },
		"wait":     func(*rapid.T) { m.clock.advance(pick(m, "wait", time.Hour, 2*time.Hour)) },
	})
	for _, pk := range m.partitions() {
		m.compareQuery(table.Query{PK: pk, Limit: 1000})
	}
}

func (m *machine) apply() {
	op := m.op(table.Put, table.Update, table.Update, table.Delete)
	got, gotErr := m.real.Apply(m.ctx, op)
	want, wantErr := m.model.Apply(m.ctx, op)
	m.compareErrors(op, gotErr, wantErr)
	if !same(got, want) {
		m.Fatalf("%+v:\n got %#v\nwant %#v", op, got, want)
	}
}

func (m *machine) transact() {
	var ops []table.Op
	for range rapid.IntRange(1, 5).Draw(m.T, "ops") {
		op := m.op(table.Put, table.Update, table.Delete, table.Check)
		if !slices.ContainsFunc(ops, func(o table.Op) bool { return o.Key == op.Key }) {
			ops = append(ops, op)
		}
	}
	m.compareErrors(ops, m.real.Transact(m.ctx, ops...), m.model.Transact(m.ctx, ops...))
}

func (m *machine) getMany() {
	var keys []table.Key
	for range rapid.IntRange(1, 8).Draw(m.T, "keys") {
		keys = append(keys, m.key())
	}
	got, gotErr := m.real.GetMany(m.ctx, keys)
	want, wantErr := m.model.GetMany(m.ctx, keys)
	m.compareErrors(keys, gotErr, wantErr)
	m.compareItems(keys, got, want)
}

func (m *machine) query() {
	m.compareQuery(table.Query{
		PK:         pick(m, "partition", m.partitions()...),
		From:       pick(m, "from", append(m.sorts(), "")...),
		To:         pick(m, "to", append(m.sorts(), "", "")...),
		Descending: rapid.Bool().Draw(m.T, "descending"),
		Limit:      rapid.IntRange(1, 6).Draw(m.T, "limit"),
	})
}

func (m *machine) compareQuery(q table.Query) {
	got, gotErr := m.real.Query(m.ctx, q)
	want, wantErr := m.model.Query(m.ctx, q)
	m.compareErrors(q, gotErr, wantErr)
	m.compareItems(q, got.Items, want.Items)
}

func (m *machine) compareItems(call any, got, want []table.Item) {
	if !slices.EqualFunc(got, want, same) {
		m.Fatalf("%+v:\n got %#v\nwant %#v", call, got, want)
	}
}

// compareErrors accepts no other failure than that of a condition.
func (m *machine) compareErrors(call any, got, want error) {
	var gotFailed, wantFailed *table.ConditionError
	if got == nil && want == nil {
		return
	}
	if !errors.As(got, &gotFailed) || !errors.As(want, &wantFailed) || *gotFailed != *wantFailed {
		m.Fatalf("%+v: got error %v, want %v", call, got, want)
	}
}

func (m *machine) partitions() []string {
	return []string{m.prefix, m.prefix + "a", m.prefix + "\x00"}
}

func (m *machine) sorts() []string { return []string{"a", "a\x00", "ab", "b", "é", "\U00010000"} }

func (m *machine) key() table.Key {
	return table.Key{PK: pick(m, "partition", m.partitions()...), SK: pick(m, "sort key", m.sorts()...)}
}

// op returns a random op that Table takes.
func (m *machine) op(actions ...table.Action) table.Op {
	op := table.Op{Action: pick(m, "action", actions...), Key: m.key(), If: m.tests()}
	switch op.Action {
	case table.Check:
		if len(op.If) == 0 {
			op.If = []table.Test{table.IfExists()}
		}
	case table.Put:
		op.Set = table.Attrs{}
		for range rapid.IntRange(0, 3).Draw(m.T, "attributes") {
			op.Set[m.name()] = m.value()
		}
		op.ExpiresAt = m.expiry()
	case table.Update:
		m.change(&op)
		op.ExpiresAt = m.expiry()
	}
	return op
}

// change gives an Update something to do to each of some attributes.
func (m *machine) change(op *table.Op) {
	op.Set, op.Add = table.Attrs{}, map[string]int64{}
	names := map[string]bool{}
	for range rapid.IntRange(0, 3).Draw(m.T, "attributes") {
		names[m.name()] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		switch rapid.IntRange(0, 2).Draw(m.T, "kind of change") {
		case 0:
			op.Set[name] = m.value()
		case 1:
			op.Add[name] = pick(m, "delta", m.numbers()...)
		case 2:
			op.Remove = append(op.Remove, name)
		}
	}
}

func (m *machine) tests() []table.Test {
	var tests []table.Test
	for range pick(m, "tests", 0, 0, 0, 1, 1, 2) {
		test := table.Test{Comparison: table.Comparison(rapid.IntRange(0, int(table.AtLeast)).Draw(m.T, "comparison"))}
		switch test.Comparison {
		case table.Equal, table.NotEqual:
			test.Attr, test.Value = m.name(), m.value()
		case table.Less, table.AtMost, table.AtLeast:
			test.Attr, test.Value = m.name(), pick(m, "bound", m.numbers()...)
		}
		tests = append(tests, test)
	}
	return tests
}

func (m *machine) name() string { return pick(m, "name", "a", "b", "#c") }

func (m *machine) numbers() []int64 { return []int64{-1, 0, 1, 2, math.MaxInt64, math.MinInt64} }

func (m *machine) value() any {
	number := pick(m, "number", m.numbers()...)
	return pick[any](m, "value", number, number, true, false, "", "1", "é", []byte(nil), []byte{}, []byte("1"))
}

// expiry returns whole hours, so that no store removes by its own clock what
// the machine's clock still sees.
func (m *machine) expiry() time.Time {
	hours := pick(m, "expiry", 0, 0, 1, 2, -1)
	if hours == 0 {
		return time.Time{}
	}
	return m.clock.in(time.Duration(hours) * time.Hour)
}

func pick[V any](m *machine, label string, values ...V) V {
	return rapid.SampledFrom(values).Draw(m.T, label)
}
