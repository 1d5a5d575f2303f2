package auth

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync/atomic"
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
// first. A Signer is safe for concurrent use, of Replace too. Its methods fail with Internal
// "token_not_issued" where an id is missing or far too long.
type Signer struct {
	authority Authority
	key       atomic.Pointer[privateKey]
	now       func() time.Time
}

// privateKey is the key of a Signer, as it is for a while.
type privateKey struct {
	id     string
	secret Secret
}

// NewSigner returns a Signer that takes the time from now.
func NewSigner(authority Authority, key TokenKey, now func() time.Time) (*Signer, error) {
	s, err := NewLateSigner(authority, now)
	if err != nil {
		return nil, err
	}
	if err := s.Replace(key); err != nil {
		return nil, err
	}
	return s, nil
}

// NewLateSigner returns a Signer that has no key before Replace, and issues
// nothing.
func NewLateSigner(authority Authority, now func() time.Time) (*Signer, error) {
	if err := authority.check(); err != nil {
		return nil, err
	}
	return &Signer{authority: authority, now: now}, nil
}

// Replace makes this the key. After an error the former one stays.
func (s *Signer) Replace(key TokenKey) error {
	private, err := key.private()
	if err != nil {
		return err
	}
	s.key.Store(&privateKey{key.ID, NewSecret(private)})
	return nil
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
	key, now := s.key.Load(), s.now()
	if key == nil {
		return "", Claims{}, unsigned(errors.New("there is no key yet"))
	}
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
	token := jwt.Token{Method: jwt.SigningMethodEdDSA, Header: header(key.id, typ), Claims: p}
	text, err := token.SignedString(ed25519.PrivateKey(key.secret.Reveal()))
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
