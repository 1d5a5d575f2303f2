package tabletest

import (
	"errors"
	"math"
	"sync"

	"sluice/shared/table"
)

func transactionTests() []subtest {
	return []subtest{
		{"a transaction does all its ops", testTransaction},
		{"a transaction with a failing test does nothing and tells which", testTransactionRefused},
		{"a transaction may have 100 ops", testLargestTransaction},
		{"a check holds a transaction back", testCheck},
		{"a transaction fails with an Add that cannot be done", testTransactionAdd},
		{"transactions neither make nor lose money", testTransfers},
		{"one of two crossing transactions comes first", testCrossing},
	}
}

func testTransaction(f *fixture) {
	f.put("update", table.Attrs{"n": int64(1), "keep": "k"})
	f.put("delete", table.Attrs{"n": int64(1)})
	f.put("check", table.Attrs{"n": int64(1)})
	f.transact(
		table.Op{Action: table.Put, Key: f.key("put"), Set: table.Attrs{"n": int64(1)}, If: []table.Test{table.IfAbsent()}},
		table.Op{Action: table.Update, Key: f.key("update"), Add: map[string]int64{"n": 1}, Set: table.Attrs{"s": "x"}},
		table.Op{Action: table.Delete, Key: f.key("delete"), If: []table.Test{table.IfEqual("n", int64(1))}},
		table.Op{Action: table.Check, Key: f.key("check"), If: []table.Test{table.IfExists()}},
		table.Op{Action: table.Put, Key: table.Key{PK: f.pk + "x", SK: "put"}},
	)
	f.want("put", table.Attrs{"n": int64(1)})
	f.want("update", table.Attrs{"n": int64(2), "keep": "k", "s": "x"})
	f.wantAbsent("delete")
	f.want("check", table.Attrs{"n": int64(1)})
	if _, found, err := f.Get(f.Context(), table.Key{PK: f.pk + "x", SK: "put"}); !found || err != nil {
		f.Errorf("the item in the other partition: %v, %v", found, err)
	}
}

func testTransactionRefused(f *fixture) {
	f.put("there", table.Attrs{"n": int64(1)})
	f.put("gone", table.Attrs{"n": int64(1)})
	no := []table.Test{table.IfExists(), table.IfEqual("n", int64(2))}
	ops := func() []table.Op {
		return []table.Op{
			{Action: table.Put, Key: f.key("new")},
			{Action: table.Update, Key: f.key("there"), Add: map[string]int64{"n": 1}},
			{Action: table.Delete, Key: f.key("gone")},
			{Action: table.Check, Key: f.key("checked"), If: []table.Test{table.IfAbsent()}},
			{Action: table.Update, Key: f.key("made")},
		}
	}
	for i := range ops() {
		refused := ops()
		refused[i].If = no
		f.wantCondition(f.Transact(f.Context(), refused...), i)
		f.want("there", table.Attrs{"n": int64(1)})
		f.want("gone", table.Attrs{"n": int64(1)})
		f.wantAbsent("new")
		f.wantAbsent("made")
	}
	both := ops()
	both[1].If, both[3].If = no, no
	f.wantCondition(f.Transact(f.Context(), both...), 1)
}

func testLargestTransaction(f *fixture) {
	ops := func() []table.Op {
		ops := make([]table.Op, table.MaxTransaction)
		for i, sk := range numbered(len(ops)) {
			ops[i] = table.Op{Action: table.Update, Key: f.key(sk), Add: map[string]int64{"n": int64(i)}}
		}
		return ops
	}
	f.transact(ops()...)
	refused := ops()
	refused[99].If = []table.Test{table.IfAbsent()}
	f.wantCondition(f.Transact(f.Context(), refused...), 99)
	page := f.query(table.Query{PK: f.pk, Limit: 1000})
	if len(page.Items) != table.MaxTransaction {
		f.Fatalf("got %d items, want %d", len(page.Items), table.MaxTransaction)
	}
	for i, item := range page.Items {
		if item.Attrs["n"] != int64(i) {
			f.Errorf("item %d: got %v", i, item.Attrs)
		}
	}
}

func testCheck(f *fixture) {
	f.put("guard", table.Attrs{"v": int64(1)})
	guarded := func(v int64) error {
		return f.Transact(f.Context(),
			table.Op{Action: table.Update, Key: f.key("a"), Add: map[string]int64{"n": 1}},
			table.Op{Action: table.Check, Key: f.key("guard"), If: []table.Test{table.IfEqual("v", v)}},
		)
	}
	if err := guarded(1); err != nil {
		f.Fatal(err)
	}
	f.wantCondition(guarded(2), 1)
	f.want("a", table.Attrs{"n": int64(1)})
	f.want("guard", table.Attrs{"v": int64(1)})
}

func testTransactionAdd(f *fixture) {
	f.put("full", table.Attrs{"n": int64(math.MaxInt64)})
	f.put("text", table.Attrs{"n": "text"})
	for _, sk := range []string{"full", "text"} {
		err := f.Transact(f.Context(),
			table.Op{Action: table.Put, Key: f.key("new")},
			table.Op{Action: table.Update, Key: f.key(sk), Add: map[string]int64{"n": 1}},
		)
		f.wantCondition(err, 1)
	}
	f.wantAbsent("new")
	f.want("full", table.Attrs{"n": int64(math.MaxInt64)})
}

// testTransfers moves money to and fro between three accounts. None may go
// below nothing, and readers of one account see no half of a transfer in it.
func testTransfers(f *fixture) {
	accounts := []string{"a", "b", "c"}
	for _, sk := range accounts {
		f.put(sk, table.Attrs{"money": int64(10), "transfers": int64(0)})
	}
	var all sync.WaitGroup
	for worker := range 6 {
		all.Go(func() {
			for i := range 10 {
				amount := int64(1 + (worker+i)%4)
				from, to := accounts[(worker+i)%3], accounts[(worker+i+1+i%2)%3]
				err := f.Transact(f.Context(),
					table.Op{
						Action: table.Update, Key: f.key(from), Add: map[string]int64{"money": -amount, "transfers": 1},
						If: []table.Test{{Comparison: table.AtLeast, Attr: "money", Value: amount}},
					},
					table.Op{Action: table.Update, Key: f.key(to), Add: map[string]int64{"money": amount, "transfers": 1}},
				)
				if poor := new(table.ConditionError); err != nil && !errors.As(err, &poor) {
					f.Errorf("transfer: %v", err)
				}
			}
		})
	}
	all.Wait()
	var money, transfers int64
	for _, item := range f.query(table.Query{PK: f.pk, Limit: 10}).Items {
		if item.Attrs["money"].(int64) < 0 {
			f.Errorf("account %s: %v", item.Key.SK, item.Attrs)
		}
		money += item.Attrs["money"].(int64)
		transfers += item.Attrs["transfers"].(int64)
	}
	if money != 30 || transfers%2 != 0 {
		f.Errorf("got %d of money and %d halves of transfers, want 30 and an even number", money, transfers)
	}
}

// testCrossing has pairs of transactions that each want what the other takes.
func testCrossing(f *fixture) {
	free := []table.Test{table.IfAbsent()}
	for _, round := range numbered(10) {
		take := func(first, second string) error {
			return f.Transact(f.Context(),
				table.Op{Action: table.Put, Key: f.key(round + first), If: free},
				table.Op{Action: table.Put, Key: f.key(round + second), If: free},
			)
		}
		var errs [2]error
		var both sync.WaitGroup
		both.Go(func() { errs[0] = take("a", "b") })
		both.Go(func() { errs[1] = take("b", "a") })
		both.Wait()
		if (errs[0] == nil) == (errs[1] == nil) {
			f.Errorf("round %s: got %v and %v, want one of them done", round, errs[0], errs[1])
		}
	}
}
