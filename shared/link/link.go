// Package link makes and opens links: URLs of ours that deliver one version of
// a file to whoever has them, and give no other right.
//
// A link is not stored. It seals what it is for, and is judged anew whenever
// it is used: it has the rights that its issuer has then, and dies with them.
// What is stored is the revocation of one link, until it would be over.
package link

import (
	"cmp"
	"context"
	"time"

	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/disposition"
	"sluice/shared/fault"
)

// DefaultLife is how long a link lives where nobody says, MaxLife the longest
// that it may.
const (
	DefaultLife = 15 * time.Minute
	MaxLife     = 7 * 24 * time.Hour
)

// purpose keeps links apart from all else that the ring seals.
const purpose = "link"

// Service makes and opens links. It is safe for concurrent use.
type Service struct {
	Catalog *catalog.Catalog
	Ring    *auth.Ring
	Clock   func() time.Time
}

// Link is what a link seals.
type Link struct {
	ID          string // to revoke it by
	File        string // the file's id
	Version     string // the version's id
	Issuer      string // the id of the user who made it
	Epoch       int64  // the issuer's, when it was made
	ExpiresAt   time.Time
	Disposition disposition.Type // empty: inline where that is safe
}

// Make returns a link of issuer to the version that f has, as text that needs
// no escaping in a URL. life is cut to whole seconds. That the issuer may make
// one is for the caller to ask.
func (s *Service) Make(issuer catalog.User, f catalog.File, life time.Duration, d disposition.Type) (string, Link) {
	now := s.Clock()
	l := Link{
		ID: auth.NewID(now), File: f.ID, Version: f.Version.ID, Issuer: issuer.ID, Epoch: issuer.Epoch,
		ExpiresAt: now.Add(life).UTC().Truncate(time.Second), Disposition: d,
	}
	return s.Ring.Seal(purpose, l.encode()), l
}

// Open returns what a link seals and the file as it was with the link's
// version. It fails with Forbidden "link_expired" for a link that is over, and
// with Forbidden "link_invalid", alike for every other reason: it is not ours,
// or its file, its version, its issuer or the issuer's right is gone.
func (s *Service) Open(ctx context.Context, text string) (Link, catalog.File, error) {
	payload, err := s.Ring.Open(purpose, text)
	if err != nil {
		return Link{}, catalog.File{}, invalid()
	}
	l, ok := decode(payload)
	if !ok {
		return Link{}, catalog.File{}, invalid()
	}
	if !s.Clock().Before(l.ExpiresAt) {
		return l, catalog.File{}, fault.New(fault.Forbidden, "link_expired", "The link has expired; ask for a new one.")
	}
	f, err := s.Catalog.File(ctx, l.File)
	if err == nil {
		err = s.Still(ctx, l, f)
	}
	if err == nil {
		f, err = s.Catalog.At(ctx, f, l.Version)
	}
	return l, f, refused(err)
}

// Revoke ends one link to a file, on every server within catalog.MaxAge.
func (s *Service) Revoke(ctx context.Context, file, id string) error {
	return s.Catalog.RevokeLink(ctx, file, id, s.Clock().Add(MaxLife))
}

// Still returns nil while the link was not revoked and its issuer stands by it:
// is there, is not disabled, has not begun a new epoch, and may link to the
// file. Expiry is not asked, so that a download may last longer than its link.
func (s *Service) Still(ctx context.Context, l Link, f catalog.File) error {
	issuer, err := s.Catalog.User(ctx, l.Issuer)
	if err != nil {
		return refused(err)
	}
	if issuer.Disabled || issuer.Epoch != l.Epoch {
		return invalid()
	}
	if revoked, err := s.Catalog.LinkRevoked(ctx, l.File, l.ID); err != nil || revoked {
		return cmp.Or(err, invalid())
	}
	return refused(auth.May(auth.Subject{UserID: issuer.ID, Role: issuer.Role}, auth.LinkFile, auth.Object{Owner: f.Owner}))
}

// refused makes one answer of everything that a link can lack, so that it
// tells its bearer nothing.
func refused(err error) error {
	switch fault.KindOf(err) {
	case fault.NotFound, fault.Forbidden:
		return invalid()
	default:
		return err
	}
}

func invalid() error {
	return fault.New(fault.Forbidden, "link_invalid", "The link is not good, or no longer.")
}
