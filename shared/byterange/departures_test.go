package byterange_test

import (
	"math"
	"math/big"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A departure is one way in which http.ServeContent does not do what RFC 9110
// says, or what this package chose within it. Its mend changes a request into
// one that ServeContent answers as we would the original, leaves every other
// alone, and may be applied twice.
type departure struct {
	rule    string
	example string // "METHOD size | Field: value | …", which the two answer differently
	mend    func(request)
}

// departures is every one that there is, in the order in which they are mended.
// Those further down count on the mends above them.
var departures = []departure{
	{"14.2: Range is for GET alone", "HEAD 10 | Range: bytes=0-4", mendMethod},
	{"5.3: Range lines are one list", "GET 10 | Range: bytes=0-1 | Range: 4-5", mendLines("Range")},
	{"14.2: a representation without content has no ranges", "GET 0 | Range: bytes=-5", mendEmpty},
	{"14.2: an unknown unit is ignored, not refused", "GET 10 | Range: pages=1-2", mendUnit},
	{"14.1: unit names are case-insensitive", "GET 10 | Range: Bytes=0-4", mendUnitCase},
	{"14.2: a malformed Range is ignored, not refused", "GET 10 | Range: bytes=x", mendGrammar},
	{"14.1.1: a number is digits alone", "GET 10 | Range: bytes=+1-4", mendGrammar},
	{"14.1.1: no whitespace within a range", "GET 10 | Range: bytes=1 - 4", mendGrammar},
	{"14.1.1: a number over 63 bits is large, not malformed", "GET 10 | Range: bytes=0-9223372036854775808", mendNumbers},
	{"14.1.1: last before first is malformed, wherever it is", "GET 10 | Range: bytes=20-15", mendOrder},
	{"14.1.2: a suffix of zero is unsatisfiable", "GET 10 | Range: bytes=-0", mendZeroSuffix},
	{"17.15: more than sixteen ranges are ignored", "GET 20 | Range: bytes=" + strings.Repeat("0-0,", 17), mendCount},
	{"5.6.1.2: more than 64 elements are ignored", "GET 10 | Range: bytes=" + strings.Repeat(",", 64) + "0-0", mendCount},
	{"14.2: up to one and a half files are sent", "GET 10 | Range: bytes=0-9,0-4", func(request) {}}, // see oracle

	{"5.3: If-Match lines are one list", `GET 10 | If-Match: "v0" | If-Match: "v1"`, mendLines("If-Match")},
	{"5.3: If-None-Match lines are one list", `GET 10 | If-None-Match: "v0" | If-None-Match: "v1"`, mendLines("If-None-Match")},
	{"8.8.3: an empty If-Match matches nothing", "GET 10 | If-Match:", mendTags("If-Match")},
	{"8.8.3: tags are parted by commas", `GET 10 | If-Match: "v0" "v1"`, mendTags("If-Match")},
	{"13.1.1: any is the whole field", `GET 10 | If-Match: "v0", *`, mendTags("If-Match")},
	{"13.1.2: any is the whole field", `GET 10 | If-None-Match: "v0", *`, mendTags("If-None-Match")},
	{"13.1.3: an empty If-None-Match is there", "GET 10 | If-None-Match: | If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", mendTags("If-None-Match")},

	{"13.1.3: two dates are none", "GET 10 | If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT | If-Modified-Since: now", mendDate("If-Modified-Since")},
	{"13.1.4: two dates are none", "GET 10 | If-Unmodified-Since: Sat, 05 Nov 1994 08:49:37 GMT | If-Unmodified-Since: now", mendDate("If-Unmodified-Since")},
	{"5.6.7: an HTTP-date is in GMT", "GET 10 | If-Unmodified-Since: Saturday, 05-Nov-94 08:49:37 PST", mendDate("If-Unmodified-Since")},
	{"5.6.7: an HTTP-date is in GMT", "GET 10 | If-Modified-Since: Monday, 07-Nov-94 23:49:37 PST", mendDate("If-Modified-Since")},
	{"13.1.5: If-Range is one tag and nothing else", `GET 10 | If-Range: "v1", "v0" | Range: bytes=0-4`, mendIfRange},
	{"13.1.5: two If-Range lines are no validator", `GET 10 | If-Range: "v1" | If-Range: "v1" | Range: bytes=0-4`, mendIfRange},
	{"13.1.5: an empty If-Range is there and does not hold", "GET 10 | If-Range: | Range: bytes=0-4", mendIfRange},
}

func mend(r request) request {
	r.header = r.header.Clone()
	for _, d := range departures {
		d.mend(r)
	}
	return r
}

// TestDepartures holds the table to the truth: each example is answered
// differently by ServeContent, and alike once mended.
func TestDepartures(t *testing.T) {
	for _, d := range departures {
		line, fields, _ := strings.Cut(d.example, " | ")
		method, size, _ := strings.Cut(line, " ")
		content := map[string]string{"0": "", "10": "0123456789", "20": "01234567890123456789"}[size]
		r := request{method, header(fields), tagged, content}
		r.rep.Size = int64(len(content))

		ours, theirs, mended := ask(t, serve, r), ask(t, serveContent, r), oracle(t, r)
		if reflect.DeepEqual(ours, theirs) {
			t.Errorf("%s: %s: ServeContent answers alike: %+v", d.rule, d.example, ours)
		}
		if !reflect.DeepEqual(ours, mended) {
			t.Errorf("%s: %s:\n   ours %+v\nmended %+v", d.rule, d.example, ours, mended)
		}
	}
}

func mendMethod(r request) {
	if r.method != http.MethodGet {
		r.header.Del("Range")
	}
}

func mendLines(field string) func(request) {
	return func(r request) {
		if lines := r.header.Values(field); len(lines) > 1 {
			r.header.Set(field, strings.Join(lines, ", "))
		}
	}
}

func mendEmpty(r request) {
	if len(r.content) == 0 {
		r.header.Del("Range")
	}
}

var (
	otherUnit = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+=")
	bytesUnit = regexp.MustCompile(`^[Bb][Yy][Tt][Ee][Ss]=`)
	rangeSet  = regexp.MustCompile(`^bytes=[ \t,]*(?:[0-9]+-[0-9]*|-[0-9]+)(?:[ \t]*,[ \t]*(?:[0-9]+-[0-9]*|-[0-9]+)?)*[ \t]*$`)
	digits    = regexp.MustCompile(`[0-9]+`)
)

func mendUnit(r request) {
	value := r.header.Get("Range")
	if otherUnit.MatchString(value) && !bytesUnit.MatchString(value) {
		r.header.Del("Range")
	}
}

func mendUnitCase(r request) {
	if value := r.header.Get("Range"); bytesUnit.MatchString(value) {
		r.header.Set("Range", bytesUnit.ReplaceAllString(value, "bytes="))
	}
}

func mendGrammar(r request) {
	if value := r.header.Get("Range"); value != "" && !rangeSet.MatchString(value) {
		r.header.Del("Range")
	}
}

func mendNumbers(r request) {
	if value := r.header.Get("Range"); value != "" {
		r.header.Set("Range", digits.ReplaceAllStringFunc(value, func(s string) string {
			n, _ := new(big.Int).SetString(s, 10)
			if limit := big.NewInt(math.MaxInt64); n.Cmp(limit) > 0 {
				n = limit
			}
			return n.String()
		}))
	}
}

// specs are the elements of a mended Range.
func specs(r request) []string {
	_, set, found := strings.Cut(r.header.Get("Range"), "=")
	if !found {
		return nil
	}
	list := strings.Split(set, ",")
	for i := range list {
		list[i] = strings.Trim(list[i], " \t")
	}
	return list
}

func mendOrder(r request) {
	for _, spec := range specs(r) {
		first, last, _ := strings.Cut(spec, "-")
		a, ok := new(big.Int).SetString(first, 10)
		b, ok2 := new(big.Int).SetString(last, 10)
		if ok && ok2 && b.Cmp(a) < 0 {
			r.header.Del("Range")
		}
	}
}

func mendZeroSuffix(r request) {
	if list := specs(r); slices.Contains(list, "-0") {
		for i, spec := range list {
			if spec == "-0" {
				list[i] = "9223372036854775807-" // unsatisfiable to both
			}
		}
		r.header.Set("Range", "bytes="+strings.Join(list, ","))
	}
}

func mendCount(r request) {
	list := specs(r)
	named := slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == "" })
	if len(named) > 16 || len(list) > 64 {
		r.header.Del("Range")
	}
}

// wellFormed is the part of a list of tags before the first element that is
// none.
var wellFormed = regexp.MustCompile(`^(?:[ \t]*(?:(?:W/)?"[!#-~\x{80}-\x{10FFFF}]*")?[ \t]*(?:,|$))*`)

func mendTags(field string) func(request) {
	return func(r request) {
		if lines := r.header.Values(field); len(lines) > 0 && lines[0] != "*" {
			tags := wellFormed.FindString(lines[0])
			r.header.Set(field, tags+`, "-"`) // since ServeContent overlooks an empty field
		}
	}
}

var zoneOtherThanGMT = regexp.MustCompile(`^[A-Z][a-z]+day, .* (?:[A-FH-Z]..|G[^M].|GM[^T])$`)

func mendDate(field string) func(request) {
	return func(r request) {
		if lines := r.header.Values(field); len(lines) > 1 || zoneOtherThanGMT.MatchString(r.header.Get(field)) {
			r.header.Del(field)
		}
	}
}

var tagAlone = regexp.MustCompile(`^(?:W/)?"[^"]*"$`)

func mendIfRange(r request) {
	lines := r.header.Values("If-Range")
	if len(lines) == 0 {
		return
	}
	value := lines[0]
	tagAndMore := strings.HasPrefix(value, `"`) && !tagAlone.MatchString(value)
	if len(lines) > 1 || value == "" || tagAndMore || zoneOtherThanGMT.MatchString(value) {
		r.header.Del("Range")
	}
}
