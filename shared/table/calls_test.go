package table_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"sluice/shared/fault"
	"sluice/shared/table"
	"sluice/shared/table/tabletest"
)

// failing is a Memory that answers its first calls with errors, whose code it
// also tells.
type failing struct {
	*tabletest.Memory
	code  table.Code
	err   error
	times int // how many calls fail
	calls int
}

var errStore = errors.New("the store says no")

func newFailing(code table.Code, times int) *failing {
	return &failing{Memory: tabletest.NewMemory(), code: code, err: errStore, times: times}
}

func (f *failing) fail() error {
	if f.calls++; f.calls <= f.times {
		return f.err
	}
	return nil
}

func (f *failing) GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	if err := f.fail(); err != nil {
		return nil, err
	}
	return f.Memory.GetMany(ctx, keys)
}

func (f *failing) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if err := f.fail(); err != nil {
		return table.Page{}, err
	}
	return f.Memory.Query(ctx, q)
}

func (f *failing) Apply(ctx context.Context, now time.Time, op table.Op) (table.Item, error) {
	if err := f.fail(); err != nil {
		return table.Item{}, err
	}
	return f.Memory.Apply(ctx, now, op)
}

func (f *failing) Transact(ctx context.Context, now time.Time, ops []table.Op) error {
	if err := f.fail(); err != nil {
		return err
	}
	return f.Memory.Transact(ctx, now, ops)
}

func (f *failing) Ping(context.Context) error { return f.fail() }
func (f *failing) Close() error               { return f.fail() }

func (f *failing) ErrorCode(err error) table.Code {
	if errors.Is(err, f.err) {
		return f.code
	}
	return f.Memory.ErrorCode(err)
}

// everyCall returns one call of each method of a Table.
func everyCall(store *table.Table) map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"Get":     func(ctx context.Context) error { _, _, err := store.Get(ctx, key); return err },
		"GetMany": func(ctx context.Context) error { _, err := store.GetMany(ctx, []table.Key{key}); return err },
		"Query": func(ctx context.Context) error {
			_, err := store.Query(ctx, table.Query{PK: "a", Limit: 1})
			return err
		},
		"Apply":    func(ctx context.Context) error { _, err := store.Apply(ctx, put(nil)); return err },
		"Transact": func(ctx context.Context) error { return store.Transact(ctx, put(nil)) },
		"Ping":     store.Ping,
	}
}

func TestErrorsAreTranslated(t *testing.T) {
	for name := range everyCall(nil) {
		for _, c := range []struct {
			code table.Code
			kind fault.Kind
			want string
		}{
			{table.Unknown, fault.Internal, "table_failed"},
			{table.Full, fault.InsufficientStorage, "no_space"},
			{table.Unanswered, fault.Unavailable, "table_unanswered"},
			{table.Canceled, fault.Unavailable, "canceled"},
		} {
			driver := newFailing(c.code, 1)
			err := everyCall(table.New(driver, time.Now))[name](t.Context())
			if !fault.Is(err, c.kind, c.want) || !errors.Is(err, errStore) {
				t.Errorf("%s, code %d: got %v, want %s over the store's error", name, c.code, err, c.want)
			}
			if driver.calls != 1 {
				t.Errorf("%s, code %d: got %d calls, want 1", name, c.code, driver.calls)
			}
		}
	}
	if err := table.New(newFailing(table.Unknown, 1), time.Now).Close(); !fault.Is(err, fault.Internal, "table_failed") {
		t.Errorf("Close: got %v", err)
	}
}

func TestConditionErrorTellsTheOp(t *testing.T) {
	unknowing := newFailing(table.ConditionFailed, 2)
	store := table.New(unknowing, time.Now)
	_, err := store.Apply(t.Context(), put(nil))
	var condition *table.ConditionError
	if !errors.As(err, &condition) || condition.Failed != 0 {
		t.Errorf("Apply: got %v, want a ConditionError of op 0", err)
	}
	err = store.Transact(t.Context(), put(nil))
	if !errors.As(err, &condition) || condition.Failed != -1 {
		t.Errorf("Transact: got %v, want a ConditionError of an unknown op", err)
	}
}

func TestBusyStoreIsAskedAgain(t *testing.T) {
	for name := range everyCall(nil) {
		for _, code := range []table.Code{table.Contended, table.Throttled} {
			for _, busy := range []int{1, 5, 6} {
				t.Run(fmt.Sprintf("%s, code %d, %d times", name, code, busy), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { askBusy(t, name, code, busy) })
				})
			}
		}
	}
}

// askBusy calls a store that is busy some times. Its time is not real.
func askBusy(t *testing.T, name string, code table.Code, busy int) {
	start := time.Now()
	driver := newFailing(code, busy)
	err := everyCall(table.New(driver, time.Now))[name](t.Context())
	if waited := time.Since(start); waited > time.Second {
		t.Errorf("waited %v, want at most a second", waited)
	}
	if busy < 6 && (err != nil || driver.calls != busy+1) {
		t.Errorf("got %v after %d calls, want success after %d", err, driver.calls, busy+1)
	}
	var f *fault.Error
	if busy == 6 && (!fault.Is(err, fault.Unavailable, "table_busy") || !errors.As(err, &f) || f.RetryAfter <= 0) {
		t.Errorf("got %v, want table_busy with a time to try again", err)
	}
}

func TestPausesDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pauses := map[time.Duration]bool{}
		for range 20 {
			start := time.Now()
			_ = table.New(newFailing(table.Throttled, 1), time.Now).Ping(t.Context())
			pauses[time.Since(start)] = true
		}
		if len(pauses) < 10 {
			t.Errorf("got %d different pauses of 20, want jitter", len(pauses))
		}
	})
}

func TestPauseEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
		defer cancel()
		driver := newFailing(table.Throttled, 1000)
		_, err := table.New(driver, time.Now).Apply(ctx, put(nil))
		if !fault.Is(err, fault.Unavailable, "canceled") || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want canceled over context.DeadlineExceeded", err)
		}
		if driver.calls != 1 {
			t.Errorf("got %d calls, want 1", driver.calls)
		}
	})
}

func TestEndedContextReachesNoDriver(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range everyCall(table.New(nil, time.Now)) {
		if err := call(ctx); !fault.Is(err, fault.Unavailable, "canceled") || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want canceled over context.Canceled", name, err)
		}
	}
}

func TestCanceledKeepsTheContextsError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	driver := &canceling{failing: newFailing(table.Canceled, 1), cancel: cancel}
	err := table.New(driver, time.Now).Ping(ctx)
	if !errors.Is(err, context.Canceled) || !errors.Is(err, errStore) {
		t.Errorf("got %v, want both the context's error and the store's", err)
	}
}

// canceling ends the context during Ping, and tells so by an error of its own.
type canceling struct {
	*failing
	cancel func()
}

func (c *canceling) Ping(ctx context.Context) error {
	c.cancel()
	return c.failing.Ping(ctx)
}

// sparing is a Memory whose pages hold one item at most, or none though it
// tells of more.
type sparing struct {
	*tabletest.Memory
	empty bool
}

func (s *sparing) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if s.empty {
		return table.Page{More: true}, nil
	}
	q.Limit = 1
	return s.Memory.Query(ctx, q)
}

func TestShortPagesAreFilled(t *testing.T) {
	store := table.New(&sparing{Memory: tabletest.NewMemory()}, time.Now)
	for i := range 10 {
		op := table.Op{Action: table.Put, Key: table.Key{PK: "a", SK: fmt.Sprint(i)}}
		if _, err := store.Apply(t.Context(), op); err != nil {
			t.Fatal(err)
		}
	}
	for _, descending := range []bool{false, true} {
		for limit, want := range map[int]int{1: 1, 9: 9, 10: 10, 11: 10} {
			page, err := store.Query(t.Context(), table.Query{PK: "a", Descending: descending, Limit: limit})
			if err != nil || len(page.Items) != want || page.More != (limit < 10) {
				t.Errorf("limit %d: got %d items, More %v, %v", limit, len(page.Items), page.More, err)
			}
		}
	}
}

func TestEmptyPageEndsAQuery(t *testing.T) {
	store := table.New(&sparing{empty: true}, time.Now)
	page, err := store.Query(t.Context(), table.Query{PK: "a", Limit: 10})
	if err != nil || len(page.Items) != 0 || page.More {
		t.Errorf("got %v, %v, want an empty page", page, err)
	}
}
