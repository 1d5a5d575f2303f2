package auth

import (
	"crypto/sha256"
	"fmt"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Cache remembers the access tokens that a Verifier found good, until they
// expire. It keeps their SHA-256, not the tokens. What was refused is not
// remembered, so that a flood of bad tokens pushes nothing out. Like the
// Verifier it knows nothing of revocation. It is safe for concurrent use.
type Cache struct {
	verifier *Verifier
	verified *lru.Cache[[sha256.Size]byte, Claims]
}

// NewCache returns a Cache of at most size tokens, some 300 bytes each. The
// token that was not used for longest makes room for a new one.
func NewCache(v *Verifier, size int) (*Cache, error) {
	verified, err := lru.New[[sha256.Size]byte, Claims](size)
	if err != nil {
		return nil, fmt.Errorf("auth: token cache of %d: %w", size, err)
	}
	return &Cache{verifier: v, verified: verified}, nil
}

// VerifyAccess answers as the Verifier would.
func (c *Cache) VerifyAccess(token string) (Claims, error) {
	if len(token) > MaxToken {
		return c.verifier.VerifyAccess(token)
	}
	key := sha256.Sum256(append(make([]byte, 0, 512), token...)) // a copy on the stack, where ours fit
	if claims, ok := c.verified.Get(key); ok {
		if !c.verifier.expired(claims) {
			return claims, nil
		}
		c.verified.Remove(key)
		return Claims{}, expiredToken()
	}
	claims, err := c.verifier.VerifyAccess(token)
	if err == nil {
		c.verified.Add(key, claims)
	}
	return claims, err
}

// Len returns how many tokens are remembered, for a metric.
func (c *Cache) Len() int { return c.verified.Len() }
