package send_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	ft "sluice/shared/fetch/fetchtest"
	"sluice/shared/send"
)

// before puts something before a server.
type before = func(http.Handler) http.Handler

// The operations that a client asks for, by method and path.
const (
	profile  = `^GET /api/profile$`
	put      = `^PUT /file/`
	begin    = `^POST /api/files$`
	read     = `^GET /api/uploads/`
	issue    = `^POST /api/uploads/[^/]+/parts$`
	part     = `^PUT /api/uploads/[^/]+/parts/`
	complete = `/complete$`
)

// on misbehaves in one operation.
func on(operation string, bad before) before {
	pattern := regexp.MustCompile(operation)
	return func(good http.Handler) http.Handler {
		wrong := bad(good)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if pattern.MatchString(r.Method + " " + r.URL.Path) {
				wrong.ServeHTTP(w, r)
				return
			}
			good.ServeHTTP(w, r)
		})
	}
}

func always(h http.HandlerFunc) before {
	return func(http.Handler) http.Handler { return ft.Always(h) }
}
func once(h http.HandlerFunc) before {
	return func(good http.Handler) http.Handler { return ft.Once(1, h, good) }
}
func every(nth int, h http.HandlerFunc) before {
	return func(good http.Handler) http.Handler { return ft.Every(nth, h, good) }
}
func firstFew(n int, h http.HandlerFunc) before {
	return func(good http.Handler) http.Handler { return ft.From(n+1, good.ServeHTTP, h) }
}

// through misbehaves with the help of what would be right; of every nth request.
func through(nth int32, h func(good http.Handler, w http.ResponseWriter, r *http.Request)) before {
	return func(good http.Handler) http.Handler {
		var n atomic.Int32
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if n.Add(1)%nth == 0 {
				h(good, w, r)
				return
			}
			good.ServeHTTP(w, r)
		})
	}
}

// first is through for the first request alone.
func first(h func(good http.Handler, w http.ResponseWriter, r *http.Request)) before {
	return func(good http.Handler) http.Handler {
		var n atomic.Int32
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if n.Add(1) == 1 {
				h(good, w, r)
				return
			}
			good.ServeHTTP(w, r)
		})
	}
}

// both misbehaves in two ways.
func both(a, b before) before { return func(good http.Handler) http.Handler { return a(b(good)) } }

// lost does what it is asked to, and breaks off before it says so.
func lost(good http.Handler, _ http.ResponseWriter, r *http.Request) {
	good.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// twice does it two times.
func twice(good http.Handler, w http.ResponseWriter, r *http.Request) {
	good.ServeHTTP(httptest.NewRecorder(), r.Clone(r.Context()))
	good.ServeHTTP(w, r)
}

// cut takes so much of the body, and breaks off.
func cut(n int64) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyN(io.Discard, r.Body, n) // it may be shorter
		panic(http.ErrAbortHandler)
	}
}

// stuck takes so much of the body, and no more.
func stuck(n int64) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyN(io.Discard, r.Body, n) // it may be shorter
		<-r.Context().Done()
	}
}

// flipped changes a bit of the body on the way.
func flipped(good http.Handler, w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // what it was cut to has another digest too
	body[len(body)/2] ^= 1
	r.Body = io.NopCloser(bytes.NewReader(body))
	good.ServeHTTP(w, r)
}

// shortened loses the end of the body on the way.
func shortened(good http.Handler, w http.ResponseWriter, r *http.Request) {
	r.Body = io.NopCloser(io.LimitReader(r.Body, 100))
	good.ServeHTTP(w, r)
}

// slowly takes 256 KiB a second.
func slowly(good http.Handler, w http.ResponseWriter, r *http.Request) {
	r.Body = struct {
		io.Reader
		io.Closer
	}{slow{r.Body}, r.Body}
	good.ServeHTTP(w, r)
}

type slow struct{ io.Reader }

// Read implements io.Reader.
func (s slow) Read(p []byte) (int, error) {
	<-time.After(time.Second)
	return s.Reader.Read(p[:min(len(p), 256<<10)])
}

// lying changes a member of the right answer.
func lying(name string, value any) func(http.Handler, http.ResponseWriter, *http.Request) {
	return edited(func(members map[string]any) { members[name] = value })
}

// leading gives another URL for a part.
func leading(to string) func(http.Handler, http.ResponseWriter, *http.Request) {
	return edited(func(members map[string]any) { members["parts"].([]any)[0].(map[string]any)["url"] = to })
}

// edited changes the right answer.
func edited(edit func(members map[string]any)) func(http.Handler, http.ResponseWriter, *http.Request) {
	return func(good http.Handler, w http.ResponseWriter, r *http.Request) {
		right := httptest.NewRecorder()
		good.ServeHTTP(right, r)
		members := map[string]any{}
		_ = json.Unmarshal(right.Body.Bytes(), &members) // an answer without a body has none
		edit(members)
		maps.Copy(w.Header(), right.Header())
		w.Header().Del("Content-Length")
		w.WriteHeader(right.Code)
		_ = json.NewEncoder(w).Encode(members) // who asked may be gone
	}
}

// says answers a text.
func says(status int, contentType, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // it breaks off, or not
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text) // who asked may be gone
	}
}

// problem answers one of the server's own.
func problem(status int, code string) http.HandlerFunc {
	return says(status, "application/problem+json", `{"code":"`+code+`","detail":"No."}`)
}

// to redirects.
func to(status int, location string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", strings.ReplaceAll(location, "{path}", r.URL.RequestURI()))
		w.WriteHeader(status)
	}
}

const (
	zeros = "0000000000000000000000000000000000000000000000000000000000000000"
	page  = "<html>Welcome to the hotel</html>"
)

var retryLater = ft.Status(503, "Retry-After", "7")

// TestMisbehaviours wants of every one that the server has the right file, or
// that the error is the one expected and it has no wrong one.
func TestMisbehaviours(t *testing.T) {
	const (
		small  = 1000
		parted = partSize + 12345 // two parts
		right  = ""
	)
	for _, c := range []struct {
		name   string
		size   int
		behave before
		code   string
	}{
		{"none", small, nil, right},
		{"the profile: reset once", small, on(profile, once(ft.Hangup)), right},
		{"the profile: 401", small, on(profile, always(ft.Status(401))), "unexpected_answer"},
		{"the profile: a page", small, on(profile, always(says(200, "text/html", page))), "unexpected_answer"},

		{"a file: reset once", small, on(put, once(ft.Hangup)), right},
		{"a file: reset always", small, on(put, always(ft.Hangup)), "no_answer"},
		{"a file: cut in its body, always", small, on(put, always(cut(10))), "no_answer"},
		{"a file: kept, and the answer lost", small, on(put, first(lost)), right},
		{"a file: silent once", small, on(put, once(ft.Silent)), right},
		{"a file: silent always", small, on(put, always(ft.Silent)), "stalled"},
		{"a file: not HTTP once", small, on(put, once(ft.Raw("SSH-2.0-OpenSSH_9.2\r\n"))), right},
		{"a file: not HTTP always", small, on(put, always(ft.Raw("220 ftp.example.com ready\r\n"))), "no_answer"},
		{"a file: an answer without an end", small, on(put, once(ft.Raw("HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{"))), right},
		{"a file: 503 with Retry-After", small, on(put, once(retryLater)), right},
		{"a file: 503 with Retry-After as a date", small, on(put, once(ft.Status(503, "Date", "Sat, 01 Jan 2000 00:00:00 GMT", "Retry-After", "Sat, 01 Jan 2000 00:01:00 GMT"))), right},
		{"a file: 503 with a Retry-After of a year", small, on(put, always(ft.Status(503, "Retry-After", "31536000"))), "unexpected_answer"},
		{"a file: 429 for a while", small, on(put, firstFew(8, ft.Status(429, "Retry-After", "3"))), right},
		{"a file: 429 always", small, on(put, always(ft.Status(429))), "unexpected_answer"},
		{"a file: 500 once", small, on(put, once(ft.Status(500))), right},
		{"a file: 408 once", small, on(put, once(ft.Status(408))), right},
		{"a file: 403", small, on(put, always(problem(403, "forbidden"))), "forbidden"},
		{"a file: 404", small, on(put, always(problem(404, "not_found"))), "not_found"},
		{"a file: 413", small, on(put, always(ft.Status(413))), "unexpected_answer"},
		{"a file: 507", small, on(put, always(problem(507, "quota_exceeded"))), "quota_exceeded"},
		{"a file: taken for another, 412", small, on(put, always(problem(412, "precondition_failed"))), "file_exists"},
		{"a file: another digest is told", small, on(put, through(1, lying("sha256", zeros))), "bad_answer"},
		{"a file: no digest is told", small, on(put, through(1, lying("sha256", ""))), "bad_answer"},
		{"a file: another size is told", small, on(put, through(1, lying("size", 999))), "bad_answer"},
		{"a file: a page", small, on(put, always(says(200, "text/html", page))), "unexpected_answer"},
		{"a file: an empty object", small, on(put, always(says(200, "application/json", "{}"))), "bad_answer"},
		{"a file: a bit flipped on the way, once", small, on(put, first(flipped)), right},
		{"a file: a bit flipped on the way, always", small, on(put, through(1, flipped)), "digest_mismatch"},
		{"a file: its end lost on the way, once", small, on(put, first(shortened)), right},
		{"a file: its end lost on the way, always", small, on(put, through(1, shortened)), "body_cut"},
		{"a file: redirected to the same host", small, on(put+"admin/f$", once(to(307, "{path}?again"))), right},
		{"a file: redirected in a circle", small, on(put, always(to(307, "{path}"))), "bad_redirect"},
		{"a file: redirected as a GET", small, on(put, once(to(302, "{path}"))), "bad_redirect"},
		{"a file: redirected to nowhere", small, on(put, always(ft.Status(308))), "bad_redirect"},
		{"a file: redirected to a file of the machine", small, on(put, always(to(307, "file:///etc/passwd"))), "bad_redirect"},
		{"a file: redirected to a host that is not there", small, on(put, always(to(307, "http://nowhere.test/"))), "no_answer"},

		{"an upload: reset once", parted, on(begin, once(ft.Hangup)), right},
		{"an upload: begun, and the answer lost", parted, on(begin, first(lost)), right},
		{"an upload: 503 with Retry-After", parted, on(begin, once(retryLater)), right},
		{"an upload: 507", parted, on(begin, always(problem(507, "no_space"))), "no_space"},
		{"an upload: without an id", parted, on(begin, through(1, lying("upload_id", ""))), "bad_answer"},
		{"an upload: an id that is a path", parted, on(begin, through(1, lying("upload_id", "../../x"))), "no_route"},
		{"an upload: of other parts", parted, on(begin, through(1, lying("part_size", 1))), "bad_answer"},
		{"an upload: of parts of nothing", parted, on(begin, through(1, lying("part_size", 0))), "bad_answer"},
		{"an upload: not open", parted, on(begin, through(1, lying("state", "failed"))), "upload_not_open"},
		{"an upload: a page", parted, on(begin, always(says(200, "text/html", page))), "unexpected_answer"},

		{"a URL: reset once", parted, on(issue, once(ft.Hangup)), right},
		{"a URL: 429 every other time", parted, on(issue, every(2, ft.Status(429, "Retry-After", "2"))), right},
		{"a URL: none", parted, on(issue, through(1, lying("parts", []any{}))), "bad_answer"},
		{"a URL: of a file of the machine", parted, on(issue, through(1, leading("file:///etc/passwd"))), "bad_answer"},
		{"a URL: that is none", parted, on(issue, through(1, leading("http://[::1"))), "bad_answer"},
		{"a URL: of a host that is not there", parted, on(issue, through(1, leading("http://nowhere.test/?signature=x"))), "no_answer"},
		{"a URL: signed wrongly", parted, on(issue, through(1, leading(base+"/api/uploads/x/parts/1?signature=x"))), "link_invalid"},

		{"a part: reset once", parted, on(part, once(ft.Hangup)), right},
		{"a part: reset every other time", parted, on(part, every(2, ft.Hangup)), right},
		{"a part: reset always", parted, on(part, always(ft.Hangup)), "no_answer"},
		{"a part: cut in the middle, every other time", parted, on(part, every(2, cut(1<<20))), right},
		{"a part: cut in the middle, always", parted, on(part, always(cut(1<<20))), "no_answer"},
		{"a part: kept, and the answer lost", parted, on(part, first(lost)), right},
		{"a part: silent once", parted, on(part, once(ft.Silent)), right},
		{"a part: silent always", parted, on(part, always(ft.Silent)), "stalled"},
		{"a part: stuck in the middle once", parted, on(part, once(stuck(1<<20))), right},
		{"a part: stuck in the middle always", parted, on(part, always(stuck(1<<20))), "stalled"},
		{"a part: taken slowly", parted, on(part, through(1, slowly)), right},
		{"a part: 503 with Retry-After", parted, on(part, once(retryLater)), right},
		{"a part: 429 every other time", parted, on(part, every(2, ft.Status(429, "Retry-After", "5"))), right},
		{"a part: 500 once", parted, on(part, once(ft.Status(500))), right},
		{"a part: its URL is over once", parted, on(part, once(problem(403, "link_expired"))), right},
		{"a part: its URL is over once, as a store says it", parted, on(part, once(says(403, "application/xml", "<Error><Code>AccessDenied</Code></Error>"))), right},
		{"a part: its URL is over whenever it is used", parted, on(part, always(problem(403, "link_expired"))), "link_expired"},
		{"a part: its URL runs out while it is told to wait", parted, on(part, firstFew(7, ft.Status(503, "Retry-After", "599"))), right},
		{"a part: 404 once", parted, on(part, once(ft.Status(404))), right},
		{"a part: 404 always", parted, on(part, always(ft.Status(404))), "unexpected_answer"},
		{"a part: 400 once", parted, on(part, once(ft.Status(400))), right},
		{"a part: 507", parted, on(part, always(problem(507, "no_space"))), "no_space"},
		{"a part: another digest is told once", parted, on(part, first(lying("sha256", zeros))), right},
		{"a part: another digest is told always", parted, on(part, through(1, lying("sha256", zeros))), "bad_answer"},
		{"a part: another number is told", parted, on(part, through(1, lying("number", 9))), "bad_answer"},
		{"a part: another size is told", parted, on(part, through(1, lying("size", 9))), "bad_answer"},
		{"a part: dropped, and said to be kept, once", parted, on(part, once(says(200, "", ""))), right},
		{"a part: dropped, and said to be kept, always", parted, on(part, always(says(200, "", ""))), "parts_missing"},
		{"a part: a page instead, once", parted, on(part, once(says(200, "text/html", page))), right},
		{"a part: an answer that is none, once", parted, on(part, once(says(304, "", ""))), right},
		{"a part: a bit flipped on the way, once", parted, on(part, first(flipped)), right},
		{"a part: a bit flipped on the way, always", parted, on(part, through(1, flipped)), "digest_mismatch"},
		{"a part: its end lost on the way, once", parted, on(part, first(shortened)), right},
		{"a part: redirected to the same host", parted, on(part+".*[^?]$", once(to(307, "{path}&again"))), right},
		{"a part: redirected as a GET", parted, on(part, always(to(303, "{path}"))), "bad_redirect"},

		{"the end: reset once", parted, on(complete, once(ft.Hangup)), right},
		{"the end: reached, and the answer lost", parted, on(complete, first(lost)), right},
		{"the end: reached twice", parted, on(complete, through(1, twice)), right},
		{"the end: 503 with Retry-After", parted, on(complete, once(retryLater)), right},
		{"the end: 202 for a while", parted, on(complete, firstFew(20, says(202, "application/json", `{"state":"verifying"}`))), right},
		{"the end: 202 for ever", parted, on(complete, always(says(202, "application/json", `{"state":"verifying"}`))), "still_verifying"},
		{"the end: silent always", parted, on(complete, always(ft.Silent)), "stalled"},
		{"the end: parts are missing that are there, once", parted, on(complete, once(problem(422, "parts_missing"))), right},
		{"the end: parts are missing that are there, always", parted, on(complete, always(problem(422, "parts_missing"))), "parts_missing"},
		{"the end: other bytes came", parted, on(complete, always(problem(422, "digest_mismatch"))), "digest_mismatch"},
		{"the end: another digest is told", parted, on(complete, through(1, lying("sha256", zeros))), "right after all"},
		{"the end: another size is told", parted, on(complete, through(1, lying("size", 7))), "right after all"},
		{"the end: another digest is told, and no version has ours", parted, both(on(complete, through(1, lying("sha256", zeros))), on("/versions$", through(1, lying("versions", []any{})))), "bad_answer"},
		{"the end: a page", parted, on(complete, always(says(200, "text/html", page))), "unexpected_answer"},
		{"the end: an empty object", parted, on(complete, always(says(200, "application/json", "{}"))), "bad_answer"},
		{"the end: aborted by another", parted, on(complete, always(problem(409, "upload_not_open"))), "upload_not_open"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				r := newRig(t)
				r.behind(c.behave)
				path, content := r.file("f", c.size, 1)
				_, err := r.send(send.Request{File: path, Path: "f"})
				if c.code == "right after all" { // the list of versions has it
					c.code = right
				}
				r.want("sent", "f", content, err, c.code)
				if err != nil && (strings.Contains(err.Error(), "signature=") || strings.Contains(err.Error(), r.token)) {
					t.Errorf("the error shows a secret: %v", err)
				}
			})
		})
	}
}
