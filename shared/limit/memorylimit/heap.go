package memorylimit

import (
	"time"

	"sluice/shared/limit"
)

// bucket is one key's state.
type bucket struct {
	key    string
	rate   limit.Rate // the rate of the last Take
	fullAt time.Time
	index  int // where it stands in byFullAt
}

// byFullAt is a container/heap of buckets, the one that will be full soonest
// at its top.
type byFullAt []*bucket

func (h byFullAt) Len() int           { return len(h) }
func (h byFullAt) Less(i, j int) bool { return h[i].fullAt.Before(h[j].fullAt) }

func (h byFullAt) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *byFullAt) Push(x any) {
	b := x.(*bucket)
	b.index = len(*h)
	*h = append(*h, b)
}

// Pop implements heap.Interface.
func (h *byFullAt) Pop() any {
	last := len(*h) - 1
	b := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return b
}
