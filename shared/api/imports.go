package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"io"
	"mime"
	"net/http"
	"strings"

	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/contract"
	"sluice/shared/fault"
	"sluice/shared/upload"
)

func importRoutes() []route {
	return []route{
		{http.MethodGet, "/api/imports", "listImports", required, listImports},
		{http.MethodPost, "/api/imports", "createImport", required, createImport},
		{http.MethodGet, "/api/imports/:id", "getImport", required, getImport},
		{http.MethodDelete, "/api/imports/:id", "stopImport", required, stopImport},
		{http.MethodPost, "/api/events/s3", "receiveEvents", open, receiveEvents},
	}
}

func listImports(s *server, r *request) error {
	if err := auth.May(r.subject(), auth.ManageImports, auth.Object{}); err != nil {
		return err
	}
	q, err := pageQuery(r)
	if err != nil {
		return err
	}
	after, err := s.openCursor(q.cursor, "imports")
	if err != nil {
		return err
	}
	imports, more, err := s.Catalog.Imports(r.Request.Context(), after, q.limit)
	if err != nil {
		return err
	}
	out := contract.ImportList{Imports: make([]contract.Import, 0, len(imports))}
	for _, i := range imports {
		shown, err := s.shownImport(r, i)
		if err != nil {
			return err
		}
		out.Imports = append(out.Imports, shown)
	}
	if more {
		out.NextCursor = s.sealCursor(imports[len(imports)-1].ID, "imports")
	}
	return reply(r, http.StatusOK, out)
}

func createImport(s *server, r *request) error {
	if err := auth.May(r.subject(), auth.ManageImports, auth.Object{}); err != nil {
		return err
	}
	in, err := decode[contract.CreateImportRequest](s, r)
	if err != nil {
		return err
	}
	owner, err := s.owner(r, in.Owner, auth.ManageImports)
	if err != nil {
		return err
	}
	begun, err := s.Uploads.BeginImport(r.Request.Context(), upload.ImportRequest{
		Source: in.Source, Owner: owner, Path: in.Path, By: r.identity.User.ID, DryRun: in.DryRun,
	})
	if err != nil {
		return err
	}
	shown, err := s.shownImport(r, begun)
	if err != nil {
		return err
	}
	r.Header("Location", "/api/imports/"+begun.ID)
	return reply(r, http.StatusAccepted, shown)
}

// getImport also sees to it that an import that runs does: the server that had
// it may be gone.
func getImport(s *server, r *request) error {
	i, err := s.importByID(r)
	if err != nil {
		return err
	}
	if i.State == catalog.ImportRunning {
		s.Uploads.WatchImport(i)
	}
	shown, err := s.shownImport(r, i)
	if err != nil {
		return err
	}
	return reply(r, http.StatusOK, shown)
}

func stopImport(s *server, r *request) error {
	i, err := s.importByID(r)
	if err != nil {
		return err
	}
	if err := s.Catalog.StopImport(r.Request.Context(), i.ID); err != nil {
		return err
	}
	r.Status(http.StatusNoContent)
	return nil
}

func (s *server) importByID(r *request) (catalog.Import, error) {
	if err := auth.May(r.subject(), auth.ManageImports, auth.Object{}); err != nil {
		return catalog.Import{}, err
	}
	i, err := s.Catalog.Import(r.Request.Context(), r.Param("id"))
	if fault.Is(err, fault.NotFound, "") {
		return i, auth.Absent(r.subject(), auth.ManageImports)
	}
	return i, err
}

// shownImport is i as the API shows it.
func (s *server) shownImport(r *request, i catalog.Import) (contract.Import, error) {
	out := contract.Import{
		ID: i.ID, Source: s.Uploads.ImportSource(i), Owner: i.Owner, Path: strings.TrimSuffix(i.Path, "/"), DryRun: i.DryRun,
		State: contract.ImportState(i.State), Seen: i.Counts.Seen, Registered: i.Counts.Registered, Unchanged: i.Counts.Unchanged,
		Skipped: i.Counts.Skipped, Failed: i.Counts.Failed, Bytes: i.Counts.Bytes, Problems: []contract.ImportProblem{},
		CreatedAt: moment(i.CreatedAt), UpdatedAt: moment(i.UpdatedAt),
	}
	for _, p := range i.Problems {
		out.Problems = append(out.Problems, contract.ImportProblem{Key: p.Key, Code: p.Code, Detail: p.Detail})
	}
	owner, err := s.Catalog.User(r.Request.Context(), i.Owner)
	switch {
	case err == nil:
		out.Owner = owner.Username
	case !fault.Is(err, fault.NotFound, ""):
		return out, err
	}
	return out, nil
}

// receiveEvents takes what a store tells of its objects. The body is S3's, not
// ours, and may gain members: so it is not decoded as strictly as what is asked
// of us by contract.
func receiveEvents(s *server, r *request) error {
	if err := s.checkWebhook(r); err != nil {
		return err
	}
	if mediaType, _, err := mime.ParseMediaType(r.GetHeader("Content-Type")); err != nil || mediaType != "application/json" {
		return fault.New(fault.UnsupportedMedia, "unsupported_media_type", "Send application/json.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(r.Writer, s.shortBody(r), maxJSON))
	if err != nil {
		return bodyError(err)
	}
	objects, err := upload.ReadEvents(body)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if err := s.Uploads.Reconcile(r.Request.Context(), o); err != nil {
			return err
		}
	}
	r.Status(http.StatusNoContent)
	return nil
}

// checkWebhook compares the token by hashes, so that neither its bytes nor its
// length can be found out by the time it takes.
func (s *server) checkWebhook(r *request) error {
	want := s.WebhookToken.Reveal()
	if want == "" {
		return fault.New(fault.NotFound, "no_route", "There is nothing at this path.")
	}
	got, _ := strings.CutPrefix(r.GetHeader("Authorization"), "Bearer ")
	gotSum, wantSum := sha256.Sum256([]byte(got)), sha256.Sum256([]byte(want))
	if subtle.ConstantTimeCompare(gotSum[:], wantSum[:]) != 1 {
		return fault.New(fault.Unauthenticated, "unauthenticated", "This is not the token that the store was given.")
	}
	return nil
}
