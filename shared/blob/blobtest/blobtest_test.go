package blobtest_test

import (
	"testing"

	"sluice/shared/blob"
	"sluice/shared/blob/blobtest"
)

func TestMemoryPassesTheSuite(t *testing.T) {
	blobtest.Run(t, func(*testing.T) blob.Driver { return blobtest.NewMemory() })
}

func TestIdleChaosPassesTheSuite(t *testing.T) {
	blobtest.Run(t, func(*testing.T) blob.Driver { return blobtest.NewChaos(blobtest.NewMemory()) })
}

func TestHostileKeysAreMany(t *testing.T) {
	seen := map[string]bool{}
	for _, key := range blobtest.HostileKeys() {
		if seen[key] {
			t.Errorf("%.60q is there twice", key)
		}
		seen[key] = true
	}
	if len(seen) < 100 {
		t.Errorf("%d keys, want 100 at least", len(seen))
	}
}
