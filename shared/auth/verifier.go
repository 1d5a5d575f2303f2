package auth

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"sluice/shared/fault"
)

// Verifier checks tokens. It knows public halves only. It is safe for
// concurrent use, of Replace too.
//
// Its methods fail with Unauthenticated "token_expired" for a token of ours
// whose time is over, and with Unauthenticated "token_invalid" for all else.
// No error holds the token or a part of it.
type Verifier struct {
	known  atomic.Pointer[publicKeys]
	parser *jwt.Parser
	now    func() time.Time
	renew  Renewal
}

// publicKeys are the keys of a Verifier, as they are for a while.
type publicKeys struct {
	headers map[string]issued // by the token's header segment
	jwks    []byte
}

// issued is what a header segment of ours stands for.
type issued struct {
	key ed25519.PublicKey
	typ tokenType
}

// NewVerifier returns a Verifier that takes the time from now, for tokens
// signed with any of these keys, at least one, under different ids.
func NewVerifier(authority Authority, now func() time.Time, keys ...PublicKey) (*Verifier, error) {
	v, err := NewLateVerifier(authority, now)
	if err != nil {
		return nil, err
	}
	if err := v.Replace(keys...); err != nil {
		return nil, err
	}
	return v, nil
}

// NewLateVerifier returns a Verifier that has no keys before Replace, and finds
// no token valid.
func NewLateVerifier(authority Authority, now func() time.Time) (*Verifier, error) {
	if err := authority.check(); err != nil {
		return nil, err
	}
	// When a token was issued is not asked: a clock that is set back would lose
	// every login of the time it takes to come there again.
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}),
		jwt.WithStrictDecoding(),
		jwt.WithExpirationRequired(),
		jwt.WithIssuer(authority.Issuer),
		jwt.WithAudience(authority.Audience),
		jwt.WithLeeway(leeway),
		jwt.WithTimeFunc(now),
	)
	v := &Verifier{parser: parser, now: now}
	v.known.Store(&publicKeys{jwks: []byte(`{"keys":[]}`)})
	return v, nil
}

// Replace makes these the keys, at least one, under different ids. After an
// error the former ones stay.
func (v *Verifier) Replace(keys ...PublicKey) error {
	headers, err := issuedHeaders(keys)
	if err != nil {
		return err
	}
	jwks, err := marshalJWKS(keys)
	if err != nil {
		return err
	}
	v.known.Store(&publicKeys{headers, jwks})
	return nil
}

// RenewBy has the Verifier ask r for a key that it does not know. It must be
// called before anything else is.
func (v *Verifier) RenewBy(r Renewal) { v.renew = r }

// issuedHeaders lists every header segment that a token of ours can have: one
// for each key and type.
func issuedHeaders(keys []PublicKey) (map[string]issued, error) {
	if len(keys) == 0 {
		return nil, errors.New("auth: a verifier needs a token key")
	}
	headers := make(map[string]issued, 2*len(keys))
	for _, key := range keys {
		if err := checkKey("public token", key.ID, len(key.Key), ed25519.PublicKeySize); err != nil {
			return nil, err
		}
		for _, typ := range []tokenType{accessToken, refreshToken} {
			segment, err := headerSegment(key.ID, typ)
			if err != nil {
				return nil, fmt.Errorf("auth: header of key %s: %w", key.ID, err)
			}
			if _, twice := headers[segment]; twice {
				return nil, fmt.Errorf("auth: two token keys have the id %s", key.ID)
			}
			headers[segment] = issued{key.Key, typ}
		}
	}
	return headers, nil
}

// VerifyAccess returns the claims of an access token.
func (v *Verifier) VerifyAccess(token string) (Claims, error) {
	return v.verify(accessToken, token)
}

// VerifyRefresh returns the claims of a refresh token. Whether it was used
// before, only the login's record can tell.
func (v *Verifier) VerifyRefresh(token string) (Claims, error) {
	return v.verify(refreshToken, token)
}

// JWKS returns the keys as a JSON Web Key Set (RFC 7517 §5).
func (v *Verifier) JWKS() []byte {
	return bytes.Clone(v.known.Load().jwks)
}

// verify looks the header segment up before anything is decoded: a token whose
// header is not, byte for byte, one that we issue is not ours, whatever it
// says of algorithms, keys or extensions. The key is the one that goes with
// the segment; the header's content is never asked.
func (v *Verifier) verify(typ tokenType, token string) (Claims, error) {
	if len(token) > MaxToken {
		return Claims{}, invalidToken(jwt.ErrTokenMalformed)
	}
	segment, _, _ := strings.Cut(token, ".")
	known, ok := v.known.Load().headers[segment]
	if !ok && v.renew.ask() {
		known, ok = v.known.Load().headers[segment]
	}
	if !ok || known.typ != typ {
		return Claims{}, invalidToken(jwt.ErrTokenUnverifiable)
	}
	// The library's strict decoding skips line breaks.
	if strings.ContainsAny(token, "\r\n") {
		return Claims{}, invalidToken(jwt.ErrTokenMalformed)
	}
	var p payload
	_, err := v.parser.ParseWithClaims(token, &p, func(*jwt.Token) (any, error) { return known.key, nil })
	if err != nil {
		return Claims{}, tokenFault(err)
	}
	return p.claims(), nil
}

// expired reports whether the claims' time is over, by the parser's own rule.
func (v *Verifier) expired(c Claims) bool {
	return !v.now().Before(c.ExpiresAt.Add(leeway))
}

// tokenFault turns an error of golang-jwt into a fault. Of the error it keeps
// only the kind, since its text may quote the token.
func tokenFault(err error) error {
	for _, reason := range []error{
		jwt.ErrTokenMalformed,
		jwt.ErrTokenSignatureInvalid,
		jwt.ErrTokenRequiredClaimMissing,
		jwt.ErrTokenInvalidIssuer,
		jwt.ErrTokenInvalidAudience,
		jwt.ErrTokenNotValidYet,
	} {
		if errors.Is(err, reason) {
			return invalidToken(reason)
		}
	}
	if errors.Is(err, jwt.ErrTokenExpired) {
		return expiredToken()
	}
	return invalidToken(jwt.ErrTokenUnverifiable)
}

func invalidToken(reason error) error {
	return fault.Wrap(reason, fault.Unauthenticated, "token_invalid", "The token is not valid.")
}

func expiredToken() error {
	return fault.Wrap(jwt.ErrTokenExpired, fault.Unauthenticated, "token_expired", "The token has expired.")
}
