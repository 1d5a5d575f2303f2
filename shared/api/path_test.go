package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sluice/shared/auth"
)

func TestBadPathsAreRefused(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	r.admin.Put("/file/admin/a/b", "content")
	for _, c := range []struct{ name, path string }{
		{"nothing", ""},
		{"a dot", "."},
		{"two dots", ".."},
		{"two dots in front", "../a"},
		{"two dots amidst", "a/../b"},
		{"two dots at the end", "a/.."},
		{"a dot amidst", "a/./b"},
		{"escaped dots", "%2e%2e/a"},
		{"half-escaped dots", ".%2E/a"},
		{"escaped dots and slash", "a%2f..%2fb"},
		{"an empty first segment", "/a"},
		{"an empty segment", "a//b"},
		{"an escaped empty segment", "a%2F%2Fb"},
		{"an empty last segment", "a/"},
		{"slashes", "///"},
		{"NUL", "a%00b"},
		{"NUL alone", "%00"},
		{"a line break", "a%0ab"},
		{"a carriage return and a header", "a%0d%0aX-Evil:%201"},
		{"a tab", "a%09b"},
		{"escape", "a%1bb"},
		{"delete", "a%7fb"},
		{"a control character of C1", "a%c2%85b"},
		{"an invalid byte", "%ff"},
		{"a byte too few", "a%c3"},
		{"an overlong slash", "a%c0%afb"},
		{"an overlong NUL", "a%c0%80b"},
		{"half a surrogate pair", "a%ed%a0%80b"},
		{"beyond Unicode", "a%f4%90%80%80b"},
		{"901 bytes", strings.Repeat("a", 901)},
		{"901 bytes in segments", strings.Repeat("a/", 450) + "a"},
		{"901 bytes in few characters", strings.Repeat("%e6%97%a5", 300) + "a"},
		{"901 bytes escaped", strings.Repeat("%61", 901)},
		{"many bytes", strings.Repeat("a", 8000)},
	} {
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE"} {
			a := r.admin.Do(method, "/file/admin/"+c.path, nil)
			if a.StatusCode != http.StatusBadRequest || method != "HEAD" && problemField(a) != "path" {
				t.Errorf("%s of %s (%.60q) = %s, want 400 of field path", method, c.name, c.path, a)
			}
		}
	}
	if p := getPage(t, r.admin, "/api/files", nil); len(p.Files) != 1 || p.Files[0].Path != "a/b" {
		t.Errorf("after bad paths there are %+v, want a/b alone", p.Files)
	}
	if left := r.blobFiles(); len(left) != 1 {
		t.Errorf("after bad paths the blob store holds %q, want one blob", left)
	}
}

// An escaped slash is a slash, and 900 bytes are allowed.
func TestPathsAtTheEdgeAreTaken(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	for _, c := range []struct{ path, want string }{
		{"a%2Fb", "a/b"},
		{"...", "..."},
		{"a..b/..c/d..", "a..b/..c/d.."},
		{strings.Repeat("a", 900), strings.Repeat("a", 900)},
		{strings.Repeat("%e6%97%a5", 300), strings.Repeat("日", 300)},
		{strings.Repeat("b/", 449) + "bb", strings.Repeat("b/", 449) + "bb"},
	} {
		if got := r.admin.Put("/file/admin/"+c.path, "content").Field(t, "path"); got != c.want {
			t.Errorf("a file put at %.60q is at %.60q", c.path, got)
		}
		a := r.admin.Do(http.MethodGet, (&url.URL{Path: "/file/admin/" + c.want}).EscapedPath(), nil).Want(t, http.StatusOK)
		if string(a.Body) != "content" {
			t.Errorf("the file at %.60q is %q", c.want, a.Body)
		}
	}
}

// Whatever stands in the place of a name or an id is looked up, or is none.
func TestStrangeNamesAndIDsNameNothing(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	for _, name := range []string{
		"x", "..", "%2e%2e", "%00", "%ff", "%0a", "%20", "~", "'", "%22", "ADMIN", "admin%20", "%61dmin%00", "%F0%9F%98%80", "*", ":id",
		"00000000000000000000000000", "zzzzzzzzzzzzzzzzzzzzzzzzzz", "01jc5s4qh2n8v6w0y3z9k7m1xa", auth.NewID(r.clock.Now()),
		strings.Repeat("a", 1000), strings.Repeat("0", 5000), strings.Repeat("%ff", 1000),
	} {
		for _, path := range []string{"/api/files/%s", "/api/files/%s/content", "/api/users/%s", "/file/%s/a"} {
			for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE"} {
				a := r.admin.Do(method, fmt.Sprintf(path, name), strings.NewReader("{}"), "Content-Type", "application/json")
				if a.StatusCode != http.StatusNotFound && a.StatusCode != http.StatusMethodNotAllowed {
					t.Errorf("%s %.60s = %s, want 404 or 405", method, fmt.Sprintf(path, name), a)
				}
			}
		}
	}
}

func TestWhatIsNoRouteIsNotFound(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	for path, want := range map[string]int{
		"/":                         404,
		"//":                        404,
		"/api":                      404,
		"/api/":                     404,
		"/api/login/":               404,
		"//api/login":               404,
		"/api//login":               404,
		"/API/LOGIN":                404,
		"/api/files/":               404,
		"/api/files/x/":             404,
		"/api/files/x/content/more": 404,
		"/api/users/":               404,
		"/file":                     404,
		"/file/admin":               404,
		"/file//a":                  404,
		"/%2e%2e/etc/passwd":        404,
		"/..%2f..%2fetc/passwd":     404,
		"/metrics":                  404,
		"/debug/pprof/":             404,
		"/healthz/":                 404,
		"/api/login?x=%zz":          405,
		"/api/login":                405,
		"/api/token/refresh":        405,
	} {
		a := r.admin.Do(http.MethodGet, path, nil)
		if a.StatusCode != want {
			t.Errorf("GET %s = %s, want %d", path, a, want)
		}
	}
	for _, method := range []string{"OPTIONS", "TRACE", "PROPFIND", "get", "X"} {
		a := r.admin.Do(method, "/healthz", nil).Want(t, http.StatusMethodNotAllowed)
		if allow := a.Header.Get("Allow"); allow != "GET" {
			t.Errorf("%s /healthz allows %q, want GET", method, allow)
		}
	}
}
