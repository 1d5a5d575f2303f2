// Package digest reads and writes the digest fields of RFC 9530.
package digest

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"

	"github.com/dunglas/httpsfv"
)

// Set holds the digests of one content; one that is unknown is nil.
type Set struct {
	SHA256 []byte // 32 bytes
	SHA512 []byte // 64 bytes
}

// Parse reads the field lines of a Repr-Digest or Content-Digest (RFC 9530
// §2, §3). Algorithms other than sha-256 and sha-512 are ignored, as §5 asks.
// A malformed field, or a value of the wrong length, is an error.
func Parse(lines []string) (Set, error) {
	var s Set
	if len(lines) == 0 {
		return s, nil
	}
	fields, err := httpsfv.UnmarshalDictionary(lines)
	if err != nil {
		return s, fmt.Errorf("not a dictionary of structured fields: %w", err)
	}
	if s.SHA256, err = value(fields, "sha-256", sha256.Size); err != nil {
		return s, err
	}
	s.SHA512, err = value(fields, "sha-512", sha512.Size)
	return s, err
}

func value(fields *httpsfv.Dictionary, algorithm string, size int) ([]byte, error) {
	member, ok := fields.Get(algorithm)
	if !ok {
		return nil, nil
	}
	item, ok := member.(httpsfv.Item)
	if !ok {
		return nil, fmt.Errorf("%s is not a byte sequence", algorithm)
	}
	sum, ok := item.Value.([]byte)
	if !ok || len(sum) != size {
		return nil, fmt.Errorf("%s is not a byte sequence of %d bytes", algorithm, size)
	}
	return sum, nil
}

// Format returns the field value for a SHA-256 (RFC 9530 §5).
func Format(sha256 []byte) string {
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sha256) + ":"
}

// Join returns the digests of both sets. Two different digests by the same
// algorithm are an error.
func (s Set) Join(t Set) (Set, error) {
	var err error
	if s.SHA256, err = join("sha-256", s.SHA256, t.SHA256); err != nil {
		return s, err
	}
	s.SHA512, err = join("sha-512", s.SHA512, t.SHA512)
	return s, err
}

func join(algorithm string, a, b []byte) ([]byte, error) {
	if a == nil || b != nil && bytes.Equal(a, b) {
		return b, nil
	}
	if b == nil {
		return a, nil
	}
	return nil, fmt.Errorf("%s is given twice, with different values", algorithm)
}
