package conformance_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice/shared/fault"
	"sluice/shared/fetch/conformance"
	"sluice/shared/fetch/fetchtest"
)

var modified = time.Date(2020, time.May, 17, 12, 0, 0, 0, time.UTC)

// good returns what serves a file as the RFC says: net/http, but for what it
// does otherwise.
func good(f fetchtest.File) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		unit, _, _ := strings.Cut(r.Header.Get("Range"), "=")
		if r.Method == http.MethodHead || unit != "bytes" || strings.HasSuffix(r.Header.Get("Range"), "=first-last") {
			r.Header.Del("Range")
		}
		f.ServeHTTP(w, r)
	}
}

// findings runs all checks, and returns the names of those with an outcome.
func findings(t *testing.T, h http.Handler, outcome conformance.Outcome) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	all, err := conformance.Run(t.Context(), server.URL+"/file.bin", conformance.Options{})
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	var names []string
	for _, f := range all {
		if f.Outcome == outcome {
			names = append(names, f.Check)
			t.Logf("%s: %s", f.Check, f.Detail)
		}
		if f.Outcome != conformance.OK && f.Detail == "" {
			t.Errorf("%s is %q, and no word why", f.Check, f.Outcome)
		}
	}
	return strings.Join(names, " ")
}

func TestNothingFails(t *testing.T) {
	file := fetchtest.NewFile(1, 100_000)
	file.Modified, file.Digest = modified, true
	large := fetchtest.NewFile(2, 9<<20)
	large.Modified = modified
	small := fetchtest.NewFile(3, 1)
	empty := fetchtest.NewFile(4, 0)
	noTag := file
	noTag.ETag = ""
	weak := file
	weak.ETag = `W/"x"`
	for _, c := range []struct {
		name    string
		handler http.Handler
		warns   string
	}{
		{"a file", good(file), ""},
		{"a large file", good(large), ""},
		{"a file of one byte", good(small), ""},
		{"an empty file", good(empty), ""},
		{"a file without an ETag", good(noTag), "validator"},
		{"a file with a weak ETag", good(weak), "validator"},
		{"a file without ranges", without("Range", file, ""), "range-first"},
		{"a file that shows up late", late(good(file)), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := findings(t, c.handler, conformance.Fails); got != "" {
				t.Errorf("%s fails: %s", c.name, got)
			}
			if got := findings(t, c.handler, conformance.Warning); got != c.warns {
				t.Errorf("%s is warned of by %q, want %q", c.name, got, c.warns)
			}
		})
	}
}

// late redirects to another path first.
func late(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/file.bin" {
			http.Redirect(w, r, "/there", http.StatusTemporaryRedirect)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// without serves a file as if requests did not have a field; accepts is what
// Accept-Ranges then says.
func without(field string, f fetchtest.File, accepts string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del(field)
		good(f)(&edited{ResponseWriter: w, edit: func(h http.Header, _ int) {
			if accepts == "" && field == "Range" {
				h.Del("Accept-Ranges")
			}
		}}, r)
	}
}

// edited changes the header of an answer before it goes out.
type edited struct {
	http.ResponseWriter
	edit func(h http.Header, status int)
	done bool
}

// WriteHeader implements http.ResponseWriter.
func (e *edited) WriteHeader(status int) {
	if !e.done {
		e.done = true
		e.edit(e.Header(), status)
	}
	e.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (e *edited) Write(p []byte) (int, error) {
	if !e.done {
		e.WriteHeader(http.StatusOK)
	}
	return e.ResponseWriter.Write(p)
}

// TestABadServerFailsByName has one misbehaviour a line, and the checks that
// find it.
func TestABadServerFailsByName(t *testing.T) {
	file := fetchtest.NewFile(1, 100_000)
	file.Modified, file.Digest = modified, true
	whenAsked := func(name, value string, bad http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get(name); got != "" && strings.HasPrefix(got, value) {
				bad(w, r)
				return
			}
			good(file)(w, r)
		}
	}
	onAnswer := func(edit func(r *http.Request, h http.Header, status int)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			good(file)(&edited{ResponseWriter: w, edit: func(h http.Header, status int) { edit(r, h, status) }}, r)
		}
	}
	onStatus := func(want int, edit func(h http.Header)) http.HandlerFunc {
		return onAnswer(func(_ *http.Request, h http.Header, status int) {
			if status == want {
				edit(h)
			}
		})
	}
	status := func(code int) http.HandlerFunc { return fetchtest.Status(code) }
	other := file
	other.Content = bytes.Clone(file.Content)
	for i := range other.Content[1:] {
		other.Content[i] ^= 1
	}
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		fails   string
	}{
		// Ranges
		{"ranges are ignored, and promised", without("Range", file, "bytes"), "range-advertised"},
		{"ranges are honoured, and denied", onAnswer(func(_ *http.Request, h http.Header, _ int) { h.Set("Accept-Ranges", "none") }), "range-advertised"},
		{"the range begins a byte late", func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && r.Header.Get("Range") == "bytes=0-0" && r.Header.Get("If-Range")+r.Header.Get("If-Match")+r.Header.Get("If-None-Match") == "" {
				file.Shifted(1)(w, r)
				return
			}
			good(file)(w, r)
		}, "range-first"},
		{"the middle begins a byte early", whenAsked("Range", "bytes=5", file.Shifted(-1)), "range-middle"},
		{"the middle has other bytes", whenAsked("Range", "bytes=5", good(other)), "range-middle"},
		{"Content-Range lies of the size", whenAsked("Range", "bytes=9", file.Lie(func(h http.Header) { h.Set("Content-Range", "bytes 99000-99999/100001") })), "range-open range-past-end"},
		{"no Content-Range", whenAsked("Range", "bytes=5", file.Lie(func(h http.Header) { h.Set("Content-Range", "") })), "range-middle"},
		{"a suffix is taken for a beginning", whenAsked("Range", "bytes=-", func(w http.ResponseWriter, r *http.Request) {
			r.Header.Set("Range", "bytes=0-999")
			good(file)(w, r)
		}), "range-suffix"},
		{"one part of several", whenAsked("Range", "bytes=0-0,", func(w http.ResponseWriter, r *http.Request) {
			r.Header.Set("Range", "bytes=0-0")
			good(file)(w, r)
		}), "range-several"},
		{"parts are not apart", whenAsked("Range", "bytes=0-0,", status(206)), "range-several"},
		{"nothing past the end", whenAsked("Range", "bytes=100000-", status(206)), "range-unsatisfiable"},
		{"404 past the end", whenAsked("Range", "bytes=100000-", status(404)), "range-unsatisfiable"},
		{"416 of another size", onStatus(416, func(h http.Header) { h.Set("Content-Range", "bytes */7") }), "range-unsatisfiable"},
		{"a malformed range is served", whenAsked("Range", "bytes=first", func(w http.ResponseWriter, r *http.Request) {
			r.Header.Set("Range", "bytes=0-0")
			good(file)(w, r)
		}), "range-malformed"},
		{"a malformed range is an error of the server", whenAsked("Range", "bytes=first", status(500)), "range-malformed"},
		{"another unit is refused", whenAsked("Range", "pages=", status(416)), "range-unit"},
		{"HEAD has a range", func(w http.ResponseWriter, r *http.Request) { file.ServeHTTP(w, r) }, "range-unit range-of-head"},
		{"a part has another ETag", onStatus(206, func(h http.Header) { h.Set("ETag", `"part"`) }), "range-validators"},
		{"a part has no ETag", onStatus(206, func(h http.Header) { h.Del("ETag") }), "range-validators"},
		// If-Range
		{"If-Range is ignored", without("If-Range", file, "bytes"), "if-range-stale if-range-weak if-range-date-stale if-range-date-later if-range-malformed"},
		{"If-Range is never true", func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("If-Range") != "" {
				r.Header.Del("Range")
			}
			good(file)(w, r)
		}, "if-range"},
		{"If-Range is compared weakly", whenAsked("If-Range", "W/", without("If-Range", file, "bytes")), "if-range-weak"},
		{"If-Range takes any earlier date", whenAsked("If-Range", "Sun, 17 May 2020 11", without("If-Range", file, "bytes")), "if-range-date-stale"},
		{"If-Range takes any later date", whenAsked("If-Range", "Sun, 17 May 2020 13", without("If-Range", file, "bytes")), "if-range-date-later"},
		// Conditions
		{"If-None-Match is ignored", without("If-None-Match", file, "bytes"),
			"if-none-match if-none-match-weak if-none-match-list if-none-match-any if-none-match-head precedence-none-match-over-date precedence-none-match-over-range"},
		{"If-Match is ignored", without("If-Match", file, "bytes"),
			"if-match-other precedence-match-over-date precedence-match-over-none-match precedence-match-over-range"},
		{"If-Modified-Since is always true", whenAsked("If-Modified-Since", "", status(304)),
			"if-modified-since-earlier if-modified-since-malformed precedence-none-match-over-date"},
		{"If-Unmodified-Since is ignored", without("If-Unmodified-Since", file, "bytes"), "if-unmodified-since-earlier"},
		{"If-None-Match is compared strongly", whenAsked("If-None-Match", "W/", without("If-None-Match", file, "bytes")), "if-none-match-weak"},
		{"only the first of a list", whenAsked("If-None-Match", `"sluice-verify-another-version", `, without("If-None-Match", file, "bytes")), "if-none-match-list"},
		{"any ETag matches", whenAsked("If-None-Match", `"sluice`, status(304)), "if-none-match-other precedence-none-match-over-date"},
		{"304 without an ETag", onStatus(304, func(h http.Header) { h.Del("ETag") }), "if-none-match"},
		{"a range before a condition", whenAsked("Range", "bytes=0-0", without("If-None-Match", file, "bytes")), "precedence-none-match-over-range"},
		{"a date before an ETag", whenAsked("If-Modified-Since", "Sun, 17 May 2020 12", without("If-None-Match", file, "bytes")), "precedence-none-match-over-date"},
		// The file
		{"HEAD is not allowed", func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				w.WriteHeader(http.StatusMethodNotAllowed)
				return
			}
			good(file)(w, r)
		}, "head range-of-head if-none-match-head"},
		{"HEAD has another type", onAnswer(func(r *http.Request, h http.Header, _ int) {
			if r.Method == http.MethodHead {
				h.Set("Content-Type", "text/html")
			}
		}), "head"},
		{"HEAD has another length", onAnswer(func(r *http.Request, h http.Header, _ int) {
			if r.Method == http.MethodHead && h.Get("Content-Length") != "" {
				h.Set("Content-Length", "7")
			}
		}), "head"},
		{"the ETag changes by itself", changing(file), "head validator-stays range-validators if-range if-none-match if-none-match-weak if-none-match-list if-none-match-head " +
			"if-match if-match-list precedence-match-over-date precedence-none-match-over-range"},
		{"the ETag lacks its quotes", onAnswer(func(_ *http.Request, h http.Header, _ int) { h.Set("ETag", "abc") }), "validator"},
		// Codings and digests
		{"gzip where identity was asked for", func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") != "" {
				good(file)(w, r)
				return
			}
			file.Gzipped(w, r)
		}, "if-none-match-any if-match-other identity coding-vary"},
		{"gzip without Vary, under the same ETag", whenAsked("Accept-Encoding", "gzip", file.Gzipped), "coding-vary coding-validator"},
		{"a Repr-Digest that is not true", onAnswer(func(_ *http.Request, h http.Header, _ int) {
			h.Set("Repr-Digest", "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:")
		}), "repr-digest"},
		{"a Repr-Digest that is none", onAnswer(func(_ *http.Request, h http.Header, _ int) { h.Set("Repr-Digest", "abc=") }), "repr-digest"},
		{"the Repr-Digest of the part", onStatus(206, func(h http.Header) {
			h.Set("Repr-Digest", "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:")
		}), "repr-digest-of-part"},
		{"the Content-Digest of the whole", onStatus(206, func(h http.Header) { h.Set("Content-Digest", h.Get("Repr-Digest")) }), "content-digest"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := findings(t, c.handler, conformance.Fails); got != c.fails {
				t.Errorf("%s: fails are\n%s\nwant\n%s", c.name, got, c.fails)
			}
		})
	}
}

// TestWhatNetHTTPDoesOtherwise records what http.FileServer fails by.
func TestWhatNetHTTPDoesOtherwise(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file.bin"), bytes.Repeat([]byte("file"), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	server := http.FileServer(http.Dir(dir))
	if got, want := findings(t, server, conformance.Fails), "range-unit range-of-head"; got != want {
		t.Errorf("http.FileServer fails by %q, want %q", got, want)
	}
	if got, want := findings(t, server, conformance.Warning), "validator"; got != want {
		t.Errorf("http.FileServer is warned of by %q, want %q", got, want)
	}
}

// changing gives each answer another ETag.
func changing(f fetchtest.File) http.HandlerFunc {
	var n atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		f := f
		f.ETag = fmt.Sprintf("\"%d\"", n.Add(1))
		good(f)(w, r)
	}
}

// TestLittleIsRead measures a file that has no end to speak of.
func TestLittleIsRead(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"x"`)
		r.Header.Del("Range") // every answer is of all of it
		http.ServeContent(w, r, "", modified, io.NewSectionReader(zeros{}, 0, 1<<40))
	}))
	t.Cleanup(server.Close)
	read := &counting{RoundTripper: http.DefaultTransport}
	if _, err := conformance.Run(t.Context(), server.URL, conformance.Options{Transport: read}); err != nil {
		t.Fatal(err)
	}
	if got := read.bytes.Load(); got > conformance.MaxRead || got < 4<<20 {
		t.Errorf("%d bytes of a file of 1 TiB were read, want 4 MiB to %d", got, conformance.MaxRead)
	}
}

type zeros struct{}

// ReadAt implements io.ReaderAt.
func (zeros) ReadAt(p []byte, _ int64) (int, error) { return len(p), nil }

// counting counts the bytes of bodies that are read.
type counting struct {
	http.RoundTripper
	bytes atomic.Int64
}

// RoundTrip implements http.RoundTripper.
func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = &countingBody{resp.Body, &c.bytes}
	}
	return resp, err
}

type countingBody struct {
	io.ReadCloser
	bytes *atomic.Int64
}

// Read implements io.Reader.
func (b *countingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.bytes.Add(int64(n))
	return n, err
}

func TestWithoutTheFileThereIsAnError(t *testing.T) {
	file := fetchtest.NewFile(1, 1000)
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		want    fault.Kind
	}{
		{"404", fetchtest.Status(404), fault.NotFound},
		{"401", fetchtest.Status(401), fault.Unauthenticated},
		{"403", fetchtest.Status(403), fault.Forbidden},
		{"500", fetchtest.Status(500), fault.Upstream},
		{"204", fetchtest.Status(204), fault.Upstream},
		{"a hang-up", fetchtest.Hangup, fault.Unavailable},
		{"half a file", file.Cut(500), fault.Upstream},
		{"a circle", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) }, fault.Unavailable},
	} {
		server := httptest.NewServer(c.handler)
		t.Cleanup(server.Close)
		found, err := conformance.Run(t.Context(), server.URL+"/secret", conformance.Options{})
		if len(found) > 0 || fault.KindOf(err) != c.want || err == nil || strings.Contains(err.Error(), "/secret") {
			t.Errorf("%s: %d findings and %v, want %v without the URL", c.name, len(found), err, c.want)
		}
	}
	for _, url := range []string{"", "file.bin", "ftp://127.0.0.1/x", "http://"} {
		if _, err := conformance.Run(t.Context(), url, conformance.Options{}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("the URL %q: %v, want that it is none", url, err)
		}
	}
}

// TestCredentialsStayAtTheirHost redirects to another port of the same host.
func TestCredentialsStayAtTheirHost(t *testing.T) {
	file := fetchtest.NewFile(1, 1000)
	store := fetchtest.Always(good(file))
	there := httptest.NewServer(store)
	t.Cleanup(there.Close)
	front := fetchtest.Always(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, there.URL, http.StatusTemporaryRedirect)
	})
	here := httptest.NewServer(front)
	t.Cleanup(here.Close)
	_, err := conformance.Run(t.Context(), here.URL, conformance.Options{
		Header: http.Header{"Cookie": {"a=b"}},
		Authorize: func(u *url.URL) string {
			if "http://"+u.Host == here.URL {
				return "Bearer token"
			}
			return ""
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range front.Asked() {
		if r.Header.Get("Authorization") != "Bearer token" || r.Header.Get("Cookie") != "a=b" {
			t.Fatalf("the server was asked with %v, want the token and the cookie", r.Header)
		}
	}
	for _, r := range store.Asked() {
		if r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "" {
			t.Fatalf("the store was asked with %v, want neither token nor cookie", r.Header)
		}
	}
	if len(store.Asked()) < 30 || len(store.Asked()) != len(front.Asked()) {
		t.Errorf("the store was asked %d times and the server %d, want as often", len(store.Asked()), len(front.Asked()))
	}
}
