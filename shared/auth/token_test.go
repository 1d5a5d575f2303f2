package auth_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"sluice/shared/auth"
	"sluice/shared/fault"
)

var (
	start     = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	authority = auth.Authority{Issuer: "https://sluice.example", Audience: "sluice"}
	oldKey    = auth.TokenKey{ID: "old", Seed: auth.NewSecret(seed(1))}
	newKey    = auth.TokenKey{ID: "new", Seed: auth.NewSecret(seed(2))}
	alienKey  = auth.TokenKey{ID: "new", Seed: auth.NewSecret(seed(3))}
)

const leeway = 5 * time.Second

func TestAccessTokenSaysWhatWasSigned(t *testing.T) {
	token, signed, err := newSigner(t, newKey).SignAccess("ulla", "login 1")
	if err != nil {
		t.Fatal(err)
	}
	want := auth.Claims{UserID: "ulla", LoginID: "login 1", ID: signed.ID, IssuedAt: start, ExpiresAt: start.Add(15 * time.Minute)}
	got, err := newVerifier(t, at(start), newKey).VerifyAccess(token)
	if err != nil || got != want || signed != want {
		t.Errorf("signed %+v\nverified %+v, %v\nwant %+v", signed, got, err, want)
	}
}

func TestRefreshTokenSaysWhatWasSigned(t *testing.T) {
	const lifetime = 30 * 24 * time.Hour
	token, signed, err := newSigner(t, newKey).SignRefresh("ulla", "login 1", 7, lifetime)
	if err != nil {
		t.Fatal(err)
	}
	want := auth.Claims{UserID: "ulla", LoginID: "login 1", ID: signed.ID, Generation: 7, IssuedAt: start, ExpiresAt: start.Add(lifetime)}
	got, err := newVerifier(t, at(start), newKey).VerifyRefresh(token)
	if err != nil || got != want || signed != want {
		t.Errorf("signed %+v\nverified %+v, %v\nwant %+v", signed, got, err, want)
	}
}

func TestTokenTimesHaveWholeSeconds(t *testing.T) {
	signer, err := auth.NewSigner(authority, newKey, at(start.Add(999*time.Millisecond)))
	if err != nil {
		t.Fatal(err)
	}
	_, claims, err := signer.SignAccess("ulla", "login 1")
	if err != nil || claims.IssuedAt != start || claims.ExpiresAt != start.Add(auth.AccessLifetime) {
		t.Errorf("claims %+v, %v; want them to begin at %v", claims, err, start)
	}
}

func TestEveryTokenHasItsOwnID(t *testing.T) {
	signer := newSigner(t, newKey)
	_, one, err1 := signer.SignAccess("ulla", "login 1")
	_, two, err2 := signer.SignAccess("ulla", "login 1")
	if err1 != nil || err2 != nil || one.ID == two.ID || !auth.ValidID(one.ID) {
		t.Errorf("ids %q and %q, %v, %v; want two ULIDs", one.ID, two.ID, err1, err2)
	}
}

func TestTokenLifetime(t *testing.T) {
	access, refresh := tokens(t, newSigner(t, newKey), time.Hour)
	cases := []struct {
		name    string
		after   time.Duration
		access  string
		refresh string
	}{
		{"when issued", 0, "", ""},
		{"on a clock that is a little behind", -leeway, "", ""},
		{"on a clock that is far behind", -365 * 24 * time.Hour, "", ""},
		{"in the last second of the access token", 15*time.Minute - time.Second, "", ""},
		{"in the last moment of the leeway", 15*time.Minute + leeway - 1, "", ""},
		{"after the access token", 15*time.Minute + leeway, "token_expired", ""},
		{"in the last moment of the refresh token", time.Hour + leeway - 1, "token_expired", ""},
		{"after the refresh token", time.Hour + leeway, "token_expired", "token_expired"},
		{"a year later", 365 * 24 * time.Hour, "token_expired", "token_expired"},
	}
	for _, c := range cases {
		verifier := newVerifier(t, at(start.Add(c.after)), newKey)
		_, err := verifier.VerifyAccess(access)
		wantCode(t, c.name+", access", err, c.access)
		_, err = verifier.VerifyRefresh(refresh)
		wantCode(t, c.name+", refresh", err, c.refresh)
	}
}

func TestRotationOverlaps(t *testing.T) {
	before, _ := tokens(t, newSigner(t, oldKey), time.Hour)
	after, _ := tokens(t, newSigner(t, newKey), time.Hour)
	cases := []struct {
		name          string
		ring          []auth.TokenKey
		before, after string
	}{
		{"before", []auth.TokenKey{oldKey}, "", "token_invalid"},
		{"the new key is known", []auth.TokenKey{oldKey, newKey}, "", ""},
		{"the new key signs", []auth.TokenKey{newKey, oldKey}, "", ""},
		{"the old key is gone", []auth.TokenKey{newKey}, "token_invalid", ""},
	}
	for _, c := range cases {
		verifier := newVerifier(t, at(start), c.ring...)
		_, err := verifier.VerifyAccess(before)
		wantCode(t, c.name+", an old token", err, c.before)
		_, err = verifier.VerifyAccess(after)
		wantCode(t, c.name+", a new token", err, c.after)
	}
}

func TestJWKSHasThePublicHalvesOnly(t *testing.T) {
	type jwks struct{ Keys []map[string]string }
	var got jwks
	if err := json.Unmarshal(newVerifier(t, at(start), newKey, oldKey).JWKS(), &got); err != nil {
		t.Fatal(err)
	}
	entry := func(key auth.TokenKey) map[string]string {
		x := base64.RawURLEncoding.EncodeToString(private(key).Public().(ed25519.PublicKey))
		return map[string]string{"kty": "OKP", "crv": "Ed25519", "x": x, "kid": key.ID, "use": "sig", "alg": "EdDSA"}
	}
	want := jwks{[]map[string]string{entry(newKey), entry(oldKey)}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("JWKS %v\nwant %v", got, want)
	}
}

func TestJWKSCannotBeChangedByItsReader(t *testing.T) {
	verifier := newVerifier(t, at(start), newKey)
	want := string(verifier.JWKS())
	clear(verifier.JWKS())
	if got := string(verifier.JWKS()); got != want {
		t.Errorf("JWKS after a reader cleared it = %q; want %q", got, want)
	}
}

func TestSignerRefusesToIssueWhatNobodyTakes(t *testing.T) {
	signer := newSigner(t, newKey)
	cases := []struct{ name, userID, loginID string }{
		{"no user", "", "login 1"},
		{"no login", "ulla", ""},
		{"a token too long", strings.Repeat("u", auth.MaxToken), "login 1"},
	}
	for _, c := range cases {
		token, _, err := signer.SignAccess(c.userID, c.loginID)
		if token != "" || !fault.Is(err, fault.Internal, "token_not_issued") {
			t.Errorf("%s: %d bytes of token, %v; want the fault token_not_issued", c.name, len(token), err)
		}
	}
}

func TestTokenKeysAreChecked(t *testing.T) {
	short := auth.TokenKey{ID: "k", Seed: auth.NewSecret(seed(1)[:31])}
	badID := auth.TokenKey{ID: "a.b", Seed: auth.NewSecret(seed(1))}
	for name, key := range map[string]auth.TokenKey{"a short seed": short, "a malformed id": badID, "no key": {}} {
		if _, err := auth.NewSigner(authority, key, at(start)); err == nil {
			t.Errorf("NewSigner took %s", name)
		}
		if _, err := key.Public(); err == nil {
			t.Errorf("Public took %s", name)
		}
	}
	for _, a := range []auth.Authority{{}, {Issuer: "i"}, {Audience: "a"}} {
		if _, err := auth.NewSigner(a, newKey, at(start)); err == nil {
			t.Errorf("NewSigner took the authority %+v", a)
		}
		if _, err := auth.NewVerifier(a, at(start), public(t, newKey)...); err == nil {
			t.Errorf("NewVerifier took the authority %+v", a)
		}
	}
	rings := map[string][]auth.PublicKey{
		"no keys":              nil,
		"two keys of one id":   public(t, newKey, alienKey),
		"a key of other bytes": {{ID: "k", Key: seed(1)[:31]}},
		"a malformed id":       {{ID: "ä", Key: public(t, newKey)[0].Key}},
	}
	for name, keys := range rings {
		if _, err := auth.NewVerifier(authority, at(start), keys...); err == nil {
			t.Errorf("NewVerifier took %s", name)
		}
	}
}

func TestValidKeyID(t *testing.T) {
	good := []string{"a", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "2026-01_b", strings.Repeat("k", 64)}
	bad := []string{"", "a.b", "a b", "ä", "a\n", "/", strings.Repeat("k", 65)}
	for _, id := range good {
		if !auth.ValidKeyID(id) {
			t.Errorf("ValidKeyID(%q) = false", id)
		}
	}
	for _, id := range bad {
		if auth.ValidKeyID(id) {
			t.Errorf("ValidKeyID(%q) = true", id)
		}
	}
}

// at returns a clock that stands still.
func at(now time.Time) func() time.Time {
	return func() time.Time { return now }
}

func newSigner(t testing.TB, key auth.TokenKey) *auth.Signer {
	t.Helper()
	signer, err := auth.NewSigner(authority, key, at(start))
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func newVerifier(t testing.TB, now func() time.Time, ring ...auth.TokenKey) *auth.Verifier {
	t.Helper()
	verifier, err := auth.NewVerifier(authority, now, public(t, ring...)...)
	if err != nil {
		t.Fatal(err)
	}
	return verifier
}

func public(t testing.TB, ring ...auth.TokenKey) []auth.PublicKey {
	t.Helper()
	var keys []auth.PublicKey
	for _, key := range ring {
		half, err := key.Public()
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, half)
	}
	return keys
}

func private(key auth.TokenKey) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(key.Seed.Reveal())
}

// tokens returns an access token and a refresh token.
func tokens(t testing.TB, signer *auth.Signer, lifetime time.Duration) (access, refresh string) {
	t.Helper()
	access, _, err := signer.SignAccess("ulla", "login 1")
	if err != nil {
		t.Fatal(err)
	}
	refresh, _, err = signer.SignRefresh("ulla", "login 1", 1, lifetime)
	if err != nil {
		t.Fatal(err)
	}
	return access, refresh
}

// wantCode wants an Unauthenticated fault of that code, or no error where the
// code is empty.
func wantCode(t *testing.T, name string, err error, code string) {
	t.Helper()
	if code == "" && err != nil {
		t.Errorf("%s: %v; want it to pass", name, err)
	}
	if code != "" && !fault.Is(err, fault.Unauthenticated, code) {
		t.Errorf("%s: %v; want %s", name, err, code)
	}
}
