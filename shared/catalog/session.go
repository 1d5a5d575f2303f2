package catalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
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

	place int // which of its user's places it has
}

func sessionKey(id string) table.Key { return table.Key{PK: "SESSION#" + id, SK: "SESSION"} }

// pinKey is that of a session's hold on a version. Sessions are hot records;
// what they pin is with what it protects, so that both change at once.
func pinKey(version, session string) table.Key {
	return table.Key{PK: "PINS#" + version, SK: session}
}

// placeKey is that of one of the places that a user has for open sessions. A
// place is taken until its session is over, and then free by itself, so that
// they are a limit that no crash and no clock can wear out.
func placeKey(user string, place int) table.Key {
	return table.Key{PK: "SESSIONS#" + user, SK: fmt.Sprintf("%04d", place)}
}

func (s Session) put(tests ...table.Test) table.Op {
	op := put(sessionKey(s.ID), table.Attrs{
		"user": s.User, "owner": s.Owner, "file": s.File, "version": s.Version,
		"created": millis(s.CreatedAt), "expires": millis(s.ExpiresAt), "place": int64(s.place),
	}, tests...)
	op.ExpiresAt = s.ExpiresAt
	return op
}

func (s Session) pin(tests ...table.Test) table.Op {
	op := put(pinKey(s.Version, s.ID), table.Attrs{"until": millis(s.ExpiresAt)}, tests...)
	op.ExpiresAt = s.ExpiresAt
	return op
}

func (s Session) takePlace(tests ...table.Test) table.Op {
	op := put(placeKey(s.User, s.place), table.Attrs{"session": s.ID}, tests...)
	op.ExpiresAt = s.ExpiresAt
	return op
}

func readSession(item table.Item) (Session, error) {
	r, err := read(item)
	return Session{
		ID: item.Key.PK[len("SESSION#"):], User: r.str("user"), Owner: r.str("owner"), File: r.str("file"),
		Version: r.str("version"), CreatedAt: r.time("created"), ExpiresAt: r.time("expires"), place: int(r.num("place")),
	}, err
}

// CreateSession records s, a session on a version of a file that is there: the
// current one, or one that was replaced and that nobody is removing yet. most
// is how many open sessions s.User may have; one more fails with
// TooManyRequests "too_many_sessions", a version that there is not with
// NotFound.
//
// The pin comes first; a crash after it leaves a pin that ends by itself.
func (c *Catalog) CreateSession(ctx context.Context, s Session, most int) (Session, error) {
	if _, err := c.freePlace(ctx, s.User, most); err != nil {
		return s, err
	}
	if err := c.pinVersion(ctx, s); err != nil {
		return s, err
	}
	opened, err := c.openSession(ctx, s, most)
	if err != nil {
		_, undo := c.table.Apply(context.WithoutCancel(ctx), remove(pinKey(s.Version, s.ID)))
		err = errors.Join(err, undo)
	}
	return opened, err
}

// pinVersion pins on condition that the version is current, and so not yet
// due, or that its removal is still open: the janitor, who claims it first,
// then finds the pin.
func (c *Catalog) pinVersion(ctx context.Context, s Session) error {
	there := check(fileKey(s.File), table.IfEqual("version", s.Version), table.IfEqual("deleted", int64(0)))
	for range c.tries(ctx) {
		err := c.table.Transact(ctx, there, s.pin())
		if !lost(err) {
			return err
		}
		f, err := c.freshFile(ctx, s.File)
		if err == nil && c.gone(f) {
			err = notFound("file")
		}
		if err != nil {
			return err
		}
		if f.Version.ID == s.Version {
			continue
		}
		v, err := c.version(ctx, s.File, s.Version)
		if err != nil {
			return err
		}
		err = c.table.Transact(ctx, check(v.due(s.File).key(), table.IfEqual("state", dueOpen)),
			check(fileKey(s.File), table.IfEqual("deleted", int64(0))), s.pin())
		if !lost(err) {
			return err
		}
		if claimed, err := c.claimed(ctx, v.due(s.File)); err != nil || claimed {
			return cmp.Or(err, notFound("version"))
		}
	}
	return contended()
}

// openSession writes the session's record and takes a place for it.
func (c *Catalog) openSession(ctx context.Context, s Session, most int) (Session, error) {
	for range most + attempts {
		place, err := c.freePlace(ctx, s.User, most)
		if err != nil {
			return s, err
		}
		s.place = place
		err = c.hot.Transact(ctx, s.takePlace(table.IfAbsent()), s.put(table.IfAbsent()))
		if !lost(err) {
			return s, err
		}
	}
	return s, contended()
}

// freePlace returns a place that the user has free. Which one is left to
// chance, so that sessions begun at once seldom want the same.
func (c *Catalog) freePlace(ctx context.Context, user string, most int) (int, error) {
	page, err := c.hot.Query(ctx, table.Query{PK: placeKey(user, 0).PK, Limit: table.MaxQuery})
	if err != nil {
		return 0, err
	}
	taken := map[string]bool{}
	first := c.now().Add(MaxPin)
	for _, item := range page.Items {
		taken[item.Key.SK] = true
		if item.ExpiresAt.Before(first) {
			first = item.ExpiresAt
		}
	}
	if len(taken) >= most {
		return 0, fault.Newf(fault.TooManyRequests, "too_many_sessions",
			"You have %d open download sessions, as many as are allowed: end one, or wait for one to be over.", len(taken)).
			WithRetryAfter(first.Sub(c.now()))
	}
	for place := rand.N(most); ; place = (place + 1) % most {
		if !taken[placeKey(user, place).SK] {
			return place, nil
		}
	}
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

// OpenSessions returns the sessions of a user that are not over, the one begun
// first first.
func (c *Catalog) OpenSessions(ctx context.Context, user string) ([]Session, error) {
	// No user has more places than one query tells.
	page, err := c.hot.Query(ctx, table.Query{PK: placeKey(user, 0).PK, Limit: table.MaxQuery})
	if err != nil {
		return nil, err
	}
	var sessions []Session
	for _, item := range page.Items {
		r, err := read(item)
		if err != nil {
			return nil, err
		}
		s, err := c.freshSession(ctx, r.str("session"))
		switch {
		case err == nil:
			sessions = append(sessions, s)
		case !fault.Is(err, fault.NotFound, ""): // it ends just now
			return nil, err
		}
	}
	slices.SortFunc(sessions, func(a, b Session) int { return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.ID, b.ID)) })
	return sessions, nil
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
	_, err = c.table.Apply(ctx, s.pin(table.IfExists()))
	if err == nil {
		err = c.hot.Transact(ctx, s.put(table.IfExists()), s.takePlace(table.IfEqual("session", s.ID)))
	}
	c.sessions.forget(id)
	if lost(err) {
		err = notFound("session")
	}
	return s, err
}

// EndSession ends a session and lets go of the version it pinned.
func (c *Catalog) EndSession(ctx context.Context, s Session) error {
	err := c.hot.Transact(ctx, remove(sessionKey(s.ID)), remove(placeKey(s.User, s.place), table.IfEqual("session", s.ID)))
	if lost(err) {
		_, err = c.hot.Apply(ctx, remove(sessionKey(s.ID))) // it was ended before, or has no place
	}
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
