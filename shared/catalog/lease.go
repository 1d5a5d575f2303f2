package catalog

import (
	"context"
	"time"

	"sluice/shared/auth"
	"sluice/shared/fault"
	"sluice/shared/table"
)

// Lease is a server's turn at what only one of all servers may do at a time,
// such as a sweep. It runs out by itself, so that a server that crashed holds
// the others up no longer than that.
//
// A lease is for order, not for safety: by the clocks of two servers it may end
// at different moments. What is done under one must do no harm when two do it.
type Lease struct {
	catalog *Catalog
	name    string
	holder  string
	life    time.Duration
}

// leasePartition holds every lease. They are hot records.
const leasePartition = "LEASES"

func leaseKey(name string) table.Key { return table.Key{PK: leasePartition, SK: name} }

// Lease takes the lease of that name, for so long from now on. It is nil where
// somebody else has it.
func (c *Catalog) Lease(ctx context.Context, name string, life time.Duration) (*Lease, error) {
	l := &Lease{catalog: c, name: name, holder: auth.NewID(c.now()), life: life}
	err := l.write(ctx, table.IfAbsent())
	if lost(err) {
		return nil, nil
	}
	return l, err
}

func (l *Lease) write(ctx context.Context, test table.Test) error {
	op := put(leaseKey(l.name), table.Attrs{"holder": l.holder}, test)
	op.ExpiresAt = l.catalog.now().Add(l.life)
	_, err := l.catalog.hot.Apply(ctx, op)
	return err
}

// Keep returns nil while the lease is held, and lets it last its whole life
// again once a third of that is over. It fails with Conflict "lease_lost" where
// the lease has run out, whether or not somebody else has it now: then what was
// done under it must stop.
func (l *Lease) Keep(ctx context.Context) error {
	item, found, err := l.catalog.hot.Get(ctx, leaseKey(l.name))
	if err != nil {
		return err
	}
	if !found || (reader{item.Attrs}).str("holder") != l.holder {
		return l.gone()
	}
	if item.ExpiresAt.Sub(l.catalog.now()) > l.life*2/3 {
		return nil
	}
	err = l.write(ctx, table.IfEqual("holder", l.holder))
	if lost(err) {
		return l.gone()
	}
	return err
}

func (l *Lease) gone() error {
	return fault.Newf(fault.Conflict, "lease_lost", "The lease %q has run out.", l.name)
}

// Release gives the lease back, if it is still held.
func (l *Lease) Release(ctx context.Context) error {
	_, err := l.catalog.hot.Apply(ctx, remove(leaseKey(l.name), table.IfEqual("holder", l.holder)))
	if lost(err) {
		return nil
	}
	return err
}

// BreakLeases takes every lease from its holder. It is for a store that only
// one process can have open: there every holder from before is dead.
func (c *Catalog) BreakLeases(ctx context.Context) error {
	page, err := c.hot.Query(ctx, table.Query{PK: leasePartition, Limit: table.MaxQuery})
	if err != nil {
		return err
	}
	for _, item := range page.Items {
		if _, err := c.hot.Apply(ctx, remove(item.Key)); err != nil {
			return err
		}
	}
	return nil
}
