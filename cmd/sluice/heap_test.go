package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

func TestGrowthPercent(t *testing.T) {
	for _, c := range []struct {
		live uint64
		want int
	}{
		{0, 1600},
		{4 << 20, 400},
		{8 << 20, 200},
		{48 << 20, 33},
		{1 << 40, 33},
	} {
		if got := growthPercent(c.live); got != c.want {
			t.Errorf("growthPercent(%d) = %d, want %d", c.live, got, c.want)
		}
	}
}

// The pace follows the heap from one collection to the next.
func TestCollectionsArePaced(t *testing.T) {
	t.Setenv("GOGC", "")
	before := debug.SetGCPercent(100)
	paceCollections()
	live := make([]byte, 64<<20)
	wantPace(t, 33, 34)
	runtime.KeepAlive(live)
	wantPace(t, 100, 1600)
	debug.SetGCPercent(before)
}

// wantPace collects until Go's percentage is within the bounds.
func wantPace(t *testing.T, least, most uint64) {
	t.Helper()
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	for deadline := time.Now().Add(time.Minute); ; runtime.Gosched() {
		runtime.GC()
		metrics.Read(sample)
		got := sample[0].Value.Uint64()
		if got >= least && got <= most {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the percentage is %d, want %d to %d", got, least, most)
		}
	}
}
