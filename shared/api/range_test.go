package api_test

import (
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/shared/app/local/localtest"
)

// sample is a file on a running site, and what a request may say of it.
type sample struct {
	content  string
	etag     string
	modified time.Time
	routes   []string // by path and by id
}

// samples uploads the files of the tables: nothing, ten bytes, and more than
// is ever copied through a buffer.
func samples(t *testing.T, c *localtest.Client) map[string]sample {
	t.Helper()
	out := map[string]sample{}
	for name, content := range map[string]string{
		"empty": "",
		"ten":   "0123456789",
		"large": strings.Repeat("0123456789abcdef", 300_000/16),
	} {
		put := c.Put("/file/admin/"+name, content, "Content-Type", "text/x-sample")
		s := sample{content: content, etag: put.Header.Get("ETag"), routes: []string{
			"/file/admin/" + name, "/api/files/" + put.Field(t, "id") + "/content",
		}}
		head := c.Do(http.MethodHead, s.routes[0], nil).Want(t, http.StatusOK)
		var err error
		if s.modified, err = http.ParseTime(head.Header.Get("Last-Modified")); err != nil {
			t.Fatalf("HEAD %s: Last-Modified: %v", name, err)
		}
		out[name] = s
	}
	return out
}

// header reads fields written as "Name: value | Name: value", in which {etag}
// and {date} are the sample's validators and {before} and {after} the dates a
// second off.
func (s sample) header(fields string) (pairs []string) {
	date := func(layout string, off time.Duration) string { return s.modified.Add(off).UTC().Format(layout) }
	fields = strings.NewReplacer(
		"{etag}", s.etag,
		"{date}", date(http.TimeFormat, 0),
		"{before}", date(http.TimeFormat, -time.Second),
		"{after}", date(http.TimeFormat, time.Second),
		"{rfc850}", date("Monday, 02-Jan-06 15:04:05 GMT", 0),
		"{rfc850 before}", date("Monday, 02-Jan-06 15:04:05 GMT", -time.Second),
		"{asctime}", date(time.ANSIC, 0),
		"{asctime before}", date(time.ANSIC, -time.Second),
	).Replace(fields)
	for field := range strings.SplitSeq(fields, " | ") {
		if name, value, ok := strings.Cut(field, ":"); ok {
			pairs = append(pairs, name, strings.TrimPrefix(value, " "))
		}
	}
	return pairs
}

// describe says what came: the status and, of each part, the Content-Range and
// the bytes. It holds the rest of the answer to what RFC 9110 asks of every one.
func (s sample) describe(t *testing.T, a localtest.Answer) string {
	t.Helper()
	h := a.Header
	bad := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s %s with %v: "+format, append([]any{a.Request.Method, a.Request.URL.Path, a.Request.Header}, args...)...)
	}
	switch {
	case a.Err != nil:
		bad("the body broke off: %v", a.Err)
	case a.Request.Method != http.MethodHead && a.StatusCode != http.StatusNotModified && a.ContentLength != int64(len(a.Body)):
		bad("Content-Length %d, body of %d bytes (§8.6)", a.ContentLength, len(a.Body))
	case a.StatusCode >= 400 && h.Get("ETag") != "":
		bad("an error carries the file's ETag %s", h.Get("ETag"))
	case a.StatusCode >= 400 && a.Request.Method == http.MethodGet && a.Code() == "":
		bad("an error is no problem: %s", a.Body)
	case a.StatusCode < 400 && h.Get("ETag") != s.etag:
		bad("ETag %s, want %s (§15.3.7, §15.4.5)", h.Get("ETag"), s.etag)
	case a.StatusCode < 300 && h.Get("Accept-Ranges") != "bytes":
		bad("Accept-Ranges %q, want bytes (§14.3)", h.Get("Accept-Ranges"))
	}
	switch status := strconv.Itoa(a.StatusCode); {
	case a.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		return status + " " + h.Get("Content-Range")
	case a.StatusCode >= 300:
		return status
	case a.Request.Method == http.MethodHead:
		return fmt.Sprintf("%s %d bytes", status, a.ContentLength)
	case strings.HasPrefix(h.Get("Content-Type"), "multipart/byteranges"):
		return status + s.describeParts(t, a)
	case h.Get("Content-Type") != "text/x-sample":
		bad("Content-Type %q, want text/x-sample", h.Get("Content-Type"))
		fallthrough
	default:
		return strings.TrimSuffix(fmt.Sprintf("%s %s %s", status, h.Get("Content-Range"), s.describeBytes(h.Get("Content-Range"), string(a.Body))), " ")
	}
}

func (s sample) describeParts(t *testing.T, a localtest.Answer) (out string) {
	t.Helper()
	if got := a.Header.Get("Content-Range"); got != "" {
		t.Errorf("a multipart answer has the Content-Range %s, which belongs to its parts (§15.3.7.2)", got)
	}
	_, params, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if err != nil {
		t.Fatalf("Content-Type %q: %v", a.Header.Get("Content-Type"), err)
	}
	parts := multipart.NewReader(strings.NewReader(string(a.Body)), params["boundary"])
	for {
		p, err := parts.NextRawPart()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatalf("multipart body: %v", err)
		}
		body, err := io.ReadAll(p)
		if err != nil {
			t.Fatalf("multipart body: %v", err)
		}
		if got := p.Header.Get("Content-Type"); got != "text/x-sample" {
			t.Errorf("a part has the Content-Type %q, want the file's (§15.3.7.2)", got)
		}
		contentRange := p.Header.Get("Content-Range")
		out += fmt.Sprintf(" %s %s", contentRange, s.describeBytes(contentRange, string(body)))
	}
}

// describeBytes quotes a short body. Of a long one it says whether it is what
// its Content-Range names.
func (s sample) describeBytes(contentRange, body string) string {
	if len(body) <= 20 {
		return strconv.Quote(body)
	}
	want := s.content
	var first, last, size int
	if n, _ := fmt.Sscanf(contentRange, "bytes %d-%d/%d", &first, &last, &size); n == 3 && first <= last && last < len(want) {
		want = want[first : last+1]
	}
	if body != want {
		return "OTHER BYTES"
	}
	return "whole"
}

// TestRange asks by both routes. What is wanted is written by hand, after the
// section of RFC 9110 named.
func TestRange(t *testing.T) {
	c := localtest.Start(t).Admin()
	files := samples(t, c)
	const whole = `200  "0123456789"`
	for _, x := range []struct {
		rule, method, file, fields, want string
	}{
		{"9.3.1 no range", "GET", "ten", "", whole},
		{"9.3.1 no range, a large file", "GET", "large", "", "200  whole"},
		{"9.3.1 no range, an empty file", "GET", "empty", "", `200  ""`},
		{"9.3.2 no range", "HEAD", "ten", "", "200 10 bytes"},
		{"9.3.2 no range, a large file", "HEAD", "large", "", "200 300000 bytes"},
		{"9.3.2 no range, an empty file", "HEAD", "empty", "", "200 0 bytes"},

		{"14.1.2 first and last", "GET", "ten", "Range: bytes=0-4", `206 bytes 0-4/10 "01234"`},
		{"14.1.2 both are included", "GET", "ten", "Range: bytes=3-3", `206 bytes 3-3/10 "3"`},
		{"14.1.2 the first byte", "GET", "ten", "Range: bytes=0-0", `206 bytes 0-0/10 "0"`},
		{"14.1.2 the last byte", "GET", "ten", "Range: bytes=9-9", `206 bytes 9-9/10 "9"`},
		{"14.1.2 everything", "GET", "ten", "Range: bytes=0-9", `206 bytes 0-9/10 "0123456789"`},
		{"14.1.2 an end beyond the file", "GET", "ten", "Range: bytes=5-100", `206 bytes 5-9/10 "56789"`},
		{"14.1.2 an end one beyond the file", "GET", "ten", "Range: bytes=9-10", `206 bytes 9-9/10 "9"`},
		{"14.1.2 open-ended", "GET", "ten", "Range: bytes=7-", `206 bytes 7-9/10 "789"`},
		{"14.1.2 open-ended from the start", "GET", "ten", "Range: bytes=0-", `206 bytes 0-9/10 "0123456789"`},
		{"14.1.2 open-ended at the last byte", "GET", "ten", "Range: bytes=9-", `206 bytes 9-9/10 "9"`},
		{"14.1.2 a suffix", "GET", "ten", "Range: bytes=-3", `206 bytes 7-9/10 "789"`},
		{"14.1.2 a suffix of one", "GET", "ten", "Range: bytes=-1", `206 bytes 9-9/10 "9"`},
		{"14.1.2 a suffix of all", "GET", "ten", "Range: bytes=-10", `206 bytes 0-9/10 "0123456789"`},
		{"14.1.2 a suffix of more than all", "GET", "ten", "Range: bytes=-11", `206 bytes 0-9/10 "0123456789"`},
		{"14.1.1 leading zeros", "GET", "ten", "Range: bytes=0001-0003", `206 bytes 1-3/10 "123"`},
		{"14.1.1 an end over 64 bits", "GET", "ten", "Range: bytes=8-99999999999999999999", `206 bytes 8-9/10 "89"`},
		{"14.1.1 a suffix over 64 bits", "GET", "ten", "Range: bytes=-99999999999999999999", `206 bytes 0-9/10 "0123456789"`},
		{"14.1.2 within a large file", "GET", "large", "Range: bytes=100000-199999", "206 bytes 100000-199999/300000 whole"},
		{"14.1.2 the rest of a large file", "GET", "large", "Range: bytes=1-", "206 bytes 1-299999/300000 whole"},
		{"14.1.2 a large suffix", "GET", "large", "Range: bytes=-250000", "206 bytes 50000-299999/300000 whole"},
		{"14.1.2 a little of a large file", "GET", "large", "Range: bytes=299990-", `206 bytes 299990-299999/300000 "6789abcdef"`},

		{"14.1 the unit is case-insensitive", "GET", "ten", "Range: BYTES=0-4", `206 bytes 0-4/10 "01234"`},
		{"taken leniently: white space before the list", "GET", "ten", "Range: bytes= 0-4", `206 bytes 0-4/10 "01234"`},
		{"5.6.1 empty elements", "GET", "ten", "Range: bytes=,,0-4,,", `206 bytes 0-4/10 "01234"`},

		{"15.3.7.2 two ranges", "GET", "ten", "Range: bytes=0-1,8-9", `206 bytes 0-1/10 "01" bytes 8-9/10 "89"`},
		{"15.3.7.2 two ranges that touch", "GET", "ten", "Range: bytes=0-1,2-3", `206 bytes 0-1/10 "01" bytes 2-3/10 "23"`},
		{"15.3.7.2 the order asked", "GET", "ten", "Range: bytes=8-9,0-1", `206 bytes 8-9/10 "89" bytes 0-1/10 "01"`},
		{"15.3.7.2 every form", "GET", "ten", "Range: bytes=0-1,-2,7-", `206 bytes 0-1/10 "01" bytes 8-9/10 "89" bytes 7-9/10 "789"`},
		{"15.3.7.2 overlapping", "GET", "ten", "Range: bytes=0-5,3-7", `206 bytes 0-5/10 "012345" bytes 3-7/10 "34567"`},
		{"15.3.7.2 one twice", "GET", "ten", "Range: bytes=2-4,2-4", `206 bytes 2-4/10 "234" bytes 2-4/10 "234"`},
		{"5.6.1 white space between ranges", "GET", "ten", "Range: bytes=0-0 ,\t 9-9", `206 bytes 0-0/10 "0" bytes 9-9/10 "9"`},
		{"5.3 two lines are one list", "GET", "ten", "Range: bytes=0-0 | Range: 9-9", `206 bytes 0-0/10 "0" bytes 9-9/10 "9"`},
		{"15.3.7.1 one satisfiable of two is one part", "GET", "ten", "Range: bytes=0-0,10-", `206 bytes 0-0/10 "0"`},
		{"15.3.7.1 one satisfiable of three", "GET", "ten", "Range: bytes=20-30,4-5,-0", `206 bytes 4-5/10 "45"`},
		{"15.3.7.2 two satisfiable of three", "GET", "ten", "Range: bytes=4-5,10-,6-6", `206 bytes 4-5/10 "45" bytes 6-6/10 "6"`},
		{"15.3.7.2 parts of a large file", "GET", "large", "Range: bytes=200000-280000,0-99999,-3", `206 bytes 200000-280000/300000 whole bytes 0-99999/300000 whole bytes 299997-299999/300000 "def"`},
		{"17.15 sixteen ranges", "GET", "ten", "Range: bytes=0-0" + strings.Repeat(",9-9", 5) + strings.Repeat(",10-", 10), `206 bytes 0-0/10 "0"` + strings.Repeat(` bytes 9-9/10 "9"`, 5)},
		{"17.15 seventeen ranges are ignored", "GET", "large", "Range: bytes=0-0" + strings.Repeat(",9-9", 16), "200  whole"},
		{"17.15 seventeen ranges, most unsatisfiable", "GET", "ten", "Range: bytes=0-0" + strings.Repeat(",10-", 16), whole},
		{"17.15 one and a half files", "GET", "ten", "Range: bytes=0-9,0-4", `206 bytes 0-9/10 "0123456789" bytes 0-4/10 "01234"`},
		{"17.15 a byte more is ignored", "GET", "ten", "Range: bytes=0-9,0-5", whole},
		{"17.15 the file twice is ignored", "GET", "large", "Range: bytes=0-,0-", "200  whole"},

		{"15.5.17 a start at the end", "GET", "ten", "Range: bytes=10-", "416 bytes */10"},
		{"15.5.17 a start beyond the end", "GET", "ten", "Range: bytes=11-20", "416 bytes */10"},
		{"15.5.17 a start over 64 bits", "GET", "ten", "Range: bytes=99999999999999999999-", "416 bytes */10"},
		{"15.5.17 a suffix of zero", "GET", "ten", "Range: bytes=-0", "416 bytes */10"},
		{"15.5.17 several", "GET", "ten", "Range: bytes=10-,20-30,-0", "416 bytes */10"},
		{"15.5.17 of a large file", "GET", "large", "Range: bytes=300000-", "416 bytes */300000"},
		{"14.2 an empty file has no ranges", "GET", "empty", "Range: bytes=0-", `200  ""`},
		{"14.2 an empty file has no first byte", "GET", "empty", "Range: bytes=0-0", `200  ""`},
		{"14.2 an empty file has no suffix", "GET", "empty", "Range: bytes=-5", `200  ""`},

		{"14.2 an unknown unit is ignored", "GET", "ten", "Range: pages=1-2", whole},
		{"14.2 the unit none is ignored", "GET", "ten", "Range: none=0-1", whole},
		{"14.2 last before first is ignored", "GET", "ten", "Range: bytes=4-3", whole},
		{"14.2 last before first, one of two", "GET", "ten", "Range: bytes=0-1,4-3", whole},
		{"14.2 no number", "GET", "ten", "Range: bytes=-", whole},
		{"14.2 no range", "GET", "ten", "Range: bytes=", whole},
		{"14.2 no equals sign", "GET", "ten", "Range: bytes 0-4", whole},
		{"14.2 no unit", "GET", "ten", "Range: 0-4", whole},
		{"14.2 empty", "GET", "ten", "Range:", whole},
		{"14.2 a letter", "GET", "ten", "Range: bytes=0-x", whole},
		{"14.2 a hexadecimal number", "GET", "ten", "Range: bytes=0x1-0x3", whole},
		{"14.2 a sign", "GET", "ten", "Range: bytes=+1-4", whole},
		{"14.2 two dashes", "GET", "ten", "Range: bytes=1--4", whole},
		{"14.2 white space within a range", "GET", "ten", "Range: bytes=1 - 4", whole},
		{"14.2 white space before the equals sign", "GET", "ten", "Range: bytes =1-4", whole},
		{"14.2 a semicolon", "GET", "ten", "Range: bytes=0-1;8-9", whole},
		{"14.2 the form of Content-Range", "GET", "ten", "Range: bytes 0-4/10", whole},
		{"14.2 digits of another script", "GET", "ten", "Range: bytes=٠-٤", whole},

		{"14.2 Range is for GET alone", "HEAD", "ten", "Range: bytes=0-4", "200 10 bytes"},
		{"14.2 Range is for GET alone, several", "HEAD", "ten", "Range: bytes=0-1,8-9", "200 10 bytes"},
		{"14.2 Range is for GET alone, unsatisfiable", "HEAD", "ten", "Range: bytes=10-", "200 10 bytes"},
		{"14.2 Range is for GET alone, an empty file", "HEAD", "empty", "Range: bytes=0-", "200 0 bytes"},
	} {
		f := files[x.file]
		for _, route := range f.routes {
			if got := f.describe(t, c.Do(x.method, route, nil, f.header(x.fields)...)); got != x.want {
				t.Errorf("%s: %s %s with %q:\n got %s\nwant %s", x.rule, x.method, route, x.fields, got, x.want)
			}
		}
	}
}
