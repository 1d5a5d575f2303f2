package auth_test

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/shared/auth"
	"sluice/shared/fault"
)

// cost is the form of a hash of the cost that OWASP recommends.
var cost = regexp.MustCompile(`\A\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}\z`)

func TestPasswordIsFoundAgain(t *testing.T) {
	hasher := auth.NewHasher(1, 0)
	encoded, err := hasher.Hash(t.Context(), "correct horse")
	if err != nil || !cost.MatchString(encoded) {
		t.Fatalf("Hash = %q, %v; want the form %v", encoded, err, cost)
	}
	for password, want := range map[string]bool{"correct horse": true, "correct horsE": false, "": false, "correct horse ": false} {
		if got, err := hasher.Verify(t.Context(), password, encoded); err != nil || got != want {
			t.Errorf("Verify(%q) = %v, %v; want %v", password, got, err, want)
		}
	}
}

func TestEqualPasswordsHaveDifferentHashes(t *testing.T) {
	hasher := auth.NewHasher(1, 0)
	one, err1 := hasher.Hash(t.Context(), "correct horse")
	two, err2 := hasher.Hash(t.Context(), "correct horse")
	if err1 != nil || err2 != nil || one == two {
		t.Errorf("two hashes of one password: %q and %q, %v, %v; want two salts", one, two, err1, err2)
	}
}

// A stored hash carries its own cost and salt.
func TestHashOfAnotherCostIsVerified(t *testing.T) {
	const encoded = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	got, err := auth.NewHasher(1, 0).Verify(t.Context(), "password", encoded)
	if err != nil || !got {
		t.Errorf("Verify of the reference implementation's test vector = %v, %v; want true", got, err)
	}
}

func TestUnknownUserCostsAsMuchAsAWrongPassword(t *testing.T) {
	hasher := auth.NewHasher(1, 0)
	encoded, err := hasher.Hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	before := hasher.Hashed()
	if _, err := hasher.Verify(t.Context(), "wrong", encoded); err != nil {
		t.Fatal(err)
	}
	wrong := hasher.Hashed() - before
	if err := hasher.VerifyNobody(t.Context(), "wrong"); err != nil {
		t.Fatal(err)
	}
	nobody := hasher.Hashed() - before - wrong
	if wrong != 1 || nobody != 1 {
		t.Errorf("a wrong password took %d hashes, an unknown user %d; want one each", wrong, nobody)
	}
	if !cost.MatchString(hasher.Decoy()) {
		t.Errorf("an unknown user is verified against %q; want the form %v", hasher.Decoy(), cost)
	}
}

func TestBrokenHashIsOurFault(t *testing.T) {
	const salt, key = "c29tZXNhbHRzb21lc2FsdA", "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	cases := []struct{ name, encoded string }{
		{"nothing", ""},
		{"plain text", "correct horse"},
		{"bcrypt", "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"},
		{"argon2i", "$argon2i$v=19$m=19456,t=2,p=1$" + salt + "$" + key},
		{"another version", "$argon2id$v=16$m=19456,t=2,p=1$" + salt + "$" + key},
		{"no passes", "$argon2id$v=19$m=19456,t=0,p=1$" + salt + "$" + key},
		{"no lanes", "$argon2id$v=19$m=19456,t=2,p=0$" + salt + "$" + key},
		{"all memory", "$argon2id$v=19$m=4294967295,t=2,p=1$" + salt + "$" + key},
		{"passes without end", "$argon2id$v=19$m=19456,t=4294967295,p=1$" + salt + "$" + key},
		{"255 lanes", "$argon2id$v=19$m=19456,t=2,p=255$" + salt + "$" + key},
		{"an empty salt", "$argon2id$v=19$m=19456,t=2,p=1$$" + key},
		{"an empty key", "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$"},
		{"a short key", "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$AAAA"},
		{"a salt that is not base64", "$argon2id$v=19$m=19456,t=2,p=1$!$" + key},
	}
	hasher := auth.NewHasher(1, 0)
	for _, c := range cases {
		got, err := hasher.Verify(t.Context(), "correct horse", c.encoded)
		if got || !fault.Is(err, fault.Internal, "password_hash_broken") {
			t.Errorf("Verify against %s = %v, %v; want the fault password_hash_broken", c.name, got, err)
		} else if strings.Contains(err.Error(), key) || strings.Contains(err.Error(), salt) {
			t.Errorf("Verify against %s quotes the hash: %v", c.name, err)
		}
	}
	if got := hasher.Hashed(); got != 0 {
		t.Errorf("%d hashes were begun for broken records; want none", got)
	}
}

func TestFullLineIsBusy(t *testing.T) {
	hasher := auth.NewHasher(2, 0)
	occupy(t, hasher)
	release := occupy(t, hasher)
	calls := map[string]func() error{
		"Hash":         func() error { _, err := hasher.Hash(t.Context(), "correct horse"); return err },
		"Verify":       func() error { _, err := hasher.Verify(t.Context(), "correct horse", hasher.Decoy()); return err },
		"VerifyNobody": func() error { return hasher.VerifyNobody(t.Context(), "correct horse") },
	}
	for name, call := range calls {
		err := call()
		f, _ := err.(*fault.Error)
		if !fault.Is(err, fault.Unavailable, "busy") || f.RetryAfter <= 0 {
			t.Errorf("%s with a full line: %v; want busy and when to try again", name, err)
		}
	}
	release()
	for name, call := range calls {
		if err := call(); err != nil {
			t.Errorf("%s with a free slot: %v", name, err)
		}
	}
}

func TestWhoWaitsInLineIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hasher := auth.NewHasher(1, 1)
		release := occupy(t, hasher)
		served := make(chan error, 1)
		go func() { served <- hasher.VerifyNobody(t.Context(), "correct horse") }()
		synctest.Wait()
		if got := hasher.Hashed(); got != 1 {
			t.Errorf("%d hashes were begun while the only slot was taken; want the one that took it", got)
		}
		if err := hasher.VerifyNobody(t.Context(), "correct horse"); !fault.Is(err, fault.Unavailable, "busy") {
			t.Errorf("a second in a line of one: %v; want busy", err)
		}
		release()
		if err := <-served; err != nil {
			t.Errorf("the first in line, once the slot was free: %v", err)
		}
	})
}

func TestWhoLeavesTheLineFreesTheirPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hasher := auth.NewHasher(1, 1)
		release := occupy(t, hasher)
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			err := hasher.VerifyNobody(ctx, "correct horse")
			cancel()
			if !fault.Is(err, fault.Unavailable, "canceled") {
				t.Fatalf("a wait in line that outlasts its context: %v; want canceled", err)
			}
		}
		release()
		if err := hasher.VerifyNobody(t.Context(), "correct horse"); err != nil {
			t.Errorf("after them: %v", err)
		}
	})
}

func TestEndedContextHashesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	hasher := auth.NewHasher(1, 0)
	for range 50 { // a free slot and an ended context are both ready: chance must not decide
		if err := hasher.VerifyNobody(ctx, "correct horse"); !fault.Is(err, fault.Unavailable, "canceled") {
			t.Fatalf("with an ended context: %v; want canceled", err)
		}
	}
	if got := hasher.Hashed(); got != 0 {
		t.Errorf("%d hashes were begun; want none", got)
	}
}

func BenchmarkHash(b *testing.B) {
	hasher := auth.NewHasher(1, 0)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := hasher.Hash(b.Context(), "correct horse"); err != nil {
			b.Fatal(err)
		}
	}
}

func occupy(t *testing.T, hasher *auth.Hasher) (release func()) {
	t.Helper()
	release, err := hasher.Occupy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return release
}
