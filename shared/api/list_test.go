package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sluice/shared/app/local/localtest"
	"sluice/shared/auth"
)

// listed follows a listing to its end, and returns the files and the folders.
func listed(t *testing.T, c *localtest.Client, query url.Values, between func()) (files, folders []string) {
	t.Helper()
	query = url.Values(http.Header(query).Clone())
	limit, _ := strconv.Atoi(query.Get("limit"))
	for {
		p := getPage(t, c, "/api/files", query)
		if n := len(p.Files) + len(p.Folders); limit > 0 && n > limit {
			t.Fatalf("a page of at most %d has %d entries", limit, n)
		}
		for _, f := range p.Files {
			files = append(files, f.Path)
		}
		folders = append(folders, p.Folders...)
		if p.NextCursor == "" {
			return files, folders
		}
		if between != nil {
			between()
		}
		query.Set("cursor", p.NextCursor)
	}
}

// wantListed is what a listing of these paths brings.
func wantListed(paths []string, query url.Values) (files, folders []string) {
	prefix := query.Get("prefix")
	for _, path := range paths {
		rest, ok := strings.CutPrefix(path, prefix)
		if !ok {
			continue
		}
		if folder, _, deeper := strings.Cut(rest, "/"); deeper && query.Has("delimiter") {
			folders = append(folders, prefix+folder+"/")
		} else {
			files = append(files, path)
		}
	}
	slices.Sort(files)
	slices.Sort(folders)
	folders = slices.Compact(folders)
	if query.Get("order") == "-name" {
		slices.Reverse(files)
		slices.Reverse(folders)
	}
	return files, folders
}

// library is a set of paths that sort otherwise by letters than by bytes, with
// names around the slash (! is before it, 0 behind) and folders beside files.
var library = []string{
	"a", "a!", "a/1", "a/2", "a/b/1", "a/b/2", "a0", "aa", "A", "B/1", "Z", "z", "ä", "ö/1", "é", "e\u0301", "日本/語", "日本語", "\u00ff", "\uffff/1", "\U0010ffff", "\U0010ffff/1",
	"c/d/e/f/g", "c!", "c", "-1", "10", "9", " ", "100%",
}

func TestListings(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	for _, path := range library {
		r.admin.Put((&url.URL{Path: "/file/admin/" + path}).EscapedPath(), "x")
	}
	rapid.Check(t, func(rt *rapid.T) {
		query := url.Values{}
		if path := rapid.SampledFrom(append(library, "")).Draw(rt, "prefix of"); path != "" {
			query.Set("prefix", strings.ToValidUTF8(path[:rapid.IntRange(0, len(path)).Draw(rt, "bytes")], ""))
		}
		if rapid.Bool().Draw(rt, "folders") {
			query.Set("delimiter", "/")
		}
		if order := rapid.SampledFrom([]string{"", "name", "-name"}).Draw(rt, "order"); order != "" {
			query.Set("order", order)
		}
		if limit := rapid.IntRange(0, 12).Draw(rt, "limit"); limit > 0 {
			query.Set("limit", strconv.Itoa(limit))
		}
		files, folders := listed(t, r.admin, query, nil)
		wantFiles, wantFolders := wantListed(library, query)
		if !slices.Equal(files, wantFiles) || !slices.Equal(folders, wantFolders) {
			rt.Fatalf("%s lists %q and %q, want %q and %q", query.Encode(), files, folders, wantFiles, wantFolders)
		}
	})
}

func TestAListingIsOfOneOwner(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	ada := r.user("ada", auth.User)
	r.admin.Put("/file/admin/a", "x")
	r.admin.Put("/file/ada/b", "x")
	for _, c := range []struct {
		client *localtest.Client
		query  url.Values
		want   string
	}{
		{r.admin, nil, "a"},
		{r.admin, url.Values{"owner": {"admin"}}, "a"},
		{r.admin, url.Values{"owner": {"ada"}}, "b"},
		{ada, nil, "b"},
		{ada, url.Values{"owner": {"ada"}}, "b"},
	} {
		if files, _ := listed(t, c.client, c.query, nil); len(files) != 1 || files[0] != c.want {
			t.Errorf("%s lists %q, want %q", c.query.Encode(), files, c.want)
		}
	}
}

// What is there throughout is listed once, whatever comes and goes.
func TestAListingUnderWayBearsChanges(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	var steady []string
	for i := range 20 {
		steady = append(steady, fmt.Sprintf("s%02d", i))
		r.admin.Put("/file/admin/"+steady[i], "x")
	}
	for _, order := range []string{"name", "-name"} {
		n := 0
		change := func() {
			n++
			r.admin.Put(fmt.Sprintf("/file/admin/s%02d-%d", n*7%20, n), "x")
			r.admin.Put("/file/admin/"+steady[n%20], "another version")
			if n%2 == 0 {
				r.admin.Do(http.MethodDelete, fmt.Sprintf("/file/admin/s%02d-%d", (n-1)*7%20, n-1), nil).Want(t, http.StatusNoContent)
			}
		}
		files, _ := listed(t, r.admin, url.Values{"limit": {"3"}, "order": {order}}, change)
		for _, want := range steady {
			if i := slices.Index(files, want); i < 0 || slices.Contains(files[i+1:], want) {
				t.Errorf("by %s, %s is not listed once: %q", order, want, files)
			}
		}
	}
}

func TestALongListingHasPagesOf100(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	inParallel(t, numbered(101), func(_ int, path string) error {
		a, err := r.admin.Try(http.MethodPut, "/file/admin/"+path, strings.NewReader("x"))
		return is(a, err, http.StatusCreated)
	})
	for limit, want := range map[string]int{"": 100, "101": 101, "1000": 101, "50": 50} {
		query := url.Values{}
		if limit != "" {
			query.Set("limit", limit)
		}
		p := getPage(t, r.admin, "/api/files", query)
		if len(p.Files) != want || (p.NextCursor == "") != (want == 101) {
			t.Errorf("a page of limit %q has %d files and the cursor %q, want %d", limit, len(p.Files), p.NextCursor, want)
		}
	}
}

func numbered(n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("n%03d", i))
	}
	return names
}
