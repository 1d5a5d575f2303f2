package api_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice/shared/app/local"
	"sluice/shared/app/local/localtest"
	"sluice/shared/auth"
	"sluice/shared/config"
	"sluice/shared/limit"
)

const (
	closedPolicy  = "default-src 'none'; frame-ancestors 'none'" // of what is no document
	sandboxPolicy = "default-src 'none'; sandbox"                // of what a browser must not trust
)

// TestEveryAnswerIsGuarded asks for one answer of each kind. The guards are on
// all of them; of the file's own headers an error has none.
func TestEveryAnswerIsGuarded(t *testing.T) {
	site := localtest.Start(t)
	admin, nobody := site.Admin(), site.Anonymous()
	user := site.User("somebody", auth.User)
	files := samples(t, admin)
	put := admin.Put("/file/admin/public", "for all", "Content-Type", "text/plain")
	patch := admin.JSON(http.MethodPatch, "/api/files/"+put.Field(t, "id"), map[string]string{"visibility": "public"})
	patch.Want(t, http.StatusOK)
	admin.Put("/file/admin/lost", "this blob will be removed", "Content-Type", "text/html")
	removeBlob(t, site, "this blob will be removed")
	site.App.Deps.Checks["panicking"] = func(context.Context) error { panic("a check broke") }

	ids := map[string]bool{}
	for _, x := range []struct {
		who                  *localtest.Client
		method, path, fields string
		status               int
		caching, policy      string
	}{
		{admin, "GET", "/file/admin/ten", "", 200, "private, no-cache", sandboxPolicy},
		{admin, "GET", "/file/admin/large", "", 200, "private, no-cache", sandboxPolicy},
		{admin, "GET", "/file/admin/empty", "", 200, "private, no-cache", sandboxPolicy},
		{admin, "HEAD", "/file/admin/ten", "", 200, "private, no-cache", sandboxPolicy},
		{admin, "GET", "/file/admin/ten", "Range: bytes=0-1", 206, "private, no-cache", sandboxPolicy},
		{admin, "GET", "/file/admin/ten", "Range: bytes=0-1,8-9", 206, "private, no-cache", sandboxPolicy},
		{admin, "GET", "/file/admin/ten", "If-None-Match: *", 304, "private, no-cache", sandboxPolicy},
		{admin, "GET", "/file/admin/public", "", 200, "public, no-cache", closedPolicy},
		{nobody, "GET", "/file/admin/public", "", 200, "public, no-cache", closedPolicy},
		{nobody, "HEAD", "/file/admin/public", "", 200, "public, no-cache", closedPolicy},
		{nobody, "GET", "/file/admin/public", "Range: bytes=0-1", 206, "public, no-cache", closedPolicy},
		{nobody, "GET", "/file/admin/public", "If-None-Match: *", 304, "public, no-cache", closedPolicy},

		{admin, "GET", "/file/admin/ten", "If-Match: \"other\"", 412, "no-store", closedPolicy},
		{admin, "HEAD", "/file/admin/ten", "If-Match: \"other\"", 412, "no-store", closedPolicy},
		{nobody, "GET", "/file/admin/public", "If-Match: \"other\"", 412, "no-store", closedPolicy},
		{admin, "GET", "/file/admin/ten", "Range: bytes=10-", 416, "no-store", closedPolicy},
		{nobody, "GET", "/file/admin/public", "Range: bytes=10-", 416, "no-store", closedPolicy},
		{admin, "GET", "/file/admin/ten?disposition=sideways", "", 400, "no-store", closedPolicy},
		{admin, "GET", "/file/admin/a//b", "", 400, "no-store", closedPolicy},
		{nobody, "GET", "/file/admin/ten", "", 401, "no-store", closedPolicy},
		{nobody, "HEAD", "/file/admin/ten", "", 401, "no-store", closedPolicy},
		{user, "GET", "/file/admin/ten", "", 404, "no-store", closedPolicy},
		{user, "HEAD", "/file/admin/ten", "", 404, "no-store", closedPolicy},
		{admin, "GET", "/file/admin/none", "", 404, "no-store", closedPolicy},
		{admin, "GET", "/nowhere", "", 404, "no-store", closedPolicy},
		{admin, "POST", "/file/admin/ten", "", 405, "no-store", closedPolicy},
		{admin, "GET", "/readyz", "", 500, "no-store", closedPolicy},
		{admin, "GET", "/file/admin/lost", "", 502, "no-store", closedPolicy},
		{admin, "GET", "/file/admin/lost", "Range: bytes=1-2,4-5", 502, "no-store", closedPolicy},
	} {
		f := files["ten"]
		a := x.who.Do(x.method, x.path, nil, f.header(x.fields)...)
		name := strings.Join([]string{x.method, x.path, x.fields}, " ")
		if a.StatusCode != x.status {
			t.Errorf("%s = %s, want %d", name, a, x.status)
			continue
		}
		for header, want := range map[string]string{
			"X-Content-Type-Options":  "nosniff",
			"Referrer-Policy":         "no-referrer",
			"Cache-Control":           x.caching,
			"Content-Security-Policy": x.policy,
		} {
			if got := a.Header.Values(header); !slices.Equal(got, []string{want}) {
				t.Errorf("%s, %d: %s %q, want %q", name, x.status, header, got, want)
			}
		}
		id := a.Header.Get("X-Request-Id")
		if ids[id] || !regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{26}$`).MatchString(id) {
			t.Errorf("%s, %d: X-Request-Id %q, want a new ULID", name, x.status, id)
		}
		ids[id] = true
		if x.status >= 400 {
			isBareProblem(t, name, a)
		}
	}
	if a := nobody.Do(http.MethodGet, "/healthz", nil); a.StatusCode != http.StatusOK {
		t.Errorf("after a panic /healthz = %s, want 200", a)
	}
}

// isBareProblem wants problem+json that tells nothing of a file.
func isBareProblem(t *testing.T, name string, a localtest.Answer) {
	t.Helper()
	for _, header := range []string{"ETag", "Last-Modified", "Content-Disposition", "Repr-Digest", "X-File-Size", "Sluice-Delivery", "Accept-Ranges"} {
		if got := a.Header.Get(header); got != "" {
			t.Errorf("%s, %d: has the file's %s: %s", name, a.StatusCode, header, got)
		}
	}
	if got := a.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("%s, %d: Content-Type %q, want application/problem+json", name, a.StatusCode, got)
	}
	if a.Request.Method == http.MethodHead {
		return
	}
	var p struct {
		Status    int
		Code      string
		RequestID string `json:"request_id"`
	}
	if err := json.Unmarshal(a.Body, &p); err != nil || p.Status != a.StatusCode || p.Code == "" || p.RequestID != a.Header.Get("X-Request-Id") {
		t.Errorf("%s, %d: problem %s (%v), want the status, a code and the request id %s", name, a.StatusCode, a.Body, err, a.Header.Get("X-Request-Id"))
	}
}

// removeBlob removes the blob with that content from the disk.
func removeBlob(t *testing.T, site *localtest.Site, content string) {
	t.Helper()
	for _, name := range blobFiles(t, site) {
		if data, err := os.ReadFile(name); err == nil && string(data) == content {
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no blob has the content %q", content)
}

// What cannot be seen must look like what is not there, header by header.
func TestAHiddenFileLooksLikeNone(t *testing.T) {
	site := localtest.Start(t)
	admin, user := site.Admin(), site.User("somebody", auth.User)
	id := admin.Put("/file/admin/hidden", "hidden", "Content-Type", "text/html").Field(t, "id")
	for _, c := range []*localtest.Client{user, site.Anonymous()} {
		for hidden, absent := range map[string]string{
			"/file/admin/hidden":             "/file/admin/absent",
			"/api/files/" + id + "/content":  "/api/files/00000000000000000000000000/content",
			"/api/files/" + id:               "/api/files/00000000000000000000000000",
			"/file/admin/hidden?disposition": "/file/nobody/absent?disposition",
		} {
			for _, fields := range []string{"", "Range: bytes=99-", `If-Match: "other"`, "If-None-Match: *"} {
				a := c.Do(http.MethodGet, hidden, nil, sample{}.header(fields)...)
				b := c.Do(http.MethodGet, absent, nil, sample{}.header(fields)...)
				if x, y := looks(a), looks(b); x != y {
					t.Errorf("GET %s with %q:\nhidden %s\nabsent %s", hidden, fields, x, y)
				}
			}
		}
	}
}

// looks is an answer without what differs every time.
func looks(a localtest.Answer) string {
	h := a.Header.Clone()
	h.Del("Date")
	h.Del("X-Request-Id")
	var out strings.Builder
	out.WriteString(a.Status)
	for _, name := range slices.Sorted(maps.Keys(h)) {
		out.WriteString("\n" + name + ": " + strings.Join(h[name], ", "))
	}
	return out.String() + "\n" + regexp.MustCompile(`"request_id":"\w+"`).ReplaceAllString(string(a.Body), "")
}

func TestWhatIsNotSafeIsNotShown(t *testing.T) {
	admin := localtest.Start(t).Admin()
	for _, x := range []struct{ contentType, asked, disposition, policy string }{
		{"text/plain", "", "inline", closedPolicy},
		{"text/plain; charset=utf-8", "", "inline", closedPolicy},
		{"image/png", "", "inline", closedPolicy},
		{"video/mp4", "", "inline", closedPolicy},
		{"image/png", "attachment", "attachment", closedPolicy},
		{"image/png", "inline", "inline", closedPolicy},
		{"", "", "attachment", sandboxPolicy},
		{"text/html", "", "attachment", sandboxPolicy},
		{"text/html", "attachment", "attachment", sandboxPolicy},
		{"text/html", "inline", "inline", sandboxPolicy},
		{"TEXT/HTML; charset=utf-8", "inline", "inline", sandboxPolicy},
		{"image/svg+xml", "", "attachment", sandboxPolicy},
		{"image/svg+xml", "inline", "inline", sandboxPolicy},
		{"application/pdf", "inline", "inline", sandboxPolicy},
		{"application/xhtml+xml", "inline", "inline", sandboxPolicy},
		{"application/octet-stream", "", "attachment", sandboxPolicy},
	} {
		admin.Put("/file/admin/page.x", "<script>alert(1)</script>", "Content-Type", x.contentType)
		query := ""
		if x.asked != "" {
			query = "?disposition=" + x.asked
		}
		for _, fields := range []string{"", "Range: bytes=0-1", "Range: bytes=0-1,3-4"} {
			a := admin.Do(http.MethodGet, "/file/admin/page.x"+query, nil, sample{}.header(fields)...)
			if got, want := a.Header.Get("Content-Disposition"), x.disposition+`; filename="page.x"`; got != want {
				t.Errorf("%q asked as %q with %q: Content-Disposition %s, want %s", x.contentType, x.asked, fields, got, want)
			}
			if got := a.Header.Get("Content-Security-Policy"); got != x.policy {
				t.Errorf("%q asked as %q with %q: Content-Security-Policy %s, want %s", x.contentType, x.asked, fields, got, x.policy)
			}
		}
	}
}

// TestAnswersAboutAFileAgree: the validators, the size and the digest are the
// whole file's, whatever part of it is sent (RFC 9110 §8.8, RFC 9530 §3).
func TestAnswersAboutAFileAgree(t *testing.T) {
	admin := localtest.Start(t).Admin()
	for name, f := range samples(t, admin) {
		sum := sha256.Sum256([]byte(f.content))
		want := map[string]string{
			"ETag":            f.etag,
			"Last-Modified":   f.modified.UTC().Format(http.TimeFormat),
			"Accept-Ranges":   "bytes",
			"X-File-Size":     strconv.Itoa(len(f.content)),
			"Repr-Digest":     "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":",
			"Sluice-Delivery": "stream; reason=local",
		}
		if !regexp.MustCompile(`^"[!#-~]+"$`).MatchString(f.etag) {
			t.Errorf("%s: ETag %s, want a strong one (RFC 9110 §8.8.3)", name, f.etag)
		}
		for _, route := range f.routes {
			for _, x := range []struct{ method, fields string }{
				{"GET", ""}, {"HEAD", ""}, {"HEAD", "Range: bytes=0-0"}, {"GET", "Range: bytes=0-0"}, {"GET", "Range: bytes=0-0,2-2"},
			} {
				a := admin.Do(x.method, route, nil, f.header(x.fields)...)
				for header, value := range want {
					if got := a.Header.Values(header); !slices.Equal(got, []string{value}) {
						t.Errorf("%s %s of %s with %q: %s %q, want %q", x.method, route, name, x.fields, header, got, value)
					}
				}
				if x.method == http.MethodHead && (a.ContentLength != int64(len(f.content)) || len(a.Body) > 0) {
					t.Errorf("HEAD %s of %s with %q: Content-Length %d with a body of %d bytes, want %d with none", route, name, x.fields, a.ContentLength, len(a.Body), len(f.content))
				}
			}
		}
	}
}

// A 304 has the validators and what guides caches, and nothing that describes
// a body (RFC 9110 §15.4.5).
func TestA304DescribesNoBody(t *testing.T) {
	admin := localtest.Start(t).Admin()
	f := samples(t, admin)["ten"]
	a := admin.Do(http.MethodGet, f.routes[0], nil, "If-None-Match", f.etag).Want(t, http.StatusNotModified)
	for header, want := range map[string]string{
		"ETag": f.etag, "Last-Modified": f.modified.UTC().Format(http.TimeFormat),
		"Content-Type": "", "Content-Length": "", "Content-Range": "", "Content-Disposition": "", "Repr-Digest": "",
	} {
		if got := a.Header.Get(header); got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
}

// A Last-Modified names one version, and is never ahead of the answer's Date
// (RFC 9110 §8.8.2.1, §8.8.2.2). Of versions published within one second the
// later has none until its second has come.
func TestVersionsNeverShareALastModified(t *testing.T) {
	var clock atomic.Pointer[time.Time]
	set := func(at time.Time) { clock.Store(&at) }
	noon := time.Date(2025, 6, 1, 12, 0, 0, 3e8, time.UTC)
	set(noon)
	admin := localtest.StartWith(t, local.Options{Clock: func() time.Time { return *clock.Load() }}).Admin()
	first := admin.Put("/file/admin/x", "first").Header.Get("ETag")
	const firstDate = "Sun, 01 Jun 2025 12:00:00 GMT"
	if got := admin.Do(http.MethodHead, "/file/admin/x", nil).Header.Get("Last-Modified"); got != firstDate {
		t.Fatalf("the first version: Last-Modified %q, want %s", got, firstDate)
	}
	set(noon.Add(600 * time.Millisecond))
	if second := admin.Put("/file/admin/x", "second").Header.Get("ETag"); second == first {
		t.Errorf("both versions have the ETag %s", first)
	}
	for _, x := range []struct {
		at           time.Duration
		lastModified string
	}{
		{600 * time.Millisecond, ""},
		{699 * time.Millisecond, ""},
		{700 * time.Millisecond, "Sun, 01 Jun 2025 12:00:01 GMT"},
		{time.Hour, "Sun, 01 Jun 2025 12:00:01 GMT"},
	} {
		set(noon.Add(x.at))
		if x.at == time.Hour {
			admin = admin.Site.Admin() // the token has run out
		}
		a := admin.Do(http.MethodGet, "/file/admin/x", nil).Want(t, http.StatusOK)
		if got := a.Header.Get("Last-Modified"); got != x.lastModified {
			t.Errorf("the second version %v after noon: Last-Modified %q, want %q", x.at, got, x.lastModified)
		}
		for _, fields := range []string{"If-Range: " + firstDate + " | Range: bytes=0-1", "If-Range: " + first + " | Range: bytes=0-1"} {
			if a := admin.Do(http.MethodGet, "/file/admin/x", nil, sample{}.header(fields)...); a.StatusCode != http.StatusOK || string(a.Body) != "second" {
				t.Errorf("%v after noon, %s = %s, want all of the second version", x.at, fields, a)
			}
		}
		if a := admin.Do(http.MethodGet, "/file/admin/x", nil, "If-Modified-Since", firstDate); a.StatusCode != http.StatusOK {
			t.Errorf("%v after noon, the first version's If-Modified-Since = %s, want 200", x.at, a)
		}
	}
}

func TestLastModifiedIsNeverAheadOfDate(t *testing.T) {
	admin := localtest.Start(t).Admin()
	seen := map[string]string{}
	for i := range 20 {
		etag := admin.Put("/file/admin/x", strconv.Itoa(i)).Header.Get("ETag")
		a := admin.Do(http.MethodGet, "/file/admin/x", nil)
		modified := a.Header.Get("Last-Modified")
		if modified == "" {
			continue
		}
		at, err := http.ParseTime(modified)
		date, dateErr := http.ParseTime(a.Header.Get("Date"))
		if err != nil || dateErr != nil || at.After(date) {
			t.Errorf("Last-Modified %q, Date %q: want two dates, the first not ahead (RFC 9110 §8.8.2.1)", modified, a.Header.Get("Date"))
		}
		if other, ok := seen[modified]; ok && other != etag {
			t.Errorf("%s and %s share the Last-Modified %s", other, etag, modified)
		}
		seen[modified] = etag
	}
	if len(seen) == 0 {
		t.Error("no version had a Last-Modified")
	}
}

func TestCORS(t *testing.T) {
	const ours = "https://app.example.com"
	site := localtest.Start(t, func(c *config.Config) { c.CORSOrigins = []string{ours, "http://localhost:3000"} })
	admin := site.Admin()
	manifest := "/api/files/" + admin.Put("/file/admin/x", "content").Field(t, "id") + "/manifest"
	exposed := []string{"Accept-Ranges", "Content-Disposition", "Content-Range", "ETag", "Location", "Repr-Digest", "Retry-After", "Sluice-Delivery", "X-File-Size", "X-Request-Id",
		"Sluice-File", "Tus-Checksum-Algorithm", "Tus-Extension", "Tus-Max-Size", "Tus-Resumable", "Tus-Version", "Upload-Expires", "Upload-Length", "Upload-Metadata", "Upload-Offset"}

	for _, origin := range []string{ours, "http://localhost:3000"} {
		for path, status := range map[string]int{"/file/admin/x": 200, manifest: 200, "/file/admin/none": 404, "/api/files/none": 404, "/file/admin/x?disposition=y": 400} {
			a := admin.Do(http.MethodGet, path, nil, "Origin", origin)
			if got := a.Header.Get("Access-Control-Allow-Origin"); a.StatusCode != status || got != origin {
				t.Errorf("GET %s from %s = %d, allowed for %q, want %d for that origin", path, origin, a.StatusCode, got, status)
			}
			if got := strings.Split(a.Header.Get("Access-Control-Expose-Headers"), ", "); !sameNames(got, exposed) {
				t.Errorf("GET %s from %s exposes %q, want %q", path, origin, got, exposed)
			}
			if !strings.Contains(strings.Join(a.Header.Values("Vary"), ","), "Origin") {
				t.Errorf("GET %s from %s: Vary %q, want Origin in it", path, origin, a.Header.Values("Vary"))
			}
		}
		for method, headers := range map[string]string{"GET": "authorization,if-range,range", "PUT": "authorization,content-type,if-match,repr-digest", "PATCH": "authorization,content-type,tus-resumable,upload-checksum,upload-offset", "POST": "authorization,idempotency-key,tus-resumable,upload-length,upload-metadata,x-http-method-override", "DELETE": "authorization,if-match"} {
			a := preflight(site, "/file/admin/x", origin, method, headers).Want(t, http.StatusNoContent)
			for header, want := range map[string]string{
				"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Methods": method, "Access-Control-Allow-Headers": headers,
				"Access-Control-Max-Age": "600", "Access-Control-Allow-Credentials": "", "X-Content-Type-Options": "nosniff",
			} {
				if got := a.Header.Get(header); got != want {
					t.Errorf("preflight of %s from %s: %s %q, want %q", method, origin, header, got, want)
				}
			}
		}
	}
	for _, origin := range []string{
		"https://evil.example", "http://app.example.com", "https://app.example.com:444", "https://app.example.com.evil.example", "https://evilapp.example.com", "null", "*", "",
	} {
		a := admin.Do(http.MethodGet, "/file/admin/x", nil, "Origin", origin).Want(t, http.StatusOK)
		hasNoCORS(t, "GET from "+origin, a)
		hasNoCORS(t, "preflight from "+origin, preflight(site, "/file/admin/x", origin, "GET", "authorization"))
	}
	hasNoCORS(t, "a preflight of a method that no route has", preflight(site, "/file/admin/x", ours, "TRACE", "authorization"))
	hasNoCORS(t, "a preflight of a header that no route takes", preflight(site, "/file/admin/x", ours, "GET", "x-evil"))
}

func TestNoCORSWithoutConfiguration(t *testing.T) {
	site := localtest.Start(t)
	admin := site.Admin()
	admin.Put("/file/admin/x", "content")
	hasNoCORS(t, "GET", admin.Do(http.MethodGet, "/file/admin/x", nil, "Origin", "https://app.example.com"))
	hasNoCORS(t, "preflight", preflight(site, "/file/admin/x", "https://app.example.com", "GET", "authorization"))
}

func preflight(site *localtest.Site, path, origin, method, headers string) localtest.Answer {
	return site.Anonymous().Do(http.MethodOptions, path, nil,
		"Origin", origin, "Access-Control-Request-Method", method, "Access-Control-Request-Headers", headers)
}

func sameNames(a, b []string) bool {
	fold := func(names []string) []string {
		out := make([]string, len(names))
		for i, name := range names {
			out[i] = strings.ToLower(name)
		}
		return slices.Sorted(slices.Values(out))
	}
	return slices.Equal(fold(a), fold(b))
}

func hasNoCORS(t *testing.T, name string, a localtest.Answer) {
	t.Helper()
	for header := range a.Header {
		if strings.HasPrefix(header, "Access-Control-") {
			t.Errorf("%s has %s: %s", name, header, a.Header.Get(header))
		}
	}
}

// forged are the fields by which a client could say that it is another, or
// that the server is.
var forged = []string{
	"X-Forwarded-For", "203.0.113.7, 198.51.100.7", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "gopher",
	"X-Forwarded-Prefix", "/evil", "X-Real-Ip", "203.0.113.7", "Forwarded", "for=203.0.113.7;host=evil.example;proto=gopher",
	"True-Client-Ip", "203.0.113.7", "Cf-Connecting-Ip", "203.0.113.7", "X-Original-Url", "/evil", "X-Rewrite-Url", "/evil", "X-Request-Id", "evil",
}

func TestForgedAddressesReachNothing(t *testing.T) {
	site := localtest.Start(t)
	admin := site.Admin()
	admin.HTTP.Transport = forgedHost{admin.HTTP.Transport}
	for _, x := range []struct{ method, path, body string }{
		{"PUT", "/file/admin/x", "content"},
		{"GET", "/file/admin/x", ""},
		{"GET", "/api/files", ""},
		{"POST", "/api/users", `{"username":"other","password":"` + localtest.Password + `","role":"user"}`},
		{"GET", "/nowhere", ""},
		{"GET", "/.well-known/jwks.json", ""},
		{"GET", "/openapi.json", ""},
		{"GET", "/readyz", ""},
	} {
		a := admin.Do(x.method, x.path, strings.NewReader(x.body), append([]string{"Content-Type", "application/json"}, forged...)...)
		if a.StatusCode >= 400 && x.path != "/nowhere" {
			t.Errorf("%s %s = %s", x.method, x.path, a)
		}
		if text := looks(a); strings.Contains(text, "evil") || strings.Contains(text, "gopher") || strings.Contains(text, "203.0.113") {
			t.Errorf("%s %s repeats what was forged: %s", x.method, x.path, text)
		}
	}
	for _, word := range []string{"evil", "gopher", "203.0.113", "198.51.100"} {
		if log := site.Log.String(); strings.Contains(log, word) {
			t.Errorf("the log holds %q, which was forged: %s", word, log)
		}
	}
}

// forgedHost sends another Host.
type forgedHost struct{ http.RoundTripper }

func (f forgedHost) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Host = "evil.example"
	return f.RoundTripper.RoundTrip(r)
}

// The address that logins are counted by is the peer's, and what a proxy says
// only where that proxy is trusted; of what it says, the part that it added.
func TestAddressesAreBelievedOfTrustedProxiesAlone(t *testing.T) {
	for name, x := range map[string]struct{ trusted, header, says, client string }{
		"nobody is trusted":            {"", "X-Forwarded-For", "203.0.113.7", "127.0.0.1"},
		"another is trusted":           {"10.0.0.0/8", "X-Forwarded-For", "203.0.113.7", "127.0.0.1"},
		"the peer is trusted":          {"127.0.0.0/8", "X-Forwarded-For", "203.0.113.7", "203.0.113.7"},
		"the client put one in front":  {"127.0.0.0/8", "X-Forwarded-For", "192.0.2.1, 203.0.113.7", "203.0.113.7"},
		"the proxy added a line":       {"127.0.0.0/8", "X-Forwarded-For", "192.0.2.1\n203.0.113.7", "203.0.113.7"},
		"two proxies are trusted":      {"127.0.0.0/8,10.0.0.0/8", "X-Forwarded-For", "192.0.2.1, 203.0.113.7, 10.1.2.3", "203.0.113.7"},
		"what is forwarded is garbage": {"127.0.0.0/8", "X-Forwarded-For", "evil", "127.0.0.1"},
		"a field that proxies pass on": {"127.0.0.0/8", "X-Real-Ip", "203.0.113.7", "127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			noon := time.Now() // stands still: no try is given back
			site := localtest.StartWith(t, local.Options{Clock: func() time.Time { return noon }}, func(c *config.Config) {
				for prefix := range strings.SplitSeq(x.trusted, ",") {
					if prefix != "" {
						c.TrustedProxies = append(c.TrustedProxies, netip.MustParsePrefix(prefix))
					}
				}
			})
			spendTries(t, site, netip.MustParseAddr(x.client))
			login := func(says string) localtest.Answer {
				header := []string{"Content-Type", "application/json"}
				for line := range strings.SplitSeq(says, "\n") {
					header = append(header, x.header, line)
				}
				return site.Anonymous().Do(http.MethodPost, "/api/login", strings.NewReader(`{"username":"admin","password":"wrong"}`), header...)
			}
			login(x.says).Want(t, http.StatusTooManyRequests)
			if lines := site.Log.Lines(t); lines[len(lines)-1]["client"] != x.client {
				t.Errorf("the log's last line is of the client %v, want %s", lines[len(lines)-1]["client"], x.client)
			}
			if x.client != "127.0.0.1" {
				login("198.51.100.9").Want(t, http.StatusUnauthorized)
			}
		})
	}
}

// spendTries takes every try at a password that an address has.
func spendTries(t *testing.T, site *localtest.Site, addr netip.Addr) {
	t.Helper()
	for range 1000 {
		wait, err := site.App.Deps.Accounts.Limits.Take(t.Context(), "login/address/"+limit.AddressKey(addr), limit.Rate{Burst: 100, Per: time.Second}, 1)
		if err != nil {
			t.Fatal(err)
		}
		if wait > 0 {
			return
		}
	}
	t.Fatal("1000 tries were not refused")
}
