package api_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sluice/shared/app/local/localtest"
	"sluice/shared/auth"
)

func TestBadParametersAreRefused(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	for _, c := range []struct{ query, field string }{
		{"nonsense=1", "nonsense"},
		{"Prefix=a", "Prefix"},
		{"=1", ""},
		{"%ff=1", "\ufffd"},
		{"limit=%zz", ""},
		{"a;b", ""},
		{"limit=1;limit=2", ""},
		{"limit=0", "limit"},
		{"limit=-1", "limit"},
		{"limit=1001", "limit"},
		{"limit=1e3", "limit"},
		{"limit=0x10", "limit"},
		{"limit=%201", "limit"},
		{"limit=ten", "limit"},
		{"limit=99999999999999999999", "limit"},
		{"limit=", "limit"},
		{"limit=1&limit=2", "limit"},
		{"limit=1&limit=1", "limit"},
		{"cursor=", "cursor"},
		{"cursor=x", "cursor"},
		{"cursor=%00", "cursor"},
		{"cursor=%ff", "cursor"},
		{"cursor=" + strings.Repeat("A", 5000), "cursor"},
		{"cursor=x&cursor=y", "cursor"},
	} {
		for _, path := range []string{"/api/files", "/api/users"} {
			wantBadParameter(t, r.admin, path+"?"+c.query, c.field)
		}
	}
	for _, c := range []struct{ query, field string }{
		{"owner=", "owner"},
		{"owner=admin&owner=admin", "owner"},
		{"prefix=a&prefix=b", "prefix"},
		{"prefix=%ff", "prefix"},
		{"prefix=" + strings.Repeat("a", 901), "prefix"},
		{"delimiter=", "delimiter"},
		{"delimiter=%2F%2F", "delimiter"},
		{"delimiter=.", "delimiter"},
		{"order=", "order"},
		{"order=size", "order"},
		{"order=NAME", "order"},
		{"order=name&order=-name", "order"},
	} {
		wantBadParameter(t, r.admin, "/api/files?"+c.query, c.field)
	}
	for _, query := range []string{"owner=admin", "prefix=a", "delimiter=/", "order=name"} {
		name, _, _ := strings.Cut(query, "=")
		wantBadParameter(t, r.admin, "/api/users?"+query, name)
	}
	file := r.admin.Put("/file/admin/a", "content").Field(t, "id")
	for _, path := range []string{"/file/admin/a", "/api/files/" + file + "/content"} {
		for query, field := range map[string]string{
			"disposition=shown": "disposition", "disposition=INLINE": "disposition", "disposition=inline%0d%0aX-Evil:1": "disposition",
			"disposition=": "disposition", "disposition=inline&disposition=attachment": "disposition",
			"dispositoin=attachment": "dispositoin", "disposition=%zz": "",
		} {
			wantBadParameter(t, r.admin, path+"?"+query, field)
		}
	}
}

func wantBadParameter(t *testing.T, c *localtest.Client, path, field string) {
	t.Helper()
	a := c.Do(http.MethodGet, path, nil)
	if a.StatusCode != http.StatusBadRequest || a.Code() != "invalid_field" || problemField(a) != field {
		t.Errorf("GET %.80s = %s, want 400 invalid_field of %q", path, a, field)
	}
}

// page is what a listing answers.
type page struct {
	Files []struct {
		Path string
	}
	Folders    []string
	Users      []struct{ Username string }
	NextCursor string `json:"next_cursor"`
}

func getPage(t *testing.T, c *localtest.Client, path string, query url.Values) page {
	t.Helper()
	a := c.Do(http.MethodGet, path+"?"+query.Encode(), nil).Want(t, http.StatusOK)
	var p page
	if err := json.Unmarshal(a.Body, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// A cursor holds for the listing that gave it, and for no other.
func TestACursorIsGoodForItsListing(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	ada := r.user("ada", auth.User)
	for _, path := range []string{"a/1", "a/2", "b/1", "b/2"} {
		r.admin.Put("/file/admin/"+path, "x")
		r.admin.Put("/file/ada/"+path, "x")
	}
	given := url.Values{"limit": {"1"}, "prefix": {"a/"}}
	cursor := getPage(t, r.admin, "/api/files", given).NextCursor
	if cursor == "" {
		t.Fatal("a page of one of two files has no next one")
	}
	with := func(edit func(url.Values)) url.Values {
		q := url.Values{"limit": {"1"}, "prefix": {"a/"}, "cursor": {cursor}}
		edit(q)
		return q
	}
	for name, c := range map[string]struct {
		client *localtest.Client
		query  url.Values
	}{
		"the same listing":          {r.admin, with(func(url.Values) {})},
		"with another limit":        {r.admin, with(func(q url.Values) { q.Set("limit", "7") })},
		"with the same owner named": {r.admin, with(func(q url.Values) { q.Set("owner", "admin") })},
	} {
		if p := getPage(t, c.client, "/api/files", c.query); len(p.Files) != 1 || p.Files[0].Path != "a/2" || p.NextCursor != "" {
			t.Errorf("the cursor in %s leads to %+v, want a/2 alone", name, p)
		}
	}
	usersCursor := getPage(t, r.admin, "/api/users", url.Values{"limit": {"1"}}).NextCursor
	for name, c := range map[string]struct {
		client *localtest.Client
		path   string
		query  url.Values
	}{
		"another prefix":                {r.admin, "/api/files", with(func(q url.Values) { q.Set("prefix", "a") })},
		"no prefix":                     {r.admin, "/api/files", with(func(q url.Values) { q.Del("prefix") })},
		"another order":                 {r.admin, "/api/files", with(func(q url.Values) { q.Set("order", "-name") })},
		"folders":                       {r.admin, "/api/files", with(func(q url.Values) { q.Set("delimiter", "/") })},
		"another owner":                 {r.admin, "/api/files", with(func(q url.Values) { q.Set("owner", "ada") })},
		"another user's own files":      {ada, "/api/files", with(func(url.Values) {})},
		"the users":                     {r.admin, "/api/users", url.Values{"cursor": {cursor}}},
		"files, with the users' cursor": {r.admin, "/api/files", url.Values{"cursor": {usersCursor}}},
		"with its end cut":              {r.admin, "/api/files", with(func(q url.Values) { q.Set("cursor", cursor[:len(cursor)-1]) })},
		"with its beginning cut":        {r.admin, "/api/files", with(func(q url.Values) { q.Set("cursor", cursor[1:]) })},
		"with more at its end":          {r.admin, "/api/files", with(func(q url.Values) { q.Set("cursor", cursor+"A") })},
		"with a line break":             {r.admin, "/api/files", with(func(q url.Values) { q.Set("cursor", cursor+"\n") })},
		"with padding":                  {r.admin, "/api/files", with(func(q url.Values) { q.Set("cursor", cursor+"=") })},
		"twice":                         {r.admin, "/api/files", with(func(q url.Values) { q.Set("cursor", cursor+cursor) })},
	} {
		t.Run(name, func(t *testing.T) { wantBadParameter(t, c.client, c.path+"?"+c.query.Encode(), "cursor") })
	}
	for i := range cursor {
		flipped := []byte(cursor)
		if flipped[i]++; flipped[i] == '.' {
			flipped[i]++
		}
		a := r.admin.Do(http.MethodGet, "/api/files?"+with(func(q url.Values) { q.Set("cursor", string(flipped)) }).Encode(), nil)
		if a.StatusCode != http.StatusBadRequest {
			t.Errorf("a cursor with byte %d changed = %s, want 400", i, a)
		}
	}
}

// A cursor may stop on a file or a folder that is gone when it is used.
func TestACursorOutlivesItsEntry(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	for _, path := range []string{"a/1", "b", "c/1", "d"} {
		r.admin.Put("/file/admin/"+path, "x")
	}
	q := url.Values{"limit": {"2"}, "delimiter": {"/"}}
	q.Set("cursor", getPage(t, r.admin, "/api/files", q).NextCursor)
	r.admin.Do(http.MethodDelete, "/file/admin/b", nil).Want(t, http.StatusNoContent)
	r.admin.Do(http.MethodDelete, "/file/admin/a/1", nil).Want(t, http.StatusNoContent)
	if p := getPage(t, r.admin, "/api/files", q); len(p.Files) != 1 || p.Files[0].Path != "d" || len(p.Folders) != 1 || p.Folders[0] != "c/" {
		t.Errorf("behind a cursor whose entry is gone: %+v, want c/ and d", p)
	}
}
