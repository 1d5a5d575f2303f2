// Package fault holds the one error value of Sluice: what went wrong (Kind),
// what a program may rely on (Code), and what a person may read (Message).
//
// Errors are made or wrapped once, where the reason is known, and are written
// and logged once, at the edge. Neither Message nor Field may hold a secret.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what sort of thing went wrong. Few on purpose: one map turns a
// kind into an HTTP status (shared/api), another into an exit code.
type Kind uint8

// The kinds. Internal is the zero value, so that an unclassified error is
// never mistaken for the caller's fault.
const (
	Internal            Kind = iota // ours: a bug or a broken store
	Invalid                         // the request is malformed
	Unauthenticated                 // no credentials, or bad ones
	Forbidden                       // the role never may
	NotFound                        // absent, or hidden from the caller
	MethodNotAllowed                // the path is there, but not for that method
	Conflict                        // the state does not allow it now
	PreconditionFailed              // If-Match and its kin did not hold
	TooLarge                        // a body or a name over its limit
	UnsupportedMedia                // a content type or coding we do not take
	RangeNotSatisfiable             // no byte of the file was asked for
	Unprocessable                   // well-formed, but its content is wrong (a digest)
	Mismatch                        // the same of a tus checksum, for which tus has a status
	TooManyRequests                 // a limit was reached; see RetryAfter
	Timeout                         // the client stopped sending
	Upstream                        // a store answered wrongly
	Unavailable                     // a store or ourselves, for now; see RetryAfter
	InsufficientStorage             // no room for the bytes
)

// Error is the error value. The zero Kind is Internal.
type Error struct {
	Kind       Kind
	Code       string        // stable, snake_case: what programs match on
	Message    string        // one sentence for a person
	Field      string        // the offending field, header or parameter, if one
	RetryAfter time.Duration // when to try again, if known
	Err        error         // the cause; logged, never sent
}

// New returns an Error of kind with a code and a message for a person.
func New(kind Kind, code, message string) *Error {
	return &Error{Kind: kind, Code: code, Message: message}
}

// Newf is New with a formatted message.
func Newf(kind Kind, code, format string, args ...any) *Error {
	return New(kind, code, fmt.Sprintf(format, args...))
}

// InvalidField returns an Invalid error that names the field, header or
// parameter at fault. Its code is "invalid_field".
func InvalidField(field, format string, args ...any) *Error {
	e := Newf(Invalid, "invalid_field", format, args...)
	e.Field = field
	return e
}

// Wrap returns an Error of kind that keeps err as its cause. The message is
// for a person and must not repeat err, which may name secrets.
func Wrap(err error, kind Kind, code, message string) *Error {
	return &Error{Kind: kind, Code: code, Message: message, Err: err}
}

// WithRetryAfter returns a copy of e that tells when to try again.
func (e *Error) WithRetryAfter(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// Error returns the code, the field, the message and the cause, for a log.
func (e *Error) Error() string {
	s := e.Code
	if e.Field != "" {
		s += " (" + e.Field + ")"
	}
	s += ": " + e.Message
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the first Error in err's chain, or Internal.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// Is reports whether err is a fault of kind with that code; an empty code
// matches every code. A nil err is no fault.
func Is(err error, kind Kind, code string) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Kind == kind && (code == "" || e.Code == code)
}
