package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/shared/app/local/localtest"
	"sluice/shared/auth"
	"sluice/shared/config"
	"sluice/shared/limit"
)

const day = 24 * time.Hour

// valid is one of everything that ends by itself.
type valid struct {
	*rig
	ada      *localtest.Client
	refresh  string    // a refresh token
	spare    [2]string // an access and a refresh token of another login
	file     string    // an id
	was      string    // the id of the version that was replaced
	deleted  string    // the id of a file
	link     string    // a path, and so on
	source   string
	session  string // an id
	upload   *parted
	part     string
	expiring string // the path of a file that expires after a day
}

// makeValid makes it, and counts a few wrong passwords.
func makeValid(t *testing.T) *valid {
	t.Helper()
	r := openRig(t, func(c *config.Config) { c.Keep = day })
	v := &valid{rig: r, ada: r.user("ada", auth.User)}
	v.ada.Token, v.refresh = r.tokens("ada")
	v.spare[0], v.spare[1] = r.tokens("ada")
	v.was = v.ada.Put("/file/ada/a", "old").Field(t, "version_id")
	v.file = v.ada.Put("/file/ada/a", "new").Field(t, "id")
	v.deleted = v.ada.Put("/file/ada/deleted", "deleted").Field(t, "id")
	v.ada.Do(http.MethodDelete, "/api/files/"+v.deleted, nil).Want(t, http.StatusNoContent)
	v.link = v.path(v.ada.JSON(http.MethodPost, "/api/files/"+v.file+"/link", map[string]any{"expires_in": 900}).Want(t, http.StatusCreated).Field(t, "url"))
	v.session, v.source = v.begun()
	v.upload = r.begin(v.ada, "parts", nil)
	v.part = v.upload.url(1, "")
	v.expiring = "/file/ada/expiring"
	id := v.ada.Put(v.expiring, "x").Field(t, "id")
	v.ada.JSON(http.MethodPatch, "/api/files/"+id, map[string]any{"expires_at": r.clock.Now().Add(day).UTC()}).Want(t, http.StatusOK)
	tries := limit.Rate{Burst: 20, Per: 10 * time.Second} // some were wrong
	if wait, err := r.App.Deps.Accounts.Limits.Take(t.Context(), "login/user/ada", tries, 3); wait > 0 || err != nil {
		t.Fatalf("wait %v, %v", wait, err)
	}
	return v
}

// path cuts the origin off a URL.
func (v *valid) path(url string) string { return strings.TrimPrefix(url, v.URL) }

// begun begins a download session and returns its id and its URL's path.
func (v *valid) begun() (id, source string) {
	v.t.Helper()
	var s struct {
		ID      string
		Sources []struct{ URL string }
	}
	a := v.ada.Do(http.MethodPost, "/api/files/"+v.file+"/sessions", nil).Want(v.t, http.StatusCreated)
	if err := json.Unmarshal(a.Body, &s); err != nil {
		v.t.Fatal(err)
	}
	return s.ID, v.path(s.Sources[0].URL)
}

// wantValid uses everything once, and wants it to be good.
func (v *valid) wantValid(when string) {
	v.t.Helper()
	nobody := v.Anonymous()
	for _, c := range []struct {
		what   string
		answer localtest.Answer
		status int
	}{
		{"an access token", v.ada.Do(http.MethodGet, "/api/profile", nil), http.StatusOK},
		{"a refresh token", v.refreshOnce(), http.StatusOK},
		{"a link", nobody.Do(http.MethodGet, v.link, nil), http.StatusOK},
		{"a session's URL", nobody.Do(http.MethodGet, v.source, nil), http.StatusOK},
		{"a session's renewal", v.ada.Do(http.MethodPost, "/api/sessions/"+v.session+"/renew", nil), http.StatusOK},
		{"a part's URL", nobody.Do(http.MethodPut, v.part, strings.NewReader("x")), http.StatusOK},
		{"an upload", v.ada.Do(http.MethodGet, "/api/uploads/"+v.upload.id, nil), http.StatusOK},
		{"a file with an end", v.ada.Do(http.MethodGet, v.expiring, nil), http.StatusOK},
		{"a file", v.ada.Do(http.MethodGet, "/file/ada/a", nil), http.StatusOK},
		{"a version that was replaced", v.ada.Do(http.MethodGet, "/api/files/"+v.file+"/content?version="+v.was, nil), http.StatusOK},
		{"a password", nobody.JSON(http.MethodPost, "/api/login", map[string]string{"username": "ada", "password": localtest.Password}), http.StatusOK},
	} {
		if c.answer.StatusCode != c.status {
			v.t.Errorf("%s, %s: %s, want %d", c.what, when, c.answer, c.status)
		}
	}
	if f, err := v.App.Deps.Catalog.KeptFile(v.t.Context(), v.deleted); err != nil {
		v.t.Errorf("a deleted file that is kept, %s: %+v, %v", when, f, err)
	}
}

// refreshOnce exchanges the refresh token.
func (v *valid) refreshOnce() localtest.Answer {
	a := v.Anonymous().JSON(http.MethodPost, "/api/token/refresh", map[string]string{"refresh_token": v.refresh})
	if a.StatusCode == http.StatusOK {
		v.refresh, v.ada.Token = a.Field(v.t, "refresh_token"), a.Field(v.t, "access_token")
	}
	return a
}

// sweep has the janitor do all that it finds.
func (r *rig) sweep() {
	for removed := 1; removed > 0; {
		removed = r.App.Janitor.Sweep(r.t.Context())
	}
}

func TestAClockSetBackLosesNothing(t *testing.T) {
	for _, back := range []time.Duration{6 * time.Second, 20 * time.Minute, 26 * time.Hour, 40 * day} {
		t.Run(back.String(), func(t *testing.T) {
			t.Parallel()
			v := makeValid(t)
			v.clock.Advance(-back)
			v.sweep()
			v.wantValid("after the clock was set back")
			v.ada.Put("/file/ada/a", "newest")
			v.wantNoNegative(back)
			v.clock.Advance(back)
			v.sweep()
			v.ada.Token, v.refresh = v.spare[0], v.spare[1]
			v.wantValid("after it was set right")
			v.ada.Do(http.MethodPost, "/api/files/"+v.deleted+"/undelete", nil).Want(t, http.StatusOK)
			v.upload.complete().Want(t, http.StatusOK)
		})
	}
}

// wantNoNegative wants no time to have run backwards in what is told of now and
// of a time ahead.
func (v *valid) wantNoNegative(ahead time.Duration) {
	v.t.Helper()
	if err := v.App.Deps.Recorder.Flush(v.t.Context()); err != nil {
		v.t.Fatal(err)
	}
	var told struct {
		Downloads []struct {
			FirstAt time.Time `json:"first_at"`
			LastAt  time.Time `json:"last_at"`
		}
	}
	for _, after := range []time.Duration{0, ahead} {
		at := v.clock.Now().Add(after).UTC()
		query := fmt.Sprintf("?from=%s&to=%s", at.Add(-2*day).Format(time.DateOnly), at.Add(2*day).Format(time.DateOnly))
		if err := json.Unmarshal(v.ada.Do(http.MethodGet, "/api/audit"+query, nil).Want(v.t, http.StatusOK).Body, &told); err != nil {
			v.t.Fatal(err)
		}
		for _, d := range told.Downloads {
			if d.LastAt.Before(d.FirstAt) {
				v.t.Errorf("a download lasted from %v to %v", d.FirstAt, d.LastAt)
			}
		}
	}
	for _, line := range v.Log.Lines(v.t) {
		if took, ok := line["duration_ms"].(float64); ok && took < 0 {
			v.t.Errorf("a request took %v ms: %v", took, line)
		}
	}
}

// What has ended has, at whatever pace the clock came there, and whether the
// janitor has been or not.
func TestAClockSetForwardLetsNothingLive(t *testing.T) {
	for _, swept := range []bool{false, true} {
		t.Run(fmt.Sprintf("swept: %v", swept), func(t *testing.T) {
			t.Parallel()
			v := makeValid(t)
			v.clock.Advance(31 * day)
			if swept {
				v.sweep()
			}
			nobody := v.Anonymous()
			for _, c := range []struct {
				what   string
				answer localtest.Answer
				status int
			}{
				{"an access token", v.ada.Do(http.MethodGet, "/api/profile", nil), http.StatusUnauthorized},
				{"a refresh token", v.refreshOnce(), http.StatusUnauthorized},
				{"a link", nobody.Do(http.MethodGet, v.link, nil), http.StatusForbidden},
				{"a session's URL", nobody.Do(http.MethodGet, v.source, nil), http.StatusForbidden},
				{"a part's URL", nobody.Do(http.MethodPut, v.part, strings.NewReader("x")), http.StatusForbidden},
			} {
				if c.answer.StatusCode != c.status {
					t.Errorf("%s of a month ago: %s, want %d", c.what, c.answer, c.status)
				}
			}
			v.ada = v.as("ada")
			for what, path := range map[string]string{
				"an upload": "/api/uploads/" + v.upload.id, "a file with an end": v.expiring, "a session": "/api/sessions/" + v.session,
			} {
				if a := v.ada.Do(http.MethodGet, path, nil); a.StatusCode != http.StatusNotFound {
					t.Errorf("%s of a month ago: %s, want 404", what, a)
				}
			}
			if got := v.ada.Do(http.MethodGet, "/file/ada/a", nil).Want(t, http.StatusOK); string(got.Body) != "new" {
				t.Errorf("the file is %q, want new", got.Body)
			}
		})
	}
}

// A clock that was wrong for a while, either way, hides nothing from the
// janitor, and gives it nothing that is kept.
func TestTheJanitorAfterAClockThatWasWrong(t *testing.T) {
	for _, wrong := range []time.Duration{10 * day, -10 * day, -40 * day} {
		for _, swept := range []bool{false, true} { // while it was wrong
			t.Run(fmt.Sprintf("by %v, swept: %v", wrong, swept), func(t *testing.T) {
				t.Parallel()
				r := openRig(t, func(c *config.Config) { c.Keep = day })
				r.App.Janitor.Sweep(t.Context())
				r.clock.Advance(wrong)
				ada := r.user("ada", auth.User)
				id := ada.Put("/file/ada/a", "first").Field(t, "id")
				ada.Put("/file/ada/a", "second")
				r.begin(ada, "parts", nil)
				if swept {
					r.App.Janitor.Sweep(t.Context())
				}
				r.clock.Advance(-wrong)
				ada = r.as("ada")
				ada.Put("/file/ada/a", "third")
				r.App.Janitor.Sweep(t.Context())
				if got := ada.Do(http.MethodGet, "/api/files/"+id+"/content", nil).Want(t, http.StatusOK); string(got.Body) != "third" {
					t.Errorf("the file is %q, want third", got.Body)
				}
				r.clock.Advance(18 * day)
				r.sweep()
				if files := r.blobFiles(); len(files) != 1 || r.dueItems() != 0 {
					t.Errorf("once all is due the store holds %q and %d removals are to come, want one blob and none", files, r.dueItems())
				}
				r.wantUsed(r.as("ada"), "once all is due", 5, 1)
			})
		}
	}
}
