package byterange_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"sluice/shared/byterange"
)

// megabyte repeats s to a megabyte, which is what net/http reads of a header.
func megabyte(s string) string { return strings.Repeat(s, 1<<20/len(s)) }

// hostile are Range fields made to cost much.
var hostile = []struct{ name, value, want string }{
	{"ranges", "bytes=" + megabyte("0-0,"), ignored},
	{"unsatisfiable ranges", "bytes=" + megabyte("999-,"), ignored},
	{"empty elements", "bytes=" + megabyte(","), ignored},
	{"whitespace", "bytes=" + megabyte(" \t") + "0-0", "0-0"},
	{"whitespace between elements", "bytes=" + megabyte(" , "), ignored},
	{"one number", "bytes=0-" + megabyte("9"), "0-99"},
	{"one number of zeros", "bytes=" + megabyte("0") + "-1", "0-1"},
	{"dashes", "bytes=" + megabyte("-"), malformed},
	{"equals signs", megabyte("="), malformed},
	{"a long unit", megabyte("bytes"), malformed},
	{"a long unknown unit", megabyte("bytes") + "=0-1", ignored},
}

func TestParseHostile(t *testing.T) {
	for _, c := range hostile {
		if got := verdictOf(byterange.Parse([]string{c.value}, 100)); got != c.want {
			t.Errorf("a megabyte of %s: got %s, want %s", c.name, got, c.want)
		}
	}
	lines := slices.Repeat([]string{"0-0"}, 1<<18)
	lines[0] = "bytes=0-0"
	if got := verdictOf(byterange.Parse(lines, 100)); got != ignored {
		t.Errorf("a megabyte of lines: got %s, want %s", got, ignored)
	}
}

// TestParseStopsEarly counts what is kept of a list that is given up: no more
// than the slice of sixteen ranges.
func TestParseStopsEarly(t *testing.T) {
	for _, c := range hostile {
		lines := []string{c.value}
		if got := testing.AllocsPerRun(1, func() { byterange.Parse(lines, 100) }); got > 5 {
			t.Errorf("a megabyte of %s: got %v allocations, want at most 5", c.name, got)
		}
	}
}

func TestEvaluateHostileTags(t *testing.T) {
	for _, c := range []struct {
		name, value string
		want        int
	}{
		{"tags", megabyte(`"v0",`), http.StatusOK},
		{"tags, ours last", megabyte(`"v0",`) + `"v1"`, http.StatusNotModified},
		{"empty elements", megabyte(`,`) + `"v1"`, http.StatusNotModified},
		{"whitespace", megabyte(" \t") + `"v1"`, http.StatusNotModified},
		{"one tag", `"` + megabyte("v") + `"`, http.StatusOK},
		{"an open tag", `"` + megabyte("v"), http.StatusOK},
		{"quotes", megabyte(`"`), http.StatusOK},
		{"weak marks", megabyte("W/"), http.StatusOK},
	} {
		h := http.Header{"If-None-Match": {c.value}}
		if got := byterange.Evaluate("GET", h, tagged).Status; got != c.want {
			t.Errorf("a megabyte of %s: got %d, want %d", c.name, got, c.want)
		}
	}
}

// BenchmarkParseHostile shows that the worst field costs what reading it does.
func BenchmarkParseHostile(b *testing.B) {
	for _, c := range hostile {
		b.Run(strings.ReplaceAll(c.name, " ", "_"), func(b *testing.B) {
			b.SetBytes(int64(len(c.value)))
			lines := []string{c.value}
			for b.Loop() {
				byterange.Parse(lines, 100)
			}
		})
	}
}

// BenchmarkEvaluate is the common resumption of a download.
func BenchmarkEvaluate(b *testing.B) {
	h := header(`If-Range: "v1" | Range: bytes=5-`)
	for b.Loop() {
		byterange.Evaluate("GET", h, tagged)
	}
}
