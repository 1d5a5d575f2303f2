package api

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"net/http"
	"time"

	"sluice/shared/auth"
	"sluice/shared/byterange"
	"sluice/shared/catalog"
	"sluice/shared/contract"
	"sluice/shared/fault"
	"sluice/shared/manifest"
)

// sessionLife is how long a download session lasts from its last renewal.
const sessionLife = 24 * time.Hour

func sessionRoutes() []route {
	return []route{
		{http.MethodPost, "/api/files/:id/sessions", "createSession", required, createSession},
		{http.MethodGet, "/api/sessions", "listSessions", required, listSessions},
		{http.MethodGet, "/api/sessions/:id", "getSession", required, getSession},
		{http.MethodPost, "/api/sessions/:id/renew", "renewSession", required, renewSession},
		{http.MethodDelete, "/api/sessions/:id", "deleteSession", required, deleteSession},
	}
}

// sourceRoutes are those of what a session's URLs lead to.
func sourceRoutes() []route {
	return []route{
		{http.MethodGet, "/s/:source/:name", "getSource", open, getSource},
		{http.MethodHead, "/s/:source/:name", "headSource", open, getSource},
	}
}

func createSession(s *server, r *request) error {
	f, err := s.fileByID(r, auth.StartSession)
	if err != nil {
		return err
	}
	in, err := decodeIfSent[contract.CreateSessionRequest](s, r)
	if err != nil {
		return err
	}
	if f, err = s.atVersion(r, f, in.VersionID); err != nil {
		return err
	}
	now := s.Clock()
	session := catalog.Session{
		ID: auth.NewID(now), User: r.identity.User.ID, Owner: f.Owner, File: f.ID, Version: f.Version.ID,
		CreatedAt: now, ExpiresAt: now.Add(sessionLife),
	}
	session, err = s.Catalog.CreateSession(r.Request.Context(), session, s.MaxSessions)
	if fault.Is(err, fault.NotFound, "") {
		return auth.Absent(r.subject(), auth.StartSession)
	}
	if err != nil {
		return err
	}
	shown, err := s.shownSession(r, session, f)
	if err != nil {
		return err
	}
	r.Header("Location", "/api/sessions/"+session.ID)
	return reply(r, http.StatusCreated, shown)
}

// listSessions tells the caller's own sessions.
func listSessions(s *server, r *request) error {
	if err := checkQuery(r); err != nil {
		return err
	}
	me := r.identity.User.ID
	if err := auth.May(r.subject(), auth.ManageSession, auth.Object{Owner: me}); err != nil {
		return err
	}
	sessions, err := s.Catalog.OpenSessions(r.Request.Context(), me)
	if err != nil {
		return err
	}
	out := contract.DownloadSessionList{Sessions: []contract.DownloadSession{}}
	for _, session := range sessions {
		f, _, err := s.Catalog.SessionFile(r.Request.Context(), session)
		if fault.Is(err, fault.NotFound, "") { // it ended, and the file has gone
			continue
		}
		if err != nil {
			return err
		}
		shown, err := s.shownSession(r, session, &f)
		if err != nil {
			return err
		}
		out.Sessions = append(out.Sessions, shown)
	}
	return reply(r, http.StatusOK, out)
}

func getSession(s *server, r *request) error {
	session, err := s.session(r)
	if err != nil {
		return err
	}
	return s.replySession(r, session)
}

func renewSession(s *server, r *request) error {
	session, err := s.session(r)
	if err != nil {
		return err
	}
	session, err = s.Catalog.RenewSession(r.Request.Context(), session.ID, s.Clock().Add(sessionLife))
	if fault.Is(err, fault.NotFound, "") {
		return auth.Absent(r.subject(), auth.ManageSession)
	}
	if err != nil {
		return err
	}
	return s.replySession(r, session)
}

func deleteSession(s *server, r *request) error {
	session, err := s.session(r)
	if err != nil {
		return err
	}
	if err := s.Catalog.EndSession(r.Request.Context(), session); err != nil {
		return err
	}
	r.Status(http.StatusNoContent)
	return nil
}

// session returns the session whose id the path gives, if the caller is who
// downloads, who owns the file, or an admin.
func (s *server) session(r *request) (catalog.Session, error) {
	session, err := s.Catalog.Session(r.Request.Context(), r.Param("id"))
	if fault.Is(err, fault.NotFound, "") {
		return session, auth.Absent(r.subject(), auth.ManageSession)
	}
	if err != nil {
		return session, err
	}
	r.file = session.File
	if auth.May(r.subject(), auth.ManageSession, auth.Object{Owner: session.Owner}) == nil {
		return session, nil
	}
	return session, auth.May(r.subject(), auth.ManageSession, auth.Object{Owner: session.User})
}

func (s *server) replySession(r *request, session catalog.Session) error {
	f, _, err := s.Catalog.SessionFile(r.Request.Context(), session)
	if err != nil {
		return err
	}
	shown, err := s.shownSession(r, session, &f)
	if err != nil {
		return err
	}
	return reply(r, http.StatusOK, shown)
}

func (s *server) shownSession(r *request, session catalog.Session, f *catalog.File) (contract.DownloadSession, error) {
	user, err := s.Catalog.User(r.Request.Context(), session.User)
	if err != nil && !fault.Is(err, fault.NotFound, "") { // of nobody the URLs are over
		return contract.DownloadSession{}, err
	}
	chunk := manifest.ChunkSize(f.Version.Size)
	return contract.DownloadSession{
		ID: session.ID, FileID: f.ID, Name: f.Name(), VersionID: session.Version, ETag: f.Version.ETag, Size: f.Version.Size,
		SHA256: hex.EncodeToString(f.Version.Verified()), ChunkSize: chunk, ChunkCount: manifest.Count(f.Version.Size, chunk),
		Sources:   s.sources(r, session, user, f),
		RenewURL:  s.external(r, "api", "sessions", session.ID, "renew"),
		ExpiresAt: moment(session.ExpiresAt),
		Limits: contract.SessionLimits{
			RenewableUntil: moment(session.CreatedAt.Add(catalog.MaxPin)), OpenSessions: s.MaxSessions,
			Ranges: byterange.MaxRanges, StallSeconds: int(s.Stall.Seconds()),
		},
	}, nil
}

// sources are the URLs that deliver what the session of that user is of.
func (s *server) sources(r *request, session catalog.Session, user catalog.User, f *catalog.File) []contract.Source {
	var sources []contract.Source
	sealed := s.sealSource(source{session: session.ID, end: session.ExpiresAt, epoch: user.Epoch})
	for _, url := range s.downloads(r, "s", sealed, f.Name()) {
		sources = append(sources, contract.Source{URL: url, ExpiresAt: moment(session.ExpiresAt)})
	}
	return sources
}

// source is what a session's URL seals.
type source struct {
	session string    // its id
	end     time.Time // in whole seconds
	epoch   int64     // the user's, when the URL was given: a new password ends it
}

// sourceSize is how many bytes a sealed source has behind the session's id.
const sourceSize = 16

func (s *server) sealSource(u source) string {
	payload := binary.BigEndian.AppendUint64([]byte(u.session), uint64(u.end.Unix()))
	return s.Ring.Seal("session", binary.BigEndian.AppendUint64(payload, uint64(u.epoch)))
}

// openSource returns what a URL seals that is not over.
func (s *server) openSource(sealed string) (source, error) {
	payload, err := s.Ring.Open("session", sealed)
	if err != nil || len(payload) < sourceSize {
		return source{}, fault.New(fault.Forbidden, "link_invalid", "This is not a link that we gave out.")
	}
	id, rest := payload[:len(payload)-sourceSize], payload[len(payload)-sourceSize:]
	u := source{
		session: string(id), end: time.Unix(int64(binary.BigEndian.Uint64(rest)), 0), epoch: int64(binary.BigEndian.Uint64(rest[8:])),
	}
	if !s.Clock().Before(u.end) {
		return u, sessionOver()
	}
	return u, nil
}

func sessionOver() error {
	return fault.New(fault.Forbidden, "link_expired", "The download session is over; renew it or begin another.")
}

// getSource delivers the version that a session is of.
func getSource(s *server, r *request) error {
	u, err := s.openSource(r.Param("source"))
	if err != nil {
		return err
	}
	r.until = u.end
	f, user, err := s.sessionFile(r.Request.Context(), u)
	if err != nil {
		return err
	}
	r.file, r.session, r.onBehalf = f.ID, u.session, user
	r.allowed = func(ctx context.Context) error {
		_, _, err := s.sessionFile(ctx, u)
		return err
	}
	return s.deliver(r, f)
}

// sessionFile returns what a session's URL delivers, and the id of its user,
// while it may: the session is neither over nor revoked, its user is still let
// in by the password of then, and may read the file if that is still there. One
// that was deleted is delivered to the end.
func (s *server) sessionFile(ctx context.Context, link source) (*catalog.File, string, error) {
	session, err := s.Catalog.Session(ctx, link.session)
	if err != nil {
		return nil, "", sourceError(err)
	}
	u, err := s.Catalog.User(ctx, session.User)
	if err != nil {
		return nil, "", sourceError(err)
	}
	f, live, err := s.Catalog.SessionFile(ctx, session)
	if err != nil {
		return nil, "", sourceError(err)
	}
	reads := auth.May(auth.Subject{UserID: u.ID, Role: u.Role}, auth.ReadFile,
		auth.Object{Owner: f.Owner, Public: f.Visibility == catalog.Public}) == nil
	if u.Disabled || u.Epoch != link.epoch || live && !reads {
		return nil, "", sessionOver()
	}
	f.Visibility = catalog.Private // what the URL leads to is no shared cache's to keep: it is a secret
	return &f, u.ID, nil
}

// sourceError tells whoever holds a URL no more than that it is over.
func sourceError(err error) error {
	if fault.Is(err, fault.NotFound, "") {
		return sessionOver()
	}
	return err
}
