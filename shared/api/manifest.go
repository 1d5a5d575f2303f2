package api

import (
	"crypto/sha256"
	"encoding/hex"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"sluice/shared/auth"
	"sluice/shared/byterange"
	"sluice/shared/catalog"
	"sluice/shared/contract"
	"sluice/shared/fault"
	"sluice/shared/manifest"
)

func manifestRoutes() []route {
	return []route{
		{http.MethodGet, "/api/files/:id/manifest", "getManifest", optional, getManifest},
	}
}

// getManifest answers with the digests of a version of a file and of its
// chunks, as JSON or as a Metalink document. That leads to the version asked
// for, or else to whichever is current.
func getManifest(s *server, r *request) error {
	f, err := s.fileByID(r, auth.ReadFile)
	if err != nil {
		return err
	}
	if err := checkQuery(r, "format", "version"); err != nil {
		return err
	}
	asMetalink, err := wantsMetalink(r)
	if err != nil {
		return err
	}
	version := r.Query("version")
	if f, err = s.atVersion(r, f, version); err != nil {
		return err
	}
	m, err := s.Catalog.Manifest(r.Request.Context(), f.Version)
	if fault.Is(err, fault.NotFound, "no_manifest") {
		return s.replyHashing(r, f)
	}
	if err != nil {
		return err
	}
	if asMetalink {
		content := s.external(r, "api", "files", f.ID, "content")
		if version != "" {
			content += "?version=" + f.Version.ID
		}
		body, err := m.Metalink(f.Name(), content)
		return replyTagged(r, manifest.MetalinkType, body, err)
	}
	body, err := json.Marshal(manifestOf(f, m))
	return replyTagged(r, "application/json", body, err)
}

// hashingAgain is when to ask again for a manifest that is being made.
const hashingAgain = 5 * time.Second

// replyHashing answers for a version without a manifest: it is being made, by a
// job that this begins if none is under way.
func (s *server) replyHashing(r *request, f *catalog.File) error {
	h, err := s.Catalog.Hashing(r.Request.Context(), f.Version)
	if err != nil {
		return err
	}
	if h.Damaged || f.Version.Changed {
		return fault.New(fault.Upstream, "blob_damaged", "The store has other bytes than were published.")
	}
	s.Uploads.Describe(*f)
	r.Header("Retry-After", strconv.Itoa(int(hashingAgain.Seconds())))
	return reply(r, http.StatusAccepted, contract.ManifestProgress{VersionID: f.Version.ID, Size: f.Version.Size, BytesRead: h.Read})
}

// wantsMetalink reads the form asked for: by the parameter format, else by
// Accept, where JSON counts unless Metalink alone is named.
func wantsMetalink(r *request) (bool, error) {
	switch r.Query("format") {
	case "":
	case "json":
		return false, nil
	case "metalink":
		return true, nil
	default:
		return false, fault.InvalidField("format", "A format is json or metalink.")
	}
	metalink := false
	for line := range strings.SplitSeq(strings.Join(r.Request.Header.Values("Accept"), ","), ",") {
		mediaType, parameters, err := mime.ParseMediaType(line)
		switch {
		case err != nil || parameters["q"] == "0":
		case mediaType == "application/json":
			return false, nil
		case mediaType == manifest.MetalinkType:
			metalink = true
		}
	}
	return metalink, nil
}

// replyTagged answers with a document under an ETag of its own, made of what
// it says, or with 304 where the client has it. err is that of its making.
func replyTagged(r *request, contentType string, body []byte, err error) error {
	if err != nil {
		return fault.Wrap(err, fault.Internal, "internal", "The answer could not be written.")
	}
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:16]) + `"`
	h := r.Writer.Header()
	h.Set("ETag", tag)
	h.Add("Vary", "Accept") // beside what CORS has
	h.Set("Cache-Control", "private, no-cache")
	asked := http.Header{"If-None-Match": r.Request.Header.Values("If-None-Match")}
	if len(asked["If-None-Match"]) > 0 &&
		byterange.Evaluate(http.MethodGet, asked, byterange.Representation{ETag: tag}).Status == http.StatusNotModified {
		r.Writer.WriteHeader(http.StatusNotModified)
		return nil
	}
	write(r, http.StatusOK, contentType, append(body, '\n'))
	return nil
}

func manifestOf(f *catalog.File, m manifest.Manifest) contract.Manifest {
	out := contract.Manifest{
		VersionID: f.Version.ID, ETag: f.Version.ETag, Size: m.Size, SHA256: hex.EncodeToString(m.SHA256),
		ChunkSize: m.ChunkSize, Chunks: []contract.Chunk{},
	}
	for _, c := range m.Chunks() {
		out.Chunks = append(out.Chunks, contract.Chunk{Offset: c.Offset, Length: c.Length, SHA256: hex.EncodeToString(c.SHA256)})
	}
	return out
}
