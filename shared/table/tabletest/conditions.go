package tabletest

import (
	"errors"
	"fmt"
	"math"
	"time"

	"sluice/shared/table"
)

func conditionTests() []subtest {
	return []subtest{
		{"each comparison holds where it should", testComparisons},
		{"all tests must hold", testAllMustHold},
		{"a test looks at the item as it was before", testBefore},
	}
}

// comparison is a test, and whether it holds on an item with the attributes
// that compared returns, and on an item that is absent or expired.
type comparison struct {
	test             table.Test
	present, missing bool
}

func compared() table.Attrs {
	return table.Attrs{
		"s": "x", "empty": "", "n": int64(5), "zero": int64(0), "max": int64(math.MaxInt64),
		"yes": true, "no": false, "b": []byte("x"), "bempty": []byte{},
	}
}

func comparisons() []comparison {
	is := func(c table.Comparison, attr string, value any) table.Test {
		return table.Test{Comparison: c, Attr: attr, Value: value}
	}
	return []comparison{
		{table.IfExists(), true, false},
		{table.IfAbsent(), false, true},

		{table.IfEqual("s", "x"), true, false},
		{table.IfEqual("s", "y"), false, false},
		{table.IfEqual("s", "X"), false, false},
		{table.IfEqual("s", ""), false, false},
		{table.IfEqual("s", []byte("x")), false, false},
		{table.IfEqual("empty", ""), true, false},
		{table.IfEqual("n", int64(5)), true, false},
		{table.IfEqual("n", int64(6)), false, false},
		{table.IfEqual("n", "5"), false, false},
		{table.IfEqual("zero", int64(0)), true, false},
		{table.IfEqual("zero", false), false, false},
		{table.IfEqual("max", int64(math.MaxInt64)), true, false},
		{table.IfEqual("max", int64(math.MaxInt64-1)), false, false},
		{table.IfEqual("yes", true), true, false},
		{table.IfEqual("yes", false), false, false},
		{table.IfEqual("no", false), true, false},
		{table.IfEqual("b", []byte("x")), true, false},
		{table.IfEqual("b", []byte("y")), false, false},
		{table.IfEqual("b", "x"), false, false},
		{table.IfEqual("bempty", []byte{}), true, false},
		{table.IfEqual("other", ""), false, false},
		{table.IfEqual("other", int64(0)), false, false},
		{table.IfEqual("other", false), false, false},

		{is(table.NotEqual, "s", "x"), false, true},
		{is(table.NotEqual, "s", "y"), true, true},
		{is(table.NotEqual, "s", []byte("x")), true, true},
		{is(table.NotEqual, "n", int64(5)), false, true},
		{is(table.NotEqual, "n", int64(6)), true, true},
		{is(table.NotEqual, "n", "5"), true, true},
		{is(table.NotEqual, "yes", true), false, true},
		{is(table.NotEqual, "b", []byte("x")), false, true},
		{is(table.NotEqual, "b", []byte("y")), true, true},
		{is(table.NotEqual, "other", "x"), true, true},

		{is(table.Less, "n", int64(4)), false, false},
		{is(table.Less, "n", int64(5)), false, false},
		{is(table.Less, "n", int64(6)), true, false},
		{is(table.Less, "n", int64(10)), true, false},
		{is(table.Less, "n", int64(-6)), false, false},
		{is(table.Less, "s", int64(5)), false, false},
		{is(table.Less, "yes", int64(5)), false, false},
		{is(table.Less, "other", int64(5)), false, false},

		{is(table.AtMost, "n", int64(4)), false, false},
		{is(table.AtMost, "n", int64(5)), true, false},
		{is(table.AtMost, "n", int64(6)), true, false},
		{is(table.AtMost, "max", int64(math.MaxInt64-1)), false, false},
		{is(table.AtMost, "s", int64(5)), false, false},
		{is(table.AtMost, "other", int64(5)), false, false},

		{is(table.AtLeast, "n", int64(4)), true, false},
		{is(table.AtLeast, "n", int64(5)), true, false},
		{is(table.AtLeast, "n", int64(6)), false, false},
		{is(table.AtLeast, "n", int64(10)), false, false},
		{is(table.AtLeast, "max", int64(math.MaxInt64)), true, false},
		{is(table.AtLeast, "s", int64(5)), false, false},
		{is(table.AtLeast, "other", int64(-5)), false, false},
	}
}

func testComparisons(f *fixture) {
	f.clock.advance(time.Hour)
	for _, c := range comparisons() {
		for state, want := range map[string]bool{"present": c.present, "absent": c.missing, "expired": c.missing} {
			for action, name := range actionNames() {
				f.prepare(state)
				if got := f.holds(action, c.test); got != want {
					f.Errorf("%s on an item that is %s, %s: held %v, want %v", describe(c.test), state, name, got, want)
				}
			}
		}
	}
}

func actionNames() map[table.Action]string {
	return map[table.Action]string{
		table.Put: "Put", table.Update: "Update", table.Delete: "Delete", table.Check: "Check",
	}
}

func describe(t table.Test) string {
	name := [...]string{"Exists", "Absent", "Equal", "NotEqual", "Less", "AtMost", "AtLeast"}[t.Comparison]
	return fmt.Sprintf("%s(%s, %#v)", name, t.Attr, t.Value)
}

// prepare brings item "a" into a state.
func (f *fixture) prepare(state string) {
	f.Helper()
	switch state {
	case "present":
		f.put("a", compared())
	case "absent":
		f.apply(table.Op{Action: table.Delete, Key: f.key("a")})
	case "expired":
		f.putUntil("a", compared(), f.clock.in(-time.Minute))
	}
}

// holds reports whether a test on item "a" lets an action through.
func (f *fixture) holds(action table.Action, test table.Test) bool {
	f.Helper()
	op := table.Op{Action: action, Key: f.key("a"), If: []table.Test{test}}
	var err error
	if action == table.Check {
		err = f.Transact(f.Context(), op)
	} else {
		_, err = f.Apply(f.Context(), op)
	}
	var condition *table.ConditionError
	if err != nil && !errors.As(err, &condition) {
		f.Fatalf("%s: %v", describe(test), err)
	}
	return err == nil
}

func testAllMustHold(f *fixture) {
	yes, no := table.IfEqual("n", int64(5)), table.IfEqual("n", int64(6))
	for _, c := range []struct {
		tests []table.Test
		want  bool
	}{
		{nil, true},
		{[]table.Test{yes}, true},
		{[]table.Test{yes, table.IfExists(), yes}, true},
		{[]table.Test{yes, no}, false},
		{[]table.Test{no, yes}, false},
		{[]table.Test{yes, no, yes}, false},
		{[]table.Test{table.IfExists(), table.IfAbsent()}, false},
	} {
		f.put("a", table.Attrs{"n": int64(5)})
		_, err := f.Apply(f.Context(), table.Op{Action: table.Update, Key: f.key("a"), Set: table.Attrs{"m": true}, If: c.tests})
		if c.want && err != nil {
			f.Errorf("%v: %v", c.tests, err)
		}
		if !c.want {
			f.wantCondition(err, 0)
			f.want("a", table.Attrs{"n": int64(5)})
		}
	}
}

func testBefore(f *fixture) {
	f.put("a", table.Attrs{"n": int64(1)})
	one, two := []table.Test{table.IfEqual("n", int64(1))}, []table.Test{table.IfEqual("n", int64(2))}
	_, err := f.Apply(f.Context(), table.Op{Action: table.Put, Key: f.key("a"), Set: table.Attrs{"n": int64(2)}, If: two})
	f.wantCondition(err, 0)
	f.apply(table.Op{Action: table.Put, Key: f.key("a"), Set: table.Attrs{"n": int64(2)}, If: one})
	_, err = f.Apply(f.Context(), table.Op{Action: table.Update, Key: f.key("a"), Add: map[string]int64{"n": 1}, If: one})
	f.wantCondition(err, 0)
	f.apply(table.Op{Action: table.Update, Key: f.key("a"), Add: map[string]int64{"n": 1}, If: two})
	f.want("a", table.Attrs{"n": int64(3)})
}
