package tabletest

import (
	"math"
	"time"

	"sluice/shared/table"
)

func actionTests() []subtest {
	return []subtest{
		{"Put replaces the whole item", testPut},
		{"Update keeps what it does not name", testUpdate},
		{"Update makes an item that is absent", testUpdateAbsent},
		{"Update may change, add and remove at once", testUpdateAll},
		{"Add counts from zero and stays within int64", testAdd},
		{"Remove removes attributes", testRemove},
		{"Delete removes the item", testDelete},
		{"an action whose test fails changes nothing", testRefused},
	}
}

func testPut(f *fixture) {
	f.putUntil("a", table.Attrs{"old": "x", "n": int64(1)}, f.clock.in(time.Hour))
	got := f.apply(table.Op{Action: table.Put, Key: f.key("a"), Set: table.Attrs{"new": "y"}})
	want := table.Item{Key: f.key("a"), Attrs: table.Attrs{"new": "y"}}
	f.wantItem(got, want)
	got, _ = f.get("a")
	f.wantItem(got, want)
}

func testUpdate(f *fixture) {
	expires := f.clock.in(time.Hour)
	f.putUntil("a", table.Attrs{"s": "x", "n": int64(1), "later": []byte{7}}, expires)
	got := f.apply(table.Op{Action: table.Update, Key: f.key("a"), Set: table.Attrs{"s": int64(9), "new": true}})
	want := table.Item{
		Key:       f.key("a"),
		Attrs:     table.Attrs{"s": int64(9), "n": int64(1), "later": []byte{7}, "new": true},
		ExpiresAt: expires,
	}
	f.wantItem(got, want)
	got, _ = f.get("a")
	f.wantItem(got, want)

	want.ExpiresAt = f.clock.in(2 * time.Hour)
	f.wantItem(f.apply(table.Op{Action: table.Update, Key: f.key("a"), ExpiresAt: want.ExpiresAt}), want)
	got, _ = f.get("a")
	f.wantItem(got, want)
}

func testUpdateAbsent(f *fixture) {
	f.wantItem(f.apply(table.Op{Action: table.Update, Key: f.key("bare")}), table.Item{Key: f.key("bare")})
	f.want("bare", nil)
	expires := f.clock.in(time.Hour)
	got := f.apply(table.Op{
		Action: table.Update, Key: f.key("full"), Set: table.Attrs{"s": "x"},
		Add: map[string]int64{"n": 3}, Remove: []string{"gone"}, ExpiresAt: expires,
	})
	want := table.Item{Key: f.key("full"), Attrs: table.Attrs{"s": "x", "n": int64(3)}, ExpiresAt: expires}
	f.wantItem(got, want)
	got, _ = f.get("full")
	f.wantItem(got, want)
}

func testUpdateAll(f *fixture) {
	f.put("a", table.Attrs{"set": "x", "add": int64(1), "also": int64(-1), "remove": true, "removed": "r", "keep": "k"})
	f.apply(table.Op{
		Action: table.Update, Key: f.key("a"), Set: table.Attrs{"set": "y", "new": "z"},
		Add: map[string]int64{"add": 2, "also": 1, "fresh": -4}, Remove: []string{"remove", "removed"},
	})
	f.want("a", table.Attrs{
		"set": "y", "new": "z", "add": int64(3), "also": int64(0), "fresh": int64(-4), "keep": "k",
	})
}

func testAdd(f *fixture) {
	const most, least = math.MaxInt64, math.MinInt64
	for _, c := range []struct {
		before any // nil: the attribute is absent
		delta  int64
		after  any // nil: refused as by a test, and unchanged
	}{
		{nil, 0, int64(0)},
		{nil, 5, int64(5)},
		{nil, -5, int64(-5)},
		{nil, most, int64(most)},
		{nil, least, int64(least)},
		{int64(5), 0, int64(5)},
		{int64(5), 3, int64(8)},
		{int64(5), -8, int64(-3)},
		{int64(1 << 53), 1, int64(1<<53 + 1)},
		{int64(most - 1), 1, int64(most)},
		{int64(least + 1), -1, int64(least)},
		{int64(-1), least + 1, int64(least)},
		{int64(most), least, int64(-1)},
		{int64(least), most, int64(-1)},
		{int64(most), 1, nil},
		{int64(1), most, nil},
		{int64(most), most, nil},
		{int64(least), -1, nil},
		{int64(-1), least, nil},
		{int64(least), least, nil},
		{"5", 1, nil},
		{true, 1, nil},
		{[]byte{1}, 1, nil},
		{"text", 0, nil},
	} {
		attrs := table.Attrs{"other": "x"}
		if c.before != nil {
			attrs["n"] = c.before
		}
		f.put("a", attrs)
		got, err := f.Apply(f.Context(), table.Op{Action: table.Update, Key: f.key("a"), Add: map[string]int64{"n": c.delta}})
		if c.after == nil {
			f.wantCondition(err, 0)
			f.want("a", attrs)
			continue
		}
		if err != nil {
			f.Errorf("%v + %d: %v", c.before, c.delta, err)
			continue
		}
		if got.Attrs["n"] != c.after {
			f.Errorf("%v + %d: got %v, want %v", c.before, c.delta, got.Attrs["n"], c.after)
		}
		f.want("a", table.Attrs{"other": "x", "n": c.after})
	}
}

func testRemove(f *fixture) {
	f.put("a", table.Attrs{"x": "1", "y": "2", "z": "3"})
	got := f.apply(table.Op{Action: table.Update, Key: f.key("a"), Remove: []string{"x", "z", "never"}})
	f.wantItem(got, table.Item{Key: f.key("a"), Attrs: table.Attrs{"y": "2"}})
	f.apply(table.Op{Action: table.Update, Key: f.key("a"), Remove: []string{"y"}})
	f.want("a", nil)
}

func testDelete(f *fixture) {
	f.put("a", table.Attrs{"x": "1"})
	f.put("b", table.Attrs{"x": "2"})
	f.apply(table.Op{Action: table.Delete, Key: f.key("a")})
	f.wantAbsent("a")
	f.want("b", table.Attrs{"x": "2"})
	f.apply(table.Op{Action: table.Delete, Key: f.key("a")})
	f.apply(table.Op{Action: table.Delete, Key: f.key("never")})
	f.wantAbsent("never")
}

func testRefused(f *fixture) {
	no := []table.Test{table.IfAbsent()}
	attrs := table.Attrs{"x": "1", "n": int64(1)}
	f.put("a", attrs)
	for _, op := range []table.Op{
		{Action: table.Put, Set: table.Attrs{"x": "2"}},
		{Action: table.Update, Set: table.Attrs{"x": "2"}},
		{Action: table.Update, Add: map[string]int64{"n": 1}},
		{Action: table.Update, Remove: []string{"x"}},
		{Action: table.Update, ExpiresAt: f.clock.in(-time.Hour)},
		{Action: table.Delete},
	} {
		op.Key, op.If = f.key("a"), no
		_, err := f.Apply(f.Context(), op)
		f.wantCondition(err, 0)
		f.want("a", attrs)
	}
	_, err := f.Apply(f.Context(), table.Op{Action: table.Update, Key: f.key("never"), If: []table.Test{table.IfExists()}})
	f.wantCondition(err, 0)
	f.wantAbsent("never")
}
