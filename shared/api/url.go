package api

import (
	"net/url"
	"strings"
)

// external returns the absolute URL of a path of ours. It begins with what the
// operator said, or with the address bound, and never with a Host or an
// X-Forwarded header, which clients choose: a URL made by one person is used
// by another.
func (s *server) external(segments ...string) string {
	var b strings.Builder
	b.WriteString(s.BaseURL)
	for _, segment := range segments {
		b.WriteString("/" + url.PathEscape(segment))
	}
	return b.String()
}
