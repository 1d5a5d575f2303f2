package dynamotable_test

import (
	"testing"

	"sluice/localstack/stores"
	"sluice/shared/table"
	"sluice/shared/table/tabletest"
)

func TestSuiteOnDynoxide(t *testing.T) {
	store := open(t, stores.Dynoxide(t))
	tabletest.Run(t, func(t *testing.T) table.Driver { return newTable(t, store, "suite") })
}

func TestSuiteOnDynamoDBLocal(t *testing.T) {
	store := open(t, stores.DynamoDBLocal(t))
	tabletest.Run(t, func(t *testing.T) table.Driver { return newTable(t, store, "suite") })
}
