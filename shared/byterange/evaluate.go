package byterange

import (
	"errors"
	"net/http"
	"strings"
	"time"
)

// Verdict says what to answer.
type Verdict struct {
	// Status is 200, 206, 304, 412 or 416.
	Status int

	// Ranges is what to send with a 206: one range as it is, several as
	// multipart/byteranges. Empty with every other status.
	Ranges []Range
}

// Evaluate decides the answer to a GET or HEAD that would be 200 without
// conditions, in the order of RFC 9110 section 13.2.2.
//
// A condition that cannot be read never lets more through than the whole
// representation would: an If-Match does not match, an If-Range does not hold,
// a date is ignored.
func Evaluate(method string, h http.Header, rep Representation) Verdict {
	reads := method == http.MethodGet || method == http.MethodHead
	if !unchanged(h, &rep) {
		return Verdict{Status: http.StatusPreconditionFailed}
	}
	if lines := h.Values("If-None-Match"); len(lines) > 0 {
		if found, _ := findTag(lines, &rep, weakMatch); found && reads {
			return Verdict{Status: http.StatusNotModified}
		} else if found {
			return Verdict{Status: http.StatusPreconditionFailed}
		}
	} else if reads && notModifiedSince(h, rep) {
		return Verdict{Status: http.StatusNotModified}
	}
	// Section 14.2: GET is the only method for which Range is defined.
	if method != http.MethodGet || !ifRange(h, rep) {
		return Verdict{Status: http.StatusOK}
	}
	switch ranges, err := Parse(h.Values("Range"), rep.Size); {
	case errors.Is(err, ErrUnsatisfiable):
		return Verdict{Status: http.StatusRequestedRangeNotSatisfiable}
	case len(ranges) > 0:
		return Verdict{Status: http.StatusPartialContent, Ranges: ranges}
	}
	return Verdict{Status: http.StatusOK}
}

// Precondition evaluates If-Match, If-Unmodified-Since and If-None-Match for a
// method that changes state, such as PUT or DELETE (RFC 9110 section 13.2.2).
// rep is the current representation, nil if there is none. It reports whether
// the method may go on; if not, the answer is 412.
//
// A list of entity tags that cannot be read stops the method: a guard that we
// do not understand must not be walked past.
func Precondition(h http.Header, rep *Representation) bool {
	if !unchanged(h, rep) {
		return false
	}
	lines := h.Values("If-None-Match")
	if len(lines) == 0 {
		return true
	}
	found, valid := findTag(lines, rep, weakMatch)
	return valid && !found
}

// unchanged evaluates If-Match or, in its absence, If-Unmodified-Since (RFC
// 9110 sections 13.1.1 and 13.1.4). True when neither is there.
func unchanged(h http.Header, rep *Representation) bool {
	if lines := h.Values("If-Match"); len(lines) > 0 {
		found, _ := findTag(lines, rep, strongMatch)
		return found
	}
	if rep == nil || rep.LastModified.IsZero() {
		return true
	}
	t, ok := parseDate(h.Values("If-Unmodified-Since"))
	return !ok || !rep.modified().After(t)
}

// notModifiedSince reports whether an If-Modified-Since asks for a 304 (RFC
// 9110 section 13.1.3).
func notModifiedSince(h http.Header, rep Representation) bool {
	if rep.LastModified.IsZero() {
		return false
	}
	t, ok := parseDate(h.Values("If-Modified-Since"))
	return ok && !rep.modified().After(t)
}

// ifRange evaluates If-Range (RFC 9110 section 13.1.5); true in its absence.
// A tag must match strongly. A date must be Last-Modified exactly: an earlier
// or a later one is not the validator that we sent.
//
// Section 13.1.5 also wants such a date to be a strong validator, which it is
// while nobody publishes two representations of one resource within one second
// (section 8.8.2.2). Only the caller can know; one who cannot rule it out leaves
// LastModified zero.
func ifRange(h http.Header, rep Representation) bool {
	lines := h.Values("If-Range")
	if len(lines) == 0 {
		return true
	}
	if value := strings.Trim(lines[0], ows); strings.HasPrefix(value, `"`) {
		return len(lines) == 1 && value == rep.ETag
	}
	t, ok := parseDate(lines)
	return ok && !rep.LastModified.IsZero() && t.Equal(rep.modified())
}

// parseDate reads an HTTP-date in any of its three formats (RFC 9110 section
// 5.6.7). It reports false for what is not a date, and for several lines.
//
// http.ParseTime takes any time zone in the second format, and what it makes
// of one depends on where the server stands; the RFC knows GMT alone. A year
// of two digits is one of 1969 to 2068, rather than of a window that moves
// with the clock: no Last-Modified lies where the two differ.
func parseDate(lines []string) (t time.Time, ok bool) {
	if len(lines) != 1 {
		return time.Time{}, false
	}
	value := strings.Trim(lines[0], ows)
	for _, layout := range []string{http.TimeFormat, "Monday, 02-Jan-06 15:04:05 GMT", time.ANSIC} {
		if t, err := time.Parse(layout, value); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
