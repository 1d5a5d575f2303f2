package auth

import (
	"crypto/rand"
	"time"

	"github.com/oklog/ulid/v2"
)

// NewID returns a new id: a ULID (26 characters of Crockford's base 32) of
// now in milliseconds and 80 random bits. Ids sort by time; those of one
// millisecond are in no order. It panics for a time before 1970 or after
// 10889. It is safe for concurrent use.
func NewID(now time.Time) string {
	return ulid.MustNew(ulid.Timestamp(now), rand.Reader).String()
}

// ValidID reports whether id is written as NewID writes one. A stranger's id
// that is not can name nothing, and need not be looked up.
func ValidID(id string) bool {
	parsed, err := ulid.ParseStrict(id)
	return err == nil && parsed.String() == id
}
