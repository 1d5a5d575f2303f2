package auth

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/golang-jwt/jwt/v5"
)

// jwk is a public Ed25519 key as a JSON Web Key (RFC 7517 §4, RFC 8037 §2).
type jwk struct {
	KeyType   string `json:"kty"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	KeyID     string `json:"kid"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
}

func marshalJWKS(keys []PublicKey) ([]byte, error) {
	set := struct {
		Keys []jwk `json:"keys"`
	}{make([]jwk, 0, len(keys))}
	for _, key := range keys {
		set.Keys = append(set.Keys, jwk{
			KeyType:   "OKP",
			Curve:     "Ed25519",
			X:         base64.RawURLEncoding.EncodeToString(key.Key),
			KeyID:     key.ID,
			Use:       "sig",
			Algorithm: jwt.SigningMethodEdDSA.Alg(),
		})
	}
	document, err := json.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("auth: marshal the key set: %w", err)
	}
	return document, nil
}
