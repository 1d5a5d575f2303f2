package byterange_test

import (
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/shared/byterange"
)

// These tests hold whole answers made by Evaluate and Multipart against those
// of http.ServeContent. Where ServeContent departs from RFC 9110 the request is
// first mended (see departures), so that every request is compared.

const contentType = "text/plain; charset=utf-8"

// request is a GET, HEAD or POST of rep, whose content is content.
type request struct {
	method  string
	header  http.Header
	rep     byterange.Representation
	content string
}

func (r request) with(field, value string) request {
	r.header = r.header.Clone()
	r.header.Set(field, value)
	return r
}

// answer is what a client reads: the fields that depend on the request, and
// the body, cut into its parts.
type answer struct {
	Status       int
	ContentRange string
	ContentType  string // its type alone for a multipart body
	Parts        []part
}

type part struct{ ContentRange, ContentType, Body string }

// serve answers as a user of the package would.
func serve(w http.ResponseWriter, r request) {
	h := w.Header()
	verdict := byterange.Evaluate(r.method, r.header, r.rep)
	body := []string{r.content}
	switch {
	case verdict.Status == http.StatusRequestedRangeNotSatisfiable:
		h.Set("Content-Range", byterange.Unsatisfied(r.rep.Size))
		body = nil
	case verdict.Status >= 300:
		body = nil
	case len(verdict.Ranges) == 1:
		only := verdict.Ranges[0]
		h.Set("Content-Range", only.ContentRange(r.rep.Size))
		body = []string{r.content[only.Start:][:only.Length]}
	case len(verdict.Ranges) > 1:
		m := byterange.NewMultipart(verdict.Ranges, r.rep.Size, contentType)
		h.Set("Content-Type", m.ContentType())
		h.Set("Content-Length", strconv.FormatInt(m.Length(), 10))
		body = nil
		for i, rg := range verdict.Ranges {
			body = append(body, string(m.Header(i)), r.content[rg.Start:][:rg.Length])
		}
		body = append(body, string(m.Trailer()))
	}
	if verdict.Status < 300 && len(verdict.Ranges) < 2 {
		h.Set("Content-Type", contentType)
		h.Set("Content-Length", strconv.Itoa(len(body[0])))
	}
	w.WriteHeader(verdict.Status)
	if r.method != http.MethodHead {
		io.WriteString(w, strings.Join(body, ""))
	}
}

// serveContent answers by net/http.
func serveContent(w http.ResponseWriter, r request) {
	w.Header().Set("Content-Type", contentType)
	if r.rep.ETag != "" {
		w.Header().Set("ETag", r.rep.ETag)
	}
	req := &http.Request{Method: r.method, Header: r.header}
	http.ServeContent(w, req, "", r.rep.LastModified, strings.NewReader(r.content))
}

// ask records an answer and reads it back.
func ask(t fataler, handler func(http.ResponseWriter, request), r request) answer {
	rec := httptest.NewRecorder()
	handler(rec, r)
	res := rec.Result()
	a := answer{Status: res.StatusCode}
	if a.Status == http.StatusRequestedRangeNotSatisfiable {
		a.ContentRange = res.Header.Get("Content-Range")
	}
	if a.Status >= 300 {
		return a
	}
	a.ContentRange = res.Header.Get("Content-Range")
	body := rec.Body.String()
	length := res.Header.Get("Content-Length")
	if r.method != http.MethodHead && length != strconv.Itoa(len(body)) {
		t.Fatalf("%s %v: Content-Length %s, body of %d bytes", r.method, r.header, length, len(body))
	}
	a.ContentType = res.Header.Get("Content-Type")
	if boundary, ok := strings.CutPrefix(a.ContentType, "multipart/byteranges; boundary="); ok {
		a.ContentType = "multipart/byteranges"
		a.Parts = readParts(t, body, boundary)
		return a
	}
	a.Parts = []part{{Body: body}}
	if r.method == http.MethodHead {
		a.Parts = []part{{Body: length}}
	}
	return a
}

type fataler interface{ Fatalf(string, ...any) }

func readParts(t fataler, body, boundary string) (parts []part) {
	reader := multipart.NewReader(strings.NewReader(body), boundary)
	for {
		p, err := reader.NextRawPart()
		if err == io.EOF {
			return parts
		}
		if err != nil {
			t.Fatalf("multipart body %q: %v", body, err)
		}
		content, err := io.ReadAll(p)
		if err != nil {
			t.Fatalf("multipart body %q: part %d: %v", body, len(parts), err)
		}
		parts = append(parts, part{p.Header.Get("Content-Range"), p.Header.Get("Content-Type"), string(content)})
	}
}

// oracle answers a mended request by ServeContent. ServeContent gives up ranges
// of more bytes than the file; ours goes up to half as many again, so there the
// oracle is asked for one range at a time.
func oracle(t fataler, r request) answer {
	r = mend(r)
	whole := ask(t, serveContent, r)
	set, ok := strings.CutPrefix(r.header.Get("Range"), "bytes=")
	if whole.Status != http.StatusOK || !ok {
		return whole
	}
	var sum int
	together := answer{Status: http.StatusPartialContent, ContentType: "multipart/byteranges"}
	for spec := range strings.SplitSeq(set, ",") {
		one := ask(t, serveContent, r.with("Range", "bytes="+spec))
		if one.Status == http.StatusPartialContent {
			body := one.Parts[0].Body
			together.Parts = append(together.Parts, part{one.ContentRange, contentType, body})
			sum += len(body)
		}
	}
	if sum > len(r.content) && sum <= len(r.content)*3/2 {
		return together
	}
	return whole
}

// TestServeContent compares answers to random requests.
func TestServeContent(t *testing.T) { rapid.Check(t, compare) }

// FuzzServeContent does the same, led by coverage.
func FuzzServeContent(f *testing.F) { f.Fuzz(rapid.MakeFuzz(compare)) }

func compare(t *rapid.T) {
	r := drawRequest(t)
	got, want := ask(t, serve, r), oracle(t, r)
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s %v of %+v:\n got %+v\nwant %+v", r.method, r.header, r.rep, got, want)
	}
}

// drawRequest makes a request with something of everything: each field in one
// of four, values from pools in which the right one is frequent.
func drawRequest(t *rapid.T) request {
	pick := func(label string, pool ...string) string { return rapid.SampledFrom(pool).Draw(t, label) }
	content := rapid.StringMatching(`[a-z\r\n-]{0,40}`).Draw(t, "content")
	r := request{
		method:  pick("method", "GET", "GET", "GET", "GET", "HEAD", "POST"),
		header:  http.Header{},
		content: content,
		rep: byterange.Representation{
			ETag:         pick("held tag", `"v1"`, `"v1"`, `W/"v1"`, ""),
			LastModified: rapid.SampledFrom([]time.Time{modified, modified.Truncate(time.Second), {}}).Draw(t, "modified"),
			Size:         int64(len(content)),
		},
	}
	add := func(field string, pool func() string) {
		if rapid.IntRange(0, 3).Draw(t, field) > 0 {
			return
		}
		for range rapid.SampledFrom([]int{1, 1, 1, 2}).Draw(t, "lines") {
			r.header.Add(field, pool())
		}
	}
	tag := func() string {
		return pick("tag", `"v1"`, `"v1"`, `W/"v1"`, `"v0"`, `"a,b"`, `""`, `*`, ``, `v1`, `"v1`, `"v1"x`, `"v1" "v0"`, `"v 1"`)
	}
	tags := func() string {
		return strings.Join(rapid.SliceOfN(rapid.Custom(func(*rapid.T) string { return tag() }), 1, 3).Draw(t, "tags"), pick("comma", ",", ", ", " ,\t"))
	}
	date := func() string {
		at := modified.Add(time.Duration(rapid.IntRange(-1, 1).Draw(t, "seconds")) * time.Second)
		return pick("date", at.Format(http.TimeFormat), at.Format(http.TimeFormat), at.Format(time.ANSIC), at.Format(time.RFC850[:len(time.RFC850)-3]+"GMT"), at.Format(time.RFC850[:len(time.RFC850)-3]+"PST"), "", "now")
	}
	add("If-Match", tags)
	add("If-None-Match", tags)
	add("If-Modified-Since", date)
	add("If-Unmodified-Since", date)
	if rapid.IntRange(0, 4).Draw(t, "ranged") > 0 {
		r.header.Add("Range", pick("unit", "bytes=", "bytes=", "bytes=", "bytes=", "bytes=", "Bytes=", "byteſ=", "pages=", "bytes =", "bytes", "=", "")+drawRangeSet(t))
		if rapid.IntRange(0, 5).Draw(t, "second line") == 0 {
			r.header.Add("Range", drawRangeSet(t))
		}
		add("If-Range", func() string {
			if rapid.Bool().Draw(t, "by tag") {
				return pick("validator", `"v1"`, `"v1"`, `W/"v1"`, `"v0"`, `"v1", "v0"`, `"v1"x`, `v1`, `"v1`, "*")
			}
			return date()
		})
	}
	return r
}

func drawRangeSet(t *rapid.T) string {
	number := func() string {
		if rapid.IntRange(0, 20).Draw(t, "odd") == 0 {
			return rapid.SampledFrom([]string{"9223372036854775807", "9223372036854775808", "99999999999999999999999", "000000000000000000000001", "+1", "1 ", " 1", "x", "-1"}).Draw(t, "number")
		}
		return strconv.Itoa(rapid.IntRange(0, 45).Draw(t, "number"))
	}
	spec := rapid.Custom(func(t *rapid.T) string {
		switch rapid.IntRange(0, 14).Draw(t, "kind") {
		case 0, 1:
			return number() + "-"
		case 2, 3:
			return "-" + number()
		case 4:
			return ""
		case 5:
			return number() + "-" + number()
		}
		first := rapid.IntRange(0, 45).Draw(t, "first")
		return strconv.Itoa(first) + "-" + strconv.Itoa(first+rapid.IntRange(0, 8).Draw(t, "more"))
	})
	most := rapid.SampledFrom([]int{1, 3, 5, 18}).Draw(t, "most")
	return strings.Join(rapid.SliceOfN(spec, 1, most).Draw(t, "specs"), rapid.SampledFrom([]string{",", ", ", "\t,"}).Draw(t, "comma"))
}
