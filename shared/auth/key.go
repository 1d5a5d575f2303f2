package auth

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"strings"
)

// maxKeyID is the longest key id, in bytes.
const maxKeyID = 64

// TokenKey is the private half of a key of the token ring (Ed25519).
type TokenKey struct {
	ID   string // 1 to 64 of A-Z a-z 0-9 - _
	Seed Secret // ed25519.SeedSize bytes (RFC 8032 §5.1.5)
}

// Public returns the half that verifies.
func (k TokenKey) Public() (PublicKey, error) {
	private, err := k.private()
	if err != nil {
		return PublicKey{}, err
	}
	return PublicKey{ID: k.ID, Key: private.Public().(ed25519.PublicKey)}, nil
}

func (k TokenKey) private() (ed25519.PrivateKey, error) {
	if err := checkKey("token", k.ID, len(k.Seed.Reveal()), ed25519.SeedSize); err != nil {
		return nil, err
	}
	return ed25519.NewKeyFromSeed(k.Seed.Reveal()), nil
}

// PublicKey is the public half of a key of the token ring.
type PublicKey struct {
	ID  string
	Key ed25519.PublicKey
}

// LinkKey is a key of the link ring (HMAC-SHA256).
type LinkKey struct {
	ID     string // 1 to 64 of A-Z a-z 0-9 - _
	Secret Secret // LinkKeySize bytes
}

// LinkKeySize is the length of a link key in bytes: the hash's own length
// (RFC 2104 §3).
const LinkKeySize = sha256.Size

// checkKey holds a key to its form. No error names more than the id.
func checkKey(ring, id string, length, want int) error {
	if !ValidKeyID(id) {
		return fmt.Errorf("auth: %s key with a malformed id", ring)
	}
	if length != want {
		return fmt.Errorf("auth: %s key %s has %d bytes, want %d", ring, id, length, want)
	}
	return nil
}

// ValidKeyID reports whether id can be the id of a key: 1 to 64 of
// A-Z a-z 0-9 - and _, which can stand in a header and before a dot.
func ValidKeyID(id string) bool {
	return id != "" && len(id) <= maxKeyID && strings.Trim(id, keyIDBytes) == ""
}

const keyIDBytes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
