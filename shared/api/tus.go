package api

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"

	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/fault"
	"sluice/shared/tus"
	"sluice/shared/upload"
)

// tusPath is where uploads by the tus protocol are, and fileField the field of
// an answer that names the file which one became.
const (
	tusPath   = "/api/tus"
	fileField = "Sluice-File"
)

func tusRoutes() []route {
	return []route{
		{http.MethodOptions, tusPath, "describeTus", open, describeTus},
		{http.MethodPost, tusPath, "createTusUpload", required, createTusUpload},
		{http.MethodHead, tusPath + "/:id", "getTusUpload", required, onTusUpload},
		{http.MethodPatch, tusPath + "/:id", "appendToTusUpload", required, onTusUpload},
		{http.MethodDelete, tusPath + "/:id", "terminateTusUpload", required, onTusUpload},
		{http.MethodPost, tusPath + "/:id", "overrideTusMethod", required, onTusUpload},
	}
}

// describeTus says what of the protocol is spoken here.
func describeTus(_ *server, r *request) error {
	r.Header("Tus-Version", tus.Version)
	r.Header("Tus-Extension", tus.Extensions)
	r.Header("Tus-Checksum-Algorithm", tus.Algorithms)
	r.Header("Tus-Max-Size", strconv.FormatInt(upload.MaxSize, 10))
	r.Status(http.StatusNoContent)
	return nil
}

// checkTusVersion returns nil for a request in the version spoken here.
func checkTusVersion(r *request) error {
	if r.GetHeader("Tus-Resumable") == tus.Version {
		return nil
	}
	r.Header("Tus-Version", tus.Version)
	return fault.New(fault.PreconditionFailed, "tus_version", "Send Tus-Resumable: "+tus.Version+".")
}

// tusMethod is the method of a request, or the one that is sent in its place by
// clients that can send no other than POST.
func tusMethod(r *request) string {
	return cmp.Or(r.GetHeader("X-HTTP-Method-Override"), r.Request.Method)
}

// onTusUpload does what the method says.
func onTusUpload(s *server, r *request) error {
	if err := checkTusVersion(r); err != nil {
		return err
	}
	switch tusMethod(r) {
	case http.MethodHead:
		return getTusUpload(s, r)
	case http.MethodPatch:
		return appendToTusUpload(s, r)
	case http.MethodDelete:
		return terminateTusUpload(s, r)
	default:
		r.Header("Allow", "HEAD, PATCH, DELETE")
		return noMethod(s, r)
	}
}

// createTusUpload begins an upload among the caller's files.
func createTusUpload(s *server, r *request) error {
	if err := checkTusVersion(r); err != nil {
		return err
	}
	if tusMethod(r) != http.MethodPost {
		r.Header("Allow", "OPTIONS, POST")
		return noMethod(s, r)
	}
	owner := r.identity.User.ID
	if err := auth.May(r.subject(), auth.WriteFile, auth.Object{Owner: owner}); err != nil {
		return err
	}
	begin, err := readTusUpload(r)
	if err != nil {
		return err
	}
	begin.Owner, begin.By = owner, owner
	m, _, err := s.Uploads.Begin(r.Request.Context(), begin)
	if err != nil {
		return err
	}
	if m, err = s.Uploads.Finish(r.Request.Context(), m); err != nil { // an empty one has all its bytes
		return err
	}
	r.Header("Location", tusPath+"/"+m.ID)
	showTusUpload(r, m)
	r.Status(http.StatusCreated)
	return nil
}

// readTusUpload reads what a POST says of the file to come.
func readTusUpload(r *request) (upload.Multipart, error) {
	begin := upload.Multipart{InSequence: true, Metadata: strings.Join(r.Request.Header.Values("Upload-Metadata"), ",")}
	var err error
	if begin.Size, err = tus.ParseSize(r.GetHeader("Upload-Length")); err != nil {
		return begin, fault.InvalidField("Upload-Length", "Say how many bytes the file has.")
	}
	if begin.Size > upload.MaxSize {
		return begin, fault.Newf(fault.TooLarge, "body_too_large", "A file has at most %d bytes.", upload.MaxSize)
	}
	about, err := tus.ParseMetadata(r.Request.Header.Values("Upload-Metadata"))
	if err != nil {
		return begin, fault.InvalidField("Upload-Metadata", "The metadata are malformed: %s.", err)
	}
	// The keys are those that clients send: filename and filetype by the
	// protocol's own example, name and type by Uppy.
	begin.Path = cmp.Or(about["path"], about["filename"], about["name"])
	if err := upload.CheckPath("Upload-Metadata", begin.Path); err != nil {
		return begin, err
	}
	begin.ContentType = cmp.Or(about["filetype"], about["type"], defaultContentType)
	return begin, upload.CheckContentType("Upload-Metadata", begin.ContentType)
}

// tusUpload returns the upload that the path names, if the caller may go on with
// it. One that was given up is gone.
func (s *server) tusUpload(r *request) (catalog.Multipart, error) {
	m, err := s.uploadByID(r)
	if err == nil && (m.Sequence == nil || m.State == catalog.UploadAborted || m.State == catalog.UploadFailed) {
		err = auth.Absent(r.subject(), auth.WriteFile)
	}
	return m, err
}

// showTusUpload says in the answer's header how far an upload is.
func showTusUpload(r *request, m catalog.Multipart) {
	r.Header("Upload-Offset", strconv.FormatInt(m.Sequence.Received, 10))
	if m.State == catalog.UploadComplete {
		r.file = m.File
		r.Header(fileField, "/api/files/"+m.File)
		return
	}
	r.Header("Upload-Expires", m.ExpiresAt.UTC().Format(http.TimeFormat))
}

// getTusUpload tells a client where to go on, after it has kept what came over
// a connection that was lost. An upload that has all its bytes
// and was not completed, since the server ended there, is completed now: a
// client that is told that it has sent all comes no more.
func getTusUpload(s *server, r *request) error {
	m, err := s.tusUpload(r)
	if err != nil {
		return err
	}
	if m, err = s.Uploads.Settle(r.Request.Context(), m); err != nil {
		return err
	}
	if m, err = s.Uploads.Finish(r.Request.Context(), m); err != nil {
		return fault.Wrap(err, fault.Unavailable, "busy", "The upload cannot be completed now; try again.")
	}
	showTusUpload(r, m)
	r.Header("Upload-Length", strconv.FormatInt(m.Size, 10))
	if m.Sequence.Metadata != "" {
		r.Header("Upload-Metadata", m.Sequence.Metadata)
	}
	r.Status(http.StatusOK)
	return nil
}

// appendToTusUpload takes the next bytes.
func appendToTusUpload(s *server, r *request) error {
	m, err := s.tusUpload(r)
	if err != nil {
		return err
	}
	if !strings.EqualFold(r.GetHeader("Content-Type"), tus.ContentType) {
		return fault.New(fault.UnsupportedMedia, "unsupported_media_type", "Send "+tus.ContentType+".")
	}
	if err := refuseCodings(r); err != nil {
		return err
	}
	offset, err := tus.ParseSize(r.GetHeader("Upload-Offset"))
	if err != nil {
		return fault.InvalidField("Upload-Offset", "Say how many bytes have arrived.")
	}
	var sum *tus.Checksum
	if value := r.GetHeader("Upload-Checksum"); value != "" {
		if sum, err = tus.ParseChecksum(value); err != nil {
			return fault.InvalidField("Upload-Checksum", "The checksum is malformed: %s.", err)
		}
	}
	m, err = s.Uploads.Append(r.Request.Context(), m, offset, s.body(r), r.Request.ContentLength, sum)
	if kept := m.Sequence.Received - offset; kept > 0 {
		r.bytes = kept
		s.Metrics.Upload(kept)
	}
	if err != nil {
		return err
	}
	showTusUpload(r, m)
	r.Status(http.StatusNoContent)
	return nil
}

// terminateTusUpload gives an upload up. The file that it became stays.
func terminateTusUpload(s *server, r *request) error {
	m, err := s.tusUpload(r)
	if err == nil {
		err = s.Uploads.Terminate(r.Request.Context(), m)
	}
	if err != nil {
		return err
	}
	r.Status(http.StatusNoContent)
	return nil
}
