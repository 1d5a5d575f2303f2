package tus

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the protocol demands it; it guards against accidents, not against forgers
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"strings"
)

// Checksum is the digest that the body of a PATCH must have.
type Checksum struct {
	sum []byte
	new func() hash.Hash
}

// ParseChecksum reads an Upload-Checksum: the name of an algorithm and a digest
// in Base64. An algorithm that is none of Algorithms is an error.
func ParseChecksum(value string) (*Checksum, error) {
	name, encoded, _ := strings.Cut(value, " ")
	var c Checksum
	switch name {
	case "sha1":
		c.new = sha1.New
	case "sha256":
		c.new = sha256.New
	default:
		return nil, fmt.Errorf("%q is not one of %s", name, Algorithms)
	}
	sum, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || len(sum) != c.new().Size() || strings.ContainsAny(encoded, "\r\n") {
		return nil, fmt.Errorf("the digest is not %d bytes in Base64", c.new().Size())
	}
	c.sum = sum
	return &c, nil
}

// New returns a hash of the algorithm, to be written to.
func (c *Checksum) New() hash.Hash { return c.new() }

// Holds reports whether what was written to h has the digest.
func (c *Checksum) Holds(h hash.Hash) bool { return bytes.Equal(h.Sum(nil), c.sum) }
