package byterange_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/shared/byterange"
)

func FuzzParse(f *testing.F) {
	for _, seed := range []struct {
		lines string
		size  int64
	}{
		{"bytes=0-4", 10},
		{"bytes=0-0,-1,5-", 10},
		{"bytes= 0-1 ,,\t4-5\n6-7", 10},
		{"BYTES=9223372036854775806-", 1<<63 - 1},
		{"bytes=-18446744073709551616", 1},
		{"bytes=" + strings.Repeat("0-,", 20), 1 << 62},
		{"pages=1", 10},
		{"bytes=-0", 0},
		{"", -1},
	} {
		f.Add(seed.lines, seed.size)
	}
	f.Fuzz(func(t *testing.T, lines string, size int64) {
		ranges, err := byterange.Parse(strings.Split(lines, "\n"), size)
		if err != nil && !errors.Is(err, byterange.ErrMalformed) && !errors.Is(err, byterange.ErrUnsatisfiable) {
			t.Fatalf("Parse(%q, %d): foreign error %v", lines, size, err)
		}
		if err != nil && ranges != nil {
			t.Fatalf("Parse(%q, %d): %v and ranges %v", lines, size, err, ranges)
		}
		checkBounds(t, ranges, size)
	})
}

// checkBounds holds what is promised of all ranges: within the representation,
// not empty, at most sixteen, and no more bytes than one and a half times it.
func checkBounds(t *testing.T, ranges []byterange.Range, size int64) {
	if len(ranges) > 16 {
		t.Errorf("%d ranges", len(ranges))
	}
	var sum float64 // of sixteen 63-bit numbers, which no integer holds
	for _, r := range ranges {
		if r.Start < 0 || r.Length <= 0 || r.Start >= size || r.Length > size-r.Start {
			t.Errorf("range %+v is not within %d bytes", r, size)
		}
		sum += float64(r.Length)
	}
	if sum > 1.5*float64(size)*(1+1e-9) && len(ranges) > 0 {
		t.Errorf("ranges %v are %.0f bytes of a file of %d", ranges, sum, size)
	}
}

func FuzzEvaluate(f *testing.F) {
	const date = "Sun, 06 Nov 1994 08:49:37 GMT"
	for _, seed := range [][6]string{
		{"", "", "", "", "", "bytes=0-4"},
		{`"v1"`, `"v0"`, "", "", `"v1"`, "bytes=0-0,-1"},
		{"*", "W/\"v0\", \"v2\"", "", "", date, "bytes=2-"},
		{"", "", date, "", "", ""},
		{"", "", "", date, "Sunday, 06-Nov-94 08:49:37 GMT", "bytes=-5\n0-1"},
		{`"a`, `"a" "b"`, "Sun Nov  6 08:49:37 1994", "x", `W/"v1"`, "bytes=x"},
	} {
		f.Add("GET", seed[0], seed[1], seed[2], seed[3], seed[4], seed[5], `"v1"`, int64(784111777), int64(10))
	}
	f.Fuzz(func(t *testing.T, method, match, none, since, unmodified, ifRange, ranges, tag string, unix, size int64) {
		h := http.Header{}
		for field, lines := range map[string]string{
			"If-Match": match, "If-None-Match": none, "If-Modified-Since": since,
			"If-Unmodified-Since": unmodified, "If-Range": ifRange, "Range": ranges,
		} {
			if lines != "" {
				h[field] = strings.Split(lines, "\n")
			}
		}
		rep := byterange.Representation{ETag: tag, LastModified: time.Unix(unix, 0), Size: size}
		byterange.Precondition(h, &rep)
		byterange.Precondition(h, nil)
		v := byterange.Evaluate(method, h, rep)
		checkBounds(t, v.Ranges, size)
		checkVerdict(t, method, h, v)
	})
}

// checkVerdict holds what each status may come from.
func checkVerdict(t *testing.T, method string, h http.Header, v byterange.Verdict) {
	has := func(field string) bool { return len(h[field]) > 0 }
	reads := method == "GET" || method == "HEAD"
	ok := false
	switch v.Status {
	case 200:
		ok = true
	case 206:
		ok = method == "GET" && has("Range")
	case 304:
		ok = reads && (has("If-None-Match") || has("If-Modified-Since"))
	case 412:
		ok = has("If-Match") || has("If-Unmodified-Since") || has("If-None-Match") && !reads
	case 416:
		ok = method == "GET" && has("Range")
	}
	if !ok || (v.Status == 206) != (len(v.Ranges) > 0) {
		t.Errorf("%s %q: verdict %+v", method, h, v)
	}
}
