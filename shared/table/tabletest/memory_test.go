package tabletest_test

import (
	"testing"

	"sluice/shared/table"
	"sluice/shared/table/tabletest"
)

func TestMemory(t *testing.T) {
	tabletest.Run(t, func(*testing.T) table.Driver { return tabletest.NewMemory() })
}
