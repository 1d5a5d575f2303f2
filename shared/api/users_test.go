package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/shared/app/local/localtest"
	"sluice/shared/auth"
)

func TestUsersAreMadeChangedAndRemoved(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	made := r.admin.JSON(http.MethodPost, "/api/users", map[string]string{
		"username": "ada", "password": localtest.Password, "role": "guest", "display_name": "Ada Lovelace",
	}).Want(t, http.StatusCreated)
	id := made.Field(t, "id")
	path := "/api/users/" + id
	if location := made.Header.Get("Location"); location != path {
		t.Errorf("a new user is at %q, want %q", location, path)
	}
	if got := r.admin.Do(http.MethodGet, path, nil).Want(t, http.StatusOK); string(got.Body) != string(made.Body) {
		t.Errorf("the new user is %s, was made as %s", got, made)
	}
	if strings.Contains(string(made.Body), "assword") || strings.Contains(string(made.Body), "argon2") {
		t.Errorf("a user shows the password: %s", made)
	}
	for _, c := range []struct {
		body any
		want string
	}{
		{map[string]string{"display_name": "Ada"}, `"display_name":"Ada"`},
		{map[string]string{"role": "user"}, `"role":"user"`},
		{map[string]bool{"disabled": true}, `"disabled":true`},
		{map[string]bool{"disabled": false}, `"disabled":false`},
		{map[string]string{}, `"role":"user"`},
		{map[string]string{"password": "another password"}, `"username":"ada"`},
	} {
		if a := r.admin.JSON(http.MethodPatch, path, c.body).Want(t, http.StatusOK); !strings.Contains(string(a.Body), c.want) {
			t.Errorf("%v = %s, want %s", c.body, a, c.want)
		}
	}
	ada := r.Login("ada", "another password")
	r.admin.Do(http.MethodDelete, path, nil).Want(t, http.StatusNoContent)
	r.admin.Do(http.MethodDelete, path, nil).Want(t, http.StatusNotFound)
	r.admin.Do(http.MethodGet, path, nil).Want(t, http.StatusNotFound)
	r.wantProfile("a removed user's token", ada.Token, http.StatusUnauthorized)
	again := r.admin.JSON(http.MethodPost, "/api/users", map[string]string{"username": "ada", "password": localtest.Password, "role": "user"})
	if again.Want(t, http.StatusCreated).Field(t, "id") == id {
		t.Error("a new user of the name has the id of the old one")
	}
	r.wantProfile("the token of the old one", ada.Token, http.StatusUnauthorized)
}

func TestAUserWhoOwnsFilesIsNotRemoved(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	ada := r.user("ada", auth.User)
	ada.Put("/file/ada/a", "content")
	path := "/api/users/" + ada.ID
	before := r.admin.Do(http.MethodGet, path, nil).Want(t, http.StatusOK)
	if a := r.admin.Do(http.MethodDelete, path, nil).Want(t, http.StatusConflict); a.Code() != "user_has_files" {
		t.Errorf("removing a user with a file = %s, want user_has_files", a)
	}
	if after := r.admin.Do(http.MethodGet, path, nil).Want(t, http.StatusOK); string(after.Body) != string(before.Body) {
		t.Errorf("a removal that was refused made %s of %s", after, before)
	}
	ada.Put("/file/ada/b", "content")
	for _, name := range []string{"a", "b"} {
		ada.Do(http.MethodDelete, "/file/ada/"+name, nil).Want(t, http.StatusNoContent)
	}
	r.admin.Do(http.MethodDelete, path, nil).Want(t, http.StatusNoContent)
	r.clock.Advance(25 * time.Hour)
	r.App.Janitor.Sweep(t.Context())
	if left := r.blobFiles(); len(left) > 0 {
		t.Errorf("a day after the user went the blob store holds %q", left)
	}
}

func TestAdminsDoNotLockThemselvesOut(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	path := "/api/users/" + r.admin.ID
	for _, body := range []string{`{"disabled":true}`, `{"role":"user"}`, `{"role":"guest","display_name":"x"}`} {
		a := r.admin.Do(http.MethodPatch, path, strings.NewReader(body), "Content-Type", "application/json").Want(t, http.StatusConflict)
		if a.Code() != "own_account" {
			t.Errorf("%s of one's own = %s, want own_account", body, a)
		}
	}
	r.admin.Do(http.MethodDelete, path, nil).Want(t, http.StatusConflict)
	if a := r.admin.Do(http.MethodGet, "/api/profile", nil).Want(t, http.StatusOK); a.Field(t, "role") != "admin" || strings.Contains(string(a.Body), "display_name") {
		t.Errorf("after all that the admin is %s", a)
	}
}

func TestUsersAreListedByName(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	want := []string{"admin"}
	for i := range 6 {
		name := fmt.Sprintf("user%d", i)
		r.user(name, auth.Guest)
		want = append(want, name)
	}
	for _, limit := range []string{"1", "3", "7", "1000"} {
		var got []string
		query := url.Values{"limit": {limit}}
		for {
			p := getPage(t, r.admin, "/api/users", query)
			for _, u := range p.Users {
				got = append(got, u.Username)
			}
			if p.NextCursor == "" {
				break
			}
			query.Set("cursor", p.NextCursor)
		}
		if !slices.Equal(got, want) {
			t.Errorf("by %s the users are %q, want %q", limit, got, want)
		}
	}
}

func TestProfile(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	gus := r.user("gus", auth.Guest)
	a := gus.JSON(http.MethodPatch, "/api/profile", map[string]string{"display_name": "Gus 🦆"}).Want(t, http.StatusOK)
	b := gus.Do(http.MethodGet, "/api/profile", nil).Want(t, http.StatusOK)
	if a.Field(t, "display_name") != "Gus 🦆" || string(a.Body) != string(b.Body) {
		t.Errorf("the profile was changed to %s and is %s", a, b)
	}
	for _, body := range []string{`{"role":"admin"}`, `{"username":"admin"}`, `{"disabled":false}`, `{"id":"` + r.admin.ID + `"}`} {
		gus.Do(http.MethodPatch, "/api/profile", strings.NewReader(body), "Content-Type", "application/json").Want(t, http.StatusBadRequest)
	}
	if role := gus.Do(http.MethodGet, "/api/profile", nil).Field(t, "role"); role != "guest" {
		t.Errorf("a guest made themselves a %s", role)
	}
}

// A request is named alike in its header, its problem and the log.
func TestAProblemNamesItsRequest(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	a := r.admin.Do(http.MethodGet, "/api/files/x", nil, "X-Request-Id", "mine").Want(t, http.StatusNotFound)
	var p struct {
		RequestID string `json:"request_id"`
		Type      string
	}
	if err := json.Unmarshal(a.Body, &p); err != nil {
		t.Fatal(err)
	}
	id := a.Header.Get("X-Request-Id")
	if !auth.ValidID(id) || p.RequestID != id || p.Type != "about:blank" || a.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("request %q = %s", id, a)
	}
	r.Stop() // every line is written
	if !strings.Contains(r.Log.String(), id) {
		t.Errorf("request %s is not in the log", id)
	}
}
