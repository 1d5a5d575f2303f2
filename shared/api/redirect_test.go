package api_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/shared/app/local/localtest"
	"sluice/shared/auth"
	"sluice/shared/blob"
	"sluice/shared/config"
)

// heavy is a file above the size from which auto redirects.
var heavy = bytesOf(1, 5<<20)

// location returns the URL of a redirect and wants it to be one of the store.
func (s *storeRig) location(a localtest.Answer) *url.URL {
	s.t.Helper()
	u, err := url.Parse(a.Want(s.t, http.StatusTemporaryRedirect).Header.Get("Location"))
	if err != nil || u.Scheme+"://"+u.Host != s.store.Endpoint {
		s.t.Fatalf("the redirect leads to %s, %v; want %s", u.Host, err, s.store.Endpoint)
	}
	return u
}

// follow sends a request of nobody's to where a redirect leads.
func (s *storeRig) follow(a localtest.Answer, header ...string) localtest.Answer {
	s.t.Helper()
	u := s.location(a)
	at := &localtest.Client{Site: &localtest.Site{URL: s.store.Endpoint}, HTTP: &http.Client{}}
	found, err := at.Try(http.MethodGet, u.RequestURI(), nil, header...)
	if err != nil {
		s.t.Fatal(err)
	}
	return found
}

// The store gives the answer that we would have given.
func TestARedirectLeadsToTheSameAnswer(t *testing.T) {
	s := openStore(t, func(c *config.Config) { c.DeliveryChoice = true })
	id := s.admin.Put("/file/admin/a%20%C3%A9%3F.html", string(heavy), "Content-Type", "text/html; charset=utf-8").Field(t, "id")
	path := "/api/files/" + id + "/content"
	etag := s.admin.Do(http.MethodHead, path, nil).Want(t, http.StatusOK).Header.Get("ETag")
	for _, x := range []struct {
		query  string
		fields []string
	}{
		{"", nil},
		{"&disposition=attachment", nil},
		{"", []string{"Range", "bytes=0-4999999"}},
		{"", []string{"Range", "bytes=1000-"}},
		{"", []string{"Range", "bytes=-5000000", "If-Match", etag}},
		{"", []string{"Range", "bytes=1000-", "If-Range", etag}},
		{"", []string{"If-None-Match", `"another"`}},
	} {
		ours := s.admin.Do(http.MethodGet, path+"?delivery=stream"+x.query, nil, x.fields...)
		redirect := s.admin.Do(http.MethodGet, path+"?"+strings.TrimPrefix(x.query, "&"), nil, x.fields...)
		theirs := s.follow(redirect, x.fields...)
		if theirs.StatusCode != ours.StatusCode || !bytes.Equal(theirs.Body, ours.Body) {
			t.Errorf("%s with %q: the store answers %d with %d bytes, we %d with %d", x.query, x.fields, theirs.StatusCode, len(theirs.Body), ours.StatusCode, len(ours.Body))
		}
		for _, name := range []string{"ETag", "Content-Type", "Content-Disposition", "Content-Range", "Content-Length", "Accept-Ranges"} {
			if got, want := theirs.Header.Get(name), ours.Header.Get(name); got != want {
				t.Errorf("%s with %q: the store says %s: %q, we %q", x.query, x.fields, name, got, want)
			}
		}
		for name, want := range map[string]string{
			"Sluice-Delivery": "redirect; reason=size", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-File-Size": "5242880",
		} {
			if got := redirect.Header.Get(name); got != want {
				t.Errorf("%s with %q: the redirect says %s: %q, want %q", x.query, x.fields, name, got, want)
			}
		}
		if len(redirect.Body) == 0 || bytes.Contains(redirect.Body, []byte("http")) {
			t.Errorf("the redirect's body is %q, want some text without the URL", redirect.Body)
		}
	}
}

// What the store would answer otherwise is ours to answer.
func TestWhatTheStoreCannotAnswerIsStreamed(t *testing.T) {
	s := openStore(t, func(c *config.Config) { c.DeliveryChoice = true })
	path := "/api/files/" + s.admin.Put("/file/admin/a.html", string(heavy), "Content-Type", "text/html").Field(t, "id") + "/content"
	head := s.admin.Do(http.MethodHead, path, nil).Want(t, http.StatusOK)
	date := head.Header.Get("Last-Modified")
	for _, x := range []struct {
		method, query string
		fields        []string
		status        int
		delivery      string
	}{
		{"HEAD", "", nil, 200, "stream; reason=head"},
		{"GET", "", []string{"Range", "bytes=0-9"}, 206, "stream; reason=size"},
		{"GET", "", []string{"Range", "bytes=0-4999999,5000000-5000009"}, 206, "stream; reason=range"},
		{"GET", "", []string{"Range", "bytes=0-4999999", "If-Range", `"another"`}, 200, "stream; reason=range"},
		{"GET", "", []string{"Range", "bytes=0-4999999", "If-Range", date}, 206, "stream; reason=condition"},
		{"GET", "", []string{"If-Unmodified-Since", date}, 200, "stream; reason=condition"},
		{"GET", "", []string{"If-Match", "*"}, 200, "stream; reason=condition"},
		{"GET", "?disposition=inline", nil, 200, "stream; reason=sandbox"},
		{"GET", "?delivery=stream", nil, 200, "stream; reason=request"},
		{"GET", "?delivery=redirect", []string{"Range", "bytes=0-9"}, 307, "redirect; reason=request"},
		{"GET", "", []string{"If-Modified-Since", date}, 304, ""},
		{"GET", "", []string{"If-Match", `"another"`}, 412, ""},
		{"GET", "", []string{"Range", "bytes=99999999-"}, 416, ""},
		{"GET", "?delivery=elsewhere", nil, 400, ""},
	} {
		a := s.admin.Do(x.method, path+x.query, nil, x.fields...)
		if got := a.Header.Get("Sluice-Delivery"); a.StatusCode != x.status || got != x.delivery {
			t.Errorf("%s %s with %q = %d, %q, want %d, %q", x.method, x.query, x.fields, a.StatusCode, got, x.status, x.delivery)
		}
		if x.status == http.StatusOK && x.method == http.MethodGet && !bytes.Equal(a.Body, heavy) {
			t.Errorf("%s with %q: %d bytes came, want all %d", x.query, x.fields, len(a.Body), len(heavy))
		}
	}
}

// A URL of the store cannot be taken back, so it lives no longer than what it
// rests on.
func TestAURLOfTheStoreLivesNoLongerThanWhatItRestsOn(t *testing.T) {
	s := openStore(t)
	nobody := s.Anonymous()
	public := s.admin.Put("/file/admin/public", string(heavy)).Field(t, "id")
	ending := s.admin.Put("/file/admin/ending", string(heavy)).Field(t, "id")
	s.admin.JSON(http.MethodPatch, "/api/files/"+public, map[string]any{"visibility": "public"}).Want(t, http.StatusOK)
	s.admin.JSON(http.MethodPatch, "/api/files/"+ending, map[string]any{"visibility": "public", "expires_at": s.clock.Now().Add(100 * time.Second)}).Want(t, http.StatusOK)
	short, long := linkPath(t, s.admin, public, `{"expires_in":200}`), linkPath(t, s.admin, public, `{"expires_in":86400}`)
	session := s.source(beginSession(t, s.admin, public))
	content := func(id string) string { return "/api/files/" + id + "/content" }
	for _, x := range []struct {
		what  string
		by    *localtest.Client
		path  string
		after time.Duration // from the beginning
		most  int           // seconds that the URL may live; 0: there is none
	}{
		{"nothing but the file", nobody, content(public), 0, 900},
		{"a file that ends", nobody, content(ending), 0, 100},
		{"a file that ends soon", nobody, content(ending), 91 * time.Second, 0},
		{"a token", s.admin, content(public), 91 * time.Second, 809},
		{"a short link", nobody, short, 91 * time.Second, 109},
		{"a long link", nobody, long, 91 * time.Second, 900},
		{"a token that ends soon", s.admin, content(public), 895 * time.Second, 0},
		{"a session", nobody, session, 895 * time.Second, 900},
		{"a session that ends", nobody, session, 24*time.Hour - 50*time.Second, 50},
	} {
		s.clock.Advance(x.after - s.clock.Now().Sub(s.clock.start))
		a := x.by.Do(http.MethodGet, x.path, nil)
		if x.most == 0 {
			if got := a.Header.Get("Sluice-Delivery"); got != "stream; reason=expiry" {
				t.Errorf("what rests on %s goes by %q, want stream; reason=expiry", x.what, got)
			}
			continue
		}
		lives, err := strconv.Atoi(s.location(a).Query().Get("X-Amz-Expires"))
		if err != nil || lives > x.most || lives < x.most-1 { // tokens and URLs end on whole seconds
			t.Errorf("a URL that rests on %s lives %d s, %v, want %d", x.what, lives, err, x.most)
		}
	}
}

func TestAFileSettlesItsDelivery(t *testing.T) {
	s := openStore(t)
	ada := s.user("ada", auth.User)
	small := ada.Put("/file/ada/small", "content")
	if got := small.Field(t, "delivery"); got != "auto" {
		t.Errorf("the delivery of a new file is %q, want auto", got)
	}
	id := small.Field(t, "id")
	settle := func(mode string) localtest.Answer {
		return ada.JSON(http.MethodPatch, "/api/files/"+id, map[string]string{"delivery": mode})
	}
	for _, x := range []struct{ mode, want string }{
		{"redirect", "redirect; reason=file"}, {"stream", "stream; reason=file"}, {"auto", "stream; reason=size"},
	} {
		if got := settle(x.mode).Want(t, http.StatusOK).Field(t, "delivery"); got != x.mode {
			t.Errorf("the delivery is %q, want %q", got, x.mode)
		}
		if got := ada.Do(http.MethodGet, "/file/ada/small", nil).Header.Get("Sluice-Delivery"); got != x.want {
			t.Errorf("a file that settles on %s goes by %q, want %q", x.mode, got, x.want)
		}
	}
	settle("redirect").Want(t, http.StatusOK)
	ada.Put("/file/ada/small", "another content")
	if got := ada.Do(http.MethodGet, "/file/ada/small", nil).Header.Get("Sluice-Delivery"); got != "redirect; reason=file" {
		t.Errorf("the next version goes by %q, want what the file settled", got)
	}
	if a := settle("elsewhere").Want(t, http.StatusBadRequest); problemField(a) != "delivery" {
		t.Errorf("an unknown delivery = %s, want the field delivery", a)
	}
	if a := ada.Do(http.MethodGet, "/file/ada/small?delivery=stream", nil).Want(t, http.StatusBadRequest); problemField(a) != "delivery" {
		t.Errorf("a choice that is not the request's = %s, want the field delivery", a)
	}
}

// Redirected bytes are issued and not delivered; the log tells the beginning of
// a download whose end we do not see, and never the URL.
func TestWhatIsRedirectedIsIssued(t *testing.T) {
	s := openStore(t)
	path := "/api/files/" + s.admin.Put("/file/admin/a", string(heavy)).Field(t, "id") + "/content"
	for _, fields := range [][]string{nil, {"Range", "bytes=0-4999999"}} {
		s.fetch(s.admin, http.MethodGet, path, fields...)
	}
	a := s.fetch(s.admin, http.MethodGet, path, "Range", "bytes=0-9")
	last := s.fetch(s.admin, http.MethodGet, path)
	const issued, delivered = 2*5<<20 + 5_000_000, 10
	lines := s.audit(s.admin, "")
	if len(lines) != 1 || lines[0].Issued != issued || lines[0].Bytes != delivered || lines[0].Requests != 4 || lines[0].State != "started" {
		t.Errorf("the audit has %+v, want one line of %d bytes issued and %d delivered", lines, issued, delivered)
	}
	var usage struct {
		Usage []struct {
			Issued    int `json:"bytes_issued"`
			Delivered int `json:"bytes_delivered"`
		}
	}
	if err := json.Unmarshal(s.admin.Do(http.MethodGet, "/api/usage?by=day", nil).Body, &usage); err != nil {
		t.Fatal(err)
	}
	if len(usage.Usage) != 1 || usage.Usage[0].Issued != issued || usage.Usage[0].Delivered != delivered {
		t.Errorf("the usage is %+v, want %d issued and %d delivered", usage, issued, delivered)
	}
	for id, want := range map[string]map[string]any{
		last.Header.Get("X-Request-Id"): {"event": "download.started", "bytes": 0.0, "issued": float64(len(heavy)), "status": 307.0},
		a.Header.Get("X-Request-Id"):    {"event": "download.completed", "bytes": 10.0, "issued": nil, "status": 206.0},
	} {
		line := s.Log.RequestLine(t, id)
		for field, value := range want {
			if line[field] != value {
				t.Errorf("the log has %s %v, want %v", field, line[field], value)
			}
		}
	}
	if strings.Contains(s.Log.String(), "X-Amz-") {
		t.Error("the log holds a signed URL")
	}
}

// A URL that is over is asked for again, here: a client that resumes gets
// another one, and loses nothing of what it has.
func TestResumeAfterAURLHasExpired(t *testing.T) {
	for _, x := range [][]string{
		{"curl", "-fsSL", "-C", "-", "-o", "a"},
		{"aria2c", "-q", "--no-conf", "-c", "-x1", "--max-tries=1", "-o", "a"},
	} {
		t.Run(x[0], func(t *testing.T) {
			program, err := exec.LookPath(x[0])
			if err != nil && os.Getenv("SLUICE_REQUIRE_TOOLS") == "" {
				t.Skip(err)
			}
			s, signs := openStore(t), &movableClock{start: time.Now()}
			s.App.Deps.Delivery.Blobs = blob.NewBucket(signed{s.blobs, s.signer(signs.Now)})
			id := s.admin.Put("/file/admin/a", string(heavy)).Field(t, "id")
			path := filepath.Join(t.TempDir(), "a")
			const had = 100_000
			if err := os.WriteFile(path, heavy[:had], 0o600); err != nil {
				t.Fatal(err)
			}
			resume := func() error {
				cmd := exec.CommandContext(t.Context(), program, append(x[1:], s.URL+linkPath(t, s.admin, id, "{}"))...)
				cmd.Dir = filepath.Dir(path)
				return cmd.Run()
			}
			signs.Advance(-blob.MaxPresign - time.Minute)
			if err := resume(); err == nil {
				t.Error("a URL that is over is good")
			}
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, heavy[:had]) {
				t.Errorf("of the %d bytes that were there are left %d, %v", had, len(got), err)
			}
			signs.Advance(blob.MaxPresign + time.Minute)
			if err := resume(); err != nil {
				t.Errorf("the next attempt: %v", err)
			}
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, heavy) {
				t.Errorf("%d bytes came, %v, want all %d", len(got), err, len(heavy))
			}
			s.Stop()
			for _, line := range s.Log.Lines(t) {
				if line["operation"] == "getLink" && line["method"] == http.MethodGet && line["event"] != "download.started" {
					t.Errorf("a request was not redirected: %v", line)
				}
			}
		})
	}
}
