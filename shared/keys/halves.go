package keys

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice/shared/auth"
)

// The rings are kept in two documents where stores have rights for each, so
// that only what issues tokens can read what signs them.
type (
	// signing is the private half of the token ring.
	signing struct {
		Version int  `json:"version"`
		Token   ring `json:"token"`
	}

	// verifying is all that a server needs which issues no tokens.
	verifying struct {
		Version int        `json:"version"`
		Token   publicRing `json:"token"`
		Link    ring       `json:"link"`
	}

	publicRing struct {
		Keys []publicKey `json:"keys"`
	}

	publicKey struct {
		ID      string `json:"id"`
		Created string `json:"created"` // RFC 3339
		Public  string `json:"public"`  // 32 bytes in base64 (RFC 8032 §5.1.5)
	}
)

// parseSigning reads the private half, the key that signs first.
func parseSigning(text []byte) ([]auth.TokenKey, error) {
	var d signing
	if err := decode(text, &d); err != nil {
		return nil, err
	}
	if err := checkVersion(d.Version); err != nil {
		return nil, err
	}
	return d.Token.token()
}

// parseVerifying reads the other document.
func parseVerifying(text []byte) ([]auth.PublicKey, []auth.LinkKey, error) {
	var d verifying
	if err := decode(text, &d); err != nil {
		return nil, nil, err
	}
	if err := checkVersion(d.Version); err != nil {
		return nil, nil, err
	}
	public, err := d.Token.open()
	if err != nil {
		return nil, nil, err
	}
	link, err := d.Link.link()
	return public, link, err
}

// open checks a ring of public halves, at least one.
func (r publicRing) open() ([]auth.PublicKey, error) {
	if len(r.Keys) == 0 {
		return nil, errors.New("token.keys: there is none")
	}
	keys := make([]auth.PublicKey, 0, len(r.Keys))
	for i, k := range r.Keys {
		half, err := base64.StdEncoding.Strict().DecodeString(k.Public)
		switch {
		case !auth.ValidKeyID(k.ID):
			return nil, fmt.Errorf("token.keys[%d].id: not 1 to 64 letters, digits, hyphens and underscores", i)
		case slices.ContainsFunc(keys, func(other auth.PublicKey) bool { return other.ID == k.ID }):
			return nil, fmt.Errorf("token.keys[%d].id: another key has it too", i)
		case err != nil || len(half) != ed25519.PublicKeySize:
			return nil, fmt.Errorf("token.keys[%d].public: not %d bytes in base64", i, ed25519.PublicKeySize)
		}
		keys = append(keys, auth.PublicKey{ID: k.ID, Key: half})
	}
	return keys, nil
}

// public returns the public halves of a ring, as they stand in a document.
func (r ring) public() (publicRing, error) {
	keys, err := r.token()
	if err != nil {
		return publicRing{}, err
	}
	var out publicRing
	for _, k := range keys {
		half, err := k.Public()
		if err != nil {
			return publicRing{}, err
		}
		created := r.Keys[slices.IndexFunc(r.Keys, func(own key) bool { return own.ID == k.ID })].Created
		out.Keys = append(out.Keys, publicKey{k.ID, created, base64.StdEncoding.EncodeToString(half.Key)})
	}
	return out, nil
}

// newSigning returns a document with one new key.
func newSigning(now time.Time) signing {
	return signing{Version: documentVersion, Token: newRing(now)}
}

// marshal returns a document as it is stored.
func marshal(document any) ([]byte, error) {
	out, err := json.Marshal(document)
	if err != nil {
		return nil, errors.New("the keys could not be written as JSON")
	}
	return out, nil
}
