package api_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/shared/app/local/localtest"
	"sluice/shared/auth"
	"sluice/shared/config"
)

// line is a line of the audit as a client reads it.
type line struct {
	SessionID string `json:"session_id"`
	Day       string
	FileID    string `json:"file_id"`
	VersionID string `json:"version_id"`
	UserID    string `json:"user_id"`
	Client    string
	Requests  int
	Bytes     int `json:"bytes_delivered"`
	Issued    int `json:"bytes_issued"`
	State     string
}

// flushed makes what was counted be written. Requests are counted when their
// handler ends, so the caller has waited for their lines in the log.
func (r *rig) flushed() {
	r.t.Helper()
	if err := r.App.Deps.Recorder.Flush(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// fetch sends a request and waits until the server is through with it.
func (r *rig) fetch(c *localtest.Client, method, path string, header ...string) localtest.Answer {
	r.t.Helper()
	a := c.Do(method, path, nil, header...)
	r.Log.RequestLine(r.t, a.Header.Get("X-Request-Id"))
	return a
}

func (r *rig) audit(c *localtest.Client, query string) []line {
	r.t.Helper()
	r.flushed()
	var all []line
	for cursor := ""; ; {
		q := query
		if cursor != "" {
			q += "&cursor=" + url.QueryEscape(cursor)
		}
		var page struct {
			Downloads  []line
			NextCursor string `json:"next_cursor"`
		}
		if err := json.Unmarshal(c.Do(http.MethodGet, "/api/audit?"+strings.TrimPrefix(q, "&"), nil).Want(r.t, http.StatusOK).Body, &page); err != nil {
			r.t.Fatal(err)
		}
		all = append(all, page.Downloads...)
		if cursor = page.NextCursor; cursor == "" {
			return all
		}
	}
}

func TestManyConnectionsAreOneDownload(t *testing.T) {
	r := openRig(t)
	ada := r.user("ada", auth.User)
	put := ada.Put("/file/ada/a", strings.Repeat("x", 1600))
	file := put.Field(t, "id")
	path := "/api/files/" + file + "/content"
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() { r.fetch(ada, http.MethodGet, path, "Range", rangeOf(100*i, 100*i+99)) })
	}
	all.Wait()
	for _, free := range [][]string{
		{http.MethodHead, path},
		{http.MethodGet, path, "If-None-Match", "*"},
		{http.MethodGet, path, "If-Match", `"another"`},
		{http.MethodGet, path, "Range", "bytes=9999-"},
	} {
		r.fetch(ada, free[0], free[1], free[2:]...)
	}
	want := line{FileID: file, VersionID: put.Field(t, "version_id"), UserID: ada.ID, Client: "127.0.0.1", Requests: 16, Bytes: 1600, State: "completed"}
	wantLines(t, "sixteen ranges", r.audit(ada, ""), want)

	r.fetch(r.admin, http.MethodGet, path)
	ada.JSON(http.MethodPatch, "/api/files/"+file, map[string]string{"visibility": "public"}).Want(t, http.StatusOK)
	r.fetch(r.Anonymous(), http.MethodGet, path)
	r.fetch(r.Anonymous(), http.MethodGet, path)
	byAdmin, byNobody := want, want
	byAdmin.UserID, byAdmin.Requests = r.admin.ID, 1
	byNobody.UserID, byNobody.Requests, byNobody.Bytes = "", 2, 3200
	wantLines(t, "of three people", r.audit(ada, ""), want, byAdmin, byNobody)
	wantLines(t, "a line a page", r.audit(ada, "limit=1"), want, byAdmin, byNobody)
	wantLines(t, "by the admin", r.audit(ada, "user="+r.admin.ID), byAdmin)
	wantLines(t, "of another file", r.audit(ada, "file="+ada.ID))
}

func rangeOf(from, to int) string {
	return "bytes=" + strconv.Itoa(from) + "-" + strconv.Itoa(to)
}

// wantLines compares lines in any order, without session and day.
func wantLines(t *testing.T, what string, got []line, want ...line) {
	t.Helper()
	left := map[line]int{}
	for _, l := range want {
		left[l]++
	}
	for _, l := range got {
		if l.SessionID == "" || l.Day == "" {
			t.Errorf("%s: %+v lacks its session or its day", what, l)
		}
		l.SessionID, l.Day = "", ""
		if left[l]--; left[l] < 0 {
			t.Errorf("%s: %+v is too much", what, l)
		}
	}
	for l, n := range left {
		if n > 0 {
			t.Errorf("%s: %+v is missing", what, l)
		}
	}
}

func TestASessionIsOneLine(t *testing.T) {
	r := openRig(t)
	put := r.admin.Put("/file/admin/a", "content")
	s := beginSession(t, r.admin, put.Field(t, "id"))
	for range 2 {
		r.fetch(r.Anonymous(), http.MethodGet, r.source(s))
	}
	lines := r.audit(r.admin, "")
	if len(lines) != 1 || lines[0].SessionID != s.ID || lines[0].UserID != r.admin.ID || lines[0].Bytes != 14 {
		t.Errorf("the audit has %+v, want one line of session %s with 14 bytes for its user", lines, s.ID)
	}
}

// TestAnAbortedDownload hangs up in the middle.
func TestAnAbortedDownload(t *testing.T) {
	r := openRig(t)
	const size = 64 << 20
	file := r.admin.Put("/file/admin/a", strings.Repeat("x", size)).Field(t, "id")
	request, err := http.NewRequest(http.MethodGet, r.URL+"/api/files/"+file+"/content", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+r.admin.Token)
	answer, err := r.admin.HTTP.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(answer.Body, make([]byte, 4<<20)); err != nil {
		t.Fatal(err)
	}
	if lines := r.audit(r.admin, ""); len(lines) != 1 || lines[0].State != "running" || lines[0].Bytes == 0 {
		t.Errorf("under way the audit has %+v, want one that is running", lines)
	}
	answer.Body.Close()
	r.Log.RequestLine(t, answer.Header.Get("X-Request-Id"))
	if lines := r.audit(r.admin, ""); len(lines) != 1 || lines[0].State != "aborted" || lines[0].Bytes == 0 || lines[0].Bytes >= size || lines[0].Requests != 1 {
		t.Errorf("hung up the audit has %+v, want one that was aborted", lines)
	}
}

func TestAuditAcrossDaysAndRestarts(t *testing.T) {
	r := openRig(t, func(c *config.Config) { c.Keep = time.Hour })
	file := r.admin.Put("/file/admin/a", "content").Field(t, "id")
	r.fetch(r.admin, http.MethodGet, "/api/files/"+file+"/content")
	r.Stop() // writes what was counted
	r.Run()
	r.admin = r.Admin()
	r.fetch(r.admin, http.MethodGet, "/api/files/"+file+"/content")
	lines := r.audit(r.admin, "")
	if len(lines) != 1 || lines[0].Requests != 2 || lines[0].Bytes != 14 {
		t.Fatalf("after a restart the audit has %+v, want one line of both requests", lines)
	}
	first := lines[0].Day
	r.clock.Advance(24 * time.Hour)
	r.admin = r.Admin()
	r.fetch(r.admin, http.MethodGet, "/api/files/"+file+"/content")
	lines = r.audit(r.admin, "")
	if len(lines) != 2 || lines[0].Day <= first || lines[1].Day != first || lines[0].SessionID == lines[1].SessionID {
		t.Fatalf("a day later the audit has %+v, want two, the later first", lines)
	}
	for query, want := range map[string]int{"to=" + first: 1, "from=" + lines[0].Day: 1, "from=" + first + "&limit=1": 2} {
		if got := r.audit(r.admin, query); len(got) != want {
			t.Errorf("%s has %+v, want %d lines", query, got, want)
		}
	}
}

func TestWhoSeesTheAudit(t *testing.T) {
	r := openRig(t)
	ada, eve := r.user("ada", auth.User), r.user("eve", auth.User)
	for _, c := range []*localtest.Client{ada, eve} {
		name := map[string]string{ada.ID: "ada", eve.ID: "eve"}[c.ID]
		r.fetch(c, http.MethodGet, c.Put("/file/"+name+"/a", name).Header.Get("Location")+"/content")
	}
	for name, c := range map[string]struct {
		client *localtest.Client
		want   int
	}{"ada": {ada, 1}, "eve": {eve, 1}, "an admin": {r.admin, 2}} {
		if got := r.audit(c.client, ""); len(got) != c.want {
			t.Errorf("%s sees %+v, want %d lines", name, got, c.want)
		}
	}
	if got := r.audit(ada, "user="+eve.ID); len(got) != 0 {
		t.Errorf("ada sees of eve's own %+v, want nothing", got)
	}
	for _, c := range []struct{ by, want string }{
		{"user", `"key":"` + ada.ID + `"`}, {"user", `"key":"` + eve.ID + `"`}, {"day", `"downloads":2`}, {"file", `"bytes_delivered":3`},
	} {
		if a := r.admin.Do(http.MethodGet, "/api/usage?by="+c.by, nil).Want(t, http.StatusOK); !strings.Contains(string(a.Body), c.want) {
			t.Errorf("usage by %s = %s, want it to have %s", c.by, a, c.want)
		}
	}
	first := r.admin.Do(http.MethodGet, "/api/usage?by=user&limit=1", nil)
	second := r.admin.Do(http.MethodGet, "/api/usage?by=user&limit=1&cursor="+url.QueryEscape(first.Field(t, "next_cursor")), nil).Want(t, http.StatusOK)
	if strings.Contains(string(second.Body), "next_cursor") || string(first.Body) == string(second.Body) {
		t.Errorf("the second page is %s after %s, want the other and last", second, first)
	}
}

func TestBadAuditQueries(t *testing.T) {
	r := openRig(t)
	for query, field := range map[string]string{
		"from=yesterday": "from", "to=2025-02-30": "to", "from=2030-01-02&to=2030-01-01": "from",
		"from=2020-01-01&to=2025-01-01": "from", "usr=x": "usr", "user=": "user", "cursor=x": "cursor",
	} {
		wantBadParameter(t, r.admin, "/api/audit?"+query, field)
		wantBadParameter(t, r.admin, "/api/usage?by=day&"+query, field)
	}
	wantBadParameter(t, r.admin, "/api/usage", "by")
	wantBadParameter(t, r.admin, "/api/usage?by=owner", "by")
}
