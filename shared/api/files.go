package api

import (
	"cmp"
	"encoding/hex"
	"net/http"
	"strings"
	"unicode/utf8"

	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/contract"
	"sluice/shared/fault"
	"sluice/shared/upload"
)

func fileRoutes() []route {
	return []route{
		{http.MethodGet, "/api/files", "listFiles", required, listFiles},
		{http.MethodGet, "/api/files/:id", "getFileInfo", optional, getFileInfo},
		{http.MethodPatch, "/api/files/:id", "updateFile", required, updateFile},
		{http.MethodDelete, "/api/files/:id", "deleteFile", required, deleteFile},
		{http.MethodPut, "/file/:user/*path", "putFile", required, putFile},
		{http.MethodDelete, "/file/:user/*path", "deleteFileByPath", required, deleteFileByPath},
	}
}

func listFiles(s *server, r *request) error {
	q, err := pageQuery(r, "owner", "prefix", "delimiter", "order")
	if err != nil {
		return err
	}
	l := catalog.Listing{Prefix: r.Query("prefix"), Limit: q.limit}
	if l.Owner, err = s.listedOwner(r); err != nil {
		return err
	}
	if err := readListing(r, &l); err != nil {
		return err
	}
	binding := []string{"files", l.Owner, l.Prefix, r.Query("delimiter"), r.Query("order")}
	if l.After, err = s.openCursor(q.cursor, binding...); err != nil {
		return err
	}
	listed, err := s.Catalog.List(r.Request.Context(), l)
	if err != nil {
		return err
	}
	out := contract.FileList{Files: make([]contract.File, 0, len(listed.Files)), Folders: listed.Folders}
	if out.Folders == nil {
		out.Folders = []string{}
	}
	for _, f := range listed.Files {
		shown, err := s.file(r, &f)
		if err != nil {
			return err
		}
		out.Files = append(out.Files, shown)
	}
	if listed.More {
		out.NextCursor = s.sealCursor(listed.Last, binding...)
	}
	return reply(r, http.StatusOK, out)
}

// listedOwner returns the id of the user whose files are asked for: the
// caller's own where none is named.
func (s *server) listedOwner(r *request) (string, error) {
	name := r.Query("owner")
	if name == "" || name == r.identity.User.Username {
		return r.identity.User.ID, auth.May(r.subject(), auth.ListFiles, auth.Object{Owner: r.identity.User.ID})
	}
	return s.owner(r, name, auth.ListFiles)
}

// owner returns the id of the user of that name if the caller may do the
// action with that user's files. An unknown name looks like another's.
func (s *server) owner(r *request, name string, action auth.Action) (string, error) {
	u, err := s.Catalog.UserByName(r.Request.Context(), name)
	if fault.Is(err, fault.NotFound, "") {
		return "", auth.Absent(r.subject(), action)
	}
	if err != nil {
		return "", err
	}
	return u.ID, auth.May(r.subject(), action, auth.Object{Owner: u.ID})
}

func readListing(r *request, l *catalog.Listing) error {
	if !utf8.ValidString(l.Prefix) || len(l.Prefix) > upload.MaxPath {
		return fault.InvalidField("prefix", "A prefix is valid UTF-8 of at most %d bytes.", upload.MaxPath)
	}
	switch r.Query("delimiter") {
	case "":
	case "/":
		l.Folders = true
	default:
		return fault.InvalidField("delimiter", "The only delimiter is /.")
	}
	switch r.Query("order") {
	case "", "name":
	case "-name":
		l.Descending = true
	default:
		return fault.InvalidField("order", "An order is name or -name.")
	}
	return nil
}

func getFileInfo(s *server, r *request) error {
	f, err := s.fileByID(r, auth.ReadFile)
	if err != nil {
		return err
	}
	return s.replyFile(r, http.StatusOK, f)
}

// fileByID returns the file whose id the path gives, if the caller may do the
// action to it.
func (s *server) fileByID(r *request, action auth.Action) (*catalog.File, error) {
	f, err := s.Catalog.File(r.Request.Context(), r.Param("id"))
	return &f, s.may(r, action, &f, err)
}

// may returns nil if the caller may do the action to the file that was looked
// up. Absent and hidden look the same.
func (s *server) may(r *request, action auth.Action, f *catalog.File, err error) error {
	if fault.Is(err, fault.NotFound, "") {
		return auth.Absent(r.subject(), action)
	}
	if err != nil {
		return err
	}
	r.file = f.ID
	return auth.May(r.subject(), action, auth.Object{Owner: f.Owner, Public: f.Visibility == catalog.Public})
}

func updateFile(s *server, r *request) error {
	f, err := s.fileByID(r, auth.ChangeFile)
	if err != nil {
		return err
	}
	in, err := decode[contract.UpdateFileRequest](s, r)
	if err != nil {
		return err
	}
	changed, err := s.Catalog.UpdateFile(r.Request.Context(), f.ID, func(f *catalog.File) error {
		if err := precondition(r, f); err != nil {
			return err
		}
		return s.edit(f, in)
	})
	if err != nil {
		return err
	}
	return s.replyFile(r, http.StatusOK, &changed)
}

// edit applies a PATCH.
func (s *server) edit(f *catalog.File, in contract.UpdateFileRequest) error {
	if in.Path != nil {
		if err := upload.CheckPath("path", *in.Path); err != nil {
			return err
		}
		f.Path = *in.Path
	}
	if in.ContentType != nil {
		if err := upload.CheckContentType("content_type", *in.ContentType); err != nil {
			return err
		}
		f.ContentType = *in.ContentType
	}
	if in.Delivery != nil {
		f.Delivery = catalog.Delivery(*in.Delivery)
	}
	if in.Visibility != nil {
		f.Visibility = catalog.Visibility(*in.Visibility)
	}
	return s.editExpiry(f, in)
}

// editExpiry takes null for "never".
func (s *server) editExpiry(f *catalog.File, in contract.UpdateFileRequest) error {
	if !in.ExpiresAt.IsSpecified() {
		return nil
	}
	at, err := in.ExpiresAt.Get()
	f.ExpiresAt = at // zero where it is null
	if err == nil && !at.After(s.Clock()) {
		return fault.InvalidField("expires_at", "The time is past.")
	}
	if err == nil && at.UTC().Year() > 9999 {
		return fault.InvalidField("expires_at", "The time is too far ahead.")
	}
	return nil
}

func deleteFile(s *server, r *request) error {
	f, err := s.fileByID(r, auth.DeleteFile)
	if err != nil {
		return err
	}
	return s.delete(r, f)
}

func deleteFileByPath(s *server, r *request) error {
	owner, err := s.owner(r, r.Param("user"), auth.DeleteFile)
	if err != nil {
		return err
	}
	path, err := filePath(r)
	if err != nil {
		return err
	}
	f, err := s.Catalog.FileAt(r.Request.Context(), owner, path)
	if err := s.may(r, auth.DeleteFile, &f, err); err != nil {
		return err
	}
	return s.delete(r, &f)
}

func (s *server) delete(r *request, f *catalog.File) error {
	err := s.Catalog.DeleteFile(r.Request.Context(), f.ID, func(f catalog.File) error { return precondition(r, &f) })
	if err != nil {
		return err
	}
	r.Status(http.StatusNoContent)
	return nil
}

// precondition evaluates If-Match and its kin before a change (RFC 9110
// §13.1). f is nil where no file is there.
func precondition(r *request, f *catalog.File) error {
	return catalog.ConditionOf(r.Request.Header).Check(f)
}

// filePath returns the path of a /file/ route.
func filePath(r *request) (string, error) {
	path := strings.TrimPrefix(r.Param("path"), "/")
	return path, upload.CheckPath("path", path)
}

func (s *server) replyFile(r *request, status int, f *catalog.File) error {
	shown, err := s.file(r, f)
	if err != nil {
		return err
	}
	r.Header("ETag", f.Version.ETag)
	return reply(r, status, shown)
}

// file is f as the API shows it.
func (s *server) file(r *request, f *catalog.File) (contract.File, error) {
	owner, err := s.Catalog.User(r.Request.Context(), f.Owner)
	if err != nil {
		return contract.File{}, err
	}
	out := contract.File{
		ID: f.ID, Owner: owner.Username, Path: f.Path, Name: f.Name(), Size: f.Version.Size, ContentType: f.ContentType,
		Visibility: contract.Visibility(f.Visibility), Delivery: contract.Delivery(cmp.Or(f.Delivery, catalog.DeliverAuto)), ETag: f.Version.ETag, VersionID: f.Version.ID,
		SHA256: hex.EncodeToString(f.Version.SHA256), DigestState: digestState(f.Version), CreatedAt: moment(f.CreatedAt), UpdatedAt: moment(f.UpdatedAt),
		Imported: f.Version.Imported(), Changed: f.Version.Changed,
	}
	if !f.ExpiresAt.IsZero() {
		out.ExpiresAt = moment(f.ExpiresAt)
	}
	return out, nil
}

// digestState says what is known of a version's SHA-256.
func digestState(v catalog.Version) contract.DigestState {
	switch {
	case v.SHA256 == nil:
		return contract.DigestStateNone
	case v.Claimed:
		return contract.DigestStateClaimed
	default:
		return contract.DigestStateVerified
	}
}
