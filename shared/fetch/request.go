package fetch

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"sluice/shared/fault"
	"sluice/shared/outbound"
)

// send asks u by GET and follows redirects. It returns the answer and where it
// came from. What is for home goes to that scheme, host and port alone;
// net/http would send it to another port too.
func (c *Client) send(ctx context.Context, u *url.URL, home string, own, asked http.Header) (*http.Response, *url.URL, error) {
	for range outbound.MaxRedirects + 1 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "", http.NoBody)
		if err != nil {
			return nil, nil, err
		}
		bare := *u
		bare.User, bare.Fragment = nil, ""
		req.URL, req.Host = &bare, bare.Host
		req.Header = asked.Clone()
		req.Header.Set("Accept-Encoding", "identity")
		req.Header.Set("User-Agent", c.options.UserAgent)
		if outbound.Origin(u) == home {
			c.identify(req, u, own)
		}
		resp, err := c.transport(u).RoundTrip(req)
		if err != nil {
			return nil, nil, err
		}
		next, err := redirect(resp, u)
		if next == nil || err != nil {
			return resp, u, err
		}
		_ = resp.Body.Close() // what it says is in its header
		u = next
	}
	return nil, nil, failure{useless, fault.New(fault.Upstream, "too_many_redirects", "The server redirects in a circle.")}
}

// identify adds what was given for the server asked: header fields, and the
// credentials for it.
func (c *Client) identify(req *http.Request, u *url.URL, own http.Header) {
	for name, values := range own {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
		req.Header.Del("Host")
	}
	if req.Header.Get("Authorization") != "" {
		return
	}
	if u.User != nil {
		password, _ := u.User.Password()
		req.SetBasicAuth(u.User.Username(), password)
		return
	}
	if c.options.Credentials != nil {
		if value := c.options.Credentials(u); value != "" {
			req.Header.Set("Authorization", value)
		}
	}
}

// redirect returns where an answer leads, or nil if it leads nowhere.
func redirect(resp *http.Response, from *url.URL) (*url.URL, error) {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, nil
	}
	next, err := outbound.Redirect(from, resp.Header.Get("Location"))
	if err != nil {
		_ = resp.Body.Close() // nothing of it is wanted
		refused, _ := errors.AsType[*fault.Error](err)
		return nil, failure{useless, refused}
	}
	return next, nil
}
