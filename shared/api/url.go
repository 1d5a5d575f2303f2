package api

import (
	"net/url"
	"strings"
)

// external returns the absolute URL of a path of ours. It begins with what the
// operator said, or with the address bound, and never with a Host or an
// X-Forwarded header, which clients choose: a URL made by one person is used
// by another.
func (s *server) external(segments ...string) string { return under(s.BaseURL, segments...) }

// downloads returns the absolute URLs of a path of ours that delivers by
// itself, the best first.
func (s *server) downloads(segments ...string) []string {
	if len(s.DownloadURLs) == 0 {
		return []string{s.external(segments...)}
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
