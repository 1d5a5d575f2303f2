package keys

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"sluice/shared/auth"
)

// documentVersion is the version of the document that this program writes,
// and the only one that it reads.
const documentVersion = 1

// keySize is the length in bytes of an Ed25519 seed and of a link key alike.
const keySize = 32

// document is the JSON form of a Set, with the secrets as they are. It is
// unexported, and lives no longer than it takes to read or write one.
type document struct {
	Version int  `json:"version"`
	Token   ring `json:"token"`
	Link    ring `json:"link"`
}

type ring struct {
	Signing string `json:"signing"` // the id of the key that signs
	Keys    []key  `json:"keys"`
}

type key struct {
	ID      string `json:"id"`
	Created string `json:"created"` // RFC 3339; for people and for rotation
	Secret  string `json:"secret"`  // 32 bytes in base64
}

// parse reads a document. Its errors name the field at fault and quote
// nothing of the content but that name.
func parse(text []byte) (Set, error) {
	var d document
	if err := decode(text, &d); err != nil {
		return Set{}, err
	}
	if err := checkVersion(d.Version); err != nil {
		return Set{}, err
	}
	return d.set()
}

// decode takes the one JSON document that text must be.
func decode(text []byte, to any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(to); err != nil {
		return jsonError(err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("something follows the JSON document")
	}
	return nil
}

func checkVersion(version int) error {
	if version != documentVersion {
		return fmt.Errorf("version: %d is not known to this program, only %d is", version, documentVersion)
	}
	return nil
}

// jsonError keeps of an error of encoding/json what quotes no value.
func jsonError(err error) error {
	if wrongType, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%s: not of the right JSON type", wrongType.Field)
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("not JSON at byte %d", syntax.Offset)
	}
	return errors.New("not a whole JSON document")
}

func (d document) set() (Set, error) {
	token, err := d.Token.token()
	if err != nil {
		return Set{}, err
	}
	link, err := d.Link.link()
	return Set{token, link}, err
}

// token opens a ring as that of the tokens.
func (r ring) token() (keys []auth.TokenKey, err error) {
	opened, err := r.open("token")
	for _, k := range opened {
		keys = append(keys, auth.TokenKey{ID: k.id, Seed: k.secret})
	}
	return keys, err
}

// link opens a ring as that of the links.
func (r ring) link() (keys []auth.LinkKey, err error) {
	opened, err := r.open("link")
	for _, k := range opened {
		keys = append(keys, auth.LinkKey{ID: k.id, Secret: k.secret})
	}
	return keys, err
}

// opened is a key that passed.
type opened struct {
	id     string
	secret auth.Secret
}

// open checks a ring and returns its keys, the one that signs first.
func (r ring) open(name string) ([]opened, error) {
	keys := make([]opened, 0, len(r.Keys))
	for i, k := range r.Keys {
		secret, err := k.open()
		if err != nil {
			return nil, fmt.Errorf("%s.keys[%d].%w", name, i, err)
		}
		if position(keys, k.ID) >= 0 {
			return nil, fmt.Errorf("%s.keys[%d].id: another key has it too", name, i)
		}
		keys = append(keys, opened{k.ID, secret})
	}
	signing := position(keys, r.Signing)
	if signing < 0 {
		return nil, fmt.Errorf("%s.signing: no key has this id", name)
	}
	first := keys[signing]
	return slices.Insert(slices.Delete(keys, signing, signing+1), 0, first), nil
}

func position(keys []opened, id string) int {
	return slices.IndexFunc(keys, func(k opened) bool { return k.id == id })
}

// open checks a key and returns its secret. Its errors begin with the field.
func (k key) open() (auth.Secret, error) {
	if !auth.ValidKeyID(k.ID) {
		return auth.Secret{}, errors.New("id: not 1 to 64 letters, digits, hyphens and underscores")
	}
	if _, err := time.Parse(time.RFC3339, k.Created); err != nil {
		return auth.Secret{}, errors.New("created: not an RFC 3339 time")
	}
	secret, err := base64.StdEncoding.Strict().DecodeString(k.Secret)
	if err != nil || len(secret) != keySize {
		return auth.Secret{}, fmt.Errorf("secret: not %d bytes in base64", keySize)
	}
	return auth.NewSecret(secret), nil
}
