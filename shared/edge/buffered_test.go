package edge_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/shared/edge"
)

func bufferedTransports() []edge.Transport { return []edge.Transport{edge.REST, edge.HTTP, edge.ALB} }

// limit is the most bytes of JSON that a buffered transport takes.
func limit(transport edge.Transport) int {
	if transport == edge.ALB {
		return 1_000_000
	}
	return 6_291_556
}

// answering is an app that answers with a header and a body.
func answering(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Add(header[i], header[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func ask1(t testing.TB, transport edge.Transport, app http.HandlerFunc, method string) reply {
	t.Helper()
	return invoke(t, function(transport, app), question{method: method, path: "/"}.event(t, transport))
}

// The library takes Base64 for what is no valid UTF-8, and nothing else: NULs
// would be six bytes each, and a cut rune would change how a file travels.
func TestBase64IsForWhatIsNoText(t *testing.T) {
	nuls := strings.Repeat("\x00", 1<<20/2)
	for _, c := range []struct {
		name        string
		status      int
		contentType string
		body        string
		inBase64    bool
	}{
		{"JSON", 200, "application/json", `{"name":"λ <a&b>"}`, false},
		{"JSON with a charset", 200, "application/json; charset=utf-8", `{}`, false},
		{"a problem", 404, "application/problem+json", `{"code":"x"}`, false},
		{"keys", 200, "application/jwk-set+json", `{}`, false},
		{"Metalink", 200, "application/metalink4+xml", `<a/>`, false},
		{"text", 307, "text/plain; charset=utf-8", "The bytes are elsewhere.\n", false},
		{"nothing", 200, "application/octet-stream", "", false},
		{"bytes", 200, "application/octet-stream", "abc", true},
		{"an image", 200, "image/png", "\x89PNG", true},
		{"JSON that is none", 200, "application/json", "\xff", true},
		{"text with a cut rune", 200, "text/plain", "λ"[:1], true},
		{"a part of a text", 206, "text/plain", "a part", true},
		{"parts of a text", 206, "multipart/byteranges; boundary=x", "--x--", true},
		{"half a MiB of NULs as text", 200, "text/plain", nuls, true},
		{"a text of quotes", 200, "text/plain", strings.Repeat(`"`, 1000), true},
		{"lines", 200, "text/plain", strings.Repeat("a line\n", 1000), false},
		{"a malformed type", 200, "text/", "abc", true},
	} {
		for _, transport := range bufferedTransports() {
			got := ask1(t, transport, answering(c.status, c.body, "Content-Type", c.contentType), http.MethodGet)
			if got.inBase64 != c.inBase64 || got.body != c.body || got.status != c.status {
				t.Errorf("%s: %s: %d, Base64 %t, %d bytes; want %d, %t, %d", transport, c.name, got.status, got.inBase64, len(got.body), c.status, c.inBase64, len(c.body))
			}
		}
	}
	coded := answering(200, "abc", "Content-Type", "text/plain", "Content-Encoding", "gzip")
	if got := ask1(t, edge.REST, coded, http.MethodGet); !got.inBase64 {
		t.Error("a coded text travels as text")
	}
}

// Whatever a body is, the transport carries as much of it as it says.
func TestTheMostBytesOfABodyFit(t *testing.T) {
	for transport, units := range map[edge.Transport][]string{
		edge.REST: {"\xff", "\x00", `"`},
		edge.HTTP: {"a\n", "\u2028"},
		edge.ALB:  {"\xff", "\x00", `"`, "a\n", "\u2028", "λ"},
	} {
		for _, unit := range units {
			body := strings.Repeat(unit, int(transport.Most())/len(unit))
			got := ask1(t, transport, answering(200, body, "Content-Type", "text/plain", "Link", strings.Repeat("x", 10<<10)), http.MethodGet)
			if got.status != 200 || got.body != body || got.size > limit(transport) {
				t.Errorf("%s: %d bytes of %q: %d in %d bytes of JSON, want 200 in at most %d", transport, len(body), unit, got.status, got.size, limit(transport))
			}
		}
	}
}

// An answer that cannot fit is a clear 413, never the platform's 502.
func TestAnAnswerThatCannotFitIsRefused(t *testing.T) {
	for _, transport := range bufferedTransports() {
		for name, app := range map[string]http.HandlerFunc{
			"of a length": func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", strconv.Itoa(10<<20))
				if _, err := w.Write(make([]byte, 100)); err == nil {
					t.Errorf("%s: the app may write of what cannot be sent", transport)
				}
				panic(http.ErrAbortHandler)
			},
			"of no length": func(w http.ResponseWriter, _ *http.Request) {
				var err error
				for n := 0; err == nil; n += 1 << 10 {
					if _, err = w.Write(make([]byte, 1<<10)); n > 10<<20 {
						t.Fatalf("%s: 10 MiB were taken", transport)
					}
				}
			},
			"just too large":    answering(200, strings.Repeat("\xff", limit(transport)/4*3), "Content-Type", "image/png"),
			"of a large header": answering(200, "x", "X-Large", strings.Repeat("x", limit(transport))),
		} {
			app := func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Request-Id", "01ABC")
				w.Header().Set("Access-Control-Allow-Origin", "https://app.example")
				w.Header().Set("ETag", `"tag"`)
				app(w, r)
			}
			got := ask1(t, transport, app, http.MethodGet)
			if code := problemCode(t, got); got.status != http.StatusRequestEntityTooLarge || code != "too_large_for_transport" {
				t.Errorf("%s: an answer %s is %d %s, want 413 too_large_for_transport", transport, name, got.status, code)
			}
			for field, want := range map[string]string{"X-Request-Id": "01ABC", "Access-Control-Allow-Origin": "https://app.example", "Etag": "", "X-Large": "", "Cache-Control": "no-store"} {
				if value := got.header.Get(field); value != want {
					t.Errorf("%s: an answer %s has %s: %.20s, want %q", transport, name, field, value, want)
				}
			}
		}
	}
}

// The size is judged to the byte.
func TestTheLimitIsExact(t *testing.T) {
	for _, transport := range bufferedTransports() {
		size := func(n int) reply {
			return ask1(t, transport, answering(200, strings.Repeat("a", n), "Content-Type", "text/plain", "Content-Length", strconv.Itoa(n)), http.MethodGet)
		}
		n := limit(transport) - 1000
		fits := size(n)
		spare := limit(transport) - fits.size
		if got := size(n + spare); got.status != 200 || got.size != limit(transport) {
			t.Errorf("%s: %d in %d bytes of JSON, want 200 in %d", transport, got.status, got.size, limit(transport))
		}
		if got := size(n + spare + 1); got.status != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: a byte more is %d, want 413", transport, got.status)
		}
	}
}

func TestAHeadHasNoBodyAndKeepsItsLength(t *testing.T) {
	for _, transport := range transports() {
		app := func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(1<<40))
			w.Header().Set("Content-Type", "image/png")
			fmt.Fprint(w, "written anyway")
		}
		got := ask1(t, transport, app, http.MethodHead)
		if got.status != 200 || got.body != "" || got.inBase64 || got.header.Get("Content-Length") != strconv.Itoa(1<<40) || got.err != nil {
			t.Errorf("%s: HEAD is %d with %d bytes, Content-Length: %s, %v; want 200, none, and 1 TiB", transport, got.status, len(got.body), got.header.Get("Content-Length"), got.err)
		}
	}
}

func TestAStatusWithoutABodyHasNone(t *testing.T) {
	for _, transport := range transports() {
		for _, status := range []int{http.StatusNoContent, http.StatusNotModified} {
			app := func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Etag", `"a"`)
				w.WriteHeader(status)
				if _, err := w.Write([]byte("x")); !errors.Is(err, http.ErrBodyNotAllowed) {
					t.Errorf("%s: a body of %d: %v, want http.ErrBodyNotAllowed", transport, status, err)
				}
			}
			got := ask1(t, transport, app, http.MethodGet)
			if got.status != status || got.body != "" || got.header.Get("Content-Length") != "" || got.header.Get("ETag") != `"a"` || got.err != nil {
				t.Errorf("%s: %d is %d %v %q, %v", transport, status, got.status, got.header, got.body, got.err)
			}
		}
	}
}

// The header is the one that the answer began with, as with net/http.
func TestTheHeaderCountsAsItWas(t *testing.T) {
	for _, transport := range transports() {
		app := func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Set-Cookie"] = []string{"a=1; Path=/", "b=2, with a comma"}
			w.Header()["Vary"] = []string{"Origin", "Accept"}
			w.Header().Set("X-Split", "a\r\nSet-Cookie: c=3")
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusCreated)
			w.WriteHeader(http.StatusTeapot)
			w.Header().Set("X-Late", "x")
			fmt.Fprint(w, "<html>")
		}
		got := ask1(t, transport, app, http.MethodGet)
		want := map[string]string{"X-Split": "a  Set-Cookie: c=3", "Connection": "", "X-Late": "", "Content-Type": "text/html; charset=utf-8"}
		for name, value := range want {
			if got.header.Get(name) != value {
				t.Errorf("%s: %s is %q, want %q", transport, name, got.header.Get(name), value)
			}
		}
		if cookies := got.header.Values("Set-Cookie"); got.status != http.StatusCreated || !slices.Equal(cookies, []string{"a=1; Path=/", "b=2, with a comma"}) {
			t.Errorf("%s: %d with the cookies %q, want 201 with both", transport, got.status, cookies)
		}
		if vary := strings.Join(got.header.Values("Vary"), ", "); vary != "Origin, Accept" {
			t.Errorf("%s: Vary: %s, want Origin, Accept", transport, vary)
		}
	}
}

// An answer that breaks off is none. Where nothing of it has left yet there is
// room for one that says so.
func TestAnAnswerThatBreaksOffBeforeAnythingLeft(t *testing.T) {
	for _, c := range []struct {
		name, code string
		status     int
		app        http.HandlerFunc
		streams    bool // at once too
	}{
		{"aborted", "answer_cut", 502, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, true},
		{"aborted with a status", "answer_cut", 502, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			w.WriteHeader(http.StatusOK)
			panic(http.ErrAbortHandler)
		}, true},
		{"panicked", "internal", 500, func(http.ResponseWriter, *http.Request) { panic("a secret") }, true},
		{"aborted half way", "answer_cut", 502, func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "half")
			panic(http.ErrAbortHandler)
		}, false},
		{"shorter than announced", "answer_cut", 502, answering(200, "1234", "Content-Length", "5"), false},
	} {
		for _, transport := range transports() {
			if transport.Streams() && !c.streams {
				continue
			}
			var log bytes.Buffer
			f := &edge.Function{Transport: transport, App: c.app, Log: slog.New(slog.NewTextHandler(&log, nil))}
			got := invoke(t, f, question{path: "/"}.event(t, transport))
			if code := problemCode(t, got); got.status != c.status || code != c.code || got.err != nil || strings.Contains(got.body, "secret") {
				t.Errorf("%s: %s is %d %s %q, %v; want %d %s", transport, c.name, got.status, code, got.body, got.err, c.status, c.code)
			}
			if logged := strings.Contains(log.String(), "a secret"); logged != (c.name == "panicked") {
				t.Errorf("%s: %s: the log says %s", transport, c.name, &log)
			}
		}
	}
}

func TestMoreThanAnnouncedIsAnError(t *testing.T) {
	for _, transport := range transports() {
		app := func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "4")
			fmt.Fprint(w, "1234")
			if _, err := fmt.Fprint(w, "5"); !errors.Is(err, http.ErrContentLength) {
				t.Errorf("%s: a byte more: %v, want http.ErrContentLength", transport, err)
			}
		}
		if got := ask1(t, transport, app, http.MethodGet); got.body != "1234" || got.err != nil {
			t.Errorf("%s: %q, %v; want 1234", transport, got.body, got.err)
		}
	}
}

// The app hears that its time is over while there is still time to say so.
func TestABufferedAnswerComesInTime(t *testing.T) {
	for _, transport := range bufferedTransports() {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			f := function(transport, func(w http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
				w.WriteHeader(http.StatusServiceUnavailable)
			})
			answer, err := f.Invoke(ctx, question{path: "/"}.event(t, transport))
			if err != nil || ctx.Err() != nil {
				t.Fatalf("%s: %v, and the invocation: %v; want an answer before its end", transport, err, ctx.Err())
			}
			if got := decode(t, answer); got.status != http.StatusServiceUnavailable {
				t.Errorf("%s: %d, want 503", transport, got.status)
			}
		})
	}
}
