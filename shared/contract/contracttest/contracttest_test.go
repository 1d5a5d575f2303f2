package contracttest_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"sluice/shared/contract/contracttest"
)

const (
	ulid    = "01JC5S4QH2N8V6W0Y3Z9K7M1XA"
	profile = `{"id":"` + ulid + `","username":"ada","role":"user","created_at":"2025-06-01T12:00:00.123Z","updated_at":"2025-06-01T12:00:00Z"}`
	user    = `{"id":"` + ulid + `","username":"ada","role":"user","disabled":false,"created_at":"2025-06-01T12:00:00Z","updated_at":"2025-06-01T12:00:00Z"}`
	file    = `{"id":"` + ulid + `","owner":"ada","path":"a/b.txt","name":"b.txt","size":3,"content_type":"text/plain","visibility":"private","delivery":"auto","etag":"\"1\"","version_id":"` + ulid + `","sha256":"` + sha256 + `","digest_state":"verified","created_at":"2025-06-01T12:00:00Z","updated_at":"2025-06-01T12:00:00Z"}`
	sha256  = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	tokens  = `{"access_token":"a","refresh_token":"r","token_type":"Bearer","expires_in":900}`

	problemType = "application/problem+json"
	jsonType    = "application/json"
)

// problem returns the body of a problem.
func problem(status int, code string) string {
	return fmt.Sprintf(`{"type":"about:blank","title":%q,"status":%d,"detail":"D.","code":%q,"request_id":"R"}`, http.StatusText(status), status, code)
}

// exchange is a request and its answer. Headers are "Name: value" lines.
type exchange struct {
	method, target string
	sent           string // headers of the request
	reqBody        string
	status         int
	headers        string // of the answer
	body           string
}

func header(lines string) http.Header {
	h := http.Header{}
	for line := range strings.Lines(lines) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		h.Add(name, value)
	}
	return h
}

func check(c *contracttest.Checker, e exchange) error {
	req := httptest.NewRequest(e.method, e.target, strings.NewReader(e.reqBody))
	req.Header = header(e.sent)
	resp := &http.Response{StatusCode: e.status, Header: header(e.headers), Request: req}
	var sent []byte
	if e.reqBody != "" {
		sent = []byte(e.reqBody)
	}
	return c.Check(req, sent, resp, []byte(e.body))
}

const (
	bearer    = "Authorization: Bearer t\n"
	isJSON    = "Content-Type: application/json\n"
	isProblem = "Content-Type: application/problem+json\n"
	secret    = "Cache-Control: no-store\n"
	delivered = "Content-Type: text/plain\nAccept-Ranges: bytes\nContent-Disposition: inline\nETag: \"1\"\nSluice-Delivery: stream; reason=local\nX-File-Size: 3\n"
)

func TestGoodAnswersPass(t *testing.T) {
	c := contracttest.New(t)
	for name, e := range map[string]exchange{
		"a login":                       {"POST", "/api/login", isJSON, `{"username":"a","password":"b"}`, 200, isJSON + secret, tokens},
		"a charset":                     {"GET", "/api/profile", bearer, "", 200, "Content-Type: application/json; charset=utf-8", profile},
		"a refused login":               {"POST", "/api/login", isJSON, `{"username":"a"}`, 400, isProblem, problem(400, "invalid_field")},
		"a challenge":                   {"GET", "/api/profile", "", "", 401, isProblem + "WWW-Authenticate: Bearer realm=\"sluice\"", problem(401, "unauthenticated")},
		"a logout":                      {"POST", "/api/logout", bearer, "", 204, "", ""},
		"a profile":                     {"GET", "/api/profile", bearer, "", 200, isJSON, profile},
		"a list of users":               {"GET", "/api/users?limit=1", bearer, "", 200, isJSON, `{"users":[` + user + `],"next_cursor":"x"}`},
		"a list of files":               {"GET", "/api/files?owner=ada&prefix=a/&delimiter=/&order=-name", bearer, "", 200, isJSON, `{"files":[` + file + `],"folders":["a/b/"]}`},
		"nothing listed":                {"GET", "/api/files", bearer, "", 200, isJSON, `{"files":[],"folders":[]}`},
		"an upload":                     {"PUT", "/file/ada/a/b.txt", bearer + "Content-Type: text/plain\nIf-None-Match: *", "abc", 201, isJSON + "ETag: \"1\"\nLocation: /api/files/" + ulid, file},
		"an upload of nothing":          {"PUT", "/file/ada/a/b.txt", bearer, "", 200, isJSON + "ETag: \"1\"\nLocation: /api/files/" + ulid, file},
		"an upload in another type":     {"PUT", "/file/ada/a", bearer + isJSON, "{", 201, isJSON + "ETag: \"1\"\nLocation: /api/files/" + ulid, file},
		"a download":                    {"GET", "/file/ada/a/b.txt", "", "", 200, delivered, "abc"},
		"a download of JSON":            {"GET", "/file/ada/a/b.json?disposition=inline", "", "", 200, strings.Replace(delivered, "text/plain", "application/json", 1), "not really"},
		"a download of a strange name":  {"GET", "/file/ada/100%25/a%2Cb%3Bc=%2F%E6%97%A5%20", "", "", 200, delivered, "abc"},
		"a download by id":              {"GET", "/api/files/" + ulid + "/content", bearer, "", 200, delivered, "abc"},
		"a part":                        {"GET", "/file/ada/a", "Range: bytes=0-1", "", 206, delivered + "Content-Range: bytes 0-1/3", "ab"},
		"parts":                         {"GET", "/file/ada/a", "Range: bytes=0-0,2-2", "", 206, strings.Replace(delivered, "text/plain", "multipart/byteranges; boundary=x", 1), "--x"},
		"the head of a file":            {"HEAD", "/file/ada/a", "", "", 200, delivered, ""},
		"the head of nothing":           {"HEAD", "/file/ada/a", bearer, "", 404, isProblem, ""},
		"nothing new":                   {"GET", "/file/ada/a", "", "", 304, "ETag: \"1\"", ""},
		"no such range":                 {"GET", "/file/ada/a", "", "", 416, isProblem + "Content-Range: bytes */3", problem(416, "range_not_satisfiable")},
		"a removal of an expiry":        {"PATCH", "/api/files/" + ulid, bearer + isJSON, `{"expires_at":null}`, 200, isJSON + "ETag: \"1\"", file},
		"an expiry":                     {"PATCH", "/api/files/" + ulid, bearer + isJSON, `{"expires_at":"2030-01-01T00:00:00Z"}`, 200, isJSON + "ETag: \"1\"", file},
		"a new user":                    {"POST", "/api/users", bearer + isJSON, `{"username":"ada","password":"12345678","role":"user"}`, 201, isJSON + "Location: /api/users/" + ulid, user},
		"ready":                         {"GET", "/readyz", "", "", 200, isJSON, `{"status":"ok","checks":{"blob":"ok","table":"ok"}}`},
		"not ready":                     {"GET", "/readyz", "", "", 503, isJSON, `{"status":"failing","checks":{"blob":"ok","table":"failing"}}`},
		"stopping":                      {"GET", "/readyz", "", "", 503, isProblem, problem(503, "stopping")},
		"the keys":                      {"GET", "/.well-known/jwks.json", "", "", 200, "Content-Type: application/jwk-set+json", `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"1","use":"sig","alg":"EdDSA"}]}`},
		"no such path":                  {"GET", "/nothing", "", "", 404, isProblem, problem(404, "no_route")},
		"a path too short":              {"GET", "/file/ada", "", "", 404, isProblem, problem(404, "no_route")},
		"a path too long":               {"GET", "/api/users/a/b", "", "", 404, isProblem, problem(404, "no_route")},
		"an empty id":                   {"GET", "/api/users/", "", "", 404, isProblem, problem(404, "no_route")},
		"an empty path is for the file": {"GET", "/file/ada/", "", "", 400, isProblem, problem(400, "invalid_field")},
		"no such method":                {"DELETE", "/api/login", "", "", 405, isProblem + "Allow: POST", problem(405, "method_not_allowed")},
		"a body that is not at hand":    {"POST", "/api/login", isJSON, "", 200, isJSON + secret, tokens},
	} {
		if err := check(c, e); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBadAnswersFail(t *testing.T) {
	c := contracttest.New(t)
	for name, b := range map[string]struct {
		exchange

		want string // in the error
	}{
		"a status that is not declared":   {exchange{"GET", "/api/profile", bearer, "", 418, isProblem, problem(418, "internal")}, "418, which is not declared"},
		"a redirect":                      {exchange{"GET", "/api/profile", bearer, "", 301, "Location: /", ""}, "301, which is not declared"},
		"another content type":            {exchange{"GET", "/api/profile", bearer, "", 200, "Content-Type: text/html", profile}, `"text/html" is not declared`},
		"no content type":                 {exchange{"GET", "/api/profile", bearer, "", 200, "", profile}, "no Content-Type"},
		"an error in plain JSON":          {exchange{"GET", "/api/profile", bearer, "", 500, isJSON, problem(500, "internal")}, `"application/json" is not declared`},
		"a head in another type":          {exchange{"HEAD", "/file/ada/a", "", "", 404, isJSON, ""}, `"application/json" is not declared`},
		"not JSON":                        {exchange{"GET", "/api/profile", bearer, "", 200, isJSON, "{"}, "decode"},
		"nothing":                         {exchange{"GET", "/api/profile", bearer, "", 200, isJSON, ""}, "decode"},
		"a member that is missing":        {exchange{"GET", "/api/profile", bearer, "", 200, isJSON, strings.Replace(profile, `"role":"user",`, "", 1)}, "role"},
		"a member that is unknown":        {exchange{"GET", "/api/profile", bearer, "", 200, isJSON, strings.Replace(profile, `{`, `{"password":"p",`, 1)}, "password"},
		"one deep inside":                 {exchange{"GET", "/api/users", bearer, "", 200, isJSON, `{"users":[` + strings.Replace(user, `{`, `{"password":"p",`, 1) + `]}`}, "password"},
		"a member of another type":        {exchange{"GET", "/api/files/" + ulid, bearer, "", 200, isJSON + "ETag: \"1\"", strings.Replace(file, `"size":3`, `"size":"3"`, 1)}, "size"},
		"null for a list":                 {exchange{"GET", "/api/files", bearer, "", 200, isJSON, `{"files":[],"folders":null}`}, "folders"},
		"null for what is absent":         {exchange{"GET", "/api/files", bearer, "", 200, isJSON, `{"files":[],"folders":[],"next_cursor":null}`}, "next_cursor"},
		"an unknown value":                {exchange{"GET", "/api/profile", bearer, "", 200, isJSON, strings.Replace(profile, `"user"`, `"king"`, 1)}, "role"},
		"another constant":                {exchange{"POST", "/api/login", isJSON, "", 200, isJSON + secret, strings.Replace(tokens, "Bearer", "bearer", 1)}, "token_type"},
		"a number too small":              {exchange{"POST", "/api/login", isJSON, "", 200, isJSON + secret, strings.Replace(tokens, "900", "0", 1)}, "expires_in"},
		"a time that is none":             {exchange{"GET", "/api/profile", bearer, "", 200, isJSON, strings.Replace(profile, "2025-06-01T12:00:00Z", "yesterday", 1)}, "updated_at"},
		"an id that is none":              {exchange{"GET", "/api/profile", bearer, "", 200, isJSON, strings.Replace(profile, ulid, "7", 1)}, "/id"},
		"a header that is missing":        {exchange{"GET", "/file/ada/a", "", "", 200, strings.Replace(delivered, "ETag: \"1\"\n", "", 1), "abc"}, `"ETag" missing`},
		"one that a head lacks":           {exchange{"HEAD", "/file/ada/a", "", "", 200, strings.Replace(delivered, "X-File-Size: 3\n", "", 1), ""}, `"X-File-Size" missing`},
		"one that a 304 lacks":            {exchange{"GET", "/file/ada/a", "", "", 304, "", ""}, `"ETag" missing`},
		"a weak ETag":                     {exchange{"GET", "/file/ada/a", "", "", 200, strings.Replace(delivered, `"1"`, `W/"1"`, 1), "abc"}, `"ETag" doesn't match`},
		"another unit of ranges":          {exchange{"GET", "/file/ada/a", "", "", 200, strings.Replace(delivered, "Accept-Ranges: bytes", "Accept-Ranges: none", 1), "abc"}, "Accept-Ranges"},
		"a size that is none":             {exchange{"GET", "/file/ada/a", "", "", 200, strings.Replace(delivered, "X-File-Size: 3", "X-File-Size: 3 B", 1), "abc"}, "X-File-Size"},
		"tokens that may be cached":       {exchange{"POST", "/api/login", isJSON, "", 200, isJSON, tokens}, "Cache-Control"},
		"no challenge":                    {exchange{"GET", "/api/profile", "", "", 401, isProblem, problem(401, "unauthenticated")}, "WWW-Authenticate"},
		"no time to wait":                 {exchange{"POST", "/api/login", isJSON, "", 429, isProblem, problem(429, "login_throttled")}, "Retry-After"},
		"a range without its size":        {exchange{"GET", "/file/ada/a", "", "", 416, isProblem, problem(416, "range_not_satisfiable")}, "Content-Range"},
		"a body after a head":             {exchange{"HEAD", "/file/ada/a", "", "", 404, isProblem, problem(404, "not_found")}, "there must be no body"},
		"a body after 204":                {exchange{"POST", "/api/logout", bearer, "", 204, "", "x"}, "there must be no body"},
		"a code that is not declared":     {exchange{"GET", "/api/profile", bearer, "", 500, isProblem, problem(500, "oops")}, "code"},
		"a problem of another status":     {exchange{"GET", "/api/profile", bearer, "", 500, isProblem, problem(503, "internal")}, "has status 503"},
		"a problem of another title":      {exchange{"GET", "/api/profile", bearer, "", 500, isProblem, strings.Replace(problem(500, "internal"), "Internal Server Error", "Oh no", 1)}, `"Oh no"`},
		"a problem that says too much":    {exchange{"GET", "/api/profile", bearer, "", 500, isProblem, strings.Replace(problem(500, "internal"), "{", `{"stack":"main.go:1",`, 1)}, "stack"},
		"a path that is not declared":     {exchange{"GET", "/api/secrets", "", "", 200, isJSON, "{}"}, "not in the contract and answers 200"},
		"a method that is not declared":   {exchange{"PUT", "/api/profile", "", "", 200, isJSON, profile}, "not in the contract and answers 200"},
		"404 for another method":          {exchange{"PUT", "/api/profile", "", "", 404, isProblem, problem(404, "no_route")}, "answers 404, not 405"},
		"405 without Allow":               {exchange{"PUT", "/api/profile", "", "", 405, isProblem, problem(405, "method_not_allowed")}, "without Allow"},
		"a plain 404":                     {exchange{"GET", "/nothing", "", "", 404, "Content-Type: text/plain", "404 page not found"}, `"text/plain" is not declared`},
		"no credentials asked for":        {exchange{"GET", "/api/profile", "", "", 200, isJSON, profile}, "no bearer token"},
		"an unknown member taken":         {exchange{"POST", "/api/login", isJSON, `{"username":"a","password":"b","otp":"c"}`, 200, isJSON + secret, tokens}, "otp"},
		"a missing member taken":          {exchange{"POST", "/api/login", isJSON, `{"username":"a"}`, 200, isJSON + secret, tokens}, "password"},
		"another content type taken":      {exchange{"POST", "/api/login", "Content-Type: text/plain", `{"username":"a","password":"b"}`, 200, isJSON + secret, tokens}, "Content-Type"},
		"null for what is not null taken": {exchange{"PATCH", "/api/files/" + ulid, bearer + isJSON, `{"path":null}`, 200, isJSON + "ETag: \"1\"", file}, "path"},
		"a limit too large taken":         {exchange{"GET", "/api/users?limit=1001", bearer, "", 200, isJSON, `{"users":[]}`}, "limit"},
		"a limit that is none taken":      {exchange{"GET", "/api/users?limit=x", bearer, "", 200, isJSON, `{"users":[]}`}, "limit"},
		"a misspelt parameter taken":      {exchange{"GET", "/api/files?perfix=a", bearer, "", 200, isJSON, `{"files":[],"folders":[]}`}, `"perfix" is not declared`},
		"a parameter twice taken":         {exchange{"GET", "/api/files?prefix=a&prefix=b", bearer, "", 200, isJSON, `{"files":[],"folders":[]}`}, `"prefix" is there twice`},
		"a bad username taken":            {exchange{"GET", "/file/ADA/a", "", "", 200, delivered, "abc"}, "user"},
		"an empty path taken":             {exchange{"GET", "/file/ada/", "", "", 200, delivered, "abc"}, "path"},
	} {
		switch err := check(c, b.exchange); {
		case err == nil:
			t.Errorf("%s: no error, want one with %q", name, b.want)
		case !strings.Contains(err.Error(), b.want):
			t.Errorf("%s: the error lacks %q: %v", name, b.want, err)
		}
	}
	if n := len(c.Missing()); n != declared(c) {
		t.Errorf("%d of %d answers are missing: a bad one was taken for seen", n, declared(c))
	}
}

func declared(c *contracttest.Checker) int {
	n := 0
	for _, o := range c.Operations() {
		n += len(o.Statuses)
	}
	return n
}

func TestWhatWasSeenIsNotMissing(t *testing.T) {
	c := contracttest.New(t)
	ok := contracttest.Answer{Operation: "getProfile", Status: 200}
	before := c.Missing()
	if !slices.Contains(before, ok) {
		t.Fatalf("%v is not missing before it was seen", ok)
	}
	if err := check(c, exchange{"GET", "/api/profile", bearer, "", 200, isJSON, profile}); err != nil {
		t.Fatal(err)
	}
	after := c.Missing()
	if slices.Contains(after, ok) || len(after) != len(before)-1 {
		t.Errorf("%d answers are missing after %v was seen, and %d before", len(after), ok, len(before))
	}
	if ok.String() != "getProfile 200" {
		t.Errorf("the answer is named %q", ok)
	}
}

func TestOperationsSayWhatTheyAskFor(t *testing.T) {
	got := map[string]string{}
	for _, o := range contracttest.New(t).Operations() {
		got[o.ID] = fmt.Sprint(o.Method, " ", o.Path, " ", o.CatchAll, " ", o.Credentials)
	}
	for id, want := range map[string]string{
		"login":   "POST /api/login false none",
		"logout":  "POST /api/logout false required",
		"getFile": "GET /file/{user}/{path} true optional",
		"putFile": "PUT /file/{user}/{path} true required",
		"getUser": "GET /api/users/{id} false required",
	} {
		if got[id] != want {
			t.Errorf("%s is %q, want %q", id, got[id], want)
		}
	}
}

// recorder is a test that is meant to fail.
type recorder struct {
	testing.TB

	errors []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func transport(t *testing.T, handler http.HandlerFunc) (*recorder, *http.Client, string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	r := &recorder{TB: t}
	return r, &http.Client{Transport: contracttest.New(r).Transport(server.Client().Transport)}, server.URL
}

func do(t *testing.T, c *http.Client, method, url string, body io.Reader) (*http.Response, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", jsonType)
	req.Header.Set("Authorization", "Bearer t")
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return resp, string(got), err
}

func TestTransportHandsOnAndChecks(t *testing.T) {
	answer, contentType := tokens, jsonType
	var received string
	r, c, url := transport(t, func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		received = string(body)
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Cache-Control", "no-store")
		_, _ = io.WriteString(w, answer)
	})
	const login = `{"username":"a","password":"b"}`
	if _, got, err := do(t, c, "POST", url+"/api/login", strings.NewReader(login)); got != tokens || err != nil || received != login {
		t.Errorf("a good answer: got %q, %v to %q", got, err, received)
	}
	if len(r.errors) > 0 {
		t.Errorf("a good answer fails the test: %v", r.errors)
	}
	if _, got, err := do(t, c, "POST", url+"/api/login", strings.NewReader(`{"otp":1}`)); got != tokens || err != nil {
		t.Errorf("a request that should be refused: got %q, %v", got, err)
	}
	answer = "{}"
	if _, got, err := do(t, c, "POST", url+"/api/login", strings.NewReader(login)); got != "{}" || err != nil {
		t.Errorf("a bad answer: got %q, %v", got, err)
	}
	contentType = problemType
	if _, got, err := do(t, c, "GET", url+"/nothing", nil); got != "{}" || err != nil {
		t.Errorf("a bad answer elsewhere: got %q, %v", got, err)
	}
	if len(r.errors) != 3 {
		t.Errorf("three bad answers make %d errors: %v", len(r.errors), r.errors)
	}
}

func TestTransportLetsBytesPass(t *testing.T) {
	begun := make(chan struct{})
	r, c, url := transport(t, func(w http.ResponseWriter, req *http.Request) {
		maps.Copy(w.Header(), header(delivered))
		w.WriteHeader(http.StatusOK)
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		select {
		case <-begun: // the client has its answer while the body is yet to come
		case <-req.Context().Done():
		}
		_, _ = io.WriteString(w, "abc")
	})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/file/ada/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	close(begun)
	if got, err := io.ReadAll(resp.Body); string(got) != "abc" || err != nil || len(r.errors) > 0 {
		t.Errorf("got %q, %v and the errors %v", got, err, r.errors)
	}
}

func TestTransportHandsOnABodyThatBreaksOff(t *testing.T) {
	r, c, url := transport(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", jsonType)
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "{")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		panic(http.ErrAbortHandler)
	})
	_, got, err := do(t, c, "GET", url+"/api/profile", nil)
	if got != "{" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %q, %v, want { and an unexpected end", got, err)
	}
	if len(r.errors) > 0 {
		t.Errorf("what breaks off is no answer, but: %v", r.errors)
	}
}
