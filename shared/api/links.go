package api

import (
	"context"
	"net/http"
	"time"

	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/contract"
	"sluice/shared/disposition"
	"sluice/shared/fault"
	"sluice/shared/link"
)

func linkRoutes() []route {
	return []route{
		{http.MethodPost, "/api/files/:id/link", "createLink", required, createLink},
		{http.MethodDelete, "/api/files/:id/links/:link_id", "revokeLink", required, revokeLink},
	}
}

// linkedRoutes look at no credentials: a link counts alone.
func linkedRoutes() []route {
	return []route{
		{http.MethodGet, "/l/:link/:name", "getLink", open, getLink},
		{http.MethodHead, "/l/:link/:name", "headLink", open, getLink},
	}
}

func createLink(s *server, r *request) error {
	f, err := s.fileByID(r, auth.LinkFile)
	if err != nil {
		return err
	}
	in, err := decodeIfSent[contract.LinkRequest](s, r)
	if err != nil {
		return err
	}
	if in.VersionID != nil {
		if f, err = s.atVersion(r, f, *in.VersionID); err != nil {
			return err
		}
	}
	life, shown := link.DefaultLife, disposition.Type("")
	if in.ExpiresIn != nil {
		life = time.Duration(*in.ExpiresIn) * time.Second
	}
	if in.Disposition != nil {
		shown = disposition.Type(*in.Disposition)
	}
	sealed, l := s.Links.Make(r.identity.User, *f, life, shown)
	return reply(r, http.StatusCreated, contract.Link{
		ID:  l.ID,
		URL: s.downloads(r, "l", sealed, f.Name())[0], ExpiresAt: l.ExpiresAt, VersionID: l.Version,
	})
}

// revokeLink ends one link to a file. Whether there was one of that id nobody
// knows: links are not stored.
func revokeLink(s *server, r *request) error {
	f, err := s.fileByID(r, auth.LinkFile)
	if err != nil {
		return err
	}
	err = s.Links.Revoke(r.Request.Context(), f.ID, r.Param("link_id"))
	if fault.Is(err, fault.NotFound, "") {
		return auth.Absent(r.subject(), auth.LinkFile)
	}
	if err != nil {
		return err
	}
	r.Status(http.StatusNoContent)
	return nil
}

// getLink delivers what a link seals. The name in the URL is for people.
func getLink(s *server, r *request) error {
	l, f, err := s.Links.Open(r.Request.Context(), r.Param("link"))
	r.file, r.linked, r.until = l.File, &l, l.ExpiresAt
	if err != nil {
		return err
	}
	r.allowed = func(ctx context.Context) error { return s.Links.Still(ctx, l, f) }
	// What a link leads to is no shared cache's to keep, of a public file
	// neither: the URL is a secret.
	f.Visibility = catalog.Private
	return s.deliver(r, &f)
}
