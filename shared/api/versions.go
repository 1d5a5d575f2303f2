package api

import (
	"encoding/hex"
	"net/http"

	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/contract"
	"sluice/shared/fault"
	"sluice/shared/upload"
)

func versionRoutes() []route {
	return []route{
		{http.MethodGet, "/api/files/:id/versions", "listVersions", required, listVersions},
		{http.MethodPost, "/api/files/:id/restore", "restoreFile", required, restoreFile},
		{http.MethodPost, "/api/files/:id/undelete", "undeleteFile", required, undeleteFile},
	}
}

func listVersions(s *server, r *request) error {
	f, err := s.fileByID(r, auth.ReadVersions)
	if err != nil {
		return err
	}
	q, err := pageQuery(r)
	if err != nil {
		return err
	}
	after, err := s.openCursor(q.cursor, "versions", f.ID)
	if err != nil {
		return err
	}
	versions, more, err := s.Catalog.Versions(r.Request.Context(), f.ID, after, q.limit)
	if err != nil {
		return err
	}
	out := contract.VersionList{Versions: make([]contract.Version, 0, len(versions))}
	for _, v := range versions {
		shown, err := s.version(r, f, v)
		if err != nil {
			return err
		}
		out.Versions = append(out.Versions, shown)
	}
	if more {
		out.NextCursor = s.sealCursor(versions[len(versions)-1].ID, "versions", f.ID)
	}
	return reply(r, http.StatusOK, out)
}

// version is v as the API shows it.
func (s *server) version(r *request, f *catalog.File, v catalog.Version) (contract.Version, error) {
	out := contract.Version{
		VersionID: v.ID, Size: v.Size, ETag: v.ETag, ContentType: v.ContentType(*f), DigestState: digestState(v),
		SHA256:     hex.EncodeToString(v.SHA256),
		ModifiedAt: moment(v.ModifiedAt), CreatedBy: v.CreatedBy, Current: v.KeptUntil.IsZero(), KeptUntil: v.KeptUntil,
		Imported: v.Imported(), Changed: v.Changed,
	}
	by, err := s.Catalog.User(r.Request.Context(), v.CreatedBy)
	switch {
	case err == nil:
		out.CreatedBy = by.Username
	case !fault.Is(err, fault.NotFound, ""):
		return out, err
	}
	return out, nil
}

// atVersion returns f with the version that is asked for; "": the current one.
// One that was replaced is for those who may read all versions: to everybody
// else it is as if it were not there.
func (s *server) atVersion(r *request, f *catalog.File, version string) (*catalog.File, error) {
	if version == "" || version == f.Version.ID {
		return f, nil
	}
	if auth.May(r.subject(), auth.ReadVersions, auth.Object{Owner: f.Owner}) != nil {
		return nil, auth.Absent(r.subject(), auth.ReadFile)
	}
	found, err := s.Catalog.At(r.Request.Context(), *f, version)
	if fault.Is(err, fault.NotFound, "") {
		return nil, auth.Absent(r.subject(), auth.ReadFile)
	}
	return &found, err
}

func restoreFile(s *server, r *request) error {
	f, err := s.fileByID(r, auth.RestoreFile)
	if err != nil {
		return err
	}
	in, err := decode[contract.RestoreRequest](s, r)
	if err != nil {
		return err
	}
	restored, err := s.Catalog.Restore(r.Request.Context(), f.ID, in.VersionID, func(f catalog.File) error { return precondition(r, &f) })
	if err != nil {
		return err
	}
	return s.replyFile(r, http.StatusOK, &restored)
}

func undeleteFile(s *server, r *request) error {
	f, err := s.Catalog.KeptFile(r.Request.Context(), r.Param("id"))
	if err := s.may(r, auth.RestoreFile, &f, err); err != nil {
		return err
	}
	in, err := decodeIfSent[contract.UndeleteRequest](s, r)
	if err != nil {
		return err
	}
	path := ""
	if in.Path != nil {
		path = *in.Path
		if err := upload.CheckPath("path", path); err != nil {
			return err
		}
	}
	back, err := s.Catalog.Undelete(r.Request.Context(), f.ID, path)
	if err != nil {
		return err
	}
	return s.replyFile(r, http.StatusOK, &back)
}
