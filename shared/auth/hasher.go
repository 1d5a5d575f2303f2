package auth

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/alexedwards/argon2id"
	"golang.org/x/crypto/argon2"

	"sluice/shared/fault"
)

// The cost of one hash: 19 MiB, two passes, one lane, the OWASP Password
// Storage Cheat Sheet's choice for a server that hashes while it serves. A
// stored hash carries its own cost, so that these may change.
const (
	hashMemory  = 19 * 1024 // KiB
	hashPasses  = 2
	hashLanes   = 1
	hashSaltLen = 16
	hashKeyLen  = 32
)

// The most that a stored hash may ask for: a broken record must not take the
// machine's memory, nor make argon2 panic.
const (
	maxHashMemory = 256 * 1024 // KiB
	maxHashPasses = 16
	maxHashLanes  = 4
)

// busyRetry is when those who found the line full may come back: many hashes
// (some 30 ms each) have left it by then.
const busyRetry = time.Second

// Hasher hashes passwords with argon2id (RFC 9106), a few at a time, so that
// a burst of logins takes neither all memory nor the whole machine. It is
// safe for concurrent use.
//
// Its methods fail with Unavailable "busy" where the line is full, and with
// Unavailable "canceled" where the context ended before a slot was free; a
// hash that has begun is finished.
type Hasher struct {
	slots  chan struct{} // one token for each hash at work
	places chan struct{} // one token for each caller, at work or in line
	decoy  string
	hashed atomic.Int64
}

// NewHasher returns a Hasher with that many hashes at work (one for each
// processor, runtime.GOMAXPROCS(0); each takes 19 MiB) and that many callers
// waiting for them.
func NewHasher(slots, waiting int) *Hasher {
	return &Hasher{
		slots:  make(chan struct{}, slots),
		places: make(chan struct{}, slots+waiting),
		decoy:  newDecoy(),
	}
}

// newDecoy returns an encoded hash of today's cost that no password has.
func newDecoy() string {
	noise := make([]byte, hashSaltLen+hashKeyLen)
	_, _ = rand.Read(noise) // never fails
	text := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		hashMemory, hashPasses, hashLanes, text(noise[:hashSaltLen]), text(noise[hashSaltLen:]))
}

// Hash returns the encoded hash of a password under a new salt, in the form
// of the reference implementation: $argon2id$v=19$m=…,t=…,p=…$salt$key.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	release, err := h.acquire(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	encoded, err := argon2id.CreateHash(password, &argon2id.Params{
		Memory: hashMemory, Iterations: hashPasses, Parallelism: hashLanes,
		SaltLength: hashSaltLen, KeyLength: hashKeyLen,
	})
	if err != nil {
		return "", fault.Wrap(err, fault.Internal, "password_hash_failed", "The password could not be hashed.")
	}
	return encoded, nil
}

// Verify reports whether the password is the one that was hashed. A hash that
// cannot be read is an Internal fault "password_hash_broken".
func (h *Hasher) Verify(ctx context.Context, password, encoded string) (bool, error) {
	if err := checkHash(encoded); err != nil {
		return false, err
	}
	release, err := h.acquire(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	match, err := argon2id.ComparePasswordAndHash(password, encoded)
	if err != nil {
		return false, brokenHash(err)
	}
	return match, nil
}

// VerifyNobody does the work of Verify for a user who does not exist, so that
// the time of the answer does not tell who does. A caller answers as for a
// wrong password, whatever comes of it.
func (h *Hasher) VerifyNobody(ctx context.Context, password string) error {
	_, err := h.Verify(ctx, password, h.decoy)
	return err
}

// Hashed returns how many hashes were begun, for a metric.
func (h *Hasher) Hashed() int64 { return h.hashed.Load() }

// acquire waits in line for a slot.
func (h *Hasher) acquire(ctx context.Context) (release func(), err error) {
	select {
	case h.places <- struct{}{}:
	default:
		return nil, fault.New(fault.Unavailable, "busy", "Too many passwords are being checked.").WithRetryAfter(busyRetry)
	}
	if err := h.await(ctx); err != nil {
		<-h.places
		return nil, err
	}
	h.hashed.Add(1)
	return func() { <-h.slots; <-h.places }, nil
}

// await takes a slot unless the context ends first. A context that has ended
// never gets one, though a slot be free.
func (h *Hasher) await(ctx context.Context) error {
	if ctx.Err() == nil {
		select {
		case h.slots <- struct{}{}:
			return nil
		case <-ctx.Done():
		}
	}
	return fault.Wrap(context.Cause(ctx), fault.Unavailable, "canceled", "The request ended before its password was checked.")
}

// checkHash reads the cost of an encoded hash and refuses one beyond reason.
func checkHash(encoded string) error {
	cost, _, _, err := argon2id.DecodeHash(encoded)
	if err != nil {
		return brokenHash(err)
	}
	switch {
	case cost.Memory > maxHashMemory, cost.KeyLength < 16, cost.SaltLength < 8,
		cost.Iterations < 1 || cost.Iterations > maxHashPasses,
		cost.Parallelism < 1 || cost.Parallelism > maxHashLanes:
		return brokenHash(fmt.Errorf("its cost is m=%d,t=%d,p=%d with %d bytes of salt and %d of key",
			cost.Memory, cost.Iterations, cost.Parallelism, cost.SaltLength, cost.KeyLength))
	}
	return nil
}

func brokenHash(err error) error {
	return fault.Wrap(err, fault.Internal, "password_hash_broken", "The stored password cannot be read.")
}
