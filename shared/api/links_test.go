package api_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sluice/shared/api"
	"sluice/shared/app/local/localtest"
	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/contract"
	"sluice/shared/delivery"
	"sluice/shared/table"
)

// makeLink makes a link as JSON asks.
func makeLink(t testing.TB, c *localtest.Client, id, body string) contract.Link {
	t.Helper()
	a := c.Do(http.MethodPost, "/api/files/"+id+"/link", strings.NewReader(body), "Content-Type", "application/json").Want(t, http.StatusCreated)
	var l contract.Link
	if err := json.Unmarshal(a.Body, &l); err != nil {
		t.Fatal(err)
	}
	return l
}

// linkPath is makeLink that returns the URL's path.
func linkPath(t testing.TB, c *localtest.Client, id, body string) string {
	t.Helper()
	u, err := url.Parse(makeLink(t, c, id, body).URL)
	if err != nil {
		t.Fatal(err)
	}
	return u.EscapedPath()
}

func TestALinkNeedsNoToken(t *testing.T) {
	r := openRig(t)
	ada := r.user("ada", auth.User)
	put := ada.Put("/file/ada/dir/a b%3F&%C3%A9.txt", "content", "Content-Type", "text/plain")
	l := makeLink(t, ada, put.Field(t, "id"), `{"expires_in":3600}`)
	if l.VersionID != put.Field(t, "version_id") || !strings.HasPrefix(l.URL, r.URL+"/l/") || !strings.HasSuffix(l.URL, "/a%20b%3F&%C3%A9.txt") {
		t.Errorf("the link is %+v", l)
	}
	if left := l.ExpiresAt.Sub(r.clock.Now()); left <= 59*time.Minute || left > time.Hour {
		t.Errorf("a link for an hour has %v left", left)
	}
	path := strings.TrimPrefix(l.URL, r.URL)
	nobody := r.Anonymous()
	whole := nobody.Do(http.MethodGet, path, nil).Want(t, http.StatusOK)
	for name, want := range map[string]string{
		"Cache-Control": "private, no-cache", "Referrer-Policy": "no-referrer", "Content-Type": "text/plain", "Content-Length": "7",
		"Content-Disposition": `inline; filename="a b?&_.txt"; filename*=UTF-8''a%20b%3F&%C3%A9.txt`,
	} {
		if got := whole.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if string(whole.Body) != "content" {
		t.Errorf("the link gave %q", whole.Body)
	}
	if head := nobody.Do(http.MethodHead, path, nil).Want(t, http.StatusOK); head.Header.Get("Content-Length") != "7" {
		t.Errorf("HEAD: %v", head.Header)
	}
	tag := whole.Header.Get("ETag")
	if part := nobody.Do(http.MethodGet, path, nil, "Range", "bytes=2-3", "If-Range", tag).Want(t, http.StatusPartialContent); string(part.Body) != "nt" {
		t.Errorf("bytes 2 and 3 are %q", part.Body)
	}
	nobody.Do(http.MethodGet, path, nil, "Range", "bytes=2-3", "If-Range", `"another"`).Want(t, http.StatusOK)
	nobody.Do(http.MethodGet, path, nil, "If-None-Match", tag).Want(t, http.StatusNotModified)
}

// A link counts alone: whoever sends it along with a token, good or bad, gets
// what the link gives.
func TestALinkLooksAtNoCredentials(t *testing.T) {
	r := openRig(t)
	ada, eve := r.user("ada", auth.User), r.user("eve", auth.User)
	path := linkPath(t, ada, ada.Put("/file/ada/a", "content").Field(t, "id"), `{}`)
	for name, c := range map[string]*localtest.Client{"eve": eve, "a bad token": with(eve, "bad"), "nobody": r.Anonymous()} {
		if a := c.Do(http.MethodGet, path, nil); a.StatusCode != http.StatusOK {
			t.Errorf("by %s: %s, want 200", name, a)
		}
	}
	if a := ada.Do(http.MethodGet, "/l/x/a", nil); a.StatusCode != http.StatusForbidden || a.Code() != "link_invalid" {
		t.Errorf("a bad link by its owner: %s, want link_invalid", a)
	}
}

func TestALinkIsToOneVersion(t *testing.T) {
	r := openRig(t)
	id, versions := overwritten(r, r.admin, "/file/admin/a", "first", "second")
	first := linkPath(t, r.admin, id, fmt.Sprintf(`{"version_id":%q,"disposition":"attachment"}`, versions[0]))
	second := linkPath(t, r.admin, id, `{"expires_in":604800}`)
	r.admin.Put("/file/admin/a", "third")
	nobody := r.Anonymous()
	for path, want := range map[string]string{first: "first", second: "second"} {
		if a := nobody.Do(http.MethodGet, path, nil).Want(t, http.StatusOK); string(a.Body) != want {
			t.Errorf("the link gives %q, want %q", a.Body, want)
		}
	}
	shown := nobody.Do(http.MethodGet, first+"?disposition=inline", nil).Want(t, http.StatusOK).Header.Get("Content-Disposition")
	if !strings.HasPrefix(shown, "attachment") {
		t.Errorf("the disposition is %s, want the link's", shown)
	}
	r.clock.Advance(25 * time.Hour)
	r.App.Janitor.Sweep(t.Context())
	if a := nobody.Do(http.MethodGet, second, nil); a.StatusCode != http.StatusForbidden || a.Code() != "link_invalid" {
		t.Errorf("a link to a version that is gone: %s, want link_invalid", a)
	}
}

func TestALinkToAPublicFileIsPrivate(t *testing.T) {
	r := openRig(t)
	id := r.admin.Put("/file/admin/a", "x").Field(t, "id")
	r.admin.JSON(http.MethodPatch, "/api/files/"+id, map[string]string{"visibility": "public"}).Want(t, http.StatusOK)
	path := linkPath(t, r.admin, id, `{}`)
	if got := r.Anonymous().Do(http.MethodGet, path, nil).Want(t, http.StatusOK).Header.Get("Cache-Control"); got != "private, no-cache" {
		t.Errorf("Cache-Control is %q", got)
	}
}

func TestABodyOfALinkRequest(t *testing.T) {
	r := openRig(t)
	id := r.admin.Put("/file/admin/a", "x").Field(t, "id")
	for body, want := range map[string]int{
		``: 201, `{}`: 201, `{"expires_in":60}`: 201, `{"expires_in":604800}`: 201, `{"disposition":"inline"}`: 201,
		`{"expires_in":59}`: 400, `{"expires_in":0}`: 400, `{"expires_in":-1}`: 400, `{"expires_in":604801}`: 400,
		`{"expires_in":9223372036854775807}`: 400, `{"expires_in":"60"}`: 400, `{"expires_in":60.5}`: 400,
		`{"disposition":"shown"}`: 400, `{"disposition":""}`: 400, `{"version_id":"x"}`: 404, `{"file":"x"}`: 400,
	} {
		a := r.admin.Do(http.MethodPost, "/api/files/"+id+"/link", strings.NewReader(body), "Content-Type", "application/json")
		if a.StatusCode != want {
			t.Errorf("%s = %s, want %d", body, a, want)
		}
	}
}

// sealed returns what a link's path seals.
func sealed(path string) string { return strings.Split(path, "/")[2] }

func TestLinksUnderAttack(t *testing.T) {
	r := openRig(t)
	ada := r.user("ada", auth.User)
	id := ada.Put("/file/ada/a", "content").Field(t, "id")
	good := linkPath(t, ada, id, `{}`)
	key, rest, _ := strings.Cut(sealed(good), ".")
	payload, tag, _ := strings.Cut(rest, ".")
	otherKey, err := auth.NewRing(auth.LinkKey{ID: key, Secret: auth.NewSecret(make([]byte, auth.LinkKeySize))})
	if err != nil {
		t.Fatal(err)
	}
	ring := r.App.Deps.Ring
	bytes, err := ring.Open("link", sealed(good))
	if err != nil {
		t.Fatal(err)
	}
	flipped := func(s string, i int) string {
		b := []byte(s)
		b[i] = map[bool]byte{true: 'A', false: 'B'}[b[i] != 'A']
		return string(b)
	}
	for name, path := range map[string]string{
		"a payload with another byte":      "/l/" + key + "." + flipped(payload, 30) + "." + tag + "/a",
		"a tag with another byte":          "/l/" + key + "." + payload + "." + flipped(tag, 5) + "/a",
		"a tag cut short":                  "/l/" + key + "." + payload + "." + tag[:20] + "/a",
		"no tag":                           "/l/" + key + "." + payload + "/a",
		"another key id":                   "/l/x." + payload + "." + tag + "/a",
		"another key under the same id":    "/l/" + otherKey.Seal("link", bytes) + "/a",
		"sealed as a cursor":               "/l/" + ring.Seal("cursor", bytes) + "/a",
		"sealed as a session":              "/l/" + ring.Seal("session", bytes) + "/a",
		"an empty payload":                 "/l/" + ring.Seal("link", nil) + "/a",
		"a payload cut short":              "/l/" + ring.Seal("link", bytes[:len(bytes)-1]) + "/a",
		"something after the payload":      "/l/" + ring.Seal("link", append(append([]byte{}, bytes...), 0)) + "/a",
		"a payload of a format to come":    "/l/" + ring.Seal("link", append([]byte{9}, bytes[1:]...)) + "/a",
		"padding":                          "/l/" + sealed(good) + "=/a",
		"a space":                          "/l/" + sealed(good) + "%20/a",
		"a line break":                     "/l/" + sealed(good) + "%0A/a",
		"a NUL":                            "/l/%00/a",
		"a very long one":                  "/l/" + strings.Repeat("A", 10_000) + "/a",
		"dots":                             "/l/.../a",
		"the file's id":                    "/l/" + id + "/a",
		"an access token":                  "/l/" + ada.Token + "/a",
		"a link to a file that never was":  "/l/" + resealed(r, bytes, fileBytes) + "/a",
		"a link to a version of no file":   "/l/" + resealed(r, bytes, versionBytes) + "/a",
		"a link by a user who never was":   "/l/" + resealed(r, bytes, issuerBytes) + "/a",
		"a link of an epoch that is ahead": "/l/" + resealed(r, bytes, epochBytes) + "/a",
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			a := r.Anonymous().Do(method, path, nil)
			if a.StatusCode != http.StatusForbidden || method == http.MethodGet && a.Code() != "link_invalid" {
				t.Errorf("%s: %s = %s, want link_invalid", name, method, a)
			}
		}
	}
	for name, path := range map[string]string{
		"another name": "/l/" + sealed(good) + "/passwd", "a name with dots": "/l/" + sealed(good) + "/..%2e",
	} {
		if a := r.Anonymous().Do(http.MethodGet, path, nil); a.StatusCode != http.StatusOK || !strings.Contains(a.Header.Get("Content-Disposition"), `"a"`) {
			t.Errorf("%s: %s %v; want the file under its own name", name, a, a.Header)
		}
	}
	for name, path := range map[string]string{"no name": "/l/" + sealed(good), "a name with a slash": good + "/b"} {
		if a := r.Anonymous().Do(http.MethodGet, path, nil); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s, want 404", name, a)
		}
	}
	for _, method := range []string{http.MethodPut, http.MethodPost, http.MethodPatch, http.MethodDelete} {
		if a := r.Anonymous().Do(method, good, strings.NewReader("x")); a.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s on a link = %s, want 405", method, a)
		}
	}
	for _, path := range []string{"/api/files/" + id, "/api/files/" + id + "/content", "/file/ada/a"} {
		if a := with(ada, sealed(good)).Do(http.MethodGet, path, nil); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("a link as a token on %s = %s, want 401", path, a)
		}
	}
}

// Where the parts of a payload begin, so that a test can forge one that is
// sealed with the right key.
const (
	fileBytes    = 1
	versionBytes = 17
	issuerBytes  = 33
	epochBytes   = 49
)

// resealed seals the payload with another byte at a place.
func resealed(r *rig, payload []byte, at int) string {
	forged := append([]byte{}, payload...)
	forged[at+7] ^= 1
	return r.App.Deps.Ring.Seal("link", forged)
}

// What ends a link, and what does not.
func TestALinkDiesWithWhatItRestsOn(t *testing.T) {
	for _, c := range []struct {
		name string
		does func(r *rig, ada *localtest.Client, id string)
		want string // the code; "": it lives
	}{
		{"nothing", func(*rig, *localtest.Client, string) {}, ""},
		{"another file", func(r *rig, ada *localtest.Client, _ string) { ada.Put("/file/ada/b", "x") }, ""},
		{"a new version", func(r *rig, ada *localtest.Client, _ string) { ada.Put("/file/ada/a", "x") }, ""},
		{"another path", func(r *rig, ada *localtest.Client, id string) {
			ada.JSON(http.MethodPatch, "/api/files/"+id, map[string]string{"path": "moved"}).Want(r.t, 200)
		}, ""},
		{"a logout", func(r *rig, ada *localtest.Client, _ string) {
			ada.Do(http.MethodPost, "/api/logout", nil).Want(r.t, 204)
		}, ""},
		{"another link's revocation", func(r *rig, ada *localtest.Client, id string) {
			other := ada.Do(http.MethodPost, "/api/files/"+id+"/link", nil).Want(r.t, 201).Field(r.t, "id")
			ada.Do(http.MethodDelete, "/api/files/"+id+"/links/"+other, nil).Want(r.t, 204)
		}, ""},
		{"15 minutes", func(r *rig, _ *localtest.Client, _ string) { r.clock.Advance(15 * time.Minute) }, "link_expired"},
		{"the file's removal", func(r *rig, ada *localtest.Client, id string) {
			ada.Do(http.MethodDelete, "/api/files/"+id, nil).Want(r.t, 204)
		}, "link_invalid"},
		{"the file's removal and return", func(r *rig, ada *localtest.Client, id string) {
			ada.Do(http.MethodDelete, "/api/files/"+id, nil).Want(r.t, 204)
			ada.Do(http.MethodPost, "/api/files/"+id+"/undelete", nil).Want(r.t, 200)
		}, ""},
		{"the file's end", func(r *rig, ada *localtest.Client, id string) {
			soon := r.clock.Now().Add(time.Minute)
			ada.JSON(http.MethodPatch, "/api/files/"+id, map[string]time.Time{"expires_at": soon}).Want(r.t, 200)
			r.clock.Advance(time.Minute)
		}, "link_invalid"},
		{"its issuer disabled", func(r *rig, ada *localtest.Client, _ string) {
			r.admin.JSON(http.MethodPatch, "/api/users/"+ada.ID, map[string]bool{"disabled": true}).Want(r.t, 200)
		}, "link_invalid"},
		{"its issuer disabled and enabled", func(r *rig, ada *localtest.Client, _ string) {
			r.admin.JSON(http.MethodPatch, "/api/users/"+ada.ID, map[string]bool{"disabled": true}).Want(r.t, 200)
			r.admin.JSON(http.MethodPatch, "/api/users/"+ada.ID, map[string]bool{"disabled": false}).Want(r.t, 200)
		}, "link_invalid"},
		{"its issuer a guest", func(r *rig, ada *localtest.Client, _ string) {
			r.admin.JSON(http.MethodPatch, "/api/users/"+ada.ID, map[string]string{"role": "guest"}).Want(r.t, 200)
		}, "link_invalid"},
		{"its issuer's new password", func(r *rig, ada *localtest.Client, _ string) {
			change := map[string]string{"password": "another password", "old_password": localtest.Password}
			ada.JSON(http.MethodPatch, "/api/profile", change).Want(r.t, 200)
		}, "link_invalid"},
		{"another's new password", func(r *rig, _ *localtest.Client, _ string) {
			r.admin.JSON(http.MethodPatch, "/api/users/"+r.admin.ID, map[string]string{"password": "another password"}).Want(r.t, 200)
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := openRig(t)
			ada := r.user("ada", auth.User)
			id := ada.Put("/file/ada/a", "content").Field(t, "id")
			path := linkPath(t, ada, id, `{}`)
			c.does(r, ada, id)
			a := r.Anonymous().Do(http.MethodGet, path, nil)
			if c.want == "" && (a.StatusCode != http.StatusOK || string(a.Body) != "content") {
				t.Errorf("the link answers %s, want the file", a)
			}
			if c.want != "" && (a.StatusCode != http.StatusForbidden || a.Code() != c.want) {
				t.Errorf("the link answers %s, want %s", a, c.want)
			}
		})
	}
}

func TestALinkDiesWithItsKey(t *testing.T) {
	r := openRig(t)
	path := linkPath(t, r.admin, r.admin.Put("/file/admin/a", "x").Field(t, "id"), `{}`)
	key := func(id string, first byte) auth.LinkKey {
		secret := make([]byte, auth.LinkKeySize)
		secret[0] = first
		return auth.LinkKey{ID: id, Secret: auth.NewSecret(secret)}
	}
	for name, want := range map[string]int{"kept": 200, "dropped": 403} {
		ring := r.App.Deps.Ring
		if name == "dropped" {
			var err error
			if ring, err = auth.NewRing(key("new", 1)); err != nil {
				t.Fatal(err)
			}
		}
		links := *r.App.Deps.Links
		links.Ring = ring
		deps := r.App.Deps
		deps.Links = &links
		if a := elsewhere(r, deps).Do(http.MethodGet, path, nil); a.StatusCode != want {
			t.Errorf("with its key %s the link answers %s, want %d", name, a, want)
		}
	}
}

// elsewhere returns a client without credentials of a server made of other
// parts.
func elsewhere(r *rig, deps api.Deps) *localtest.Client {
	a := answers{walker: &walker{rig: r}}
	return with(a.elsewhere(deps), "")
}

// The URL never comes from what a client sends: a link made over a poisoned
// Host would lead its bearer elsewhere.
func TestALinkIsNotMadeOfTheHostHeader(t *testing.T) {
	r := openRig(t)
	id := r.admin.Put("/file/admin/a", "x").Field(t, "id")
	asked := "POST /api/files/" + id + "/link HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: gopher\r\n" +
		"Forwarded: host=evil.example\r\nAuthorization: Bearer " + r.admin.Token + "\r\nContent-Length: 0\r\n\r\n"
	_, body := r.raw(asked, false)
	if strings.Contains(string(body), "evil") || strings.Contains(string(body), "gopher") || !strings.Contains(string(body), r.URL+"/l/") {
		t.Errorf("the link is %s", body)
	}
	deps := r.App.Deps
	deps.BaseURL = "https://files.example/sluice"
	l := makeLink(t, with(elsewhere(r, deps), r.admin.Token), id, `{}`)
	if !strings.HasPrefix(l.URL, "https://files.example/sluice/l/") {
		t.Errorf("under a public URL the link is %s", l.URL)
	}
}

func TestALinkIsNotInTheLog(t *testing.T) {
	r := openRig(t)
	ada := r.user("ada", auth.User)
	id := ada.Put("/file/ada/secret-name", "content").Field(t, "id")
	path := linkPath(t, ada, id, `{}`)
	nobody := r.Anonymous()
	good := nobody.Do(http.MethodGet, path, nil).Want(t, http.StatusOK)
	r.clock.Advance(time.Hour)
	expired := nobody.Do(http.MethodGet, path, nil).Want(t, http.StatusForbidden)
	for _, a := range []localtest.Answer{good, expired} {
		line := r.Log.RequestLine(t, a.Header.Get("X-Request-Id"))
		if line["operation"] != "getLink" || line["file_id"] != id || line["issuer_id"] != ada.ID || line["user_id"] != nil {
			t.Errorf("the log line is %v", line)
		}
	}
	_, rest, _ := strings.Cut(sealed(path), ".")
	payload, tag, _ := strings.Cut(rest, ".")
	for _, part := range []string{payload, tag, "secret-name"} {
		if strings.Contains(r.Log.String(), part) {
			t.Errorf("the log holds %q of a link's URL", part)
		}
	}
}

// A stream through a link ends when its issuer is disabled, though nobody asks
// for the link again.
func TestAStreamThroughALinkEndsWithItsIssuer(t *testing.T) {
	r := openRig(t)
	ada := r.user("ada", auth.User)
	id := ada.Put("/file/ada/a", strings.Repeat("x", 64<<20)).Field(t, "id")
	path := linkPath(t, ada, id, `{}`)
	answer, err := r.Anonymous().HTTP.Get(r.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	r.admin.JSON(http.MethodPatch, "/api/users/"+ada.ID, map[string]bool{"disabled": true}).Want(t, http.StatusOK)
	line := r.Log.RequestLine(t, answer.Header.Get("X-Request-Id")) // nobody reads on meanwhile
	why, _ := line["error"].(string)
	took, _ := line["duration_ms"].(float64)
	if line["event"] != "download.aborted" || !strings.Contains(why, delivery.ErrRevoked.Error()) || took > 8000 {
		t.Errorf("the stream ended as %v, want it revoked within about %v", line, catalog.MaxAge)
	}
	if _, err := io.Copy(io.Discard, answer.Body); err == nil {
		t.Error("the stream ended as if it were whole")
	}
}

func (a *answers) provokeByLinks() {
	path := "/l/" + a.linkTo("admin") + "/a"
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		a.admin.Do(method, "/l/not-ours/a", nil).Want(a.t, http.StatusForbidden)
		a.clock.Advance(catalog.MaxAge)
		broken := tableError{table.Unknown}
		a.table.fail(broken, broken)
		a.admin.Do(method, path, nil).Want(a.t, http.StatusInternalServerError)
		a.table.fail(nil, nil)
	}
}

// revocable makes a link and returns its path and its id.
func revocable(t *testing.T, c *localtest.Client, file string) (path, id string) {
	t.Helper()
	a := c.JSON(http.MethodPost, "/api/files/"+file+"/link", map[string]int{"expires_in": 7 * 24 * 3600}).Want(t, http.StatusCreated)
	_, path, _ = strings.Cut(a.Field(t, "url"), c.Site.URL)
	return path, a.Field(t, "id")
}

// Who may link to a file may revoke each link to it alone, whoever made it, and
// no link to another file.
func TestALinkIsRevokedAlone(t *testing.T) {
	r := openRig(t)
	ada, eve := r.user("ada", auth.User), r.user("eve", auth.User)
	file, others := ada.Put("/file/ada/a", "content").Field(t, "id"), eve.Put("/file/eve/a", "content").Field(t, "id")
	first, id := revocable(t, ada, file)
	second, byAdmin := revocable(t, r.admin, file)
	nobody := r.Anonymous()
	for name, c := range map[string]struct {
		client *localtest.Client
		path   string
		want   int
	}{
		"another, of her file":         {eve, "/api/files/" + file + "/links/" + id, 404},
		"another, as if of their file": {eve, "/api/files/" + others + "/links/" + id, 204},
		"the owner, what is no id":     {ada, "/api/files/" + file + "/links/latest", 404},
		"nobody":                       {nobody, "/api/files/" + file + "/links/" + id, 401},
	} {
		if a := c.client.Do(http.MethodDelete, c.path, nil); a.StatusCode != c.want {
			t.Errorf("revoked by %s = %s, want %d", name, a, c.want)
		}
	}
	nobody.Do(http.MethodGet, first, nil).Want(t, http.StatusOK)
	for range 2 {
		ada.Do(http.MethodDelete, "/api/files/"+file+"/links/"+id, nil).Want(t, http.StatusNoContent)
	}
	if a := nobody.Do(http.MethodGet, first, nil).Want(t, http.StatusForbidden); a.Code() != "link_invalid" {
		t.Errorf("a revoked link = %s, want link_invalid", a)
	}
	nobody.Do(http.MethodGet, second, nil).Want(t, http.StatusOK)
	ada.Do(http.MethodDelete, "/api/files/"+file+"/links/"+byAdmin, nil).Want(t, http.StatusNoContent)
	nobody.Do(http.MethodGet, second, nil).Want(t, http.StatusForbidden)
	r.clock.Advance(7*24*time.Hour - time.Minute)
	nobody.Do(http.MethodGet, first, nil).Want(t, http.StatusForbidden)
}

// Another server has the link in its cache, for five seconds at most.
func TestARevokedLinkIsOverOnEveryServer(t *testing.T) {
	r := openRig(t)
	file := r.admin.Put("/file/admin/a", "content").Field(t, "id")
	path, id := revocable(t, r.admin, file)
	elsewhere := r.beside().Anonymous()
	elsewhere.Do(http.MethodGet, path, nil).Want(t, http.StatusOK)
	r.admin.Do(http.MethodDelete, "/api/files/"+file+"/links/"+id, nil).Want(t, http.StatusNoContent)
	r.clock.Advance(catalog.MaxAge)
	elsewhere.Do(http.MethodGet, path, nil).Want(t, http.StatusForbidden)
}
