package catalog

import (
	"context"
	"time"

	"sluice/shared/auth"
	"sluice/shared/fault"
	"sluice/shared/table"
)

// MaxPin is how long one download session may keep a version from being
// removed.
const MaxPin = 7 * 24 * time.Hour

// Session is one person's download of one version. It pins the version: until
// it ends, the janitor leaves the bytes alone.
type Session struct {
	ID        string
	User      string // the id of whoever downloads
	Owner     string // the id of the file's owner
	File      string
	Version   string
	CreatedAt time.Time
	ExpiresAt time.Time // at most MaxPin after CreatedAt
}

func sessionKey(id string) table.Key { return table.Key{PK: "SESSION#" + id, SK: "SESSION"} }

// pinKey is that of a session's hold on a version. Sessions are hot records;
// what they pin is with what it protects, so that both change at once.
func pinKey(version, session string) table.Key {
	return table.Key{PK: "PINS#" + version, SK: session}
}

func (s Session) put() table.Op {
	op := put(sessionKey(s.ID), table.Attrs{
		"user": s.User, "owner": s.Owner, "file": s.File, "version": s.Version,
		"created": millis(s.CreatedAt), "expires": millis(s.ExpiresAt),
	})
	op.ExpiresAt = s.ExpiresAt
	return op
}

func (s Session) pin() table.Op {
	op := put(pinKey(s.Version, s.ID), table.Attrs{"until": millis(s.ExpiresAt)})
	op.ExpiresAt = s.ExpiresAt
	return op
}

func readSession(item table.Item) (Session, error) {
	r, err := read(item)
	return Session{
		ID: item.Key.PK[len("SESSION#"):], User: r.str("user"), Owner: r.str("owner"), File: r.str("file"),
		Version: r.str("version"), CreatedAt: r.time("created"), ExpiresAt: r.time("expires"),
	}, err
}

// CreateSession records s, a session on the version that is current. The pin
// comes first, on condition that the version is still current and so not yet
// due; a crash after it leaves a pin that ends by itself.
func (c *Catalog) CreateSession(ctx context.Context, s Session) error {
	err := c.table.Transact(ctx,
		check(fileKey(s.File), table.IfEqual("version", s.Version), table.IfEqual("deleted", int64(0))), s.pin())
	if lost(err) {
		return fault.New(fault.Conflict, "contended", "The file has changed meanwhile; try again.")
	}
	if err != nil {
		return err
	}
	_, err = c.hot.Apply(ctx, s.put())
	return err
}

// Session returns the session with that id, or NotFound: one that is over or
// revoked is gone.
func (c *Catalog) Session(ctx context.Context, id string) (Session, error) {
	s, err := c.sessions.get(ctx, id, func(ctx context.Context) (Session, error) { return c.freshSession(ctx, id) })
	if err == nil && !c.now().Before(s.ExpiresAt) {
		err = notFound("session")
	}
	return s, err
}

func (c *Catalog) freshSession(ctx context.Context, id string) (Session, error) {
	if !auth.ValidID(id) {
		return Session{}, notFound("session")
	}
	item, found, err := c.hot.Get(ctx, sessionKey(id))
	if err != nil {
		return Session{}, err
	}
	if !found {
		return Session{}, notFound("session")
	}
	return readSession(item)
}

// RenewSession moves a session's end to until, or as far as MaxPin allows, and
// never back. It fails with NotFound where the session is over.
func (c *Catalog) RenewSession(ctx context.Context, id string, until time.Time) (Session, error) {
	s, err := c.freshSession(ctx, id)
	if err != nil {
		return s, err
	}
	if last := s.CreatedAt.Add(MaxPin); until.After(last) {
		until = last
	}
	if !until.After(s.ExpiresAt) {
		return s, nil
	}
	s.ExpiresAt = until
	pin, renewed := s.pin(), s.put()
	pin.If, renewed.If = []table.Test{table.IfExists()}, []table.Test{table.IfExists()}
	_, err = c.table.Apply(ctx, pin)
	if err == nil {
		_, err = c.hot.Apply(ctx, renewed)
	}
	c.sessions.forget(id)
	if lost(err) {
		err = notFound("session")
	}
	return s, err
}

// EndSession ends a session and lets go of the version it pinned.
func (c *Catalog) EndSession(ctx context.Context, s Session) error {
	_, err := c.hot.Apply(ctx, remove(sessionKey(s.ID)))
	c.sessions.forget(s.ID)
	if err != nil {
		return err
	}
	_, err = c.table.Apply(ctx, remove(pinKey(s.Version, s.ID)))
	return err
}

// SessionFile returns the file of a session as it was with the session's
// version. live is false where the file was deleted since: the session may go
// on, for its version is pinned.
func (c *Catalog) SessionFile(ctx context.Context, s Session) (f File, live bool, err error) {
	f, err = c.files.get(ctx, s.File, func(ctx context.Context) (File, error) { return c.freshFile(ctx, s.File) })
	if err == nil {
		live = !c.gone(f)
		f, err = c.versionOf(ctx, f, s.Version)
	}
	return f, live, err
}

// versionOf is At for a file that may be gone.
func (c *Catalog) versionOf(ctx context.Context, f File, version string) (File, error) {
	if version == f.Version.ID {
		return f, nil
	}
	v, err := c.version(ctx, f.ID, version)
	if err == nil && v.contentType != "" {
		f.ContentType = v.contentType
	}
	f.Version = v
	return f, err
}

// pinnedUntil returns when the last session ends that pins one of the
// versions; zero where none does.
func (c *Catalog) pinnedUntil(ctx context.Context, versions ...string) (time.Time, error) {
	var until time.Time
	for _, version := range versions {
		q := table.Query{PK: pinKey(version, "").PK, Limit: table.MaxQuery}
		for {
			page, err := c.table.Query(ctx, q)
			if err != nil {
				return until, err
			}
			for _, item := range page.Items {
				if item.ExpiresAt.After(until) {
					until = item.ExpiresAt
				}
				q.From = table.Next(item.Key.SK)
			}
			if !page.More {
				break
			}
		}
	}
	return until, nil
}

// postponed moves a removal that the janitor has claimed to the end of the
// last session that pins what would go, and reports whether it did. Whoever
// pins, does so while the version is current: before the removal is due, so
// that every pin there will be is there when it is claimed.
func (c *Catalog) postponed(ctx context.Context, d due) (bool, error) {
	var versions []string
	owner := versionKey(d.File, d.Version) // of the record that tells when the removal is due
	attr := "kept"
	switch d.Kind {
	case dueVersion:
		versions = []string{d.Version}
	case dueFile:
		owner, attr = fileKey(d.File), "purge"
		all, err := c.allVersions(ctx, d.File)
		if err != nil {
			return false, err
		}
		versions = all
	default:
		return false, nil
	}
	until, err := c.pinnedUntil(ctx, versions...)
	if err != nil || until.IsZero() {
		return false, err
	}
	later := d
	later.At = until.UTC()
	err = c.table.Transact(ctx,
		remove(d.key()), later.put(), change(owner, table.Attrs{attr: millis(later.At)}, table.IfExists()))
	c.files.forget(d.File)
	if lost(err) {
		return false, nil // the record is gone: what is left of it may go too
	}
	return err == nil, err
}

// allVersions returns the id of every version of a file.
func (c *Catalog) allVersions(ctx context.Context, file string) ([]string, error) {
	var ids []string
	for after, more := "", true; more; {
		versions, next, err := c.Versions(ctx, file, after, table.MaxQuery)
		if err != nil {
			return nil, err
		}
		for _, v := range versions {
			ids, after = append(ids, v.ID), v.ID
		}
		more = next && len(versions) > 0
	}
	return ids, nil
}
