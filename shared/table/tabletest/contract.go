package tabletest

import (
	"context"
	"errors"
	"time"

	"sluice/shared/fault"
	"sluice/shared/table"
)

func contractTests() []subtest {
	return []subtest{
		{"the store answers a ping", testPing},
		{"a context that has ended ends every call", testEnded},
		{"the driver knows its errors", testErrorCodes},
		{"a page that More follows is not empty", testDriverPages},
	}
}

func testPing(f *fixture) {
	if err := f.Ping(f.Context()); err != nil {
		f.Error(err)
	}
}

// calls returns one call of each method of the driver that takes a context.
func (f *fixture) calls() map[string]func(ctx context.Context) error {
	put := table.Op{Action: table.Put, Key: f.key("a")}
	return map[string]func(ctx context.Context) error{
		"GetMany": func(ctx context.Context) error {
			_, err := f.driver.GetMany(ctx, []table.Key{f.key("a")})
			return err
		},
		"Query": func(ctx context.Context) error {
			_, err := f.driver.Query(ctx, table.Query{PK: f.pk, Limit: 1})
			return err
		},
		"Apply": func(ctx context.Context) error {
			_, err := f.driver.Apply(ctx, f.clock.Now(), put)
			return err
		},
		"Transact": func(ctx context.Context) error {
			return f.driver.Transact(ctx, f.clock.Now(), []table.Op{put})
		},
		"Ping": f.driver.Ping,
	}
}

func testEnded(f *fixture) {
	canceled, cancel := context.WithCancel(f.Context())
	cancel()
	late, stop := context.WithDeadline(f.Context(), time.Now().Add(-time.Second))
	defer stop()
	for name, call := range f.calls() {
		for _, ctx := range []context.Context{canceled, late} {
			err := call(ctx)
			if err == nil || f.driver.ErrorCode(err) != table.Canceled {
				f.Errorf("%s when %v: got %v, want code Canceled", name, ctx.Err(), err)
			}
		}
	}
	f.wantAbsent("a")

	_, err := f.Apply(canceled, table.Op{Action: table.Put, Key: f.key("a")})
	if !fault.Is(err, fault.Unavailable, "canceled") || !errors.Is(err, context.Canceled) {
		f.Errorf("Table.Apply: got %v, want the fault \"canceled\" over context.Canceled", err)
	}
	_, _, err = f.Get(late, f.key("a"))
	if !fault.Is(err, fault.Unavailable, "canceled") || !errors.Is(err, context.DeadlineExceeded) {
		f.Errorf("Table.Get: got %v, want the fault \"canceled\" over context.DeadlineExceeded", err)
	}
	f.wantAbsent("a")
}

func testErrorCodes(f *fixture) {
	if code := f.driver.ErrorCode(errors.New("a stranger's")); code != table.Unknown {
		f.Errorf("a stranger's error: got code %d, want Unknown", code)
	}
	no := table.Op{Action: table.Put, Key: f.key("a"), If: []table.Test{table.IfExists()}}
	_, err := f.driver.Apply(f.Context(), f.clock.Now(), no)
	if err == nil || f.driver.ErrorCode(err) != table.ConditionFailed {
		f.Errorf("Apply: got %v, want code ConditionFailed", err)
	}
	ops := []table.Op{{Action: table.Put, Key: f.key("b")}, no}
	err = f.driver.Transact(f.Context(), f.clock.Now(), ops)
	if err == nil || f.driver.ErrorCode(err) != table.ConditionFailed {
		f.Fatalf("Transact: got %v, want code ConditionFailed", err)
	}
	if failed := f.driver.Failed(err); failed != 1 && failed != -1 {
		f.Errorf("Transact: got failed op %d, want 1", failed)
	}
}

func testDriverPages(f *fixture) {
	for _, sk := range numbered(6) {
		f.put(sk, f.filler(sk, table.MaxItem))
	}
	q := table.Query{PK: f.pk, Limit: 5}
	for {
		page, err := f.driver.Query(f.Context(), q)
		if err != nil {
			f.Fatal(err)
		}
		if len(page.Items) > q.Limit {
			f.Fatalf("got %d items, want at most %d", len(page.Items), q.Limit)
		}
		if !page.More {
			return
		}
		if len(page.Items) == 0 {
			f.Fatal("an empty page with More set")
		}
		q.From = table.Next(page.Items[len(page.Items)-1].Key.SK)
	}
}
