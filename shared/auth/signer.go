package auth

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"sluice/shared/fault"
)

// Authority names who issues tokens and for whom. A Signer and its Verifiers
// share it.
type Authority struct {
	Issuer   string // iss
	Audience string // aud
}

func (a Authority) check() error {
	if a.Issuer == "" || a.Audience == "" {
		return errors.New("auth: tokens need an issuer and an audience")
	}
	return nil
}

// Signer issues tokens: EdDSA JWTs (RFC 7519, RFC 8037). It holds the private
// half of one key; to rotate, let all Verifiers know the new key's public half
// first. A Signer is safe for concurrent use. Its methods fail with Internal
// "token_not_issued" where an id is missing or far too long.
type Signer struct {
	authority Authority
	keyID     string
	private   Secret
	now       func() time.Time
}

// NewSigner returns a Signer that takes the time from now.
func NewSigner(authority Authority, key TokenKey, now func() time.Time) (*Signer, error) {
	if err := authority.check(); err != nil {
		return nil, err
	}
	private, err := key.private()
	if err != nil {
		return nil, err
	}
	return &Signer{authority: authority, keyID: key.ID, private: NewSecret(private), now: now}, nil
}

// SignAccess issues an access token for AccessLifetime.
func (s *Signer) SignAccess(userID, loginID string) (string, Claims, error) {
	return s.sign(accessToken, Claims{UserID: userID, LoginID: loginID}, AccessLifetime)
}

// SignRefresh issues a refresh token of the login's generation.
func (s *Signer) SignRefresh(userID, loginID string, generation int64, lifetime time.Duration) (string, Claims, error) {
	return s.sign(refreshToken, Claims{UserID: userID, LoginID: loginID, Generation: generation}, lifetime)
}

// sign completes the claims with an id and the times and returns them with the
// token.
func (s *Signer) sign(typ tokenType, c Claims, lifetime time.Duration) (string, Claims, error) {
	now := s.now()
	p := payload{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    s.authority.Issuer,
			Audience:  jwt.ClaimStrings{s.authority.Audience},
			Subject:   c.UserID,
			ID:        NewID(now),
			IssuedAt:  jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(lifetime)),
		},
		LoginID:    c.LoginID,
		Generation: c.Generation,
	}
	if err := p.Validate(); err != nil {
		return "", Claims{}, unsigned(err)
	}
	token := jwt.Token{Method: jwt.SigningMethodEdDSA, Header: header(s.keyID, typ), Claims: p}
	text, err := token.SignedString(ed25519.PrivateKey(s.private.Reveal()))
	if err != nil {
		return "", Claims{}, unsigned(err)
	}
	if len(text) > MaxToken {
		return "", Claims{}, unsigned(fmt.Errorf("%d bytes, over %d", len(text), MaxToken))
	}
	return text, p.claims(), nil
}

func unsigned(err error) error {
	return fault.Wrap(err, fault.Internal, "token_not_issued", "The token could not be issued.")
}
