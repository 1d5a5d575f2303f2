package catalog

import (
	"context"
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
// since others may wait for it.
func (c *cache[V]) get(ctx context.Context, key string, load func(context.Context) (V, error)) (V, error) {
	if e, ok := c.entries.Get(key); ok && c.now().Sub(e.loaded) < MaxAge {
		return e.value, nil
	}
	v, err, _ := c.flights.Do(key, func() (any, error) {
		began, before := c.now(), c.count()
		v, err := load(context.WithoutCancel(ctx))
		if err == nil {
			c.keep(key, &entry[V]{v, began}, before)
		}
		return v, err
	})
	value, _ := v.(V)
	return value, err
}

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
