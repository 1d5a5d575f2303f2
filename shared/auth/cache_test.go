package auth_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"sluice/shared/auth"
)

func TestCacheAnswersAsTheVerifier(t *testing.T) {
	token, _ := tokens(t, newSigner(t, newKey), time.Hour)
	verifier := newVerifier(t, at(start), newKey)
	want, err := verifier.VerifyAccess(token)
	if err != nil {
		t.Fatal(err)
	}
	cache := newCache(t, verifier, 10)
	for _, name := range []string{"a first time", "a second time"} {
		if got, err := cache.VerifyAccess(token); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, want)
		}
	}
}

func TestCacheDoesNotOutliveTheToken(t *testing.T) {
	token, _ := tokens(t, newSigner(t, newKey), time.Hour)
	now := start
	cache := newCache(t, newVerifier(t, func() time.Time { return now }, newKey), 10)
	steps := []struct {
		name  string
		after time.Duration
		code  string
		kept  int
	}{
		{"when issued", 0, "", 1},
		{"in its last moment", auth.AccessLifetime + leeway - 1, "", 1},
		{"when it is over", auth.AccessLifetime + leeway, "token_expired", 0},
		{"when it is over, again", auth.AccessLifetime + leeway, "token_expired", 0},
	}
	for _, step := range steps {
		now = start.Add(step.after)
		_, err := cache.VerifyAccess(token)
		wantCode(t, step.name, err, step.code)
		if got := cache.Len(); got != step.kept {
			t.Errorf("%s: %d tokens are remembered; want %d", step.name, got, step.kept)
		}
	}
}

func TestCacheRemembersNoBadToken(t *testing.T) {
	cache := newCache(t, newVerifier(t, at(start), newKey), 10)
	bad, _ := tokens(t, newSigner(t, alienKey), time.Hour)
	for range 3 {
		_, err := cache.VerifyAccess(bad)
		wantCode(t, "a token of another's key", err, "token_invalid")
	}
	if got := cache.Len(); got != 0 {
		t.Errorf("%d tokens are remembered; want none", got)
	}
}

func TestCacheIsBounded(t *testing.T) {
	const size = 3
	cache := newCache(t, newVerifier(t, at(start), newKey), size)
	signer := newSigner(t, newKey)
	for range 3 * size {
		token, _ := tokens(t, signer, time.Hour)
		if _, err := cache.VerifyAccess(token); err != nil {
			t.Fatal(err)
		}
	}
	if got := cache.Len(); got != size {
		t.Errorf("%d tokens are remembered; want %d", got, size)
	}
	if _, err := auth.NewCache(newVerifier(t, at(start), newKey), 0); err == nil {
		t.Error("NewCache took a size of 0")
	}
}

func TestCacheHitVerifiesNoSignature(t *testing.T) {
	token, _ := tokens(t, newSigner(t, newKey), time.Hour)
	verifier := newVerifier(t, at(start), newKey)
	cache := newCache(t, verifier, 10)
	hit := testing.AllocsPerRun(100, func() { _, _ = cache.VerifyAccess(token) })
	miss := testing.AllocsPerRun(100, func() { _, _ = verifier.VerifyAccess(token) })
	if hit > 1 || miss < 10 {
		t.Errorf("a hit allocates %v times, a miss %v times; want a hit to decode nothing", hit, miss)
	}
}

func TestCacheServesManyAtOnce(t *testing.T) {
	cache := newCache(t, newVerifier(t, at(start), newKey), 2)
	signer := newSigner(t, newKey)
	var group sync.WaitGroup
	for i := range 4 {
		user := fmt.Sprint("user ", i)
		token, _, err := signer.SignAccess(user, "login 1")
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			group.Go(func() {
				for range 20 {
					if claims, err := cache.VerifyAccess(token); err != nil || claims.UserID != user {
						t.Errorf("the token of %s: %+v, %v", user, claims, err)
					}
				}
			})
		}
	}
	group.Wait()
}

func BenchmarkVerifyAccess(b *testing.B) {
	token, _ := tokens(b, newSigner(b, newKey), time.Hour)
	verifier := newVerifier(b, at(start), newKey)
	cache := newCache(b, verifier, 1000)
	for name, verify := range map[string]func(string) (auth.Claims, error){"miss": verifier.VerifyAccess, "hit": cache.VerifyAccess} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := verify(token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func newCache(t testing.TB, verifier *auth.Verifier, size int) *auth.Cache {
	t.Helper()
	cache, err := auth.NewCache(verifier, size)
	if err != nil {
		t.Fatal(err)
	}
	return cache
}
