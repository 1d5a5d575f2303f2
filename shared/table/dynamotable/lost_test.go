package dynamotable_test

import (
	"errors"
	"maps"
	"net/http"
	"testing"
	"time"

	"sluice/localstack/stores"
	"sluice/shared/fault"
	"sluice/shared/table"
)

// rig is a table behind a wire, and the same table without one.
type rig struct {
	*testing.T
	wire   *wire
	wired  *table.Table
	direct *table.Table
	now    time.Time
}

func newRig(t *testing.T, d *stores.DynamoDB) *rig {
	t.Helper()
	w, driver := lay(t, d, "lost")
	now := time.Now().UTC().Truncate(time.Second)
	clock := func() time.Time { return now }
	return &rig{T: t, wire: w, wired: table.New(driver, clock), direct: table.New(newTable(t, open(t, d), "lost"), clock), now: now}
}

// writes are ops on an item whose "n" is 1, each of which would fail, or count
// twice, if it were simply done again.
func writes(key table.Key) map[string]struct {
	op    table.Op
	after table.Attrs // nil: the item is gone
} {
	one := []table.Test{table.IfEqual("n", int64(1))}
	return map[string]struct {
		op    table.Op
		after table.Attrs
	}{
		"put if as before":    {table.Op{Action: table.Put, Key: key, Set: table.Attrs{"n": int64(2)}, If: one}, table.Attrs{"n": int64(2)}},
		"update if as before": {table.Op{Action: table.Update, Key: key, Set: table.Attrs{"n": int64(2)}, If: one}, table.Attrs{"n": int64(2), "x": "kept"}},
		"addition":            {table.Op{Action: table.Update, Key: key, Add: map[string]int64{"n": 1}}, table.Attrs{"n": int64(2), "x": "kept"}},
		"addition if small":   {table.Op{Action: table.Update, Key: key, Add: map[string]int64{"n": 1}, If: one}, table.Attrs{"n": int64(2), "x": "kept"}},
		"delete if as before": {table.Op{Action: table.Delete, Key: key, If: one}, nil},
		"delete":              {table.Op{Action: table.Delete, Key: key}, nil},
		"put":                 {table.Op{Action: table.Put, Key: key, Set: table.Attrs{"n": int64(2)}}, table.Attrs{"n": int64(2)}},
		"update":              {table.Op{Action: table.Update, Key: key, Remove: []string{"n"}}, table.Attrs{"x": "kept"}},
	}
}

var before = table.Attrs{"n": int64(1), "x": "kept"}

// reset puts the item back as it was.
func (r *rig) reset(key table.Key, attrs table.Attrs, expires time.Time) {
	r.Helper()
	if _, err := r.direct.Apply(r.Context(), table.Op{Action: table.Put, Key: key, Set: attrs, ExpiresAt: expires}); err != nil {
		r.Fatal(err)
	}
}

// want checks the item, as it is read past the wire.
func (r *rig) want(what string, key table.Key, attrs table.Attrs) {
	r.Helper()
	item, found, err := r.direct.Get(r.Context(), key)
	if err != nil {
		r.Fatal(err)
	}
	if found != (attrs != nil) || !maps.Equal(item.Attrs, attrs) {
		r.Errorf("%s: the item is %v, want %v", what, item.Attrs, attrs)
	}
}

func TestAWriteWhoseAnswerIsLostIsDoneOnce(t *testing.T) {
	for name, start := range emulators() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, start(t))
			key := table.Key{PK: "lost", SK: "a"}
			for how, mishaps := range map[string][]mishap{
				"once":               {lost},
				"three times":        {lost, lost, lost},
				"and then throttled": {lost, answered(http.StatusBadRequest, "ThrottlingException")},
				"and then refused":   {lost, answered(http.StatusServiceUnavailable, "ServiceUnavailable")},
			} {
				for what, c := range writes(key) {
					r.reset(key, before, time.Time{})
					r.wire.next(mishaps...)
					item, err := r.wired.Apply(t.Context(), c.op)
					if err != nil {
						t.Errorf("%s, lost %s: %v", what, how, err)
						continue
					}
					if !maps.Equal(item.Attrs, c.after) {
						t.Errorf("%s, lost %s: returned %v, want %v", what, how, item.Attrs, c.after)
					}
					r.want(what+", lost "+how, key, c.after)

					r.reset(key, before, time.Time{})
					r.wire.next(mishaps...)
					if err := r.wired.Transact(t.Context(), c.op); err != nil {
						t.Errorf("transaction: %s, lost %s: %v", what, how, err)
					}
					r.want("transaction: "+what+", lost "+how, key, c.after)
				}
			}
		})
	}
}

// TestAWriteThatMeetsAnExpiredItemIsDoneOnce loses the answer to the second
// request, which replaces what has expired.
func TestAWriteThatMeetsAnExpiredItemIsDoneOnce(t *testing.T) {
	r := newRig(t, stores.Dynoxide(t))
	key := table.Key{PK: "lost", SK: "expired"}
	op := table.Op{Action: table.Update, Key: key, Add: map[string]int64{"n": 1}}
	for what, write := range map[string]func() error{
		"Apply":    func() error { _, err := r.wired.Apply(t.Context(), op); return err },
		"Transact": func() error { return r.wired.Transact(t.Context(), op) },
	} {
		r.reset(key, before, r.now)
		r.wire.next(nil, lost)
		if err := write(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if got := r.wire.count(); got != 3 {
			t.Errorf("%s: %d requests, want 3", what, got)
		}
		r.want(what, key, table.Attrs{"n": int64(1)})
	}
}

// TestALostAnswerIsNeverAFailedCondition has another writer come between a
// write and its repetition, so that the item no longer tells.
func TestALostAnswerIsNeverAFailedCondition(t *testing.T) {
	r := newRig(t, stores.Dynoxide(t))
	key := table.Key{PK: "lost", SK: "between"}
	other := table.Attrs{"n": int64(7), "by": "another"}
	for _, what := range []string{"put if as before", "update if as before", "addition", "addition if small"} {
		op := writes(key)[what].op
		r.reset(key, before, time.Time{})
		r.wire.next(lostThen(func() { r.reset(key, other, time.Time{}) }))
		_, err := r.wired.Apply(t.Context(), op)
		if !fault.Is(err, fault.Unavailable, "table_unanswered") {
			t.Errorf("%s: got %v, want table_unanswered", what, err)
		}
		r.want(what, key, other)

		r.reset(key, before, time.Time{})
		r.wire.next(lostThen(func() { r.reset(key, other, time.Time{}) }))
		if err := r.wired.Transact(t.Context(), op); err != nil {
			t.Errorf("transaction: %s: %v", what, err)
		}
		r.want("transaction: "+what, key, other)
	}
}

// TestARepetitionUndoesNothing has a transaction change the item between a
// write, whose tests would hold again, and its repetition.
func TestARepetitionUndoesNothing(t *testing.T) {
	r := newRig(t, stores.Dynoxide(t))
	key := table.Key{PK: "lost", SK: "undo"}
	later := func() {
		if err := r.direct.Transact(t.Context(), table.Op{Action: table.Update, Key: key, Set: table.Attrs{"n": int64(7)}}); err != nil {
			t.Error(err)
		}
	}
	set, there := table.Attrs{"n": int64(2)}, []table.Test{table.IfExists()}
	for what, op := range map[string]table.Op{
		"update":          {Action: table.Update, Key: key, Set: set},
		"update if there": {Action: table.Update, Key: key, Set: set, If: there},
		"put if there":    {Action: table.Put, Key: key, Set: set, If: there},
	} {
		r.reset(key, table.Attrs{"n": int64(1)}, time.Time{})
		r.wire.next(lostThen(later))
		if _, err := r.wired.Apply(t.Context(), op); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		r.want(what, key, table.Attrs{"n": int64(7)})
	}
}

// TestAnAdditionThatMayBeDoneIsNotRepeated breaks the connection before the
// store has the request, which nobody can tell from a lost answer.
func TestAnAdditionThatMayBeDoneIsNotRepeated(t *testing.T) {
	r := newRig(t, stores.Dynoxide(t))
	key := table.Key{PK: "lost", SK: "broken"}
	for what, c := range writes(key) {
		r.reset(key, before, time.Time{})
		r.wire.next(broken)
		_, err := r.wired.Apply(t.Context(), c.op)
		if len(c.op.Add) == 0 {
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
			r.want(what, key, c.after)
			continue
		}
		if !fault.Is(err, fault.Unavailable, "table_unanswered") {
			t.Errorf("%s: got %v, want table_unanswered", what, err)
		}
		r.want(what, key, before)
	}
}

func TestAFailedConditionIsToldAtOnce(t *testing.T) {
	r := newRig(t, stores.Dynoxide(t))
	key := table.Key{PK: "lost", SK: "condition"}
	for what, c := range writes(key) {
		if len(c.op.If) == 0 {
			continue
		}
		r.reset(key, table.Attrs{"n": int64(9)}, time.Time{})
		r.wire.next()
		_, err := r.wired.Apply(t.Context(), c.op)
		if condition := new(table.ConditionError); !errors.As(err, &condition) || r.wire.count() != 1 {
			t.Errorf("%s: got %v after %d requests, want a ConditionError after 1", what, err, r.wire.count())
		}
	}
}
