package dynamotable_test

import (
	"testing"
	"time"

	"sluice/localstack/stores"
	"sluice/shared/fault"
	"sluice/shared/table"
	"sluice/shared/table/dynamotable"
)

// A table that is opened late is refused by every call for as long as Table
// would refuse it, and then works.
func TestATableOpenedLateIsLookedAtByItsFirstCall(t *testing.T) {
	emulator := stores.Dynoxide(t)
	store := open(t, emulator)
	late := store.TableLate("records")
	key := table.Key{PK: "a", SK: "b"}
	op := table.Op{Action: table.Put, Key: key, Set: table.Attrs{"n": int64(1)}}
	calls := map[string]func() error{
		"GetMany": func() error { _, err := late.GetMany(t.Context(), []table.Key{key}); return err },
		"Query":   func() error { _, err := late.Query(t.Context(), table.Query{PK: "a", Limit: 1}); return err },
		"Apply":   func() error { _, err := late.Apply(t.Context(), time.Now(), op); return err },
		"Transact": func() error {
			return late.Transact(t.Context(), time.Now(), []table.Op{{Action: table.Put, Key: table.Key{PK: "a", SK: "c"}, Set: table.Attrs{"n": int64(2)}}})
		},
	}
	for name, call := range calls {
		if err := call(); !fault.Is(err, fault.Internal, "table_unopened") {
			t.Errorf("%s of a table that is not there: %v, want table_unopened", name, err)
		}
	}
	if _, err := store.Create(t.Context(), "records", dynamotable.Settings{}); err != nil {
		t.Fatal(err)
	}
	for name, call := range calls {
		if err := call(); err != nil {
			t.Errorf("%s of a table that is there now: %v", name, err)
		}
	}
	emulator.Kill()
	again := store.TableLate("records")
	_, err := again.GetMany(t.Context(), []table.Key{key})
	if code := again.ErrorCode(err); code != table.Throttled {
		t.Errorf("a table whose store is away: %v, code %v; want Throttled, so that it is asked again", err, code)
	}
}
