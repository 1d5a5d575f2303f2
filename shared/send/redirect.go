package send

import (
	"net/http"
	"net/url"

	"sluice/shared/outbound"
)

// redirect returns where an answer leads, or nil if it leads nowhere. What was
// sent is sent again there (RFC 9110 §15.4.8, §15.4.9), so that a redirect which
// asks for a GET instead is refused.
func (a answer) redirect(method string, from *url.URL) (*url.URL, error) {
	switch a.status {
	case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther:
		if method != http.MethodGet {
			return nil, outbound.BadRedirect("The server redirects an upload in a way that would lose it.")
		}
	default:
		return nil, nil
	}
	return outbound.Redirect(from, a.header.Get("Location"))
}
