// Package keys loads the two key rings of a deployment, token and link, from
// where SLUICE_KEYS says, and makes them at the first start.
//
// A ring holds several keys with overlapping lives: one signs, all verify. To
// rotate, a new key first verifies everywhere, then signs, and the old one goes
// when all that it signed has run out.
package keys

import (
	"crypto/rand"
	"encoding/base64"
	"time"

	"sluice/shared/auth"
)

// Set is both rings. In each the key that signs stands first, and there is at
// least one. Printed, it shows the keys' ids and no secret.
type Set struct {
	Token []auth.TokenKey
	Link  []auth.LinkKey
}

// TokenPublic returns the public halves of the token ring: all that a server
// needs which issues no tokens.
func (s Set) TokenPublic() ([]auth.PublicKey, error) {
	public := make([]auth.PublicKey, 0, len(s.Token))
	for _, key := range s.Token {
		half, err := key.Public()
		if err != nil {
			return nil, err
		}
		public = append(public, half)
	}
	return public, nil
}

// newDocument returns a document with one new key in each ring.
func newDocument(now time.Time) document {
	return document{
		Version: documentVersion,
		Token:   newRing(now),
		Link:    newRing(now),
	}
}

func newRing(now time.Time) ring {
	secret := make([]byte, keySize)
	_, _ = rand.Read(secret) // never fails
	id := auth.NewID(now)
	return ring{Signing: id, Keys: []key{{
		ID:      id,
		Created: now.UTC().Format(time.RFC3339),
		Secret:  base64.StdEncoding.EncodeToString(secret),
	}}}
}
