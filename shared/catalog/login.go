package catalog

import (
	"context"
	"time"

	"sluice/shared/auth"
	"sluice/shared/table"
)

// Login is a family of refresh tokens: one password entry and all the
// rotations that follow it.
type Login struct {
	ID         string
	UserID     string
	Epoch      int64 // the user's epoch when this login was last good
	Generation int64 // of the newest refresh token
	RotatedAt  time.Time
	CreatedAt  time.Time
	ExpiresAt  time.Time
}

func loginKey(id string) table.Key { return table.Key{PK: "LOGIN#" + id, SK: "LOGIN"} }

func (l Login) attrs() table.Attrs {
	return table.Attrs{
		"user": l.UserID, "epoch": l.Epoch, "generation": l.Generation,
		"rotated": millis(l.RotatedAt), "created": millis(l.CreatedAt),
	}
}

func readLogin(item table.Item) (Login, error) {
	r, err := read(item)
	return Login{
		ID: item.Key.PK[len("LOGIN#"):], UserID: r.str("user"), Epoch: r.num("epoch"), Generation: r.num("generation"),
		RotatedAt: r.time("rotated"), CreatedAt: r.time("created"), ExpiresAt: item.ExpiresAt,
	}, err
}

// CreateLogin adds l, whose ID the caller chose.
func (c *Catalog) CreateLogin(ctx context.Context, l Login) error {
	op := put(loginKey(l.ID), l.attrs(), table.IfAbsent())
	op.ExpiresAt = l.ExpiresAt
	_, err := c.table.Apply(ctx, op)
	return err
}

// Login returns the login with that id, or NotFound: an expired or revoked
// login is gone.
func (c *Catalog) Login(ctx context.Context, id string) (Login, error) {
	l, err := c.logins.get(ctx, id, func(ctx context.Context) (Login, error) { return c.FreshLogin(ctx, id) })
	if err == nil && !c.now().Before(l.ExpiresAt) {
		err = notFound("login")
	}
	return l, err
}

// FreshLogin is Login read from the table, for decisions that must not rest
// on an older state.
func (c *Catalog) FreshLogin(ctx context.Context, id string) (Login, error) {
	if !auth.ValidID(id) {
		return Login{}, notFound("login")
	}
	item, found, err := c.table.Get(ctx, loginKey(id))
	if err != nil {
		return Login{}, err
	}
	if !found {
		return Login{}, notFound("login")
	}
	return readLogin(item)
}

// RotateLogin replaces the record of l by next if l is still of the
// generation and epoch given. It reports whether it did; only one of several
// rotations from the same state does.
func (c *Catalog) RotateLogin(ctx context.Context, l, next Login) (bool, error) {
	op := change(loginKey(l.ID), next.attrs(), table.IfExists(),
		table.IfEqual("generation", l.Generation), table.IfEqual("epoch", l.Epoch))
	op.ExpiresAt = next.ExpiresAt
	_, err := c.table.Apply(ctx, op)
	c.logins.forget(l.ID)
	if lost(err) {
		return false, nil
	}
	return err == nil, err
}

// RevokeLogin ends a login: its refresh tokens at once, its access tokens
// within MaxAge on every server.
func (c *Catalog) RevokeLogin(ctx context.Context, id string) error {
	_, err := c.table.Apply(ctx, remove(loginKey(id)))
	c.logins.forget(id)
	return err
}
