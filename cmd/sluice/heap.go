package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// leastGrowth is how far the heap may grow between two collections, however
// little of it is live, in bytes.
const leastGrowth = 16 << 20

// paceCollections lets the heap grow by a third of what is live between two
// collections, and by leastGrowth at least. Go's own rule, to let it double,
// suits a server of files badly at both ends: small requests leave a few
// megabytes live, which are collected fifty times a second; slow downloads by
// the thousand leave hundreds, which take twice the memory.
//
// GOGC in the environment keeps Go's rule.
func paceCollections() {
	if os.Getenv("GOGC") == "" {
		adjustPace(0)
	}
}

// adjustPace sets Go's percentage anew, now and after each collection.
func adjustPace(was int) {
	percent := growthPercent(liveBytes())
	if percent != was {
		debug.SetGCPercent(percent)
	}
	// What nothing refers to is finalized when the next collection finds it.
	runtime.SetFinalizer(new(cycle), func(*cycle) { adjustPace(percent) })
}

// cycle lives until the next collection. It is large enough to have its
// finalizer to itself.
type cycle [16]byte

// growthPercent returns by how much of live the heap may grow.
func growthPercent(live uint64) int {
	live = max(live, 1<<20) // until the first collection it is unknown
	return int(100 * max(live/3, leastGrowth) / live)
}

// liveBytes returns what the last collection found, which is what Go's
// percentage is of.
func liveBytes() uint64 {
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}}
	metrics.Read(samples)
	var sum uint64
	for _, s := range samples {
		sum += s.Value.Uint64()
	}
	return sum
}
