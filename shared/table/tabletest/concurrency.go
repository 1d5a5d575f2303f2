package tabletest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"sluice/shared/table"
)

func concurrencyTests() []subtest {
	return []subtest{
		{"concurrent additions lose nothing", testConcurrentAdds},
		{"concurrent compare-and-swap loops lose nothing", testConcurrentSwaps},
		{"of 200 concurrent compare-and-swaps one wins", testOneWinner},
		{"of 50 concurrent makers one makes the item", testOneMaker},
		{"readers see whole items", testWholeItems},
		{"a write that is answered is seen by the next read", testReadYourWrites},
	}
}

func testConcurrentAdds(f *fixture) {
	const workers, each = 16, 10
	f.each(workers, func(int) error {
		for range each {
			op := table.Op{Action: table.Update, Key: f.key("a"), Add: map[string]int64{"n": 1, "m": -2}}
			if _, err := f.Apply(f.Context(), op); err != nil {
				return err
			}
		}
		return nil
	})
	f.want("a", table.Attrs{"n": int64(workers * each), "m": int64(-2 * workers * each)})
}

// each calls work from n goroutines at once, and waits for them.
func (f *fixture) each(n int, work func(worker int) error) {
	f.Helper()
	start := make(chan struct{})
	var all sync.WaitGroup
	for worker := range n {
		all.Go(func() {
			<-start
			if err := work(worker); err != nil {
				f.Errorf("worker %d: %v", worker, err)
			}
		})
	}
	close(start)
	all.Wait()
}

func testConcurrentSwaps(f *fixture) {
	const workers, each = 8, 5
	f.put("a", table.Attrs{"n": int64(0)})
	f.each(workers, func(int) error {
		for range each {
			if err := f.increment("a"); err != nil {
				return err
			}
		}
		return nil
	})
	f.want("a", table.Attrs{"n": int64(workers * each)})
}

// increment reads a number and writes the next one, until nobody else was
// faster.
func (f *fixture) increment(sk string) error {
	for {
		item, _, err := f.Get(f.Context(), f.key(sk))
		if err != nil {
			return err
		}
		n, _ := item.Attrs["n"].(int64)
		_, err = f.Apply(f.Context(), table.Op{
			Action: table.Put, Key: f.key(sk), Set: table.Attrs{"n": n + 1}, If: []table.Test{table.IfEqual("n", n)},
		})
		if lost := new(table.ConditionError); !errors.As(err, &lost) {
			return err
		}
	}
}

func testOneWinner(f *fixture) {
	f.put("a", table.Attrs{"owner": "nobody"})
	f.wantOne(200, func(worker string) table.Op {
		return table.Op{
			Action: table.Update, Key: f.key("a"), Set: table.Attrs{"owner": worker},
			If: []table.Test{table.IfEqual("owner", "nobody")},
		}
	})
}

func testOneMaker(f *fixture) {
	f.wantOne(50, func(worker string) table.Op {
		return table.Op{
			Action: table.Put, Key: f.key("a"), Set: table.Attrs{"owner": worker}, If: []table.Test{table.IfAbsent()},
		}
	})
}

// wantOne has n workers do an op at once. One must succeed and be in the item.
func (f *fixture) wantOne(n int, op func(worker string) table.Op) {
	f.Helper()
	var winners atomic.Int64
	var winner atomic.Value
	f.each(n, func(worker int) error {
		name := fmt.Sprint("worker ", worker)
		_, err := f.Apply(f.Context(), op(name))
		if lost := new(table.ConditionError); errors.As(err, &lost) {
			return nil
		}
		winners.Add(1)
		winner.Store(name)
		return err
	})
	if winners.Load() != 1 {
		f.Fatalf("got %d winners, want 1", winners.Load())
	}
	f.want("a", table.Attrs{"owner": winner.Load()})
}

func testWholeItems(f *fixture) {
	f.put("a", table.Attrs{"x": int64(0), "y": int64(0)})
	var done atomic.Bool
	f.each(4, func(worker int) error {
		if worker == 0 {
			defer done.Store(true)
			for i := range int64(30) {
				attrs := table.Attrs{"x": i, "y": i}
				if _, err := f.Apply(f.Context(), table.Op{Action: table.Put, Key: f.key("a"), Set: attrs}); err != nil {
					return err
				}
			}
			return nil
		}
		for !done.Load() {
			item, found, err := f.Get(f.Context(), f.key("a"))
			if err != nil {
				return err
			}
			if !found || item.Attrs["x"] != item.Attrs["y"] {
				return fmt.Errorf("read %v", item.Attrs)
			}
		}
		return nil
	})
}

func testReadYourWrites(f *fixture) {
	f.each(8, func(worker int) error {
		key := f.key(fmt.Sprint(worker))
		for i := range int64(10) {
			if _, err := f.Apply(f.Context(), table.Op{Action: table.Put, Key: key, Set: table.Attrs{"n": i}}); err != nil {
				return err
			}
			item, _, err := f.Get(f.Context(), key)
			if err != nil {
				return err
			}
			page, err := f.Query(f.Context(), table.Query{PK: key.PK, From: key.SK, To: table.Next(key.SK), Limit: 1})
			if err != nil {
				return err
			}
			if item.Attrs["n"] != i || len(page.Items) != 1 || page.Items[0].Attrs["n"] != i {
				return fmt.Errorf("wrote %d, got %v, queried %v", i, item.Attrs, page.Items)
			}
		}
		return nil
	})
}
