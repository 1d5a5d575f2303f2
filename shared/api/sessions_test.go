package api_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/shared/app/local/localtest"
	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/config"
)

// shownSession is a download session as a client reads it.
type shownSession struct {
	ID        string
	VersionID string `json:"version_id"`
	ETag      string
	Size      int64
	Sources   []struct {
		URL       string
		ExpiresAt time.Time `json:"expires_at"`
	}
	RenewURL  string    `json:"renew_url"`
	ExpiresAt time.Time `json:"expires_at"`
	Limits    struct {
		RenewableUntil time.Time `json:"renewable_until"`
		OpenSessions   int       `json:"open_sessions"`
		Ranges         int
		StallSeconds   int `json:"stall_seconds"`
	}
}

func sessionOf(t *testing.T, a localtest.Answer) shownSession {
	t.Helper()
	var s shownSession
	if err := json.Unmarshal(a.Body, &s); err != nil || len(s.Sources) == 0 {
		t.Fatalf("%s is no session: %v", a, err)
	}
	return s
}

func beginSession(t *testing.T, c *localtest.Client, file string) shownSession {
	t.Helper()
	return sessionOf(t, c.Do(http.MethodPost, "/api/files/"+file+"/sessions", nil).Want(t, http.StatusCreated))
}

// source returns the path of a session's URL.
func (r *rig) source(s shownSession) string {
	r.t.Helper()
	path, ours := strings.CutPrefix(s.Sources[0].URL, r.URL)
	if !ours {
		r.t.Fatalf("the source is %s, want it under %s", s.Sources[0].URL, r.URL)
	}
	return path
}

func TestASessionDeliversItsVersionWithoutAToken(t *testing.T) {
	r := openRig(t, func(c *config.Config) { c.Keep = time.Second })
	file := r.admin.Put("/file/admin/a%20b%3F.txt", "first", "Content-Type", "text/plain").Field(t, "id")
	s := beginSession(t, r.admin, file)
	source, nobody := r.source(s), r.Anonymous()
	want := func(when string) {
		t.Helper()
		a := nobody.Do(http.MethodGet, source, nil).Want(t, http.StatusOK)
		if string(a.Body) != "first" || a.Header.Get("ETag") != s.ETag || !strings.Contains(a.Header.Get("Content-Type"), "text/plain") {
			t.Errorf("%s: the source has %q with ETag %s and type %s, want the session's version", when, a.Body, a.Header.Get("ETag"), a.Header.Get("Content-Type"))
		}
		if part := nobody.Do(http.MethodGet, source, nil, "Range", "bytes=1-2", "If-Range", s.ETag).Want(t, http.StatusPartialContent); string(part.Body) != "ir" {
			t.Errorf("%s: bytes 1-2 are %q, want ir", when, part.Body)
		}
		if head := nobody.Do(http.MethodHead, source, nil).Want(t, http.StatusOK); head.ContentLength != 5 {
			t.Errorf("%s: HEAD tells %d bytes, want 5", when, head.ContentLength)
		}
	}
	sweep := func() {
		t.Helper()
		r.clock.Advance(3 * time.Second)
		r.App.Janitor.Sweep(t.Context())
	}
	want("at first")
	r.admin.Put("/file/admin/a%20b%3F.txt", "second", "Content-Type", "text/x-other")
	sweep()
	want("replaced, and its time over")
	r.admin.Do(http.MethodDelete, "/api/files/"+file, nil).Want(t, http.StatusNoContent)
	sweep()
	want("deleted, and its time over")

	r.admin.Do(http.MethodDelete, "/api/sessions/"+s.ID, nil).Want(t, http.StatusNoContent)
	if a := nobody.Do(http.MethodGet, source, nil).Want(t, http.StatusForbidden); a.Code() != "link_expired" {
		t.Errorf("the source of a session that was ended = %s, want link_expired", a)
	}
	r.clock.Advance(catalog.MaxPin)
	r.App.Janitor.Sweep(t.Context())
	if left := r.blobFiles(); len(left) > 0 {
		t.Errorf("when nothing pins them any more there are the blobs %q, want none", left)
	}
	if n := r.dueItems(); n != 0 {
		t.Errorf("%d removals are left over, want none", n)
	}
}

func TestASessionsLife(t *testing.T) {
	r := openRig(t)
	file := r.admin.Put("/file/admin/a", "content").Field(t, "id")
	s := beginSession(t, r.admin, file)
	if life := s.ExpiresAt.Sub(r.clock.Now()).Round(time.Minute); life != 24*time.Hour || !s.Sources[0].ExpiresAt.Equal(s.ExpiresAt) {
		t.Errorf("the session lasts %v and its source until %v, want 24h of both", life, s.Sources[0].ExpiresAt)
	}
	old := r.source(s)
	for day := range 7 {
		r.clock.Advance(23 * time.Hour)
		r.admin = r.Admin()
		s = sessionOf(t, r.admin.Do(http.MethodPost, "/api/sessions/"+s.ID+"/renew", nil).Want(t, http.StatusOK))
		if s.ExpiresAt.After(s.Limits.RenewableUntil) {
			t.Fatalf("renewed on day %d it lasts until %v, past %v", day, s.ExpiresAt, s.Limits.RenewableUntil)
		}
		r.Anonymous().Do(http.MethodGet, r.source(s), nil).Want(t, http.StatusOK)
	}
	if a := r.Anonymous().Do(http.MethodGet, old, nil).Want(t, http.StatusForbidden); a.Code() != "link_expired" {
		t.Errorf("the first URL after days = %s, want link_expired", a)
	}
	if !s.ExpiresAt.Equal(s.Limits.RenewableUntil) {
		t.Errorf("renewed for the last time it lasts until %v, want %v", s.ExpiresAt, s.Limits.RenewableUntil)
	}
	r.clock.Advance(24 * time.Hour)
	r.admin = r.Admin()
	for method, path := range map[string]string{http.MethodGet: "", http.MethodPost: "/renew", http.MethodDelete: ""} {
		r.admin.Do(method, "/api/sessions/"+s.ID+path, nil).Want(t, http.StatusNotFound)
	}
	r.Anonymous().Do(http.MethodGet, r.source(s), nil).Want(t, http.StatusForbidden)
}

func TestASourceThatIsNotOurs(t *testing.T) {
	r := openRig(t)
	file := r.admin.Put("/file/admin/a", "content").Field(t, "id")
	source := r.source(beginSession(t, r.admin, file))
	sealed := strings.Split(source, "/")[2]
	for name, path := range map[string]string{
		"nothing sealed":     "/s/x/a",
		"a byte changed":     strings.Replace(source, sealed, "A"+sealed[1:], 1),
		"its end cut":        strings.Replace(source, sealed, sealed[:len(sealed)-1], 1),
		"another's purpose":  "/s/" + r.App.Deps.Ring.Seal("cursor", []byte("01JC5S4QH2N8V6W0Y3Z9K7M1XA1234567812345678")) + "/a",
		"nothing but a time": "/s/" + r.App.Deps.Ring.Seal("session", []byte("short")) + "/a",
	} {
		if a := r.Anonymous().Do(http.MethodGet, path, nil).Want(t, http.StatusForbidden); a.Code() != "link_invalid" {
			t.Errorf("%s = %s, want link_invalid", name, a)
		}
	}
}

// A new password, and being disabled, end the URLs of a session, in the midst
// of a stream too, but not the session: who still has a login renews it.
func TestASessionsURLsEndWithTheUsersPassword(t *testing.T) {
	r := openRig(t)
	ada := r.user("ada", auth.User)
	s := beginSession(t, ada, ada.Put("/file/ada/a", "content").Field(t, "id"))
	over := func(when string, s shownSession) {
		t.Helper()
		if a := r.Anonymous().Do(http.MethodGet, r.source(s), nil); a.StatusCode != http.StatusForbidden || a.Code() != "link_expired" {
			t.Errorf("after %s the URL from before = %s, want link_expired", when, a)
		}
	}
	change := map[string]string{"password": "another password", "old_password": localtest.Password}
	ada.JSON(http.MethodPatch, "/api/profile", change).Want(t, http.StatusOK)
	over("a new password", s)
	for _, c := range []*localtest.Client{ada, r.admin} {
		s = sessionOf(t, c.Do(http.MethodPost, "/api/sessions/"+s.ID+"/renew", nil).Want(t, http.StatusOK))
		if a := r.Anonymous().Do(http.MethodGet, r.source(s), nil).Want(t, http.StatusOK); string(a.Body) != "content" {
			t.Errorf("renewed, the session gives %q, want content", a.Body)
		}
	}
	for _, disabled := range []bool{true, false} {
		r.admin.JSON(http.MethodPatch, "/api/users/"+ada.ID, map[string]bool{"disabled": disabled}).Want(t, http.StatusOK)
		over("being disabled, and perhaps enabled", s)
	}
}

func TestASessionsURLIsNotInTheLog(t *testing.T) {
	r := openRig(t)
	source := r.source(beginSession(t, r.admin, r.admin.Put("/file/admin/secret-name", "content").Field(t, "id")))
	r.Anonymous().Do(http.MethodGet, source, nil).Want(t, http.StatusOK)
	r.clock.Advance(25 * time.Hour)
	r.Anonymous().Do(http.MethodGet, source, nil).Want(t, http.StatusForbidden)
	r.Stop() // every line is written
	_, rest, _ := strings.Cut(strings.Split(source, "/")[2], ".")
	payload, tag, _ := strings.Cut(rest, ".")
	for _, part := range []string{payload, tag, "secret-name"} {
		if strings.Contains(r.Log.String(), part) {
			t.Errorf("the log holds %q of a session's URL", part)
		}
	}
	if !strings.Contains(r.Log.String(), `"operation":"getSource"`) {
		t.Error("the log has no line of the download")
	}
}

// A session on a version that was replaced is for those who may read all
// versions of the file, and pins it as one on the current version does.
func TestASessionOnAChosenVersion(t *testing.T) {
	r := openRig(t, func(c *config.Config) { c.Keep = time.Minute })
	ada, eve := r.user("ada", auth.User), r.user("eve", auth.User)
	first := ada.Put("/file/ada/a", "first", "Content-Type", "text/x-first")
	file, version := first.Field(t, "id"), first.Field(t, "version_id")
	current := ada.Put("/file/ada/a", "second").Field(t, "version_id")
	ada.JSON(http.MethodPatch, "/api/files/"+file, map[string]string{"visibility": "public"}).Want(t, http.StatusOK)
	path := "/api/files/" + file + "/sessions"
	for name, c := range map[string]struct {
		client  *localtest.Client
		version string
		want    int
	}{
		"the owner, the current one":  {ada, current, 201},
		"the owner, a replaced one":   {ada, version, 201},
		"an admin, a replaced one":    {r.admin, version, 201},
		"another, the current one":    {eve, current, 201},
		"another, a replaced one":     {eve, version, 404},
		"the owner, another file's":   {ada, ada.Put("/file/ada/b", "b").Field(t, "version_id"), 404},
		"the owner, what is no id":    {ada, "latest", 404},
		"the owner, one there is not": {ada, auth.NewID(r.clock.Now()), 404},
	} {
		if a := c.client.JSON(http.MethodPost, path, map[string]string{"version_id": c.version}); a.StatusCode != c.want {
			t.Errorf("%s = %s, want %d", name, a, c.want)
		}
	}
	s := sessionOf(t, ada.JSON(http.MethodPost, path, map[string]string{"version_id": version}).Want(t, http.StatusCreated))
	if s.VersionID != version || s.Size != 5 {
		t.Errorf("the session is of version %s with %d bytes, want %s with 5", s.VersionID, s.Size, version)
	}
	r.clock.Advance(2 * time.Minute)
	r.App.Janitor.Sweep(t.Context())
	a := r.Anonymous().Do(http.MethodGet, r.source(s), nil).Want(t, http.StatusOK)
	if string(a.Body) != "first" || a.Header.Get("ETag") != s.ETag || a.Header.Get("Content-Type") != "text/x-first" {
		t.Errorf("its time over, the source has %q with ETag %s and type %s, want the session's version",
			a.Body, a.Header.Get("ETag"), a.Header.Get("Content-Type"))
	}
}

func TestASessionTellsWhatHoldsForIt(t *testing.T) {
	r := openRig(t, func(c *config.Config) {
		c.MaxSessions, c.Stall = 7, 20*time.Second
		c.DownloadURLs = []string{"https://near.example.com", "https://far.example.com:8443"}
	})
	file := r.admin.Put("/file/admin/a b", "content").Field(t, "id")
	s := beginSession(t, r.admin, file)
	if l := s.Limits; l.OpenSessions != 7 || l.StallSeconds != 20 || l.Ranges != 16 {
		t.Errorf("the limits are %+v, want 7 sessions, 20 seconds and 16 ranges", l)
	}
	if !strings.HasPrefix(s.RenewURL, r.URL+"/api/") {
		t.Errorf("it is renewed at %s, want it under %s", s.RenewURL, r.URL)
	}
	if len(s.Sources) != 2 {
		t.Fatalf("there are %d sources, want 2", len(s.Sources))
	}
	for i, base := range r.Config.DownloadURLs {
		path, under := strings.CutPrefix(s.Sources[i].URL, base+"/s/")
		if !under || !s.Sources[i].ExpiresAt.Equal(s.ExpiresAt) {
			t.Errorf("source %d is %s until %v, want it under %s until %v", i, s.Sources[i].URL, s.Sources[i].ExpiresAt, base, s.ExpiresAt)
		}
		r.Anonymous().Do(http.MethodGet, "/s/"+path, nil).Want(t, http.StatusOK)
	}
	url := r.admin.Do(http.MethodPost, "/api/files/"+file+"/link", nil).Want(t, http.StatusCreated).Field(t, "url")
	if !strings.HasPrefix(url, "https://near.example.com/l/") {
		t.Errorf("a link is %s, want it under the first of the URLs", url)
	}
}

func TestAUserHasSoManyOpenSessions(t *testing.T) {
	r := openRig(t, func(c *config.Config) { c.MaxSessions = 2 })
	ada := r.user("ada", auth.User)
	file := ada.Put("/file/ada/a", "content").Field(t, "id")
	ada.JSON(http.MethodPatch, "/api/files/"+file, map[string]string{"visibility": "public"}).Want(t, http.StatusOK)
	path := "/api/files/" + file + "/sessions"
	first := beginSession(t, ada, file)
	r.clock.Advance(time.Hour)
	ada = r.as("ada")
	beginSession(t, ada, file)
	a := ada.Do(http.MethodPost, path, nil).Want(t, http.StatusTooManyRequests)
	if again := a.Header.Get("Retry-After"); a.Code() != "too_many_sessions" || again < "82700" || again > "82801" {
		t.Errorf("a third session = %s, again after %s s; want too_many_sessions, and 23 hours", a, again)
	}
	beginSession(t, r.user("eve", auth.User), file)
	ada.Do(http.MethodDelete, "/api/sessions/"+first.ID, nil).Want(t, http.StatusNoContent)
	beginSession(t, ada, file)
	ada.Do(http.MethodPost, path, nil).Want(t, http.StatusTooManyRequests)
}

func TestMySessionsAreListed(t *testing.T) {
	r := openRig(t)
	ada, eve := r.user("ada", auth.User), r.user("eve", auth.User)
	file := ada.Put("/file/ada/in/a.txt", "content").Field(t, "id")
	ada.JSON(http.MethodPatch, "/api/files/"+file, map[string]string{"visibility": "public"}).Want(t, http.StatusOK)
	first := beginSession(t, ada, file)
	r.clock.Advance(time.Second)
	second := beginSession(t, ada, file)
	beginSession(t, eve, file)
	ada.Do(http.MethodDelete, "/api/files/"+file, nil).Want(t, http.StatusNoContent)
	var list struct {
		Sessions []struct{ ID, Name string }
	}
	if err := json.Unmarshal(ada.Do(http.MethodGet, "/api/sessions", nil).Want(t, http.StatusOK).Body, &list); err != nil {
		t.Fatal(err)
	}
	got := list.Sessions
	if len(got) != 2 || got[0].ID != first.ID || got[1].ID != second.ID || got[0].Name != "a.txt" {
		t.Errorf("ada's sessions are %+v, want %s and %s of a.txt", got, first.ID, second.ID)
	}
}

// TestWhoHasASession asks about eve's session on ada's public file.
func TestWhoHasASession(t *testing.T) {
	r := openRig(t)
	ada, eve, gus := r.user("ada", auth.User), r.user("eve", auth.User), r.user("gus", auth.Guest)
	file := ada.Put("/file/ada/a", "content").Field(t, "id")
	visible := func(v string) {
		ada.JSON(http.MethodPatch, "/api/files/"+file, map[string]string{"visibility": v}).Want(t, http.StatusOK)
	}
	eve.Do(http.MethodPost, "/api/files/"+file+"/sessions", nil).Want(t, http.StatusNotFound)
	visible("public")
	s := beginSession(t, eve, file)
	for name, c := range map[string]struct {
		client *localtest.Client
		want   int
	}{
		"who downloads": {eve, 200}, "the file's owner": {ada, 200}, "an admin": {r.admin, 200},
		"a guest": {gus, 404}, "nobody": {r.Anonymous(), 401},
	} {
		for _, ask := range [][2]string{{http.MethodGet, ""}, {http.MethodPost, "/renew"}} {
			if a := c.client.Do(ask[0], "/api/sessions/"+s.ID+ask[1], nil); a.StatusCode != c.want {
				t.Errorf("%s %s by %s = %s, want %d", ask[0], ask[1], name, a, c.want)
			}
		}
	}
	source := r.source(s)
	r.Anonymous().Do(http.MethodGet, source, nil).Want(t, http.StatusOK)
	visible("private")
	r.Anonymous().Do(http.MethodGet, source, nil).Want(t, http.StatusForbidden)
	visible("public")
	r.admin.JSON(http.MethodPatch, "/api/users/"+eve.ID, map[string]bool{"disabled": true}).Want(t, http.StatusOK)
	r.Anonymous().Do(http.MethodGet, source, nil).Want(t, http.StatusForbidden)
	ada.Do(http.MethodDelete, "/api/sessions/"+s.ID, nil).Want(t, http.StatusNoContent)
	r.admin.Do(http.MethodGet, "/api/sessions/"+s.ID, nil).Want(t, http.StatusNotFound)
}

// TestAStreamEndsWithItsSession reads slowly while the session is revoked.
func TestAStreamEndsWithItsSession(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	file := r.admin.Put("/file/admin/a", strings.Repeat("x", 64<<20)).Field(t, "id")
	s := beginSession(t, r.admin, file)
	answer, err := r.Anonymous().HTTP.Get(s.Sources[0].URL)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.ReadFull(answer.Body, make([]byte, 64<<10)); err != nil {
		t.Fatal(err)
	}
	r.admin.Do(http.MethodDelete, "/api/sessions/"+s.ID, nil).Want(t, http.StatusNoContent)
	began := time.Now()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for buf := make([]byte, 64<<10); err == nil; <-tick.C {
		_, err = io.ReadFull(answer.Body, buf)
	}
	const limit = 8 * time.Second // five, and what is on its way already
	if took := time.Since(began); err == io.EOF || took > limit {
		t.Errorf("the stream ended with %v after %v, want it cut within %v", err, took, limit)
	}
}
