package tabletest

import (
	"testing"
	"time"

	"sluice/shared/table"
)

func expiryTests() []subtest {
	return []subtest{
		{"an item is there until its expiry and no longer", testExpiryBoundary},
		{"the expiry comes back to the second", testExpiryExact},
		{"an expired item is absent for every read", testExpiredReads},
		{"an expired item is absent for every write", testExpiredWrites},
		{"an expiry can be moved", testExpiryMoved},
		{"the driver judges by the time it is given", testExpiryGiven},
	}
}

func testExpiryBoundary(f *fixture) {
	f.putUntil("a", table.Attrs{"x": "1"}, f.clock.in(time.Hour))
	f.clock.advance(time.Hour - time.Second)
	f.want("a", table.Attrs{"x": "1"})
	f.apply(table.Op{Action: table.Update, Key: f.key("a"), If: []table.Test{table.IfExists()}})
	f.clock.advance(time.Second)
	f.wantAbsent("a")
	f.apply(table.Op{Action: table.Delete, Key: f.key("a"), If: []table.Test{table.IfAbsent()}})
}

func testExpiryExact(f *fixture) {
	for _, c := range []struct{ given, want time.Time }{
		{f.clock.in(time.Hour), f.clock.in(time.Hour)},
		{f.clock.in(time.Hour + time.Nanosecond), f.clock.in(time.Hour + time.Second)},
		{f.clock.in(time.Hour).In(time.FixedZone("east", 3600)), f.clock.in(time.Hour)},
		{time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)},
		{time.Time{}, time.Time{}},
	} {
		put := f.apply(table.Op{Action: table.Put, Key: f.key("a"), ExpiresAt: c.given})
		read, _ := f.get("a")
		for _, item := range []table.Item{put, read} {
			if !item.ExpiresAt.Equal(c.want) {
				f.Errorf("expiry: got %v, want %v", item.ExpiresAt, c.want)
			}
		}
	}
}

// putExpired leaves an item under sk that has expired.
func (f *fixture) putExpired(sk string) {
	f.Helper()
	f.putUntil(sk, table.Attrs{"x": "old", "n": int64(7)}, f.clock.in(time.Minute))
	f.clock.advance(time.Minute)
}

func testExpiredReads(f *fixture) {
	f.clock.advance(time.Hour)
	f.put("b", table.Attrs{"x": "1"})
	f.putExpired("a")
	f.putExpired("c")
	f.wantAbsent("a")
	items, err := f.GetMany(f.Context(), []table.Key{f.key("a"), f.key("b"), f.key("c")})
	if err != nil || len(items) != 1 || items[0].Key.SK != "b" {
		f.Errorf("GetMany: got %q, %v, want only b", sortKeys(items), err)
	}
	for _, descending := range []bool{false, true} {
		for _, limit := range []int{1, 2, 10} {
			page := f.query(table.Query{PK: f.pk, Descending: descending, Limit: limit})
			if len(page.Items) != 1 || page.Items[0].Key.SK != "b" {
				f.Errorf("Query up to %d: got %q, want only b", limit, sortKeys(page.Items))
			}
		}
	}
}

func testExpiredWrites(f *fixture) {
	f.clock.advance(time.Hour)
	exists, absent := []table.Test{table.IfExists()}, []table.Test{table.IfAbsent()}
	for _, c := range []struct {
		name string
		op   table.Op
		want table.Attrs // nil: the test fails
	}{
		{"Put", table.Op{Action: table.Put, Set: table.Attrs{"y": "1"}}, table.Attrs{"y": "1"}},
		{"Put if absent", table.Op{Action: table.Put, Set: table.Attrs{"y": "1"}, If: absent}, table.Attrs{"y": "1"}},
		{"Put if there", table.Op{Action: table.Put, If: exists}, nil},
		{"Update", table.Op{Action: table.Update, Set: table.Attrs{"y": "1"}}, table.Attrs{"y": "1"}},
		{"Update of nothing", table.Op{Action: table.Update}, table.Attrs{}},
		{"Update if absent", table.Op{Action: table.Update, Set: table.Attrs{"y": "1"}, If: absent}, table.Attrs{"y": "1"}},
		{"Update if there", table.Op{Action: table.Update, If: exists}, nil},
		{"Update if as before", table.Op{Action: table.Update, If: []table.Test{table.IfEqual("x", "old")}}, nil},
		{"Add", table.Op{Action: table.Update, Add: map[string]int64{"n": 1}}, table.Attrs{"n": int64(1)}},
		{"Add to what was text", table.Op{Action: table.Update, Add: map[string]int64{"x": 1}}, table.Attrs{"x": int64(1)}},
		{"Remove", table.Op{Action: table.Update, Remove: []string{"x"}}, table.Attrs{}},
	} {
		for _, way := range []string{"alone", "in a transaction"} {
			f.Run(c.name+" "+way, func(t *testing.T) { // a fresh key each
				sub := &fixture{T: t, Table: f.Table, driver: f.driver, clock: f.clock, pk: f.pk}
				sub.expiredWrite(c.name+way, c.op, c.want, way == "alone")
			})
		}
	}
	f.putExpired("deleted")
	f.apply(table.Op{Action: table.Delete, Key: f.key("deleted")})
	f.wantAbsent("deleted")
	_, err := f.Apply(f.Context(), table.Op{Action: table.Delete, Key: f.key("deleted"), If: exists})
	f.wantCondition(err, 0)
	f.transact(table.Op{Action: table.Check, Key: f.key("deleted"), If: absent})
}

// expiredWrite does op on an expired item and checks what it leaves, which
// must not be expired any more.
func (f *fixture) expiredWrite(sk string, op table.Op, want table.Attrs, alone bool) {
	f.putExpired(sk)
	op.Key = f.key(sk)
	var err error
	if alone {
		var item table.Item
		item, err = f.Apply(f.Context(), op)
		if want != nil {
			f.wantItem(item, table.Item{Key: op.Key, Attrs: want})
		}
	} else {
		err = f.Transact(f.Context(), op)
	}
	if want == nil {
		f.wantCondition(err, 0)
		f.wantAbsent(sk)
		return
	}
	if err != nil {
		f.Fatal(err)
	}
	item, _ := f.get(sk)
	f.wantItem(item, table.Item{Key: op.Key, Attrs: want})
}

func testExpiryMoved(f *fixture) {
	f.putUntil("a", table.Attrs{"x": "1"}, f.clock.in(time.Hour))
	f.clock.advance(30 * time.Minute)
	f.apply(table.Op{Action: table.Update, Key: f.key("a"), ExpiresAt: f.clock.in(time.Hour)})
	f.clock.advance(59 * time.Minute)
	f.want("a", table.Attrs{"x": "1"})
	f.apply(table.Op{Action: table.Update, Key: f.key("a"), ExpiresAt: f.clock.Now()})
	f.wantAbsent("a")
}

func testExpiryGiven(f *fixture) {
	f.putUntil("a", table.Attrs{"x": "1"}, f.clock.in(time.Hour))
	op := table.Op{Action: table.Update, Key: f.key("a"), If: []table.Test{table.IfAbsent()}}
	for _, c := range []struct {
		now  time.Time
		want table.Code
	}{
		{f.clock.in(time.Hour - time.Second), table.ConditionFailed},
		{f.clock.in(time.Hour - time.Nanosecond), table.ConditionFailed},
	} {
		_, err := f.driver.Apply(f.Context(), c.now, op)
		if err == nil || f.driver.ErrorCode(err) != c.want {
			f.Errorf("Apply at %v: got %v, want code %d", c.now, err, c.want)
		}
		err = f.driver.Transact(f.Context(), c.now, []table.Op{op})
		if err == nil || f.driver.ErrorCode(err) != c.want {
			f.Errorf("Transact at %v: got %v, want code %d", c.now, err, c.want)
		}
	}
	if _, err := f.driver.Apply(f.Context(), f.clock.in(time.Hour), op); err != nil {
		f.Errorf("Apply at the expiry: %v", err)
	}
}
