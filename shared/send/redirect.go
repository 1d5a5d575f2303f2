package send

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"sluice/shared/fault"
)

// maxRedirects is how many redirects are followed to one answer.
const maxRedirects = 10

// origin is what a token is for: scheme, host and port.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}

// redirect returns where an answer leads, or nil if it leads nowhere. What was
// sent is sent again there (RFC 9110 §15.4.8, §15.4.9), so that a redirect which
// asks for a GET instead is refused.
func (a answer) redirect(method string, from *url.URL) (*url.URL, error) {
	switch a.status {
	case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther:
		if method != http.MethodGet {
			return nil, badRedirect("The server redirects an upload in a way that would lose it.")
		}
	default:
		return nil, nil
	}
	next, err := from.Parse(a.header.Get("Location"))
	switch {
	case err != nil || a.header.Get("Location") == "":
		return nil, badRedirect("The server redirects, and does not say where to.")
	case next.Scheme != "http" && next.Scheme != "https" || next.Host == "":
		return nil, badRedirect("The server redirects to something that is not HTTP.")
	case from.Scheme == "https" && next.Scheme == "http":
		return nil, badRedirect("The server redirects from HTTPS to HTTP, where anybody could read the file.")
	}
	next.User, next.Fragment = nil, ""
	return next, nil
}

func badRedirect(message string) error { return fault.New(fault.Upstream, "bad_redirect", message) }

// plainError takes the URL out of an error, since it may be a secret.
func plainError(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
