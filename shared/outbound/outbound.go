// Package outbound has the rules that every request of ours to another server
// keeps: what a secret is for, where a redirect may lead, how long a server
// asks to be left alone, and how connections are made.
package outbound

import (
	"cmp"
	"errors"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sluice/shared/fault"
)

// What the settings of a client are where nobody says otherwise.
const (
	Stall     = 30 * time.Second // without progress before a request is given up
	Retries   = 10               // of a request, in a row
	UserAgent = "sluice"
)

// MaxRedirects is how many redirects are followed to one answer.
const MaxRedirects = 10

// Or returns a setting, or its default where it is zero or negative.
func Or[T cmp.Ordered](setting, otherwise T) T {
	var zero T
	if setting > zero {
		return setting
	}
	return otherwise
}

// Origin returns what credentials are for: scheme, host and port (RFC 6454 §4),
// the port always written out.
func Origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// Redirect returns where an answer from a URL leads by its Location (RFC 9110
// §10.2.2), without a password or a fragment. It leads by HTTP, and never from
// HTTPS to anything less; else the error is an Upstream fault "bad_redirect".
func Redirect(from *url.URL, location string) (*url.URL, error) {
	next, err := from.Parse(location)
	switch {
	case err != nil || location == "":
		return nil, BadRedirect("The server redirects, and does not say where to.")
	case next.Scheme != "http" && next.Scheme != "https" || next.Host == "":
		return nil, BadRedirect("The server redirects to something that is not HTTP.")
	case from.Scheme == "https" && next.Scheme == "http":
		return nil, BadRedirect("The server redirects from HTTPS to HTTP, where anybody could read the file, or change it.")
	}
	next.User, next.Fragment = nil, "" // what another server says is no password of ours
	return next, nil
}

// BadRedirect returns the fault of a redirect that is not followed.
func BadRedirect(message string) *fault.Error {
	return fault.New(fault.Upstream, "bad_redirect", message)
}

// RetryAfter reads Retry-After in both of its forms (RFC 9110 §10.2.3), or
// returns 0. A date counts from the answer's own.
func RetryAfter(h http.Header) time.Duration {
	field := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(field, 10, 32); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(seconds, math.MaxInt32)) * time.Second
	}
	until, err := http.ParseTime(field)
	now, nowErr := http.ParseTime(h.Get("Date"))
	if err != nil || nowErr != nil {
		return 0
	}
	return max(0, until.Sub(now))
}

// WithoutURL takes the URL out of an error, since it may be a secret.
func WithoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
