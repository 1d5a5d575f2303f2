package api

import (
	"cmp"
	"net/http"
	"strings"

	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/digest"
	"sluice/shared/fault"
	"sluice/shared/upload"
)

// defaultContentType is what a file has of which nobody said what it is.
const defaultContentType = "application/octet-stream"

// putFile streams a body into a new version. What can be refused is refused
// before the first byte is read, so that a client that waits for 100 Continue
// need not send it.
func putFile(s *server, r *request) error {
	owner, err := s.owner(r, r.Param("user"), auth.WriteFile)
	if err != nil {
		return err
	}
	put, err := s.readPut(r, owner)
	if err != nil {
		return err
	}
	f, created, err := s.Uploads.Put(r.Request.Context(), put, s.body(r))
	if err != nil {
		return err
	}
	r.file, r.bytes = f.ID, f.Version.Size
	s.Metrics.Upload(f.Version.Size)
	r.Header("Location", "/api/files/"+f.ID)
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	return s.replyFile(r, status, &f)
}

// readPut checks everything that a PUT says beside its body.
func (s *server) readPut(r *request, owner string) (upload.Put, error) {
	put := upload.Put{
		Owner: owner, By: r.identity.User.ID, Size: r.Request.ContentLength,
		Test: func(f *catalog.File) error { return precondition(r, f) },
	}
	var err error
	if put.Path, err = filePath(r); err != nil {
		return put, err
	}
	if err := refuseCodings(r); err != nil {
		return put, err
	}
	put.ContentType = cmp.Or(r.GetHeader("Content-Type"), defaultContentType)
	if err := upload.CheckContentType("Content-Type", put.ContentType); err != nil {
		return put, err
	}
	if put.Digests, err = digests(r); err != nil {
		return put, err
	}
	f, err := s.Catalog.FileAt(r.Request.Context(), owner, put.Path)
	switch {
	case fault.Is(err, fault.NotFound, ""):
		return put, put.Test(nil)
	case err != nil:
		return put, err
	default:
		return put, put.Test(&f)
	}
}

// refuseCodings refuses what would not store the bytes as they come: a coding
// (RFC 9110 §8.4) and a part of a file (§14.4: 400).
func refuseCodings(r *request) error {
	for _, coding := range r.Request.Header.Values("Content-Encoding") {
		if coding != "" && !strings.EqualFold(coding, "identity") {
			return fault.New(fault.UnsupportedMedia, "unsupported_coding", "Send the file without a Content-Encoding.")
		}
	}
	if r.GetHeader("Content-Range") != "" {
		return fault.InvalidField("Content-Range", "A PUT takes a whole file.")
	}
	return nil
}

// digests reads both digest fields: of a body without a coding they mean the
// same (RFC 9530 §2, §3).
func digests(r *request) (digest.Set, error) {
	var set digest.Set
	for _, name := range []string{"Content-Digest", "Repr-Digest"} {
		got, err := digest.Parse(r.Request.Header.Values(name))
		if err == nil {
			set, err = set.Join(got)
		}
		if err != nil {
			return set, fault.InvalidField(name, "The digest is malformed: %s.", err)
		}
	}
	return set, nil
}
