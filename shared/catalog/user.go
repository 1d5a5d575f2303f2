package catalog

import (
	"context"
	"time"

	"sluice/shared/auth"
	"sluice/shared/fault"
	"sluice/shared/table"
)

// User is one account. Its id is opaque and never reused; its username is
// unique and never changes.
type User struct {
	ID          string
	Username    string
	DisplayName string
	Role        auth.Role
	Disabled    bool
	Password    string // the encoded hash
	Epoch       int64  // logins of an older epoch are dead
	CreatedAt   time.Time
	UpdatedAt   time.Time
	Quota       Quota // what the user may own

	leaving bool // being deleted: nothing more may be published for it
	rev     int64
}

func userKey(id string) table.Key { return table.Key{PK: "USER#" + id, SK: "USER"} }

// usernameKey names the item that makes usernames unique, and lists them.
func usernameKey(name string) table.Key { return table.Key{PK: "USERNAMES", SK: name} }

func (u User) attrs() table.Attrs {
	return table.Attrs{
		"username": u.Username, "display_name": u.DisplayName, "role": string(u.Role),
		"disabled": u.Disabled, "leaving": u.leaving, "password": u.Password, "epoch": u.Epoch,
		"created": millis(u.CreatedAt), "updated": millis(u.UpdatedAt), "rev": u.rev,
		"quota_bytes": storedBound(u.Quota.Bytes), "quota_files": storedBound(u.Quota.Files),
	}
}

func readUser(item table.Item) (User, error) {
	r, err := read(item)
	return User{
		ID: item.Key.PK[len("USER#"):], Username: r.str("username"), DisplayName: r.str("display_name"),
		Role: auth.Role(r.str("role")), Disabled: r.flag("disabled"), leaving: r.flag("leaving"),
		Password: r.str("password"), Epoch: r.num("epoch"),
		CreatedAt: r.time("created"), UpdatedAt: r.time("updated"), rev: r.num("rev"),
		Quota: Quota{Bytes: r.bound("quota_bytes"), Files: r.bound("quota_files")},
	}, err
}

// CreateUser adds u, whose ID the caller chose. It fails with Conflict
// "username_taken".
func (c *Catalog) CreateUser(ctx context.Context, u User) (User, error) {
	u.CreatedAt, u.UpdatedAt, u.rev = c.now(), c.now(), 1
	err := c.table.Transact(ctx,
		put(usernameKey(u.Username), table.Attrs{"id": u.ID}, table.IfAbsent()),
		put(userKey(u.ID), u.attrs(), table.IfAbsent()))
	if lost(err) {
		return User{}, fault.New(fault.Conflict, "username_taken", "That username is taken.")
	}
	return u, err
}

// User returns the user with that id, or NotFound.
func (c *Catalog) User(ctx context.Context, id string) (User, error) {
	return c.users.get(ctx, id, func(ctx context.Context) (User, error) { return c.freshUser(ctx, id) })
}

func (c *Catalog) freshUser(ctx context.Context, id string) (User, error) {
	if !auth.ValidID(id) {
		return User{}, notFound("user")
	}
	item, found, err := c.table.Get(ctx, userKey(id))
	if err != nil {
		return User{}, err
	}
	if !found {
		return User{}, notFound("user")
	}
	return readUser(item)
}

// UserByName returns the user with that username, or NotFound.
func (c *Catalog) UserByName(ctx context.Context, name string) (User, error) {
	id, err := c.names.get(ctx, name, func(ctx context.Context) (string, error) {
		if auth.CheckUsername(name) != nil {
			return "", notFound("user")
		}
		item, found, err := c.table.Get(ctx, usernameKey(name))
		if err == nil && !found {
			err = notFound("user")
		}
		if err != nil {
			return "", err
		}
		r, err := read(item)
		return r.str("id"), err
	})
	if err != nil {
		return User{}, err
	}
	return c.User(ctx, id)
}

// Users lists up to limit users by username, from the first that follows
// after. more tells that others may follow.
func (c *Catalog) Users(ctx context.Context, after string, limit int) (users []User, more bool, err error) {
	q := table.Query{PK: usernameKey("").PK, Limit: limit}
	if after != "" {
		q.From = table.Next(after)
	}
	page, err := c.table.Query(ctx, q)
	if err != nil {
		return nil, false, err
	}
	keys := make([]table.Key, 0, len(page.Items))
	for _, item := range page.Items {
		keys = append(keys, userKey(reader{item.Attrs}.str("id")))
	}
	items, err := c.table.GetMany(ctx, keys)
	if err != nil {
		return nil, false, err
	}
	for _, item := range items {
		u, err := readUser(item)
		if err != nil {
			return nil, false, err
		}
		users = append(users, u)
	}
	return users, page.More, nil
}

// UpdateUser changes a user by edit, which gets the record as it is and may
// run several times. An error of edit ends the update and is returned as it is.
func (c *Catalog) UpdateUser(ctx context.Context, id string, edit func(*User) error) (User, error) {
	return c.editUser(ctx, id, func(u *User) error {
		u.UpdatedAt = c.now()
		return edit(u)
	})
}

// editUser is UpdateUser for changes that do not count as one.
func (c *Catalog) editUser(ctx context.Context, id string, edit func(*User) error) (User, error) {
	done, err := c.turns.take(ctx, userKey(id).PK)
	if err != nil {
		return User{}, err
	}
	defer done()
	for range c.tries(ctx) {
		u, err := c.freshUser(ctx, id)
		if err != nil {
			return User{}, err
		}
		if err := edit(&u); err != nil {
			return User{}, err
		}
		seen := u.rev
		u.rev = seen + 1
		_, err = c.table.Apply(ctx, change(userKey(id), u.attrs(), table.IfExists(), table.IfEqual("rev", seen)))
		if !lost(err) {
			c.users.forget(id)
			return u, err
		}
	}
	return User{}, contended()
}

// DeleteUser removes a user who owns no files; else it fails with Conflict
// "user_has_files" and changes nothing. Publishing for the user stops first,
// so that no file can slip in between.
func (c *Catalog) DeleteUser(ctx context.Context, id string) error {
	u, err := c.setLeaving(ctx, id, true)
	if err != nil {
		return err
	}
	page, err := c.table.Query(ctx, table.Query{PK: locationPartition(id), Limit: 1})
	if err == nil && len(page.Items) > 0 {
		err = fault.New(fault.Conflict, "user_has_files", "The user still owns files: delete them first, or disable the user.")
	}
	if err != nil {
		_, undo := c.setLeaving(context.WithoutCancel(ctx), id, false)
		if undo != nil && fault.KindOf(err) != fault.Conflict {
			return undo
		}
		return err
	}
	err = c.table.Transact(ctx,
		remove(userKey(id), table.IfEqual("leaving", true)),
		remove(usernameKey(u.Username), table.IfEqual("id", id)))
	c.users.forget(id)
	c.names.forget(u.Username)
	if lost(err) {
		return notFound("user")
	}
	return err
}

func (c *Catalog) setLeaving(ctx context.Context, id string, leaving bool) (User, error) {
	return c.editUser(ctx, id, func(u *User) error {
		u.leaving = leaving
		return nil
	})
}
