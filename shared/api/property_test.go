package api_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/shared/app/local/localtest"
)

// A question is what two servers of the same file are asked.
type question struct {
	method string
	size   int
	header http.Header
}

// A departure is one way in which net/http does not do what RFC 9110 says, or
// what we chose within it. Its mend changes a question into one that net/http
// answers as we do the original, and leaves every other alone.
type departure struct {
	rule, example string // "METHOD size | Field: value | …", which the two answer differently
	mend          func(question)
}

// departures is every one that the questions below run into, in the order in
// which they are mended.
var departures = []departure{
	{"14.2: Range is for GET alone", "HEAD 1000 | Range: bytes=0-4", func(q question) {
		if q.method != http.MethodGet {
			q.header.Del("Range")
		}
	}},
	{"5.3: lines of one name are one list", "GET 1000 | Range: bytes=0-1 | Range: 4-5", func(q question) {
		for name, lines := range q.header {
			q.header[name] = []string{strings.Join(lines, ", ")}
		}
	}},
	{"14.2: an empty file has no ranges", "GET 0 | Range: bytes=-5", func(q question) {
		if q.size == 0 {
			q.header.Del("Range")
		}
	}},
	{"14.1: units are case-insensitive", "GET 1000 | Range: Bytes=0-4", func(q question) {
		if unit, set, ok := strings.Cut(q.header.Get("Range"), "="); ok && strings.EqualFold(unit, "bytes") {
			q.header.Set("Range", "bytes="+set)
		}
	}},
	{"14.2: what is malformed or of another unit is ignored", "GET 1000 | Range: pages=1-2", func(q question) {
		if !wellFormed.MatchString(q.header.Get("Range")) || slices.ContainsFunc(specs(q), backwards) {
			q.header.Del("Range")
		}
	}},
	{"14.1.2: a suffix of zero is unsatisfiable", "GET 1000 | Range: bytes=-0", func(q question) {
		list := specs(q)
		for i := range list {
			if list[i] == "-0" {
				list[i] = strconv.Itoa(q.size) + "-"
			}
		}
		if list != nil {
			q.header.Set("Range", "bytes="+strings.Join(list, ","))
		}
	}},
	{"17.15: more than sixteen ranges are ignored", "GET 1000 | Range: bytes=0-0" + strings.Repeat(",0-0", 16), func(q question) {
		if len(specs(q)) > 16 {
			q.header.Del("Range")
		}
	}},
	{"17.15: up to one and a half files are sent", "GET 1000 | Range: bytes=0-999,0-499", func(question) {}}, // see oracle
	{"15.4.5: a 304 keeps its Last-Modified", "GET 1000 | If-None-Match: *", func(question) {}},              // see oracle
}

var (
	wellFormed = regexp.MustCompile(`^bytes=(?:\d+-\d*|-\d+)?(?:[ \t]*,[ \t]*(?:\d+-\d*|-\d+)?)*$`)
	comma      = regexp.MustCompile(`[ \t]*,[ \t]*`)
)

func specs(q question) []string {
	_, set, ok := strings.Cut(q.header.Get("Range"), "=")
	if !ok {
		return nil
	}
	return slices.DeleteFunc(comma.Split(set, -1), func(spec string) bool { return spec == "" })
}

// backwards reports a range that ends before it starts.
func backwards(spec string) bool {
	var first, last int
	n, _ := fmt.Sscanf(spec, "%d-%d", &first, &last)
	return n == 2 && !strings.HasPrefix(spec, "-") && last < first
}

func (q question) mended() question {
	q.header = q.header.Clone()
	for _, d := range departures {
		d.mend(q)
	}
	return q
}

// reaction is what a client reads of an answer: everything that depends on the
// question. Errors are told by their status; our bodies differ on purpose.
type reaction struct {
	Status int
	Fields map[string]string
	Parts  []piece
}

type piece struct{ ContentRange, ContentType, Body string }

// duel is the two servers, each asked over a socket of its own.
type duel struct {
	file     string // the blob on the disk, which both deliver
	etag     string
	modified time.Time
	ours     asker
	theirs   asker
}

func newDuel(t *testing.T, size int) *duel {
	t.Helper()
	site := localtest.Start(t)
	c := site.Admin()
	content := make([]byte, size)
	for i := range content {
		content[i] = "-\r\nabcdefghijklmnopqrstuvwxyz"[i*7%29]
	}
	c.Put("/file/admin/sample", string(content), "Content-Type", "text/x-sample")
	head := c.Do(http.MethodHead, "/file/admin/sample", nil).Want(t, http.StatusOK)
	modified, err := http.ParseTime(head.Header.Get("Last-Modified"))
	if err != nil {
		t.Fatal(err)
	}
	d := &duel{file: blobFiles(t, site)[0], etag: head.Header.Get("ETag"), modified: modified}
	other := httptest.NewServer(http.HandlerFunc(d.serveContent))
	t.Cleanup(other.Close)
	d.ours = asker{c.HTTP, site.URL + "/file/admin/sample", c.Token}
	d.theirs = asker{c.HTTP, other.URL, ""}
	return d
}

// blobFiles returns the files of a site's blobs.
func blobFiles(t *testing.T, site *localtest.Site) (names []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(site.Config.Blob.Path, "objects"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			names = append(names, path)
		}
		return err
	})
	if err != nil || len(names) == 0 {
		t.Fatalf("no blob was found: %v", err)
	}
	return names
}

// serveContent is net/http on the same local file.
func (d *duel) serveContent(w http.ResponseWriter, r *http.Request) {
	file, err := os.Open(d.file)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer file.Close()
	w.Header().Set("Content-Type", "text/x-sample")
	w.Header().Set("ETag", d.etag)
	http.ServeContent(w, r, "", d.modified, file)
}

// asker asks one of the servers.
type asker struct {
	client *http.Client
	url    string
	token  string // empty: without credentials
}

type fataler interface {
	Fatalf(string, ...any)
	Context() context.Context
}

func (s asker) do(t fataler, q question) (*http.Response, []byte) {
	r, err := http.NewRequestWithContext(t.Context(), q.method, s.url, nil)
	if err != nil {
		t.Fatalf("%v", err)
	}
	r.Header = q.header.Clone()
	if s.token != "" {
		r.Header.Set("Authorization", "Bearer "+s.token)
	}
	a, err := s.client.Do(r)
	if err != nil {
		t.Fatalf("%s %v: %v", q.method, q.header, err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatalf("%s %v: the body broke off: %v", q.method, q.header, err)
	}
	return a, body
}

// ask asks a server and reads its answer.
func (s asker) ask(t fataler, q question) reaction {
	a, body := s.do(t, q)
	r := reaction{Status: a.StatusCode, Fields: map[string]string{}}
	names := []string{"Accept-Ranges", "Content-Length", "Content-Range", "Content-Type", "ETag", "Last-Modified"}
	switch {
	case r.Status == http.StatusRequestedRangeNotSatisfiable:
		names = []string{"Content-Range"}
	case r.Status >= 400:
		names = nil
	case r.Status == http.StatusNotModified:
		names = []string{"ETag", "Content-Type", "Content-Range"} // Last-Modified is a departure
	}
	for _, name := range names {
		r.Fields[name] = a.Header.Get(name)
	}
	if r.Status >= 300 {
		return r
	}
	mediaType, params, err := mime.ParseMediaType(r.Fields["Content-Type"])
	if err != nil || mediaType != "multipart/byteranges" {
		r.Parts = []piece{{Body: string(body)}}
		return r
	}
	if r.Fields["Content-Length"] != strconv.Itoa(len(body)) {
		t.Fatalf("%s %v: Content-Length %s, body of %d bytes", q.method, q.header, r.Fields["Content-Length"], len(body))
	}
	r.Fields["Content-Length"] = "" // the boundaries differ
	r.Fields["Content-Type"] = mediaType
	r.Parts = readPieces(t, body, params["boundary"])
	return r
}

func readPieces(t fataler, body []byte, boundary string) (out []piece) {
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		p, err := parts.NextRawPart()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatalf("multipart body: %v", err)
		}
		content, err := io.ReadAll(p)
		if err != nil {
			t.Fatalf("multipart body: %v", err)
		}
		out = append(out, piece{p.Header.Get("Content-Range"), p.Header.Get("Content-Type"), string(content)})
	}
}

// oracle is what net/http answers to the mended question. It gives up ranges
// of more bytes than the file; we go up to half as many again, so there it is
// asked for one range at a time.
func (d *duel) oracle(t fataler, q question) reaction {
	q = q.mended()
	whole := d.theirs.ask(t, q)
	if whole.Status != http.StatusOK || len(specs(q)) < 2 {
		return whole
	}
	together := reaction{Status: http.StatusPartialContent, Fields: map[string]string{
		"Accept-Ranges": "bytes", "Content-Length": "", "Content-Range": "", "Content-Type": "multipart/byteranges",
		"ETag": whole.Fields["ETag"], "Last-Modified": whole.Fields["Last-Modified"],
	}}
	sum := 0
	for _, spec := range specs(q) {
		q.header.Set("Range", "bytes="+spec)
		if one := d.theirs.ask(t, q); one.Status == http.StatusPartialContent {
			together.Parts = append(together.Parts, piece{one.Fields["Content-Range"], one.Fields["Content-Type"], one.Parts[0].Body})
			sum += len(one.Parts[0].Body)
		}
	}
	if sum > q.size && sum <= q.size+q.size/2 {
		return together
	}
	return whole
}

// TestAnswersAreThoseOfNetHTTP asks both for the same local file, with random
// conditions and ranges.
func TestAnswersAreThoseOfNetHTTP(t *testing.T) {
	for _, size := range []int{0, 1, 1000, 100_000} {
		d := newDuel(t, size)
		t.Run(fmt.Sprint(size), rapid.MakeCheck(func(t *rapid.T) {
			q := d.draw(t, size)
			if got, want := d.ours.ask(t, q), d.oracle(t, q); !reflect.DeepEqual(got, want) {
				t.Fatalf("%s %v of %d bytes:\n got %s\nwant %s", q.method, q.header, size, got, want)
			}
		}))
	}
}

// String shortens the bodies.
func (r reaction) String() string {
	s := fmt.Sprintf("%d %v", r.Status, r.Fields)
	for _, p := range r.Parts {
		s += fmt.Sprintf(" [%s %s %d bytes: %.40q]", p.ContentRange, p.ContentType, len(p.Body), p.Body)
	}
	return s
}

// TestDeparturesFromNetHTTP holds the table to the truth: each example is
// answered differently by net/http, and alike once mended.
func TestDeparturesFromNetHTTP(t *testing.T) {
	duels := map[string]*duel{"0": newDuel(t, 0), "1000": newDuel(t, 1000)}
	for _, d := range departures {
		line, fields, _ := strings.Cut(d.example, " | ")
		method, size, _ := strings.Cut(line, " ")
		against := duels[size]
		q := question{method: method, header: http.Header{}}
		q.size, _ = strconv.Atoi(size)
		for field := range strings.SplitSeq(fields, " | ") {
			name, value, _ := strings.Cut(field, ": ")
			q.header.Add(name, value)
		}
		ours, theirs := against.ours.ask(t, q), against.theirs.ask(t, q)
		if ours.Status == http.StatusNotModified { // the one departure in a field that a reaction leaves out
			a, _ := against.ours.do(t, q)
			b, _ := against.theirs.do(t, q)
			ours.Fields["Last-Modified"], theirs.Fields["Last-Modified"] = a.Header.Get("Last-Modified"), b.Header.Get("Last-Modified")
		}
		if reflect.DeepEqual(ours, theirs) {
			t.Errorf("%s: %s: net/http answers alike: %s", d.rule, d.example, ours)
		}
		if got, want := against.ours.ask(t, q), against.oracle(t, q); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %s:\n   ours %s\nmended %s", d.rule, d.example, got, want)
		}
	}
}

// draw makes a question with something of everything, most of them for ranges
// that can be followed.
func (d *duel) draw(t *rapid.T, size int) question {
	pick := func(label string, pool ...string) string { return rapid.SampledFrom(pool).Draw(t, label) }
	oneIn := func(n int, label string) bool { return rapid.IntRange(1, n).Draw(t, label) == 1 }
	upTo := func(n int, label string) int { return rapid.IntRange(0, n).Draw(t, label) }
	spec := func() string {
		switch first := upTo(size+1, "first"); pick("form", "first-last", "first-last", "first-", "-suffix") {
		case "first-last":
			return fmt.Sprint(first, "-", first+upTo(size/2+2, "more"))
		case "first-":
			return fmt.Sprint(first, "-")
		default:
			return fmt.Sprint("-", first)
		}
	}
	ranges := func() string {
		list := make([]string, rapid.SampledFrom([]int{1, 1, 2, 2, 3, 4, 16, 17}).Draw(t, "ranges"))
		for i := range list {
			list[i] = spec()
		}
		if oneIn(10, "an odd one") {
			list[0] = pick("odd", "-", "0", "x-1", "1-x", "--1", "1--2", "-0", "9-1", "")
		}
		unit := "bytes="
		if oneIn(10, "an odd unit") {
			unit = pick("unit", "Bytes=", "pages=", "")
		}
		return unit + strings.Join(list, pick("comma", ",", ",", " , "))
	}
	tag := func() string { return pick("tag", d.etag, d.etag, "W/"+d.etag, `"other"`, `"a,b"`) }
	tags := func() string { return pick("tags", tag(), tag(), tag()+", "+tag(), "*") }
	date := func() string {
		layout := pick("format", http.TimeFormat, http.TimeFormat, "Monday, 02-Jan-06 15:04:05 GMT", time.ANSIC)
		off := rapid.SampledFrom([]time.Duration{0, 0, -time.Second, time.Second, -time.Hour}).Draw(t, "off")
		return pick("date", d.modified.Add(off).UTC().Format(layout), d.modified.Add(off).UTC().Format(layout), "today")
	}
	q := question{method: pick("method", "GET", "GET", "GET", "GET", "HEAD"), size: size, header: http.Header{}}
	if !oneIn(10, "no Range") {
		q.header.Add("Range", ranges())
		if oneIn(10, "a second Range") {
			q.header.Add("Range", spec())
		}
	}
	for _, field := range []struct {
		name  string
		oneIn int
		value func() string
	}{
		{"If-Range", 3, func() string { return pick("validator", d.etag, tag(), date()) }},
		{"If-Match", 8, tags},
		{"If-None-Match", 8, tags},
		{"If-Modified-Since", 8, date},
		{"If-Unmodified-Since", 8, date},
	} {
		if oneIn(field.oneIn, field.name) {
			q.header.Set(field.name, field.value())
		}
	}
	return q
}
