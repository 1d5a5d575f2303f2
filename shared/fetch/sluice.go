package fetch

import (
	"context"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"

	"sluice/shared/contract"
	"sluice/shared/contract/client"
	"sluice/shared/digest"
	"sluice/shared/fault"
	"sluice/shared/outbound"
)

// Server is a Sluice server at which somebody is logged in. What is fetched
// from it is fetched by a download session, which pins the version and needs
// no token for its bytes, and verified by its manifest.
type Server struct {
	URL   string // the base URL
	HTTP  *http.Client
	Token func(context.Context) (string, error) // an access token that is valid now
}

// withoutSession is the size, in bytes, up to which a session costs more than
// it is good for: such a file is one chunk.
const withoutSession = 8 << 20

// Describe fills in where to fetch r from, and what is known of it, if its
// first source is a file of the server: by its path, or by its id. It changes
// nothing, and says so, where that is not so.
func (s *Server) Describe(ctx context.Context, r *Request) (bool, error) {
	c, err := s.client()
	if err != nil {
		return false, err
	}
	asked, err := parseURL(r.Sources[0].URL)
	if err != nil {
		return false, err
	}
	if !s.owns(asked) {
		return false, nil
	}
	file, err := s.find(ctx, c, asked)
	if file == nil || err != nil {
		return false, err
	}
	return true, s.describe(ctx, c, r, *file)
}

// DescribeFile is Describe where the server has told of the file already; r's
// first source is a URL of it.
func (s *Server) DescribeFile(ctx context.Context, r *Request, file contract.File) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	return s.describe(ctx, c, r, file)
}

func (s *Server) client() (*client.Client, error) {
	c, err := client.New(s.URL, client.WithHTTPClient(s.HTTP), client.WithRequestEditorFn(s.authorize))
	if err != nil {
		return nil, fault.InvalidField("server", "The server's URL is such as https://sluice.example.com.")
	}
	return c, nil
}

// describe has a large file fetched by a session, and by its own URL where there
// are too many of these.
func (s *Server) describe(ctx context.Context, c *client.Client, r *Request, file contract.File) error {
	r.Identity = r.Sources[0].URL
	if file.Size <= withoutSession {
		r.Content.Size = file.Size
		if sum, err := hex.DecodeString(file.SHA256); err == nil && len(sum) > 0 && r.Content.Digest.SHA256 == nil {
			r.Content.Digest.SHA256 = sum
		}
		return r.Content.Check()
	}
	session, err := client.Decode[contract.DownloadSession](c.CreateSession(ctx, file.ID, contract.CreateSessionRequest{}))
	if fault.Is(err, fault.TooManyRequests, "too_many_sessions") {
		session = contract.DownloadSession{FileID: file.ID, VersionID: file.VersionID, Size: file.Size, SHA256: file.SHA256}
	} else if err != nil {
		return err
	}
	if r.Content, err = describe(ctx, c, session, r.Content.Digest); err != nil {
		return err
	}
	if len(session.Sources) > 0 {
		r.Sources = nil
	}
	for i := range session.Sources {
		r.Sources = append(r.Sources, s.source(c, session, i))
	}
	return nil
}

// owns reports whether a URL is under the server's.
func (s *Server) owns(u *url.URL) bool {
	base, err := url.Parse(s.URL)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && outbound.Origin(base) == outbound.Origin(u) && strings.HasPrefix(u.Path, s.path(base))
}

func (s *Server) path(base *url.URL) string { return strings.TrimSuffix(base.Path, "/") + "/" }

func (s *Server) authorize(ctx context.Context, req *http.Request) error {
	token, err := s.Token(ctx)
	if err != nil {
		return err
	}
	return client.Bearer(token)(ctx, req)
}

// find returns the file that a URL is of, or nil if it is of none.
func (s *Server) find(ctx context.Context, c *client.Client, u *url.URL) (*contract.File, error) {
	base, err := url.Parse(s.URL)
	if err != nil {
		return nil, err
	}
	rest := strings.TrimPrefix(u.Path, s.path(base))
	if id, found := strings.CutPrefix(rest, "api/files/"); found {
		id, what, _ := strings.Cut(id, "/")
		if what != "content" || u.Query().Has("version") {
			return nil, nil
		}
		file, err := client.Decode[contract.File](c.GetFileInfo(ctx, id))
		return &file, err
	}
	if rest, found := strings.CutPrefix(rest, "file/"); found {
		owner, path, _ := strings.Cut(rest, "/")
		return findByPath(ctx, c, owner, path)
	}
	return nil, nil
}

func findByPath(ctx context.Context, c *client.Client, owner, path string) (*contract.File, error) {
	list, err := client.Decode[contract.FileList](c.ListFiles(ctx, &contract.ListFilesParams{Owner: new(owner), Prefix: new(path), Limit: new(1)}))
	if fault.Is(err, fault.Forbidden, "") || fault.Is(err, fault.NotFound, "") || fault.Is(err, fault.Invalid, "") {
		return nil, nil // it may be public, and is then fetched as any URL
	}
	if err != nil || len(list.Files) == 0 || list.Files[0].Path != path {
		return nil, err
	}
	return &list.Files[0], nil
}

// describe reads the manifest of a session's version. A file without one is
// verified as a whole.
func describe(ctx context.Context, c *client.Client, session contract.DownloadSession, asked digest.Set) (Content, error) {
	content := Content{Size: session.Size, Digest: asked}
	m, err := client.Decode[contract.Manifest](c.GetManifest(ctx, session.FileID, &contract.GetManifestParams{Version: new(session.VersionID)}))
	if err != nil && !fault.Is(err, fault.NotFound, "") {
		return content, err
	}
	if m.ChunkSize == 0 { // there is none, or it is being made
		if sum, decodeErr := hex.DecodeString(session.SHA256); decodeErr == nil && len(sum) > 0 && asked.SHA256 == nil {
			content.Digest.SHA256 = sum
		}
		return content, nil
	}
	content.ChunkSize = m.ChunkSize
	for i, chunk := range m.Chunks {
		if chunk.Offset != int64(i)*m.ChunkSize {
			return content, fault.New(fault.Upstream, "bad_manifest", "The list of the file's chunks has gaps.")
		}
		content.Chunks = append(content.Chunks, unhex(chunk.SHA256, digestSize)...)
	}
	return content, content.Check()
}

const digestSize = 32

// source is the i-th place where a session's bytes are. It is renewed by the
// session, and where that is over by another one, as long as the version is
// still there for who asks.
func (s *Server) source(c *client.Client, session contract.DownloadSession, i int) Source {
	given := session.Sources[min(i, len(session.Sources)-1)]
	out := Source{URL: given.URL, Expires: given.ExpiresAt}
	out.Renew = func(ctx context.Context) (Source, error) {
		fresh, err := client.Decode[contract.DownloadSession](c.RenewSession(ctx, session.ID))
		if fault.Is(err, fault.NotFound, "") {
			fresh, err = client.Decode[contract.DownloadSession](c.CreateSession(ctx, session.FileID, contract.CreateSessionRequest{VersionID: session.VersionID}))
			if fault.Is(err, fault.NotFound, "") {
				err = changed()
			}
		}
		if err == nil && len(fresh.Sources) == 0 {
			err = fault.New(fault.Upstream, "unexpected_answer", "The session has no source any more.")
		}
		if err != nil {
			return Source{}, err
		}
		return s.source(c, fresh, i), nil
	}
	return out
}
