package dynamotable_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/localstack/stores"
	"sluice/shared/fault"
	"sluice/shared/table"
)

// attempts is how often a call is made, the first time included.
const attempts = 6

// calls are one of each kind, on the item under key.
func calls(store *table.Table, key table.Key) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Get": func(ctx context.Context) error { _, _, err := store.Get(ctx, key); return err },
		"GetMany": func(ctx context.Context) error {
			_, err := store.GetMany(ctx, []table.Key{key, {PK: "b", SK: "b"}})
			return err
		},
		"Query": func(ctx context.Context) error {
			_, err := store.Query(ctx, table.Query{PK: key.PK, Limit: 1})
			return err
		},
		"Put": func(ctx context.Context) error {
			_, err := store.Apply(ctx, table.Op{Action: table.Put, Key: key})
			return err
		},
		"Update": func(ctx context.Context) error {
			_, err := store.Apply(ctx, table.Op{Action: table.Update, Key: key, Set: table.Attrs{"n": int64(1)}})
			return err
		},
		"Delete": func(ctx context.Context) error {
			_, err := store.Apply(ctx, table.Op{Action: table.Delete, Key: key})
			return err
		},
		"Transact": func(ctx context.Context) error {
			return store.Transact(ctx, table.Op{Action: table.Put, Key: key})
		},
		"Ping": store.Ping,
	}
}

func reads(name string) bool {
	return name == "Get" || name == "GetMany" || name == "Query" || name == "Ping"
}

func TestABusyStoreIsAskedAgainAndThenIs503(t *testing.T) {
	emulator := stores.Dynoxide(t)
	var all sync.WaitGroup
	const badRequest = http.StatusBadRequest
	for what, c := range map[string]struct {
		mishap mishap
		code   string // of a write that got nowhere; a read's is table_busy
		only   string // the call that may meet it; "": any
	}{
		"throughput exceeded": {answered(badRequest, "ProvisionedThroughputExceededException"), "table_busy", ""},
		"throttled":           {answered(badRequest, "ThrottlingException"), "table_busy", ""},
		"limit exceeded":      {answered(badRequest, "RequestLimitExceeded"), "table_busy", ""},
		"conflict":            {answered(badRequest, "TransactionConflictException"), "table_busy", ""},
		"in progress":         {answered(badRequest, "TransactionInProgressException"), "table_unanswered", ""},
		"canceled, conflict":  {canceled("TransactionConflict"), "table_busy", "Transact"},
		"canceled, throttled": {canceled("ThrottlingError"), "table_busy", "Transact"},
		"internal error":      {answered(http.StatusInternalServerError, "InternalServerError"), "table_unanswered", ""},
		"unavailable":         {answered(http.StatusServiceUnavailable, "ServiceUnavailable"), "table_unanswered", ""},
		"connection reset":    {broken, "table_unanswered", ""},
	} {
		r := newRig(t, emulator)
		all.Go(func() { // they mostly wait
			for name, call := range calls(r.wired, table.Key{PK: "busy", SK: what}) {
				if c.only != "" && name != c.only {
					continue
				}
				code := c.code
				if reads(name) {
					code = "table_busy"
				}
				r.wantBusy(what+", "+name, c.mishap, call, code)
			}
		})
	}
	all.Wait()
}

// wantBusy has a call meet a mishap, first five times, then for good.
func (r *rig) wantBusy(what string, m mishap, call func(context.Context) error, code string) {
	r.wire.next(times(attempts-1, m)...)
	if err := call(r.Context()); err != nil {
		r.Errorf("%s, %d times: %v", what, attempts-1, err)
	}
	r.wire.next(times(2*attempts, m)...)
	err := call(r.Context())
	f := new(fault.Error)
	if !fault.Is(err, fault.Unavailable, code) || !errors.As(err, &f) || f.RetryAfter <= 0 {
		r.Errorf("%s, for good: got %v, want %s with a time to try again", what, err, code)
	}
	if got := r.wire.count(); got != attempts {
		r.Errorf("%s, for good: %d requests, want %d", what, got, attempts)
	}
}

// TestAnAnswerThatDoesNotComeIsNotWaitedForLong takes the driver's patience,
// beside other tests.
func TestAnAnswerThatDoesNotComeIsNotWaitedForLong(t *testing.T) {
	t.Parallel()
	r := newRig(t, stores.Dynoxide(t))
	key := table.Key{PK: "stalled", SK: "a"}
	r.reset(key, before, time.Time{})
	r.wire.next(stalled)
	c := writes(key)["addition if small"]
	if _, err := r.wired.Apply(t.Context(), c.op); err != nil {
		t.Error(err)
	}
	r.want("an addition whose answer stalled", key, c.after)
}

func TestABatchThatIsHeldBackIsAskedForAgain(t *testing.T) {
	r := newRig(t, stores.Dynoxide(t))
	keys := []table.Key{{PK: "batch", SK: "a"}, {PK: "batch", SK: "b"}}
	for _, key := range keys {
		r.reset(key, before, time.Time{})
	}
	r.wire.next(heldBack, heldBack)
	items, err := r.wired.GetMany(t.Context(), keys)
	if err != nil || len(items) != len(keys) {
		t.Errorf("got %d items, %v, want %d", len(items), err, len(keys))
	}
	r.wire.next(times(2*attempts, heldBack)...)
	if _, err := r.wired.GetMany(t.Context(), keys); !fault.Is(err, fault.Unavailable, "table_busy") {
		t.Errorf("for good: got %v, want table_busy", err)
	}
}

// TestABatchMayBeLargerThanAnAnswer reads 18 MB, of which DynamoDB gives 16 at
// a time.
func TestABatchMayBeLargerThanAnAnswer(t *testing.T) {
	for name, start := range emulators() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, start(t))
			var keys []table.Key
			for i := range 46 {
				keys = append(keys, table.Key{PK: "large", SK: string(rune('A' + i))})
				r.reset(keys[i], table.Attrs{"v": strings.Repeat("v", 400_000)}, time.Time{})
			}
			r.wire.next()
			items, err := r.wired.GetMany(t.Context(), keys)
			if err != nil || len(items) != len(keys) {
				t.Errorf("got %d items, %v, want %d", len(items), err, len(keys))
			}
			if r.wire.count() < 2 {
				t.Errorf("%s answers all in one; this test tests nothing", name)
			}
		})
	}
}

func TestAStoreThatIsAwayIs503AndComesBack(t *testing.T) {
	for name, start := range emulators() {
		t.Run(name, func(t *testing.T) {
			emulator := start(t)
			store := table.New(newTable(t, open(t, emulator), "away"), time.Now)
			key := table.Key{PK: "away", SK: "a"}
			put := table.Op{Action: table.Put, Key: key, Set: table.Attrs{"n": int64(1)}}
			if _, err := store.Apply(t.Context(), put); err != nil {
				t.Fatal(err)
			}
			emulator.Kill()
			for name, call := range calls(store, key) {
				err := call(t.Context())
				f := new(fault.Error)
				if fault.KindOf(err) != fault.Unavailable || !errors.As(err, &f) || f.RetryAfter <= 0 {
					t.Errorf("%s while the store is away: got %v, want fault.Unavailable with a time to try again", name, err)
				}
			}
			emulator.Start()
			item, found, err := store.Get(t.Context(), key)
			if err != nil || !found || item.Attrs["n"] != int64(1) {
				t.Errorf("after it came back: got %v, %v, %v, want what was written before", item.Attrs, found, err)
			}
			for name, call := range calls(store, key) {
				if err := call(t.Context()); err != nil {
					t.Errorf("%s after it came back: %v", name, err)
				}
			}
		})
	}
}

// TestAWaitEndsWithItsContext has a store that stays throttled.
func TestAWaitEndsWithItsContext(t *testing.T) {
	r := newRig(t, stores.Dynoxide(t))
	for name, call := range calls(r.wired, table.Key{PK: "busy", SK: "a"}) {
		ctx, cancel := context.WithCancel(t.Context())
		stop := func(w http.ResponseWriter, req *http.Request, forward func(http.ResponseWriter)) {
			cancel()
			answered(http.StatusServiceUnavailable, "ServiceUnavailable")(w, req, forward)
		}
		r.wire.next(times(2*attempts, stop)...)
		if err := call(ctx); !fault.Is(err, fault.Unavailable, "canceled") || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want the fault \"canceled\"", name, err)
		}
		if got := r.wire.count(); got != 1 {
			t.Errorf("%s: %d requests, want 1", name, got)
		}
	}
}
