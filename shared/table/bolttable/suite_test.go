package bolttable_test

import (
	"path/filepath"
	"testing"

	"sluice/shared/table"
	"sluice/shared/table/bolttable"
	"sluice/shared/table/tabletest"
)

func TestSuite(t *testing.T) {
	tabletest.Run(t, func(t *testing.T) table.Driver { return open(t).Table("domain") })
}

// open opens a new store, which is closed when the test ends.
func open(t *testing.T) *bolttable.Store {
	t.Helper()
	store, err := bolttable.Open(filepath.Join(t.TempDir(), "records", "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return store
}
