package dynamotable_test

import (
	"testing"

	"sluice/localstack/stores"
	"sluice/shared/table"
	"sluice/shared/table/tabletest"
)

// emulators are of different authors, so that the driver fits neither's
// mistakes.
func emulators() map[string]func(testing.TB) *stores.DynamoDB {
	return map[string]func(testing.TB) *stores.DynamoDB{"dynoxide": stores.Dynoxide, "DynamoDB Local": stores.DynamoDBLocal}
}

func TestSuite(t *testing.T) {
	for name, start := range emulators() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := open(t, start(t))
			tabletest.Run(t, func(t *testing.T) table.Driver { return newTable(t, store, "suite") })
		})
	}
}
