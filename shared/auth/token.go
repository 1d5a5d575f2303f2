package auth

import (
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// AccessLifetime is how long an access token is good for.
const AccessLifetime = 15 * time.Minute

// MaxToken is the longest token, in bytes. Ours have less than half of that.
const MaxToken = 2048

// leeway is how far the clocks of two servers may be apart: a token counts as
// good that much after it has expired.
const leeway = 5 * time.Second

// Claims are what a token says. Times have whole seconds.
type Claims struct {
	UserID     string    // sub
	LoginID    string    // sid: the login it belongs to, by which it is revoked
	ID         string    // jti: the token's own id
	Generation int64     // gen: how often the login was refreshed; refresh tokens only
	IssuedAt   time.Time // iat
	ExpiresAt  time.Time // exp
}

// tokenType is the header's typ (RFC 8725 §3.11): what tells an access token
// from a refresh token.
type tokenType string

const (
	accessToken  tokenType = "at+jwt"
	refreshToken tokenType = "rt+jwt"
)

// header is the JOSE header of every token that we issue (RFC 7515 §4).
func header(keyID string, typ tokenType) map[string]any {
	return map[string]any{"alg": jwt.SigningMethodEdDSA.Alg(), "kid": keyID, "typ": string(typ)}
}

// headerSegment is the header as it stands in a token.
func headerSegment(keyID string, typ tokenType) (string, error) {
	text, err := json.Marshal(header(keyID, typ))
	return base64.RawURLEncoding.EncodeToString(text), err
}

// payload is the JSON of a token (RFC 7519 §4).
type payload struct {
	jwt.RegisteredClaims
	LoginID    string `json:"sid"`
	Generation int64  `json:"gen,omitempty"`
}

// Validate is called by golang-jwt after its own checks, for the claims that
// these leave optional.
func (p payload) Validate() error {
	if p.Subject == "" || p.ID == "" || p.LoginID == "" || p.IssuedAt == nil {
		return jwt.ErrTokenRequiredClaimMissing
	}
	return nil
}

// claims turns a valid payload into Claims.
func (p payload) claims() Claims {
	return Claims{
		UserID:     p.Subject,
		LoginID:    p.LoginID,
		ID:         p.ID,
		Generation: p.Generation,
		IssuedAt:   p.IssuedAt.UTC(),
		ExpiresAt:  p.ExpiresAt.UTC(),
	}
}
