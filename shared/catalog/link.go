package catalog

import (
	"context"
	"time"

	"sluice/shared/auth"
	"sluice/shared/table"
)

// revokedKey is that of the note that one link to a file is not good any more.
func revokedKey(file, link string) table.Key { return table.Key{PK: "REVOKED#" + file, SK: link} }

// RevokeLink ends one link to a file. It is remembered until then, when the
// link is over anyway. Links are not recorded: an id of none is taken too.
func (c *Catalog) RevokeLink(ctx context.Context, file, link string, until time.Time) error {
	if !auth.ValidID(link) {
		return notFound("link")
	}
	op := put(revokedKey(file, link), table.Attrs{})
	op.ExpiresAt = until
	_, err := c.table.Apply(ctx, op)
	c.revoked.forget(file + link)
	return err
}

// LinkRevoked reports whether a link was revoked, MaxAge ago at the latest.
func (c *Catalog) LinkRevoked(ctx context.Context, file, link string) (bool, error) {
	return c.revoked.get(ctx, file+link, func(ctx context.Context) (bool, error) {
		_, found, err := c.table.Get(ctx, revokedKey(file, link))
		return found, err
	})
}
