package main

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"sluice/shared/fetch"
)

// maxAtOnce is how many files are under way at the same time. Connections go to
// the first of them first.
const maxAtOnce = 32

// byPriority returns the indexes of requests, in the order in which they start.
func byPriority(requests []download) []int {
	order := make([]int, len(requests))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(requests[b].Priority, requests[a].Priority) })
	return order
}

// run fetches all, and returns what went wrong first.
func run(ctx context.Context, client *fetch.Client, requests []download, report *report) error {
	stop := report.start()
	defer stop()
	var (
		mu     sync.Mutex
		failed error
		active sync.WaitGroup
	)
	places := make(chan struct{}, maxAtOnce)
	for _, i := range byPriority(requests) {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		t := client.Start(ctx, requests[i].Request)
		report.add(i, func() fetch.Progress {
			p := t.Progress()
			p.Name = requests[i].shown(p.Name)
			return p
		})
		active.Go(func() {
			defer func() { <-places }()
			result, err := t.Wait()
			result.Name = requests[i].shown(result.Name)
			report.ended(i, result, err)
			mu.Lock()
			defer mu.Unlock()
			if failed == nil {
				failed = err
			}
		})
	}
	active.Wait()
	mu.Lock()
	defer mu.Unlock()
	if failed == nil {
		failed = ctx.Err()
	}
	return failed
}
