package fetch

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"sluice/shared/fault"
)

// pin is what tells one content from another under the same URL. Every answer
// must be of the content that the first one was of.
type pin struct {
	ETag         string // strong, or empty
	LastModified string // as it was sent, and only where it is strong; or empty
}

// pinOf reads the strong validators of an answer. Last-Modified is strong where
// it lies a second or more before Date (RFC 9110 §8.8.2.2): no later change can
// have the same one.
func pinOf(h http.Header) pin {
	var p pin
	if tag := h.Get("ETag"); len(tag) >= 2 && strings.HasPrefix(tag, `"`) && strings.HasSuffix(tag, `"`) {
		p.ETag = tag
	}
	modified, err := http.ParseTime(h.Get("Last-Modified"))
	date, dateErr := http.ParseTime(h.Get("Date"))
	if err == nil && dateErr == nil && date.Sub(modified) >= time.Second {
		p.LastModified = h.Get("Last-Modified")
	}
	return p
}

// strong reports whether two answers can be told to be of one content.
func (p pin) strong() bool { return p.ETag != "" || p.LastModified != "" }

// ask makes a request go wrong (412) if the content is another one by now. RFC
// 9110 §13.1.1 and §13.1.4.
func (p pin) ask(h http.Header) {
	switch {
	case p.ETag != "":
		h.Set("If-Match", p.ETag)
	case p.LastModified != "":
		h.Set("If-Unmodified-Since", p.LastModified)
	}
}

// check returns a fault if an answer is of another content. Servers ignore
// conditions, so it is the answer that counts.
func (p pin) check(h http.Header) error {
	switch {
	case p.ETag != "" && h.Get("ETag") != p.ETag:
		if h.Get("ETag") == "" {
			return lie("It sent bytes without the ETag that it gave before.")
		}
		return changed()
	case p.ETag == "" && p.LastModified != "" && h.Get("Last-Modified") != p.LastModified:
		return changed()
	}
	return nil
}

func changed() error {
	return failure{fatal, fault.New(fault.PreconditionFailed, "file_changed",
		"The file on the server is not the one that was begun. --restart fetches the new one from its beginning.")}
}

// verdict says what is to follow from a failure.
type verdict uint8

const (
	again   verdict = iota // it may pass: wait, and try again
	strike                 // the server did what none should: try again, but not often
	useless                // this source will not do; another one may
	fatal                  // nothing will help
)

// failure is an error with what is to follow from it.
type failure struct {
	verdict verdict
	fault   *fault.Error
}

// Error implements error.
func (f failure) Error() string { return f.fault.Error() }

// Unwrap returns the fault.
func (f failure) Unwrap() error { return f.fault }

// lie is a failure of a server that does not keep to HTTP.
func lie(format string, args ...any) error {
	return failure{strike, fault.Newf(fault.Upstream, "bad_answer", "The server's answer cannot be trusted. %s", fmt.Sprintf(format, args...))}
}
