package byterange_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/shared/byterange"
)

// The representation of the tables: ten bytes, tagged "v1", modified half a
// second after the date that is sent as Last-Modified.
var (
	modified = time.Date(1994, 11, 6, 8, 49, 37, 5e8, time.UTC)
	tagged   = byterange.Representation{ETag: `"v1"`, LastModified: modified, Size: 10}
)

func variant(change func(*byterange.Representation)) byterange.Representation {
	rep := tagged
	change(&rep)
	return rep
}

// header reads fields written as "Name: value | Name: value".
func header(fields string) http.Header {
	h := http.Header{}
	for field := range strings.SplitSeq(fields, " | ") {
		if name, value, ok := strings.Cut(field, ":"); ok {
			h.Add(name, strings.TrimPrefix(value, " "))
		}
	}
	return h
}

func TestEvaluate(t *testing.T) {
	var (
		weak     = variant(func(r *byterange.Representation) { r.ETag = `W/"v1"` })
		untagged = variant(func(r *byterange.Representation) { r.ETag = "" })
		undated  = variant(func(r *byterange.Representation) { r.LastModified = time.Time{} })
		empty    = variant(func(r *byterange.Representation) { r.Size = 0 })
	)
	for _, c := range []struct {
		rule   string // the section of RFC 9110 and what it says
		method string
		rep    byterange.Representation
		fields string
		want   string // status, and ranges as "first-last"
	}{
		{"9.3.1 no conditions", "GET", tagged, "", "200"},
		{"9.3.2 no conditions", "HEAD", tagged, "", "200"},

		{"13.1.1 a tag matches", "GET", tagged, `If-Match: "v1"`, "200"},
		{"13.1.1 a tag matches on HEAD", "HEAD", tagged, `If-Match: "v1"`, "200"},
		{"13.1.1 no tag matches", "GET", tagged, `If-Match: "v2"`, "412"},
		{"13.1.1 no tag matches on HEAD", "HEAD", tagged, `If-Match: "v2"`, "412"},
		{"13.1.1 any", "GET", tagged, `If-Match: *`, "200"},
		{"13.1.1 any, of an untagged file", "GET", untagged, `If-Match: *`, "200"},
		{"13.1.1 one of a list", "GET", tagged, `If-Match: "v0", "v1"`, "200"},
		{"13.1.1 none of a list", "GET", tagged, `If-Match: "v0", "v2"`, "412"},
		{"13.1.1 the comparison is strong, weak asked", "GET", tagged, `If-Match: W/"v1"`, "412"},
		{"13.1.1 the comparison is strong, weak held", "GET", weak, `If-Match: "v1"`, "412"},
		{"13.1.1 the comparison is strong, both weak", "GET", weak, `If-Match: W/"v1"`, "412"},
		{"13.1.1 an untagged file", "GET", untagged, `If-Match: "v1"`, "412"},
		{"13.1.1 an untagged file, an empty tag", "GET", untagged, `If-Match: ""`, "412"},
		{"5.3 a tag in the second line", "GET", tagged, `If-Match: "v0" | If-Match: "v1"`, "200"},
		{"5.3 no tag in two lines", "GET", tagged, `If-Match: "v0" | If-Match: "v2"`, "412"},
		{"5.6.1 whitespace and empty elements", "GET", tagged, "If-Match: ,, \t\"v0\"\t ,,\"v1\" ,", "200"},
		{"8.8.3 a comma within a tag", "GET", tagged, `If-Match: "a,b","v1"`, "200"},
		{"8.8.3 a tag within a tag", "GET", tagged, `If-Match: "a,"v1",b"`, "412"},
		{"8.8.3 an empty list", "GET", tagged, `If-Match: ,`, "412"},
		{"8.8.3 an empty value", "GET", tagged, `If-Match:`, "412"},
		{"8.8.3 no quotes", "GET", tagged, `If-Match: v1`, "412"},
		{"8.8.3 no closing quote", "GET", tagged, `If-Match: "v1`, "412"},
		{"8.8.3 no opening quote", "GET", tagged, `If-Match: v1"`, "412"},
		{"8.8.3 text after a tag", "GET", tagged, `If-Match: "v1"x`, "412"},
		{"8.8.3 no comma between tags", "GET", tagged, `If-Match: "v1" "v2"`, "412"},
		{"8.8.3 a space within a tag", "GET", tagged, `If-Match: "v 1", "v1"`, "412"},
		{"8.8.3 a control within a tag", "GET", tagged, "If-Match: \"v\x01\", \"v1\"", "412"},
		{"8.8.3 a DEL within a tag", "GET", tagged, "If-Match: \"v\x7f\", \"v1\"", "412"},
		{"8.8.3 a small w", "GET", tagged, `If-Match: w/"v1", "v1"`, "412"},
		{"8.8.3 a tag before garbage", "GET", tagged, `If-Match: "v1", garbage`, "200"},
		{"8.8.3 a tag after garbage", "GET", tagged, `If-Match: garbage, "v1"`, "412"},
		{"13.1.1 any within a list", "GET", tagged, `If-Match: "v0", *`, "412"},
		{"13.1.1 any twice", "GET", tagged, `If-Match: *, *`, "412"},
		{"13.1.1 any beside another line", "GET", tagged, `If-Match: * | If-Match: "v0"`, "412"},
		{"13.1.1 any and text", "GET", tagged, `If-Match: *x`, "412"},
		{"8.8.3 a tag over two lines", "GET", tagged, `If-Match: "v | If-Match: 1"`, "412"},

		{"13.1.2 a tag matches", "GET", tagged, `If-None-Match: "v1"`, "304"},
		{"13.1.2 a tag matches on HEAD", "HEAD", tagged, `If-None-Match: "v1"`, "304"},
		{"13.1.2 a tag matches on another method", "POST", tagged, `If-None-Match: "v1"`, "412"},
		{"13.1.2 no tag matches", "GET", tagged, `If-None-Match: "v2"`, "200"},
		{"13.1.2 any", "GET", tagged, `If-None-Match: *`, "304"},
		{"13.1.2 any, of an untagged file", "GET", untagged, `If-None-Match: *`, "304"},
		{"13.1.2 any, on another method", "POST", tagged, `If-None-Match: *`, "412"},
		{"13.1.2 one of a list", "GET", tagged, `If-None-Match: "v0", "v1"`, "304"},
		{"13.1.2 none of a list", "GET", tagged, `If-None-Match: "v0", "v2"`, "200"},
		{"13.1.2 the comparison is weak, weak asked", "GET", tagged, `If-None-Match: W/"v1"`, "304"},
		{"13.1.2 the comparison is weak, weak held", "GET", weak, `If-None-Match: "v1"`, "304"},
		{"13.1.2 the comparison is weak, both weak", "GET", weak, `If-None-Match: W/"v1"`, "304"},
		{"13.1.2 an untagged file", "GET", untagged, `If-None-Match: "v1"`, "200"},
		{"13.1.2 an untagged file, an empty tag", "GET", untagged, `If-None-Match: ""`, "200"},
		{"5.3 a tag in the second line", "GET", tagged, `If-None-Match: "v0" | If-None-Match: W/"v1"`, "304"},
		{"8.8.3 no quotes", "GET", tagged, `If-None-Match: v1`, "200"},
		{"8.8.3 a tag before garbage", "GET", tagged, `If-None-Match: "v1", garbage`, "304"},
		{"8.8.3 a tag after garbage", "GET", tagged, `If-None-Match: garbage, "v1"`, "200"},
		{"8.8.3 bytes beyond ASCII", "GET", variant(func(r *byterange.Representation) { r.ETag = "\"\xe9\"" }), "If-None-Match: \"\xe9\"", "304"},

		{"13.1.3 not modified since, same second", "GET", tagged, "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", "304"},
		{"13.1.3 not modified since, later", "GET", tagged, "If-Modified-Since: Sun, 06 Nov 1994 08:49:38 GMT", "304"},
		{"13.1.3 not modified since, far in the future", "GET", tagged, "If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT", "304"},
		{"13.1.3 modified since", "GET", tagged, "If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT", "200"},
		{"13.1.3 not modified since, on HEAD", "HEAD", tagged, "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", "304"},
		{"13.1.3 only for GET and HEAD", "POST", tagged, "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", "200"},
		{"13.1.3 ignored beside If-None-Match", "GET", tagged, `If-None-Match: "v2" | If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT`, "200"},
		{"13.1.3 ignored beside an empty If-None-Match", "GET", tagged, `If-None-Match: | If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT`, "200"},
		{"13.1.3 ignored without a modification date", "GET", undated, "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", "200"},
		{"13.1.3 ignored when not a date", "GET", tagged, "If-Modified-Since: yesterday", "200"},
		{"13.1.3 ignored when empty", "GET", tagged, "If-Modified-Since:", "200"},
		{"13.1.3 ignored when there are two", "GET", tagged, "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT | If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", "200"},
		{"5.6.7 rfc850-date", "GET", tagged, "If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT", "304"},
		{"5.6.7 rfc850-date, modified since", "GET", tagged, "If-Modified-Since: Sunday, 06-Nov-94 08:49:36 GMT", "200"},
		{"5.6.7 rfc850-date of another zone", "GET", tagged, "If-Modified-Since: Monday, 07-Nov-94 08:49:37 PST", "200"},
		{"5.6.7 asctime-date", "GET", tagged, "If-Modified-Since: Sun Nov  6 08:49:37 1994", "304"},
		{"5.6.7 asctime-date, modified since", "GET", tagged, "If-Modified-Since: Sun Nov  6 08:49:36 1994", "200"},
		{"5.5 whitespace around a date", "GET", tagged, "If-Modified-Since:  \tSun, 06 Nov 1994 08:49:37 GMT\t", "304"},
		{"5.6.7 a zone by number", "GET", tagged, "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 +0000", "200"},
		{"5.6.7 seconds since 1970", "GET", tagged, "If-Modified-Since: 9999999999", "200"},

		{"13.1.4 unmodified since, same second", "GET", tagged, "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT", "200"},
		{"13.1.4 unmodified since, later", "GET", tagged, "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:38 GMT", "200"},
		{"13.1.4 modified since", "GET", tagged, "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT", "412"},
		{"13.1.4 modified since, rfc850-date", "GET", tagged, "If-Unmodified-Since: Sunday, 06-Nov-94 08:49:36 GMT", "412"},
		{"13.1.4 modified since, asctime-date", "GET", tagged, "If-Unmodified-Since: Sun Nov  6 08:49:36 1994", "412"},
		{"13.1.4 ignored beside If-Match", "GET", tagged, `If-Match: "v1" | If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT`, "200"},
		{"13.1.4 no rescue of an If-Match", "GET", tagged, `If-Match: "v2" | If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT`, "412"},
		{"13.1.4 ignored without a modification date", "GET", undated, "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT", "200"},
		{"13.1.4 ignored without a modification date, the year 0", "GET", undated, "If-Unmodified-Since: Sat, 01 Jan 0000 00:00:00 GMT", "200"},
		{"13.1.4 ignored when not a date", "GET", tagged, "If-Unmodified-Since: yesterday", "200"},
		{"13.1.4 ignored when there are two", "GET", tagged, "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT | If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT", "200"},

		{"13.2.2 If-Match goes before If-None-Match", "GET", tagged, `If-Match: "v2" | If-None-Match: "v1"`, "412"},
		{"13.2.2 If-None-Match after an If-Match", "GET", tagged, `If-Match: "v1" | If-None-Match: "v1"`, "304"},
		{"13.2.2 If-Unmodified-Since goes before If-None-Match", "GET", tagged, `If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT | If-None-Match: "v1"`, "412"},
		{"13.2.2 If-Unmodified-Since goes before If-Modified-Since", "GET", tagged, `If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT | If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT`, "412"},
		{"13.2.2 If-Match goes before Range", "GET", tagged, `If-Match: "v2" | Range: bytes=0-4`, "412"},
		{"13.2.2 If-Match goes before an unsatisfiable Range", "GET", tagged, `If-Match: "v2" | Range: bytes=10-`, "412"},
		{"13.2.2 If-None-Match goes before Range", "GET", tagged, `If-None-Match: "v1" | Range: bytes=0-4`, "304"},
		{"13.2.2 If-None-Match goes before an unsatisfiable Range", "GET", tagged, `If-None-Match: "v1" | Range: bytes=10-`, "304"},
		{"13.2.2 If-Modified-Since goes before Range", "GET", tagged, `If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT | Range: bytes=10-`, "304"},
		{"13.2.2 Range after conditions that hold", "GET", tagged, `If-Match: "v1" | If-None-Match: "v2" | If-Range: "v1" | Range: bytes=0-4`, "206 0-4"},

		{"14.2 one range", "GET", tagged, "Range: bytes=0-4", "206 0-4"},
		{"14.2 one range of everything", "GET", tagged, "Range: bytes=0-", "206 0-9"},
		{"14.2 a suffix", "GET", tagged, "Range: bytes=-2", "206 8-9"},
		{"14.2 two ranges", "GET", tagged, "Range: bytes=0-0,9-9", "206 0-0 9-9"},
		{"14.2 two ranges in two lines", "GET", tagged, "Range: bytes=0-0 | Range: 9-9", "206 0-0 9-9"},
		{"14.2 one satisfiable of two", "GET", tagged, "Range: bytes=0-0,10-10", "206 0-0"},
		{"15.5.17 unsatisfiable", "GET", tagged, "Range: bytes=10-", "416"},
		{"15.5.17 a suffix of zero", "GET", tagged, "Range: bytes=-0", "416"},
		{"14.2 malformed", "GET", tagged, "Range: bytes=4-3", "200"},
		{"14.2 unknown unit", "GET", tagged, "Range: pages=1-2", "200"},
		{"14.2 ignored on HEAD", "HEAD", tagged, "Range: bytes=0-4", "200"},
		{"14.2 ignored on HEAD, unsatisfiable", "HEAD", tagged, "Range: bytes=10-", "200"},
		{"14.2 ignored on another method", "POST", tagged, "Range: bytes=0-4", "200"},
		{"9.1 methods are case-sensitive", "get", tagged, "Range: bytes=0-4", "200"},
		{"14.2 an empty file", "GET", empty, "Range: bytes=0-", "200"},
		{"14.2 an empty file, a suffix", "GET", empty, "Range: bytes=-1", "200"},
		{"14.2 too many ranges", "GET", tagged, "Range: bytes=" + strings.Repeat("0-0,", 17), "200"},

		{"13.1.5 the tag matches", "GET", tagged, `If-Range: "v1" | Range: bytes=0-4`, "206 0-4"},
		{"13.1.5 the tag matches, two ranges", "GET", tagged, `If-Range: "v1" | Range: bytes=0-0,9-9`, "206 0-0 9-9"},
		{"13.1.5 the tag matches, unsatisfiable", "GET", tagged, `If-Range: "v1" | Range: bytes=10-`, "416"},
		{"13.1.5 the tag does not match", "GET", tagged, `If-Range: "v2" | Range: bytes=0-4`, "200"},
		{"13.1.5 the tag does not match, unsatisfiable", "GET", tagged, `If-Range: "v2" | Range: bytes=10-`, "200"},
		{"13.1.5 a weak tag never matches, weak asked", "GET", tagged, `If-Range: W/"v1" | Range: bytes=0-4`, "200"},
		{"13.1.5 a weak tag never matches, weak held", "GET", weak, `If-Range: "v1" | Range: bytes=0-4`, "200"},
		{"13.1.5 a weak tag never matches, both weak", "GET", weak, `If-Range: W/"v1" | Range: bytes=0-4`, "200"},
		{"5.5 whitespace around the tag", "GET", tagged, "If-Range:  \t\"v1\"\t | Range: bytes=0-4", "206 0-4"},
		{"13.1.5 an untagged file", "GET", untagged, `If-Range: "v1" | Range: bytes=0-4`, "200"},
		{"13.1.5 any is not a validator", "GET", tagged, `If-Range: * | Range: bytes=0-4`, "200"},
		{"13.1.5 a list is not a validator", "GET", tagged, `If-Range: "v1", "v1" | Range: bytes=0-4`, "200"},
		{"13.1.5 two lines are not a validator", "GET", tagged, `If-Range: "v1" | If-Range: "v1" | Range: bytes=0-4`, "200"},
		{"13.1.5 a tag without quotes", "GET", tagged, `If-Range: v1 | Range: bytes=0-4`, "200"},
		{"13.1.5 an empty value", "GET", tagged, `If-Range: | Range: bytes=0-4`, "200"},
		{"13.1.5 the date matches", "GET", tagged, "If-Range: Sun, 06 Nov 1994 08:49:37 GMT | Range: bytes=0-4", "206 0-4"},
		{"13.1.5 the date matches, rfc850-date", "GET", tagged, "If-Range: Sunday, 06-Nov-94 08:49:37 GMT | Range: bytes=0-4", "206 0-4"},
		{"13.1.5 the date matches, asctime-date", "GET", tagged, "If-Range: Sun Nov  6 08:49:37 1994 | Range: bytes=0-4", "206 0-4"},
		{"13.1.5 the date matches, no tag held", "GET", untagged, "If-Range: Sun, 06 Nov 1994 08:49:37 GMT | Range: bytes=0-4", "206 0-4"},
		{"13.1.5 a date a second earlier", "GET", tagged, "If-Range: Sun, 06 Nov 1994 08:49:36 GMT | Range: bytes=0-4", "200"},
		{"13.1.5 a date a second later", "GET", tagged, "If-Range: Sun, 06 Nov 1994 08:49:38 GMT | Range: bytes=0-4", "200"},
		{"13.1.5 a date far in the future", "GET", tagged, "If-Range: Fri, 31 Dec 9999 23:59:59 GMT | Range: bytes=0-4", "200"},
		{"13.1.5 the date twice", "GET", tagged, "If-Range: Sun, 06 Nov 1994 08:49:37 GMT | If-Range: Sun, 06 Nov 1994 08:49:37 GMT | Range: bytes=0-4", "200"},
		{"13.1.5 a file without a date", "GET", undated, "If-Range: Sun, 06 Nov 1994 08:49:37 GMT | Range: bytes=0-4", "200"},
		{"13.1.5 a file without a date, the zero time", "GET", undated, "If-Range: Mon, 01 Jan 0001 00:00:00 GMT | Range: bytes=0-4", "200"},
		{"13.1.5 ignored without Range", "GET", tagged, `If-Range: "v2"`, "200"},
		{"13.1.5 ignored on HEAD", "HEAD", tagged, `If-Range: "v1" | Range: bytes=0-4`, "200"},
	} {
		if got := describe(byterange.Evaluate(c.method, header(c.fields), c.rep)); got != c.want {
			t.Errorf("%s: %s with %s: got %s, want %s", c.rule, c.method, c.fields, got, c.want)
		}
	}
}

func describe(v byterange.Verdict) string {
	if len(v.Ranges) == 0 {
		return fmt.Sprint(v.Status)
	}
	return fmt.Sprint(v.Status, " ", verdictOf(v.Ranges, nil))
}

func TestPrecondition(t *testing.T) {
	undated := variant(func(r *byterange.Representation) { r.LastModified = time.Time{} })
	weak := variant(func(r *byterange.Representation) { r.ETag = `W/"v1"` })
	const goesOn, fails = true, false
	for _, c := range []struct {
		rule   string // the section of RFC 9110 and what it says
		rep    *byterange.Representation
		fields string
		want   bool
	}{
		{"13 no condition", &tagged, "", goesOn},
		{"13 no condition, nothing there", nil, "", goesOn},
		{"13.1.1 the tag matches", &tagged, `If-Match: "v1"`, goesOn},
		{"13.1.1 the tag matches in a list", &tagged, `If-Match: "v0" | If-Match: "v1"`, goesOn},
		{"13.1.1 a lost update", &tagged, `If-Match: "v0"`, fails},
		{"13.1.1 the comparison is strong", &weak, `If-Match: W/"v1"`, fails},
		{"13.1.1 any", &tagged, `If-Match: *`, goesOn},
		{"13.1.1 any, nothing there", nil, `If-Match: *`, fails},
		{"13.1.1 a tag, nothing there", nil, `If-Match: "v1"`, fails},
		{"13.1.1 an empty tag, nothing there", nil, `If-Match: ""`, fails},
		{"13.1.1 malformed", &tagged, `If-Match: v1`, fails},
		{"13.1.1 empty", &tagged, `If-Match:`, fails},
		{"13.1.2 create only, nothing there", nil, `If-None-Match: *`, goesOn},
		{"13.1.2 create only, something there", &tagged, `If-None-Match: *`, fails},
		{"13.1.2 the tag matches", &tagged, `If-None-Match: "v1"`, fails},
		{"13.1.2 the comparison is weak", &weak, `If-None-Match: "v1"`, fails},
		{"13.1.2 another tag", &tagged, `If-None-Match: "v0"`, goesOn},
		{"13.1.2 a tag, nothing there", nil, `If-None-Match: "v1"`, goesOn},
		{"13.1.2 malformed", &tagged, `If-None-Match: v0`, fails},
		{"13.1.2 malformed, nothing there", nil, `If-None-Match: v0`, fails},
		{"13.1.2 any twice", &tagged, `If-None-Match: * | If-None-Match: *`, fails},
		{"13.1.2 any after a tag", &tagged, `If-None-Match: "v0", *`, fails},
		{"13.1.4 unmodified since", &tagged, "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT", goesOn},
		{"13.1.4 modified since", &tagged, "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT", fails},
		{"13.1.4 ignored, nothing there", nil, "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT", goesOn},
		{"13.1.4 ignored without a modification date", &undated, "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT", goesOn},
		{"13.1.4 ignored beside If-Match", &tagged, `If-Match: "v1" | If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT`, goesOn},
		{"13.1.4 ignored when not a date", &tagged, "If-Unmodified-Since: 6 November", goesOn},
		{"13.1.3 If-Modified-Since is for GET and HEAD", &tagged, "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", goesOn},
		{"13.2.2 both hold", &tagged, `If-Match: "v1" | If-None-Match: "v0"`, goesOn},
		{"13.2.2 the first fails", &tagged, `If-Match: "v0" | If-None-Match: "v0"`, fails},
		{"13.2.2 the second fails", &tagged, `If-Match: "v1" | If-None-Match: "v1"`, fails},
		{"13.2.2 the date holds, the tag fails", &tagged, `If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT | If-None-Match: "v1"`, fails},
	} {
		if got := byterange.Precondition(header(c.fields), c.rep); got != c.want {
			t.Errorf("%s: %s: may go on: got %t, want %t", c.rule, c.fields, got, c.want)
		}
	}
}

func TestContentRange(t *testing.T) {
	if got, want := (byterange.Range{Start: 0, Length: 5}).ContentRange(10), "bytes 0-4/10"; got != want {
		t.Errorf("RFC 9110 §14.4, satisfied: got %q, want %q", got, want)
	}
	if got, want := byterange.Unsatisfied(10), "bytes */10"; got != want {
		t.Errorf("RFC 9110 §14.4, unsatisfied: got %q, want %q", got, want)
	}
}
