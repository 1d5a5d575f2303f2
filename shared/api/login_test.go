package api_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"sluice/shared/app/local/localtest"
	"sluice/shared/auth"
	"sluice/shared/config"
	"sluice/shared/limit"
)

// refresh exchanges a refresh token.
func refresh(c *localtest.Client, token string) (localtest.Answer, error) {
	return c.Try(http.MethodPost, "/api/token/refresh", strings.NewReader(`{"refresh_token":"`+token+`"}`), "Content-Type", "application/json")
}

func (r *rig) refreshed(token string) (access, next string) {
	r.t.Helper()
	a, err := refresh(r.Anonymous(), token)
	if err != nil {
		r.t.Fatal(err)
	}
	a.Want(r.t, http.StatusOK)
	return a.Field(r.t, "access_token"), a.Field(r.t, "refresh_token")
}

// wantProfile fails the test unless the access token is answered so.
func (r *rig) wantProfile(what, access string, status int) {
	r.t.Helper()
	a := with(r.Anonymous(), access).Do(http.MethodGet, "/api/profile", nil)
	if a.StatusCode != status {
		r.t.Errorf("the profile with %s = %s, want %d", what, a, status)
	}
}

func (r *rig) wantRefresh(what, token string, status int, code string) {
	r.t.Helper()
	a, err := refresh(r.Anonymous(), token)
	if err != nil || a.StatusCode != status || a.Code() != code {
		r.t.Errorf("a refresh with %s = %s, %v; want %d %s", what, a, err, status, code)
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	r.user("ada", auth.User)
	a := r.Anonymous().JSON(http.MethodPost, "/api/login", map[string]string{"username": "ada", "password": localtest.Password}).Want(t, http.StatusOK)
	if a.Field(t, "token_type") != "Bearer" || !strings.Contains(string(a.Body), `"expires_in":900`) || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("a login = %s with Cache-Control %q", a, a.Header.Get("Cache-Control"))
	}
	r.wantProfile("a new token", a.Field(t, "access_token"), http.StatusOK)
	for what, body := range map[string]map[string]string{
		"a wrong password":  {"username": "ada", "password": "a wrong password"},
		"an unknown user":   {"username": "eve", "password": localtest.Password},
		"no possible user":  {"username": "\u0000", "password": localtest.Password},
		"another's capital": {"username": "Ada", "password": localtest.Password},
	} {
		before := r.App.Deps.Accounts.Hasher.Hashed()
		a := r.Anonymous().JSON(http.MethodPost, "/api/login", body)
		if a.StatusCode != http.StatusUnauthorized || a.Code() != "wrong_credentials" {
			t.Errorf("a login with %s = %s, want 401 wrong_credentials", what, a)
		}
		if n := r.App.Deps.Accounts.Hasher.Hashed() - before; n != 1 {
			t.Errorf("a login with %s cost %d hashes, want 1", what, n)
		}
	}
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	r.user("ada", auth.User)
	_, first := r.tokens("ada")
	access, second := r.refreshed(first)
	r.wantProfile("the refreshed token", access, http.StatusOK)
	r.wantRefresh("the token just replaced", first, http.StatusConflict, "refresh_superseded")
	_, third := r.refreshed(second) // which had changed nothing
	r.wantRefresh("a token replaced twice", first, http.StatusUnauthorized, "refresh_reused")
	r.wantRefresh("the newest token of a login that ended", third, http.StatusUnauthorized, "login_ended")
	r.wantProfile("the access token of a login that ended", access, http.StatusUnauthorized)
	for what, token := range map[string]string{"an access token": access, "nonsense": "nonsense", "a token cut short": third[:len(third)-1]} {
		r.wantRefresh(what, token, http.StatusUnauthorized, "token_invalid")
	}

	_, first = r.tokens("ada")
	r.refreshed(first)
	r.clock.Advance(11 * time.Second)
	r.wantRefresh("a token replaced 11 s ago", first, http.StatusUnauthorized, "refresh_reused")
}

func TestOneOfManyRefreshesAtOnceWins(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	_, token := r.tokens("admin")
	client := r.Anonymous()
	const tabs = 200
	won := make(chan localtest.Answer, tabs)
	var wg sync.WaitGroup
	for range tabs {
		wg.Go(func() {
			a, err := refresh(client, token)
			switch {
			case err == nil && a.StatusCode == http.StatusOK:
				won <- a
			case err != nil || a.StatusCode != http.StatusConflict || a.Code() != "refresh_superseded":
				t.Errorf("a refresh among many = %s, %v; want 200 or 409 refresh_superseded", a, err)
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Fatalf("%d of %d refreshes won, want 1", len(won), tabs)
	}
	winner := <-won
	r.wantProfile("the winner's token", winner.Field(t, "access_token"), http.StatusOK)
	r.refreshed(winner.Field(t, "refresh_token"))
}

func TestLogout(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	access, token := r.tokens("admin")
	otherAccess, other := r.tokens("admin")
	with(r.Anonymous(), access).Do(http.MethodPost, "/api/logout", nil).Want(t, http.StatusNoContent)
	r.wantProfile("the token of a login that ended", access, http.StatusUnauthorized)
	r.wantRefresh("the token of a login that ended", token, http.StatusUnauthorized, "login_ended")
	with(r.Anonymous(), access).Do(http.MethodPost, "/api/logout", nil).Want(t, http.StatusUnauthorized)
	r.wantProfile("another login's token", otherAccess, http.StatusOK)
	r.refreshed(other)
}

func TestANewPasswordEndsOtherLogins(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	r.user("ada", auth.User)
	own, ownRefresh := r.tokens("ada")
	other, otherRefresh := r.tokens("ada")
	change := map[string]string{"password": "another password", "old_password": localtest.Password}
	with(r.Anonymous(), own).JSON(http.MethodPatch, "/api/profile", change).Want(t, http.StatusOK)
	r.wantProfile("the token of the login that changed it", own, http.StatusOK)
	r.refreshed(ownRefresh)
	r.wantProfile("another login's token", other, http.StatusUnauthorized)
	r.wantRefresh("another login's token", otherRefresh, http.StatusUnauthorized, "login_ended")
	old := map[string]string{"username": "ada", "password": localtest.Password}
	r.Anonymous().JSON(http.MethodPost, "/api/login", old).Want(t, http.StatusUnauthorized)
	r.Login("ada", "another password")
}

func TestADisabledUserIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	ada := r.user("ada", auth.User)
	_, token := r.tokens("ada")
	public := r.admin.Put("/file/admin/public", "content").Field(t, "id")
	r.admin.JSON(http.MethodPatch, "/api/files/"+public, map[string]string{"visibility": "public"}).Want(t, http.StatusOK)
	ada.Do(http.MethodGet, "/file/admin/public", nil).Want(t, http.StatusOK)
	r.admin.JSON(http.MethodPatch, "/api/users/"+ada.ID, map[string]bool{"disabled": true}).Want(t, http.StatusOK)
	r.wantProfile("a disabled user's token", ada.Token, http.StatusUnauthorized)
	r.wantRefresh("a disabled user's token", token, http.StatusUnauthorized, "login_ended")
	ada.Do(http.MethodGet, "/file/admin/public", nil).Want(t, http.StatusUnauthorized)
	r.Anonymous().Do(http.MethodGet, "/file/admin/public", nil).Want(t, http.StatusOK)
	r.Anonymous().JSON(http.MethodPost, "/api/login", map[string]string{"username": "ada", "password": localtest.Password}).Want(t, http.StatusUnauthorized)
	r.admin.JSON(http.MethodPatch, "/api/users/"+ada.ID, map[string]bool{"disabled": false}).Want(t, http.StatusOK)
	r.wantProfile("the token of a user who was disabled", ada.Token, http.StatusUnauthorized)
	r.Login("ada", localtest.Password)
}

func TestAnAccessTokenExpires(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	access, token := r.tokens("admin")
	r.clock.Advance(auth.AccessLifetime - time.Minute)
	r.wantProfile("a token of 14 minutes", access, http.StatusOK)
	r.clock.Advance(2 * time.Minute)
	a := with(r.Anonymous(), access).Do(http.MethodGet, "/api/profile", nil).Want(t, http.StatusUnauthorized)
	if a.Code() != "token_expired" || a.Header.Get("WWW-Authenticate") != `Bearer realm="sluice", error="invalid_token"` {
		t.Errorf("a token of 16 minutes = %s with %q", a, a.Header.Get("WWW-Authenticate"))
	}
	access, _ = r.refreshed(token)
	r.wantProfile("a refreshed token", access, http.StatusOK)
}

func TestTheAuthorizationField(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	nobody := r.Anonymous()
	for _, c := range []struct {
		field string
		want  int
	}{
		{"Bearer {token}", 200},
		{"bearer {token}", 200},
		{"BEARER {token}", 200},
		{"Bearer  {token}", 200},
		{"{token}", 401},
		{"Bearer", 401},
		{"Bearer {token} x", 401},
		{"Bearer {token}, Bearer {token}", 401},
		{"Bearer \"{token}\"", 401},
		{"Basic {token}", 401},
		{"Basic YWRtaW46eA==", 401},
		{"Token {token}", 401},
		{"Bearer:{token}", 401},
		{"Bearer\t{token}", 401},
	} {
		a := nobody.Do(http.MethodGet, "/api/profile", nil, "Authorization", strings.ReplaceAll(c.field, "{token}", r.admin.Token))
		if a.StatusCode != c.want {
			t.Errorf("Authorization: %s = %s, want %d", c.field, a, c.want)
		}
	}
	nobody.Do(http.MethodGet, "/api/profile", nil, "Authorization", "Bearer "+r.admin.Token, "Authorization", "Bearer x").Want(t, http.StatusUnauthorized)
	nobody.Do(http.MethodGet, "/api/profile?access_token="+r.admin.Token, nil).Want(t, http.StatusUnauthorized)
	nobody.Do(http.MethodGet, "/api/profile", nil, "Cookie", "access_token="+r.admin.Token).Want(t, http.StatusUnauthorized)
	nobody.Do(http.MethodGet, "/api/profile", nil, "X-Forwarded-User", "admin", "X-User-Id", r.admin.ID).Want(t, http.StatusUnauthorized)
}

func TestWrongPasswordsAreThrottled(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	r.user("ada", auth.User)
	wrong := map[string]string{"username": "ada", "password": "a wrong password"}
	right := map[string]string{"username": "ada", "password": localtest.Password}
	nobody := r.Anonymous()
	for range 20 {
		nobody.JSON(http.MethodPost, "/api/login", wrong).Want(t, http.StatusUnauthorized)
	}
	a := nobody.JSON(http.MethodPost, "/api/login", right).Want(t, http.StatusTooManyRequests)
	wait, err := strconv.Atoi(a.Header.Get("Retry-After"))
	if err != nil || wait < 1 || wait > 10 || a.Code() != "login_throttled" {
		t.Errorf("the 21st password = %s with Retry-After %q, want 1 to 10", a, a.Header.Get("Retry-After"))
	}
	r.Admin()
	r.clock.Advance(time.Duration(wait) * time.Second)
	for range 3 { // the right password does not count
		nobody.JSON(http.MethodPost, "/api/login", right).Want(t, http.StatusOK)
	}
	nobody.JSON(http.MethodPost, "/api/login", wrong).Want(t, http.StatusUnauthorized)
	nobody.JSON(http.MethodPost, "/api/login", wrong).Want(t, http.StatusTooManyRequests)
}

// throttle uses up every try of an address.
func throttle(t *testing.T, site *localtest.Site, address string) {
	t.Helper()
	key := "login/address/" + limit.AddressKey(netip.MustParseAddr(address))
	wait, err := site.App.Deps.Accounts.Limits.Take(t.Context(), key, limit.Rate{Burst: 100, Per: time.Second}, 100)
	if wait > 0 || err != nil {
		t.Fatalf("wait %v, %v", wait, err)
	}
}

func TestTheAddressOfAClient(t *testing.T) {
	t.Parallel()
	trust := func(proxies string) func(*config.Config) {
		return func(c *config.Config) {
			for p := range strings.SplitSeq(proxies, ",") {
				if p != "" {
					c.TrustedProxies = append(c.TrustedProxies, netip.MustParsePrefix(p))
				}
			}
		}
	}
	for _, c := range []struct{ trusted, forwarded, want string }{
		{"", "", "127.0.0.1"},
		{"", "203.0.113.9", "127.0.0.1"},
		{"10.0.0.0/8", "203.0.113.9", "127.0.0.1"},
		{"127.0.0.0/8", "", "127.0.0.1"},
		{"127.0.0.0/8", "203.0.113.9", "203.0.113.9"},
		{"127.0.0.0/8", "198.51.100.1, 203.0.113.9", "203.0.113.9"},
		{"127.0.0.0/8,203.0.113.0/24", "198.51.100.1, 203.0.113.9", "198.51.100.1"},
		{"127.0.0.0/8", "2001:db8::1", "2001:db8::1"},
		{"127.0.0.0/8", "nonsense", "127.0.0.1"},
	} {
		t.Run(c.trusted+" "+c.forwarded, func(t *testing.T) {
			site := localtest.Start(t, trust(c.trusted))
			throttle(t, site, c.want)
			a := site.Anonymous().Do(http.MethodPost, "/api/login", strings.NewReader(`{"username":"eve","password":"x"}`),
				"Content-Type", "application/json", "X-Forwarded-For", c.forwarded, "X-Real-Ip", "192.0.2.66", "Forwarded", "for=192.0.2.67")
			if a.StatusCode != http.StatusTooManyRequests {
				t.Errorf("a login from %s, which is throttled = %s, want 429", c.want, a)
			}
			site.Stop() // every line is written
			lines := site.Log.Lines(t)
			if last := lines[len(lines)-1]; last["client"] != c.want {
				t.Errorf("the log says that the client is %v, want %s", last["client"], c.want)
			}
		})
	}
}

// TestTheKeySetVerifiesTokens reads a token as a stranger would, with nothing
// but the key set and a library.
func TestTheKeySetVerifiesTokens(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	var set struct {
		Keys []struct{ Kty, Crv, X, Kid, Use, Alg string }
	}
	a := r.Anonymous().Do(http.MethodGet, "/.well-known/jwks.json", nil).Want(t, http.StatusOK)
	if err := json.Unmarshal(a.Body, &set); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(a.Body), `"d"`) {
		t.Error("the key set holds a private key")
	}
	keys := map[string]ed25519.PublicKey{}
	for _, key := range set.Keys {
		x, err := base64.RawURLEncoding.DecodeString(key.X)
		if err != nil {
			t.Fatal(err)
		}
		keys[key.Kid] = x
	}
	key := func(token *jwt.Token) (any, error) {
		kid, _ := token.Header["kid"].(string)
		return keys[kid], nil
	}
	var claims jwt.RegisteredClaims
	if _, err := jwt.ParseWithClaims(r.admin.Token, &claims, key, jwt.WithValidMethods([]string{"EdDSA"})); err != nil {
		t.Fatal(err)
	}
	if claims.Subject != r.admin.ID || claims.ID == "" || claims.ExpiresAt.Sub(claims.IssuedAt.Time) != auth.AccessLifetime {
		t.Errorf("the token says %+v", claims)
	}
	if _, err := jwt.ParseWithClaims(r.admin.Token[:len(r.admin.Token)-4]+"AAAA", &claims, key); err == nil {
		t.Error("a token with another signature is verified")
	}
}
