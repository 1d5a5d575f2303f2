// Package byterange decides which bytes of a representation a request gets:
// the preconditions of RFC 9110 section 13, the byte ranges of section 14, and
// the multipart/byteranges body of section 14.6. It reads header fields and
// does arithmetic; it opens nothing and writes nothing.
//
// Ranges are answered as they were asked: in the client's order (section
// 15.3.7.2) and never coalesced, so that every part is one that the client
// named. What coalescing would guard against (section 17.15) is bounded
// instead, as section 14.2 allows: a Range is ignored, and the whole
// representation sent, when it names more than 16 ranges or, in sum, more
// bytes than one and a half times the representation.
//
// Section 14.2 lets a server ignore the Range of a representation without
// content. This package always does: a suffix range of nothing is satisfiable
// (section 14.1.2), yet no Content-Range can describe it, and one rule for
// every range is the simpler one.
//
// For clients it reads the Content-Range that came of it.
//
// All functions are safe for concurrent use.
package byterange

import (
	"errors"
	"time"
)

// Why a Range field cannot be followed.
var (
	// ErrMalformed says that the field breaks the grammar of RFC 9110 section
	// 14.1. The caller ignores the field (section 14.2).
	ErrMalformed = errors.New("byterange: malformed range")

	// ErrUnsatisfiable says that no range of the field holds a byte of the
	// representation. The caller answers 416 (section 15.5.17).
	ErrUnsatisfiable = errors.New("byterange: unsatisfiable range")
)

// Representation is what conditions and ranges are evaluated against.
type Representation struct {
	// ETag is the quoted entity tag, strong unless it begins with W/ (RFC
	// 9110 section 8.8.3). Empty means that there is none.
	ETag string

	// LastModified is compared in whole seconds, as it is sent. The zero time
	// means unknown.
	LastModified time.Time

	// Size is the length in bytes.
	Size int64
}

// modified is LastModified as the client saw it: without fractions.
func (r Representation) modified() time.Time {
	return r.LastModified.Truncate(time.Second)
}

// Range is Length bytes from offset Start. One that this package returns is
// never empty and lies within the representation.
type Range struct{ Start, Length int64 }
