package api_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"sluice/shared/app/local/localtest"
	"sluice/shared/auth"
)

// form is an operation that takes JSON, and what it takes.
type form struct {
	name, method, path string
	good               string   // a body that would be taken
	strings            []string // the fields that are strings
	others             []string // the fields that are not
}

// forms returns every form, filled in for a user and a file that must stay as
// they are.
func forms(user, file string) []form {
	return []form{
		{"login", "POST", "/api/login", `{"username":"ada","password":"a wrong password"}`, []string{"username", "password"}, nil},
		{"refreshToken", "POST", "/api/token/refresh", `{"refresh_token":"x"}`, []string{"refresh_token"}, nil},
		{"updateProfile", "PATCH", "/api/profile", `{"display_name":"changed"}`, []string{"display_name", "password", "old_password"}, nil},
		{"createUser", "POST", "/api/users", `{"username":"new","password":"a password","role":"user"}`, []string{"username", "password", "role", "display_name"}, nil},
		{"updateUser", "PATCH", "/api/users/" + user, `{"display_name":"changed"}`, []string{"display_name", "password", "role"}, []string{"disabled"}},
		{"updateFile", "PATCH", "/api/files/" + file, `{"path":"changed"}`, []string{"path", "content_type", "visibility", "expires_at"}, nil},
	}
}

// badBody is a body that no form takes.
type badBody struct {
	name, body string
	status     int
	code       string
	field      string // "" where none can be named
}

// badBodies returns what is wrong with any form, and with this one.
func badBodies(f form) []badBody {
	fields := slices.Concat(f.strings, f.others)
	first := fields[0]
	all := []badBody{
		{"nothing", "", 400, "invalid_json", ""},
		{"spaces", " \n ", 400, "invalid_json", ""},
		{"null", "null", 400, "invalid_json", ""},
		{"true", "true", 400, "invalid_json", ""},
		{"a number", "1", 400, "invalid_json", ""},
		{"a string", `"x"`, 400, "invalid_json", ""},
		{"an array", "[]", 400, "invalid_json", ""},
		{"an array of it", "[" + f.good + "]", 400, "invalid_json", ""},
		{"the beginning", f.good[:len(f.good)-1], 400, "invalid_json", ""},
		{"a brace", "{", 400, "invalid_json", ""},
		{"not JSON", "username=ada", 400, "invalid_json", ""},
		{"a comment", "/**/" + f.good, 400, "invalid_json", ""},
		{"a trailing comma", f.good[:len(f.good)-1] + ",}", 400, "invalid_json", ""},
		{"a byte order mark", "\ufeff" + f.good, 400, "invalid_json", ""},
		{"trailing data", f.good + " x", 400, "invalid_json", ""},
		{"two values", f.good + f.good, 400, "invalid_json", ""},
		{"a trailing NUL", f.good + "\x00", 400, "invalid_json", ""},
		{"NULs", strings.Repeat("\x00", 100), 400, "invalid_json", ""},
		{"a NUL in a string", fmt.Sprintf(`{"%s":"a`+"\x00"+`b"}`, first), 400, "invalid_json", ""},
		{"a line break in a string", fmt.Sprintf("{\"%s\":\"a\nb\"}", first), 400, "invalid_json", ""},
		{"invalid UTF-8", fmt.Sprintf("{\"%s\":\"a\xff\"}", first), 400, "invalid_json", ""},
		{"invalid UTF-8 in a name", "{\"a\xff\":1}", 400, "invalid_json", ""},
		{"half a surrogate pair", fmt.Sprintf(`{"%s":"\ud800"}`, first), 400, "invalid_json", ""},
		{"single quotes", fmt.Sprintf("{'%s':'x'}", first), 400, "invalid_json", ""},
		{"arrays without end", strings.Repeat("[", 60_000), 400, "invalid_json", ""},
		{"objects without end", strings.Repeat(`{"a":`, 10_000), 400, "invalid_field", "a"},
		{"100,000 brackets", strings.Repeat("[", 100_000), 413, "body_too_large", ""},
		{"a body over the limit", strings.Repeat(" ", 64<<10-len(f.good)+1) + f.good, 413, "body_too_large", ""},
		{"an unknown field", `{"nonsense":1}`, 400, "invalid_field", "nonsense"},
		{"an unknown field too", f.good[:len(f.good)-1] + `,"nonsense":null}`, 400, "invalid_field", "nonsense"},
		{"an unknown field with a slash", `{"a/b":1}`, 400, "invalid_field", "a/b"},
		{"a field in capitals", fmt.Sprintf(`{"%s":"x"}`, strings.ToUpper(first)), 400, "invalid_field", strings.ToUpper(first)},
		{"an empty field", `{"":1}`, 400, "invalid_field", ""},
		{"a field of Object's", `{"__proto__":{}}`, 400, "invalid_field", "__proto__"},
	}
	for _, name := range f.strings {
		for _, value := range []string{"null", "true", "1", "[]", `["x"]`, "{}", "1e999999"} {
			if name == "expires_at" && value == "null" {
				continue // which removes the expiry
			}
			all = append(all, badBody{name + " as " + value, fmt.Sprintf(`{"%s":%s}`, name, value), 400, "invalid_field", name})
		}
		deep := strings.Repeat("[", 9000) + strings.Repeat("]", 9000)
		all = append(all, badBody{name + " as nested arrays", fmt.Sprintf(`{"%s":%s}`, name, deep), 400, "invalid_field", name})
	}
	for _, name := range f.others {
		for _, value := range []string{"null", `"true"`, "1", "[]", "{}", `""`} {
			all = append(all, badBody{name + " as " + value, fmt.Sprintf(`{"%s":%s}`, name, value), 400, "invalid_field", name})
		}
	}
	for _, name := range fields {
		value := map[bool]string{true: `"x"`, false: "true"}[slices.Contains(f.strings, name)]
		if name == "expires_at" {
			value = `"2999-01-01T00:00:00Z"`
		}
		all = append(all, badBody{name + " twice", fmt.Sprintf(`{"%s":%s,"%s":%s}`, name, value, name, value), 400, "invalid_field", name})
		escaped := fmt.Sprintf(`\u%04x%s`, name[0], name[1:])
		all = append(all, badBody{name + " twice, once escaped", fmt.Sprintf(`{"%s":%s,"%s":%s}`, name, value, escaped, value), 400, "invalid_field", name})
	}
	return all
}

func TestBadJSONIsRefused(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	ada := r.user("ada", auth.User)
	file := r.admin.Put("/file/admin/a", "content").Field(t, "id")
	state := func() string {
		t.Helper()
		var all []string
		for _, path := range []string{"/api/profile", "/api/users", "/api/files/" + file} {
			all = append(all, string(r.admin.Do(http.MethodGet, path, nil).Want(t, http.StatusOK).Body))
		}
		return strings.Join(all, "\n")
	}
	before := state()
	for _, f := range forms(ada.ID, file) {
		for _, bad := range badBodies(f) {
			a := r.admin.Do(f.method, f.path, strings.NewReader(bad.body), "Content-Type", "application/json")
			if a.StatusCode != bad.status || a.Code() != bad.code || problemField(a) != bad.field {
				t.Errorf("%s of %s = %s, want %d %s of field %q", f.name, bad.name, a, bad.status, bad.code, bad.field)
			}
		}
	}
	if after := state(); after != before {
		t.Errorf("what was refused changed\n%s\nto\n%s", before, after)
	}
}

func TestAJSONBodyIsCalledJSON(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	file := r.admin.Put("/file/admin/a", "content").Field(t, "id")
	for _, c := range []struct {
		contentType string
		want        int
	}{
		{"application/json", 200},
		{"application/json; charset=utf-8", 200},
		{"Application/JSON", 200},
		{"application/json;", 200},
		{"", 415},
		{"text/plain", 415},
		{"text/json", 415},
		{"application/jsonx", 415},
		{"application/problem+json", 415},
		{"application/merge-patch+json", 415},
		{"application/x-www-form-urlencoded", 415},
		{"multipart/form-data; boundary=x", 415},
		{"application", 415},
		{";", 415},
		{"application/json, text/plain", 415},
	} {
		a := r.admin.Do(http.MethodPatch, "/api/files/"+file, strings.NewReader(`{"visibility":"private"}`), "Content-Type", c.contentType)
		if a.StatusCode != c.want {
			t.Errorf("content type %q = %s, want %d", c.contentType, a, c.want)
		}
	}
}

func TestRequiredFieldsAreRequired(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	for _, c := range []struct{ path, body, field string }{
		{"/api/login", `{}`, "username"},
		{"/api/login", `{"username":"ada"}`, "password"},
		{"/api/login", `{"username":"","password":"x"}`, "username"},
		{"/api/login", `{"username":"ada","password":""}`, "password"},
		{"/api/token/refresh", `{}`, "refresh_token"},
		{"/api/token/refresh", `{"refresh_token":""}`, "refresh_token"},
		{"/api/users", `{}`, "username"},
		{"/api/users", `{"username":"new","role":"user"}`, "password"},
		{"/api/users", `{"username":"new","password":"a password"}`, "role"},
	} {
		a := r.admin.Do(http.MethodPost, c.path, strings.NewReader(c.body), "Content-Type", "application/json")
		if a.StatusCode != http.StatusBadRequest || problemField(a) != c.field {
			t.Errorf("%s of %s = %s, want 400 of field %q", c.path, c.body, a, c.field)
		}
	}
}

func TestBadValuesAreRefused(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	ada := r.user("ada", auth.User)
	file := r.admin.Put("/file/admin/a", "content").Field(t, "id")
	for _, c := range []struct{ method, path, body, field string }{
		{"POST", "/api/users", `{"username":"Ada","password":"a password","role":"user"}`, "username"},
		{"POST", "/api/users", `{"username":".ada","password":"a password","role":"user"}`, "username"},
		{"POST", "/api/users", `{"username":"a/b","password":"a password","role":"user"}`, "username"},
		{"POST", "/api/users", `{"username":"ädä","password":"a password","role":"user"}`, "username"},
		{"POST", "/api/users", `{"username":"` + strings.Repeat("a", 33) + `","password":"a password","role":"user"}`, "username"},
		{"POST", "/api/users", `{"username":"new","password":"1234567","role":"user"}`, "password"},
		{"POST", "/api/users", `{"username":"new","password":"` + strings.Repeat("x", 257) + `","role":"user"}`, "password"},
		{"POST", "/api/users", `{"username":"new","password":"a\u0000password","role":"user"}`, "password"},
		{"POST", "/api/users", `{"username":"new","password":"a password","role":"root"}`, "role"},
		{"POST", "/api/users", `{"username":"new","password":"a password","role":""}`, "role"},
		{"POST", "/api/users", `{"username":"new","password":"a password","role":"user","display_name":"a\u0007"}`, "display_name"},
		{"PATCH", "/api/users/" + ada.ID, `{"role":"Admin"}`, "role"},
		{"PATCH", "/api/users/" + ada.ID, `{"password":"short"}`, "password"},
		{"PATCH", "/api/users/" + ada.ID, `{"password":""}`, "password"},
		{"PATCH", "/api/users/" + ada.ID, `{"display_name":"` + strings.Repeat("x", 201) + `"}`, "display_name"},
		{"PATCH", "/api/profile", `{"display_name":"a\r\nb"}`, "display_name"},
		{"PATCH", "/api/profile", `{"password":"another password"}`, "old_password"},
		{"PATCH", "/api/profile", `{"password":"short","old_password":"` + localtest.Password + `"}`, "password"},
		{"PATCH", "/api/files/" + file, `{"path":""}`, "path"},
		{"PATCH", "/api/files/" + file, `{"path":"/a"}`, "path"},
		{"PATCH", "/api/files/" + file, `{"path":"a/"}`, "path"},
		{"PATCH", "/api/files/" + file, `{"path":"a//b"}`, "path"},
		{"PATCH", "/api/files/" + file, `{"path":"a/../b"}`, "path"},
		{"PATCH", "/api/files/" + file, `{"path":"."}`, "path"},
		{"PATCH", "/api/files/" + file, `{"path":"a\u0000b"}`, "path"},
		{"PATCH", "/api/files/" + file, `{"path":"a\u007fb"}`, "path"},
		{"PATCH", "/api/files/" + file, `{"path":"a\u0085b"}`, "path"},
		{"PATCH", "/api/files/" + file, `{"path":"` + strings.Repeat("x", 901) + `"}`, "path"},
		{"PATCH", "/api/files/" + file, `{"path":"` + strings.Repeat("ä", 451) + `"}`, "path"},
		{"PATCH", "/api/files/" + file, `{"visibility":"secret"}`, "visibility"},
		{"PATCH", "/api/files/" + file, `{"visibility":""}`, "visibility"},
		{"PATCH", "/api/files/" + file, `{"content_type":""}`, "content_type"},
		{"PATCH", "/api/files/" + file, `{"content_type":"text"}`, "content_type"},
		{"PATCH", "/api/files/" + file, `{"content_type":"text/plain\r\nX-Evil: 1"}`, "content_type"},
		{"PATCH", "/api/files/" + file, `{"content_type":"text/plain; charset=ü"}`, "content_type"},
		{"PATCH", "/api/files/" + file, `{"content_type":"text/` + strings.Repeat("x", 251) + `"}`, "content_type"},
		{"PATCH", "/api/files/" + file, `{"expires_at":"2020-01-01T00:00:00Z"}`, "expires_at"},
		{"PATCH", "/api/files/" + file, `{"expires_at":"0000-01-01T00:00:00Z"}`, "expires_at"},
		{"PATCH", "/api/files/" + file, `{"expires_at":"9999-12-31T23:59:59-23:59"}`, "expires_at"},
		{"PATCH", "/api/files/" + file, `{"expires_at":"10000-01-01T00:00:00Z"}`, "expires_at"},
		{"PATCH", "/api/files/" + file, `{"expires_at":"tomorrow"}`, "expires_at"},
		{"PATCH", "/api/files/" + file, `{"expires_at":"2999-01-01"}`, "expires_at"},
		{"PATCH", "/api/files/" + file, `{"expires_at":""}`, "expires_at"},
	} {
		a := r.admin.Do(c.method, c.path, strings.NewReader(c.body), "Content-Type", "application/json")
		if a.StatusCode != http.StatusBadRequest || problemField(a) != c.field {
			t.Errorf("%s %s of %.80s = %s, want 400 of field %q", c.method, c.path, c.body, a, c.field)
		}
	}
}

// A body of unknown length, or one that is cut, is held to the same rules.
func TestAJSONBodyMayBeOfUnknownLength(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	for body, want := range map[string]int{
		`{"display_name":"Ada"}`:                               http.StatusOK,
		`{"display_name":"Ada"}x`:                              http.StatusBadRequest,
		strings.Repeat(" ", 64<<10) + `{"display_name":"Ada"}`: http.StatusRequestEntityTooLarge,
		strings.Repeat(" ", 1<<20):                             http.StatusRequestEntityTooLarge,
	} {
		unsized := struct{ io.Reader }{strings.NewReader(body)}
		r.admin.Do(http.MethodPatch, "/api/profile", unsized, "Content-Type", "application/json").Want(t, want)
	}
	head := "PATCH /api/profile HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + r.admin.Token + "\r\nContent-Type: application/json\r\n"
	for _, cut := range []string{
		head + "Content-Length: 100\r\n\r\n{\"display_name\":\"Eve\"}",
		head + "Transfer-Encoding: chunked\r\n\r\n16\r\n{\"display_name\":\"Eve\"}\r\n",
		head + "Transfer-Encoding: chunked\r\n\r\nnonsense",
	} {
		if a, body := r.raw(cut, true); a.StatusCode != http.StatusBadRequest {
			t.Errorf("a body that is cut = %s %s, want 400", a.Status, body)
		}
	}
	if name := r.admin.Do(http.MethodGet, "/api/profile", nil).Field(t, "display_name"); name != "Ada" {
		t.Errorf("a body that was cut made the name %q", name)
	}
}
