package api

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"net/http"

	"sluice/shared/auth"
	"sluice/shared/blob"
	"sluice/shared/catalog"
	"sluice/shared/contract"
	"sluice/shared/fault"
	"sluice/shared/upload"
)

func uploadRoutes() []route {
	return []route{
		{http.MethodPost, "/api/files", "createUpload", required, createUpload},
		{http.MethodGet, "/api/uploads/:id", "getUpload", required, getUpload},
		{http.MethodDelete, "/api/uploads/:id", "abortUpload", required, abortUpload},
		{http.MethodPost, "/api/uploads/:id/parts", "issueParts", required, issueParts},
		{http.MethodPut, "/api/uploads/:id/parts/:number", "putPart", open, putPart},
		{http.MethodPost, "/api/uploads/:id/complete", "completeUpload", required, completeUpload},
	}
}

// maxCondition is the longest condition that is kept with an upload, in bytes.
const maxCondition = 2048

// createUpload begins an upload in parts among the caller's files, or among
// those of an owner that is named.
func createUpload(s *server, r *request) error {
	owner := r.identity.User.ID
	if err := auth.May(r.subject(), auth.WriteFile, auth.Object{Owner: owner}); err != nil {
		return err
	}
	in, err := decode[contract.CreateUploadRequest](s, r)
	if err != nil {
		return err
	}
	if in.Owner != "" {
		if owner, err = s.owner(r, in.Owner, auth.WriteFile); err != nil {
			return err
		}
	}
	begin := upload.Multipart{
		Owner: owner, By: r.identity.User.ID, Path: in.Path, Size: -1, PartSize: in.PartSize,
		ContentType: cmp.Or(in.ContentType, defaultContentType), Condition: catalog.ConditionOf(r.Request.Header),
	}
	if begin.Condition.Size() > maxCondition {
		return fault.InvalidField("If-Match", "The conditions have over %d bytes.", maxCondition)
	}
	if in.Size != nil {
		begin.Size = *in.Size
	}
	if err := upload.CheckPath("path", in.Path); err != nil {
		return err
	}
	if err := upload.CheckContentType("content_type", begin.ContentType); err != nil {
		return err
	}
	if begin.SHA256, err = readSum("sha256", in.SHA256); err != nil {
		return err
	}
	if begin.Once, err = onceOf(r, owner, in); err != nil {
		return err
	}
	m, again, err := s.Uploads.Begin(r.Request.Context(), begin)
	if err != nil {
		return err
	}
	var parts []blob.Part // none have arrived of one that has just begun
	if again {
		if parts, err = s.Uploads.Parts(r.Request.Context(), m); err != nil {
			return err
		}
	}
	r.Header("Location", "/api/uploads/"+m.ID)
	return reply(r, http.StatusCreated, showUpload(m, parts))
}

// maxIdempotencyKey is the longest key that is taken, in bytes.
const maxIdempotencyKey = 255

// onceOf returns what makes a request to begin an upload count once. The draft
// has a String of RFC 9651 as key; any text is taken, for what it is.
func onceOf(r *request, owner string, in contract.CreateUploadRequest) (catalog.Once, error) {
	lines := r.Request.Header.Values("Idempotency-Key")
	if len(lines) == 0 {
		return catalog.Once{}, nil
	}
	if len(lines) > 1 || lines[0] == "" || len(lines[0]) > maxIdempotencyKey {
		return catalog.Once{}, fault.InvalidField("Idempotency-Key", "A key is one text of 1 to %d bytes.", maxIdempotencyKey)
	}
	asked, err := json.Marshal(struct {
		Owner     string
		Body      contract.CreateUploadRequest
		Condition http.Header
	}{owner, in, catalog.ConditionOf(r.Request.Header).Fields()})
	if err != nil {
		return catalog.Once{}, err
	}
	sum := sha256.Sum256(asked)
	return catalog.Once{By: r.identity.User.ID, Key: lines[0], Print: sum[:]}, nil
}

// uploadByID returns the upload whose id the path gives, if the caller may go
// on with it.
func (s *server) uploadByID(r *request) (catalog.Multipart, error) {
	m, err := s.Catalog.Multipart(r.Request.Context(), r.Param("id"))
	if fault.Is(err, fault.NotFound, "") {
		return m, auth.Absent(r.subject(), auth.WriteFile)
	}
	if err != nil {
		return m, err
	}
	return m, auth.May(r.subject(), auth.WriteFile, auth.Object{Owner: m.Owner})
}

func getUpload(s *server, r *request) error {
	m, err := s.uploadByID(r)
	if err != nil {
		return err
	}
	if m.State == catalog.UploadVerifying {
		s.Uploads.Watch(m) // a crash may have ended what did it
	}
	parts, err := s.Uploads.Parts(r.Request.Context(), m)
	if err != nil {
		return err
	}
	return reply(r, http.StatusOK, showUpload(m, parts))
}

func abortUpload(s *server, r *request) error {
	m, err := s.uploadByID(r)
	if err != nil {
		return err
	}
	if err := s.Uploads.Abort(r.Request.Context(), m); err != nil {
		return err
	}
	r.Status(http.StatusNoContent)
	return nil
}

// completeUpload answers with the file, or with the upload where that takes
// longer than a request should.
func completeUpload(s *server, r *request) error {
	m, err := s.uploadByID(r)
	if err != nil {
		return err
	}
	if m, err = s.Uploads.Complete(r.Request.Context(), m); err != nil {
		return err
	}
	r.file = m.File
	if m.State != catalog.UploadComplete {
		return reply(r, http.StatusAccepted, showUpload(m, nil))
	}
	f, err := s.Catalog.File(r.Request.Context(), m.File)
	if err != nil {
		return err
	}
	r.Header("Location", "/api/files/"+f.ID)
	return s.replyFile(r, http.StatusOK, &f)
}

// showUpload is m as the API shows it.
func showUpload(m catalog.Multipart, parts []blob.Part) contract.Upload {
	out := contract.Upload{
		UploadID: m.ID, Path: m.Path, State: contract.UploadState(m.State), ContentType: m.ContentType,
		PartSize: m.PartSize, PartCount: upload.PartCount(m), Problem: m.Problem, FileID: m.File,
		CreatedAt: moment(m.CreatedAt), ExpiresAt: moment(m.ExpiresAt), Parts: make([]contract.Part, 0, len(parts)),
	}
	if m.Size >= 0 {
		out.Size = &m.Size
	}
	for _, p := range parts {
		out.Parts = append(out.Parts, showPart(p))
	}
	return out
}
