package api_test

import (
	"testing"

	"sluice/shared/app/local/localtest"
)

// TestPrecondition asks by both routes. What is wanted is written by hand,
// after the section of RFC 9110 named; the order is that of §13.2.2.
func TestPrecondition(t *testing.T) {
	c := localtest.Start(t).Admin()
	files := samples(t, c)
	const (
		whole = `200  "0123456789"`
		part  = `206 bytes 0-4/10 "01234"`
		much  = "206 bytes 100000-199999/300000 whole"
	)
	for _, x := range []struct {
		rule, method, file, fields, want string
	}{
		{"13.1.1 the tag matches", "GET", "ten", "If-Match: {etag}", whole},
		{"13.1.1 the tag matches", "HEAD", "ten", "If-Match: {etag}", "200 10 bytes"},
		{"13.1.1 the tag does not match", "GET", "ten", `If-Match: "other"`, "412"},
		{"13.1.1 the tag does not match", "HEAD", "ten", `If-Match: "other"`, "412"},
		{"13.1.1 one of a list", "GET", "ten", `If-Match: "a", {etag}, "b"`, whole},
		{"13.1.1 none of a list", "GET", "ten", `If-Match: "a", "b"`, "412"},
		{"5.3 one of two lines", "GET", "ten", `If-Match: "a" | If-Match: {etag}`, whole},
		{"13.1.1 any", "GET", "ten", "If-Match: *", whole},
		{"13.1.1 any, an empty file", "GET", "empty", "If-Match: *", `200  ""`},
		{"13.1.1 the comparison is strong", "GET", "ten", "If-Match: W/{etag}", "412"},
		{"8.8.3 a tag without quotes", "GET", "ten", "If-Match: other", "412"},
		{"8.8.3 an empty field", "GET", "ten", "If-Match:", "412"},

		{"13.1.2 the tag matches", "GET", "ten", "If-None-Match: {etag}", "304"},
		{"13.1.2 the tag matches", "HEAD", "ten", "If-None-Match: {etag}", "304"},
		{"13.1.2 the tag matches, an empty file", "GET", "empty", "If-None-Match: {etag}", "304"},
		{"13.1.2 the tag matches, a large file", "GET", "large", "If-None-Match: {etag}", "304"},
		{"13.1.2 the tag does not match", "GET", "ten", `If-None-Match: "other"`, whole},
		{"13.1.2 the tag does not match", "HEAD", "ten", `If-None-Match: "other"`, "200 10 bytes"},
		{"13.1.2 one of a list", "GET", "ten", `If-None-Match: "a", {etag}`, "304"},
		{"13.1.2 none of a list", "GET", "ten", `If-None-Match: "a", "b"`, whole},
		{"5.3 one of two lines", "GET", "ten", `If-None-Match: "a" | If-None-Match: {etag}`, "304"},
		{"13.1.2 any", "GET", "ten", "If-None-Match: *", "304"},
		{"13.1.2 the comparison is weak", "GET", "ten", "If-None-Match: W/{etag}", "304"},
		{"8.8.3 a tag without quotes", "GET", "ten", "If-None-Match: other", whole},

		{"13.1.3 not modified since", "GET", "ten", "If-Modified-Since: {date}", "304"},
		{"13.1.3 not modified since", "HEAD", "ten", "If-Modified-Since: {date}", "304"},
		{"13.1.3 not modified since a later date", "GET", "ten", "If-Modified-Since: {after}", "304"},
		{"13.1.3 modified since", "GET", "ten", "If-Modified-Since: {before}", whole},
		{"13.1.3 modified since", "HEAD", "ten", "If-Modified-Since: {before}", "200 10 bytes"},
		{"13.1.3 ignored when not a date", "GET", "ten", "If-Modified-Since: today", whole},
		{"13.1.3 ignored when empty", "GET", "ten", "If-Modified-Since:", whole},
		{"13.1.3 ignored when there are two", "GET", "ten", "If-Modified-Since: {date} | If-Modified-Since: {date}", whole},
		{"5.6.7 rfc850-date", "GET", "ten", "If-Modified-Since: {rfc850}", "304"},
		{"5.6.7 rfc850-date, modified since", "GET", "ten", "If-Modified-Since: {rfc850 before}", whole},
		{"5.6.7 asctime-date", "GET", "ten", "If-Modified-Since: {asctime}", "304"},
		{"5.6.7 asctime-date, modified since", "GET", "ten", "If-Modified-Since: {asctime before}", whole},
		{"5.6.7 RFC 3339 is no HTTP-date", "GET", "ten", "If-Modified-Since: 2999-12-31T23:59:59Z", whole},

		{"13.1.4 unmodified since", "GET", "ten", "If-Unmodified-Since: {date}", whole},
		{"13.1.4 unmodified since", "HEAD", "ten", "If-Unmodified-Since: {date}", "200 10 bytes"},
		{"13.1.4 unmodified since a later date", "GET", "ten", "If-Unmodified-Since: {after}", whole},
		{"13.1.4 modified since", "GET", "ten", "If-Unmodified-Since: {before}", "412"},
		{"13.1.4 modified since", "HEAD", "ten", "If-Unmodified-Since: {before}", "412"},
		{"13.1.4 modified since, rfc850-date", "GET", "ten", "If-Unmodified-Since: {rfc850 before}", "412"},
		{"13.1.4 modified since, asctime-date", "GET", "ten", "If-Unmodified-Since: {asctime before}", "412"},
		{"13.1.4 ignored when not a date", "GET", "ten", "If-Unmodified-Since: today", whole},

		{"13.2.2 step 1 before 3: If-Match fails", "GET", "ten", `If-Match: "other" | If-None-Match: {etag}`, "412"},
		{"13.2.2 step 1 before 3: If-Match holds", "GET", "ten", `If-Match: {etag} | If-None-Match: {etag}`, "304"},
		{"13.2.2 step 1 before 4", "GET", "ten", `If-Match: "other" | If-Modified-Since: {date}`, "412"},
		{"13.2.2 step 2 only without 1: If-Match holds", "GET", "ten", "If-Match: {etag} | If-Unmodified-Since: {before}", whole},
		{"13.2.2 step 2 only without 1: If-Match fails", "GET", "ten", `If-Match: "other" | If-Unmodified-Since: {date}`, "412"},
		{"13.2.2 step 2 before 3", "GET", "ten", "If-Unmodified-Since: {before} | If-None-Match: {etag}", "412"},
		{"13.2.2 step 2 before 4", "GET", "ten", "If-Unmodified-Since: {before} | If-Modified-Since: {date}", "412"},
		{"13.2.2 step 4 only without 3: it would be 304", "GET", "ten", `If-None-Match: "other" | If-Modified-Since: {date}`, whole},
		{"13.2.2 step 4 only without 3: it would be 200", "GET", "ten", "If-None-Match: {etag} | If-Modified-Since: {before}", "304"},
		{"13.2.2 step 1 before 5", "GET", "ten", `If-Match: "other" | Range: bytes=0-4`, "412"},
		{"13.2.2 step 1 before 5, unsatisfiable", "GET", "ten", `If-Match: "other" | Range: bytes=10-`, "412"},
		{"13.2.2 step 2 before 5", "GET", "ten", "If-Unmodified-Since: {before} | Range: bytes=0-4", "412"},
		{"13.2.2 step 3 before 5", "GET", "ten", "If-None-Match: {etag} | Range: bytes=0-4", "304"},
		{"13.2.2 step 3 before 5, unsatisfiable", "GET", "ten", "If-None-Match: {etag} | Range: bytes=10-", "304"},
		{"13.2.2 step 4 before 5", "GET", "ten", "If-Modified-Since: {date} | Range: bytes=0-4", "304"},
		{"13.2.2 step 3 before 5, If-Range fails", "GET", "ten", `If-None-Match: {etag} | If-Range: "other" | Range: bytes=0-4`, "304"},
		{"13.2.2 all hold", "GET", "ten", `If-Match: {etag} | If-None-Match: "other" | If-Unmodified-Since: {before} | If-Modified-Since: {date} | If-Range: {etag} | Range: bytes=0-4`, part},

		{"13.1.5 the tag matches", "GET", "ten", "If-Range: {etag} | Range: bytes=0-4", part},
		{"13.1.5 the tag matches, several", "GET", "ten", "If-Range: {etag} | Range: bytes=0-0,9-9", `206 bytes 0-0/10 "0" bytes 9-9/10 "9"`},
		{"13.1.5 the tag matches, a large file", "GET", "large", "If-Range: {etag} | Range: bytes=100000-199999", much},
		{"13.1.5 the tag matches, unsatisfiable", "GET", "ten", "If-Range: {etag} | Range: bytes=10-", "416 bytes */10"},
		{"13.1.5 the tag is stale", "GET", "ten", `If-Range: "other" | Range: bytes=0-4`, whole},
		{"13.1.5 the tag is stale, a large file", "GET", "large", `If-Range: "other" | Range: bytes=100000-199999`, "200  whole"},
		{"13.1.5 the tag is stale, unsatisfiable", "GET", "ten", `If-Range: "other" | Range: bytes=10-`, whole},
		{"13.1.5 a weak tag", "GET", "ten", "If-Range: W/{etag} | Range: bytes=0-4", whole},
		{"13.1.5 a list", "GET", "ten", "If-Range: {etag}, {etag} | Range: bytes=0-4", whole},
		{"13.1.5 any", "GET", "ten", "If-Range: * | Range: bytes=0-4", whole},
		{"13.1.5 two lines", "GET", "ten", "If-Range: {etag} | If-Range: {etag} | Range: bytes=0-4", whole},
		{"13.1.5 the date", "GET", "ten", "If-Range: {date} | Range: bytes=0-4", part},
		{"13.1.5 the date, a large file", "GET", "large", "If-Range: {date} | Range: bytes=100000-199999", much},
		{"13.1.5 the date, rfc850-date", "GET", "ten", "If-Range: {rfc850} | Range: bytes=0-4", part},
		{"13.1.5 the date, asctime-date", "GET", "ten", "If-Range: {asctime} | Range: bytes=0-4", part},
		{"13.1.5 an earlier date", "GET", "ten", "If-Range: {before} | Range: bytes=0-4", whole},
		{"13.1.5 a later date", "GET", "ten", "If-Range: {after} | Range: bytes=0-4", whole},
		{"13.1.5 neither tag nor date", "GET", "ten", "If-Range: today | Range: bytes=0-4", whole},
		{"13.1.5 an empty field", "GET", "ten", "If-Range: | Range: bytes=0-4", whole},
		{"13.1.5 ignored without Range", "GET", "ten", `If-Range: "other"`, whole},
		{"13.1.5 ignored on HEAD", "HEAD", "ten", "If-Range: {etag} | Range: bytes=0-4", "200 10 bytes"},
	} {
		f := files[x.file]
		for _, route := range f.routes {
			if got := f.describe(t, c.Do(x.method, route, nil, f.header(x.fields)...)); got != x.want {
				t.Errorf("%s: %s %s with %q:\n got %s\nwant %s", x.rule, x.method, route, x.fields, got, x.want)
			}
		}
	}
}
