package dynamotable

import (
	"context"
	"sync"
	"time"

	"sluice/shared/table"
)

// TableLate is Table that asks nothing of the store, for a program that must be
// ready at once: what Table refuses, the first call of the driver does, and each
// that follows until the store has once answered.
func (s *Store) TableLate(name string) table.Driver {
	return &late{Driver: &driver{client: s.client, name: name}, store: s, name: name}
}

// late looks at the table's format before its first call.
type late struct {
	table.Driver

	store *Store
	name  string

	mu    sync.Mutex
	known bool
}

func (l *late) check(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known {
		return nil
	}
	_, err := l.store.Table(ctx, l.name)
	l.known = err == nil
	return err
}

// GetMany implements table.Driver.
func (l *late) GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	if err := l.check(ctx); err != nil {
		return nil, err
	}
	return l.Driver.GetMany(ctx, keys)
}

// Query implements table.Driver.
func (l *late) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if err := l.check(ctx); err != nil {
		return table.Page{}, err
	}
	return l.Driver.Query(ctx, q)
}

// Apply implements table.Driver.
func (l *late) Apply(ctx context.Context, now time.Time, op table.Op) (table.Item, error) {
	if err := l.check(ctx); err != nil {
		return table.Item{}, err
	}
	return l.Driver.Apply(ctx, now, op)
}

// Transact implements table.Driver.
func (l *late) Transact(ctx context.Context, now time.Time, ops []table.Op) error {
	if err := l.check(ctx); err != nil {
		return err
	}
	return l.Driver.Transact(ctx, now, ops)
}
