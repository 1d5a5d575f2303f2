package api

import (
	"context"
	"net/url"
	"strings"
)

type baseKey struct{}

// WithBaseURL returns a context for a request that came in under base: what
// absolute URLs in its answer begin with where Deps.BaseURL is empty. An edge
// takes it from its platform, never from a field that clients choose.
func WithBaseURL(ctx context.Context, base string) context.Context {
	return context.WithValue(ctx, baseKey{}, base)
}

// external returns the absolute URL of a path of ours. It begins with what the
// operator said, with the address bound, or with what the edge knows, and never
// with a Host or an X-Forwarded header, which clients choose: a URL made by one
// person is used by another.
func (s *server) external(r *request, segments ...string) string {
	base := s.BaseURL
	if base == "" {
		base, _ = r.Request.Context().Value(baseKey{}).(string)
	}
	return under(base, segments...)
}

// downloads returns the absolute URLs of a path of ours that delivers by
// itself, the best first.
func (s *server) downloads(r *request, segments ...string) []string {
	if len(s.DownloadURLs) == 0 {
		return []string{s.external(r, segments...)}
	}
	urls := make([]string, 0, len(s.DownloadURLs))
	for _, base := range s.DownloadURLs {
		urls = append(urls, under(base, segments...))
	}
	return urls
}

func under(base string, segments ...string) string {
	var b strings.Builder
	b.WriteString(base)
	for _, segment := range segments {
		b.WriteString("/" + url.PathEscape(segment))
	}
	return b.String()
}
