package catalog

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
)

// cacheSize bounds each cache, in records.
const cacheSize = 10_000

// cache holds records for at most MaxAge. Loads of one key share a flight.
// A load that began before a forget of its key is answered but not kept, so
// that this process never reads what it knows to be replaced.
type cache[V any] struct {
	now     func() time.Time
	entries *lru.Cache[string, *entry[V]]
	flights singleflight.Group

	mu      sync.Mutex
	forgets uint64 // counts calls of forget
}

type entry[V any] struct {
	value  V
	loaded time.Time
}

func newCache[V any](now func() time.Time) *cache[V] {
	entries, err := lru.New[string, *entry[V]](cacheSize)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &cache[V]{now: now, entries: entries}
}

// get returns the value under key, loading it where it is absent or too old.
// Errors are not kept. The load goes on when the first asker's ctx ends,
// since others may wait for it. It has a goroutine of its own, because a store
// needs a deep stack, and a goroutine that goes on to serve a slow download
// would keep it.
func (c *cache[V]) get(ctx context.Context, key string, load func(context.Context) (V, error)) (V, error) {
	if e, ok := c.entries.Get(key); ok && c.fresh(e) {
		return e.value, nil
	}
	loaded := <-c.flights.DoChan(key, func() (v any, err error) {
		defer func() {
			if p := recover(); p != nil {
				err = panicked{p, debug.Stack()}
			}
		}()
		return c.load(ctx, key, load)
	})
	if p, ok := loaded.Err.(panicked); ok { //nolint:errorlint // it is never wrapped
		panic(p)
	}
	value, _ := loaded.Val.(V)
	return value, loaded.Err
}

// fresh reports whether e is young enough. One of the future is not: the clock
// was set back, and nobody knows how old it is.
func (c *cache[V]) fresh(e *entry[V]) bool {
	age := c.now().Sub(e.loaded)
	return age >= 0 && age < MaxAge
}

func (c *cache[V]) load(ctx context.Context, key string, load func(context.Context) (V, error)) (V, error) {
	began, before := c.now(), c.count()
	v, err := load(context.WithoutCancel(ctx))
	if err == nil {
		c.keep(key, &entry[V]{v, began}, before)
	}
	return v, err
}

// panicked carries a panic from a load to everyone who waits for it, to be
// recovered from where each of their requests is.
type panicked struct {
	value any
	stack []byte
}

// Error tells what a load panicked with and where.
func (p panicked) Error() string { return fmt.Sprintf("%v\n\n%s", p.value, p.stack) }

func (c *cache[V]) count() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.forgets
}

func (c *cache[V]) keep(key string, e *entry[V], before uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.forgets == before {
		c.entries.Add(key, e)
	}
}

// forget drops key, and every load under way.
func (c *cache[V]) forget(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgets++
	c.entries.Remove(key)
	c.flights.Forget(key)
}
