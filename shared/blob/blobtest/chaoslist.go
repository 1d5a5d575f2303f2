package blobtest

import (
	"context"

	"sluice/shared/blob"
)

// Lister implements blob.Driver: it disturbs the other one's, and declares no
// more than that.
func (c *Chaos) Lister() blob.Lister {
	if l := c.driver.Lister(); l != nil {
		return chaosList{c, l}
	}
	return nil
}

type chaosList struct {
	chaos  *Chaos
	lister blob.Lister
}

func (l chaosList) List(ctx context.Context, prefix, after string, limit int) ([]blob.Object, bool, error) {
	if err := l.chaos.disturb(ctx, List); err != nil {
		return nil, false, err
	}
	return l.lister.List(ctx, prefix, after, limit)
}
