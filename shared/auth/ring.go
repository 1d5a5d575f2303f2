package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
)

// The limits of a sealed value, in bytes.
const (
	MaxPayload = 2048 // what Seal takes
	maxSealed  = maxKeyID + 1 + (MaxPayload*4+2)/3 + 1 + (sha256.Size*4+2)/3
)

// ErrNotSealed is Open's only error. A caller turns it into a fault that names
// the parameter, the same for every reason.
var ErrNotSealed = errors.New("auth: not a text that we sealed for this purpose")

// Ring signs opaque values that we hand out and get back: cursors, links. It
// signs with its first key and knows all of them, so that a new key can stand
// beside an old one until what that signed has run out. What is sealed can
// neither be changed nor be used for another purpose, but it can be read; and
// it does not expire unless the payload says so. The zero Ring has no keys before
// Replace, and opens nothing. A Ring is safe for concurrent
// use, of Replace too.
type Ring struct {
	known atomic.Pointer[linkKeys]
	renew Renewal
}

// linkKeys are the keys of a Ring, as they are for a while.
type linkKeys struct {
	first string
	keys  map[string]Secret
}

// NewRing returns a Ring of these keys, at least one, under different ids.
func NewRing(keys ...LinkKey) (*Ring, error) {
	r := &Ring{}
	if err := r.Replace(keys...); err != nil {
		return nil, err
	}
	return r, nil
}

// Replace makes these the keys, at least one, under different ids. After an
// error the former ones stay.
func (r *Ring) Replace(keys ...LinkKey) error {
	if len(keys) == 0 {
		return errors.New("auth: a ring needs a link key")
	}
	known := &linkKeys{first: keys[0].ID, keys: make(map[string]Secret, len(keys))}
	for _, key := range keys {
		if err := checkKey("link", key.ID, len(key.Secret.Reveal()), LinkKeySize); err != nil {
			return err
		}
		if _, twice := known.keys[key.ID]; twice {
			return fmt.Errorf("auth: two link keys have the id %s", key.ID)
		}
		known.keys[key.ID] = key.Secret
	}
	r.known.Store(known)
	return nil
}

// RenewBy has the Ring ask renewal for a key that it does not know. It must be
// called before anything else is.
func (r *Ring) RenewBy(renewal Renewal) { r.renew = renewal }

// Seal returns the payload, at most MaxPayload bytes, as text that needs no
// escaping in a URL: key id, payload and HMAC-SHA256, the latter two in
// base64url (RFC 4648 §5) without padding, joined by dots. A longer payload is
// a mistake in the program: Seal panics.
func (r *Ring) Seal(purpose string, payload []byte) string {
	if len(payload) > MaxPayload {
		panic(fmt.Sprintf("auth: a payload of %d bytes for %s; at most %d can be sealed", len(payload), purpose, MaxPayload))
	}
	known := r.known.Load()
	if known == nil {
		panic("auth: a ring without keys can seal nothing")
	}
	text := base64.RawURLEncoding.EncodeToString
	return known.first + "." + text(payload) + "." + text(mac(known.keys[known.first], purpose, payload))
}

// Open returns the payload of a text that Seal made for the same purpose with
// a key of the ring, else ErrNotSealed.
func (r *Ring) Open(purpose, text string) ([]byte, error) {
	if len(text) > maxSealed {
		return nil, ErrNotSealed
	}
	id, rest, _ := strings.Cut(text, ".")
	body, tag, _ := strings.Cut(rest, ".")
	key, known := r.key(id)
	payload, bodyErr := decodeSegment(body)
	got, tagErr := decodeSegment(tag)
	if !known || bodyErr != nil || tagErr != nil || !hmac.Equal(got, mac(key, purpose, payload)) {
		return nil, ErrNotSealed
	}
	return payload, nil
}

// key returns the key of an id, if there is one.
func (r *Ring) key(id string) (Secret, bool) {
	find := func() (key Secret, ok bool) {
		if known := r.known.Load(); known != nil {
			key, ok = known.keys[id]
		}
		return key, ok
	}
	key, ok := find()
	if !ok && ValidKeyID(id) && r.renew.ask() {
		key, ok = find()
	}
	return key, ok
}

// mac is over a label of this use of the key, the purpose with its length
// before it, and the payload, so that no two of them can be taken for others.
func mac(key Secret, purpose string, payload []byte) []byte {
	h := hmac.New(sha256.New, key.Reveal())
	message := append([]byte("sluice sealed value 1\x00"), binary.BigEndian.AppendUint64(nil, uint64(len(purpose)))...)
	h.Write(append(message, purpose...))
	h.Write(payload)
	return h.Sum(nil)
}

// decodeSegment decodes base64url without padding and takes one text only for
// the same bytes: Go's strict mode alone would still skip line breaks.
func decodeSegment(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, base64.CorruptInputError(0)
	}
	return base64.RawURLEncoding.Strict().DecodeString(s)
}
