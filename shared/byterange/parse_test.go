package byterange_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"sluice/shared/byterange"
)

// What Parse says, in one word or as "first-last" pairs.
const (
	ignored       = "ignored"
	malformed     = "malformed"
	unsatisfiable = "unsatisfiable"
)

func verdictOf(ranges []byterange.Range, err error) string {
	switch {
	case errors.Is(err, byterange.ErrMalformed):
		return malformed
	case errors.Is(err, byterange.ErrUnsatisfiable):
		return unsatisfiable
	case err != nil:
		return err.Error()
	case len(ranges) == 0:
		return ignored
	}
	var pairs []string
	for _, r := range ranges {
		pairs = append(pairs, fmt.Sprintf("%d-%d", r.Start, r.Start+r.Length-1))
	}
	return strings.Join(pairs, " ")
}

func TestParse(t *testing.T) {
	const huge = "99999999999999999999999999"
	for _, c := range []struct {
		rule  string // the section of RFC 9110 and what it says
		lines string // field lines, separated by |
		size  int64
		want  string
	}{
		{"14.1.1 int-range", "bytes=0-4", 10, "0-4"},
		{"14.1.1 int-range of one byte", "bytes=0-0", 10, "0-0"},
		{"14.1.1 int-range of the last byte", "bytes=9-9", 10, "9-9"},
		{"14.1.1 int-range of everything", "bytes=0-9", 10, "0-9"},
		{"14.1.1 int-range without an end", "bytes=3-", 10, "3-9"},
		{"14.1.1 int-range without an end, all of it", "bytes=0-", 10, "0-9"},
		{"14.1.1 leading zeros are digits", "bytes=0000000000000000000000002-0004", 10, "2-4"},
		{"14.1.2 an end beyond the end is the end", "bytes=5-99", 10, "5-9"},
		{"14.1.2 an end at the size is the end", "bytes=5-10", 10, "5-9"},
		{"14.1.2 suffix-range", "bytes=-3", 10, "7-9"},
		{"14.1.2 suffix-range of the last byte", "bytes=-1", 10, "9-9"},
		{"14.1.2 suffix-range of the size", "bytes=-10", 10, "0-9"},
		{"14.1.2 suffix-range longer than the size", "bytes=-11", 10, "0-9"},
		{"14.1.2 suffix-range of zero", "bytes=-0", 10, unsatisfiable},
		{"14.1.2 suffix-range of many zeros", "bytes=-000", 10, unsatisfiable},
		{"14.1.2 a start at the size", "bytes=10-", 10, unsatisfiable},
		{"14.1.2 a start beyond the size", "bytes=11-12", 10, unsatisfiable},
		{"14.1.2 a start before the last byte", "bytes=9-", 10, "9-9"},

		{"14.1.1 an end over 64 bits", "bytes=0-" + huge, 10, "0-9"},
		{"14.1.1 a start over 64 bits", "bytes=" + huge + "-", 10, unsatisfiable},
		{"14.1.1 a start and an end over 64 bits", "bytes=" + huge + "-" + huge, 10, unsatisfiable},
		{"14.1.1 a suffix over 64 bits", "bytes=-" + huge, 10, "0-9"},
		{"14.1.1 an end of 63 bits", "bytes=0-9223372036854775807", 10, "0-9"},
		{"14.1.1 an end of 63 bits and one", "bytes=0-9223372036854775808", 10, "0-9"},
		{"14.1.1 an end of 64 bits and one", "bytes=0-18446744073709551616", 10, "0-9"},
		{"14.1.1 a letter after 26 digits", "bytes=0-" + huge + "x", 10, malformed},
		{"14.1.1 the largest file, its end", "bytes=9223372036854775806-", math.MaxInt64, "9223372036854775806-9223372036854775806"},
		{"14.1.1 the largest file, all of it", "bytes=0-", math.MaxInt64, "0-9223372036854775806"},
		{"14.2 the largest file, twice", "bytes=0-,0-", math.MaxInt64, ignored},

		{"14.1.1 last before first", "bytes=4-3", 10, malformed},
		{"14.1.1 last before first, beyond the end", "bytes=20-15", 10, malformed},
		{"14.1.1 last before first, in a list", "bytes=0-1,4-3", 10, malformed},
		{"14.1.1 no dash", "bytes=5", 10, malformed},
		{"14.1.1 a dash alone", "bytes=-", 10, malformed},
		{"14.1.1 two dashes", "bytes=--5", 10, malformed},
		{"14.1.1 three numbers", "bytes=1-2-3", 10, malformed},
		{"14.1.1 a sign before the start", "bytes=+1-4", 10, malformed},
		{"14.1.1 a sign before the end", "bytes=1-+4", 10, malformed},
		{"14.1.1 a sign before the suffix", "bytes=-+4", 10, malformed},
		{"14.1.1 a space after the start", "bytes=1 -4", 10, malformed},
		{"14.1.1 a space before the end", "bytes=1- 4", 10, malformed},
		{"14.1.1 a space in the suffix", "bytes=- 4", 10, malformed},
		{"14.1.1 letters", "bytes=a-b", 10, malformed},
		{"14.1.1 hexadecimal", "bytes=0x1-0x2", 10, malformed},
		{"14.1.1 an underscore", "bytes=1_0-", 100, malformed},
		{"14.1.1 a fraction", "bytes=1.5-2", 10, malformed},
		{"14.1.1 digits of another script", "bytes=१-२", 10, malformed},
		{"14.1.1 a unit twice", "bytes=bytes=0-4", 10, malformed},
		{"14.1.1 a semicolon for a comma", "bytes=0-1;3-4", 10, malformed},
		{"14.1.1 garbage in a list", "bytes=0-1,x,3-4", 10, malformed},
		{"14.1.1 NUL", "bytes=0-4\x00", 10, malformed},
		{"14.1.1 invalid UTF-8", "bytes=\xff-4", 10, malformed},

		{"14.1 no unit", "=0-4", 10, malformed},
		{"14.1 no equals sign", "bytes", 10, malformed},
		{"14.1 a colon for the equals sign", "bytes:0-4", 10, malformed},
		{"14.1 a space before the equals sign", "bytes =0-4", 10, malformed},
		{"14.1 a space in the unit", "by tes=0-4", 10, malformed},
		{"14.1 an empty value", "", 10, malformed},
		{"14.1 the unit in capitals", "BYTES=0-4", 10, "0-4"},
		{"14.1 the unit in mixed case", "ByTeS=0-4", 10, "0-4"},
		{"14.1 a letter that only folds to s", "byteſ=0-4", 10, malformed},
		{"14.2 an unknown unit", "seconds=0-4", 10, ignored},
		{"14.2 an unknown unit of every kind of token character", "aZ09!#$%&'*+-.^_`~=0-4", 10, ignored},
		{"14.2 an unknown unit with another syntax", "cats=tom..tim", 10, ignored},
		{"14.2 the unit none", "none=0-4", 10, ignored},
		{"14.2 a unit that begins like ours", "bytess=0-4", 10, ignored},

		{"14.1.1 two ranges", "bytes=0-1,4-5", 10, "0-1 4-5"},
		{"14.1.1 three kinds of range", "bytes=0-0,3-,-1", 10, "0-0 3-9 9-9"},
		{"15.3.7.2 the client's order is kept", "bytes=8-9,0-1", 10, "8-9 0-1"},
		{"14.2 overlapping ranges are not coalesced", "bytes=0-4,3-6", 10, "0-4 3-6"},
		{"14.2 adjacent ranges are not coalesced", "bytes=0-1,2-3", 10, "0-1 2-3"},
		{"14.2 the same range twice", "bytes=0-1,0-1", 10, "0-1 0-1"},
		{"15.3.7.2 an unsatisfiable range is left out", "bytes=0-1,20-30", 10, "0-1"},
		{"15.3.7.2 an unsatisfiable range is left out, in front", "bytes=20-30,0-1", 10, "0-1"},
		{"15.3.7.2 an unsatisfiable suffix is left out", "bytes=-0,0-1", 10, "0-1"},
		{"14.1.2 none satisfiable", "bytes=10-,20-30,-0", 10, unsatisfiable},

		{"5.6.1 whitespace around elements", "bytes= 0-1 ,\t4-5\t", 10, "0-1 4-5"},
		{"5.6.1.2 empty elements", "bytes=,0-1,, ,4-5,", 10, "0-1 4-5"},
		{"5.6.1.2 nothing but empty elements", "bytes=, ,", 10, malformed},
		{"5.6.1.2 no element", "bytes=", 10, malformed},
		{"5.6.1.2 63 empty elements and one range", "bytes=" + strings.Repeat(",", 63) + "0-1", 10, "0-1"},
		{"5.6.1.2 64 empty elements and one range", "bytes=" + strings.Repeat(",", 64) + "0-1", 10, ignored},
		{"5.5 whitespace around the value", " bytes=0-1\t", 10, "0-1"},

		{"5.3 two lines are one list", "bytes=0-1|4-5", 10, "0-1 4-5"},
		{"5.3 three lines, some empty", "bytes=0-1||4-5|", 10, "0-1 4-5"},
		{"5.3 the second line may be unsatisfiable", "bytes=0-1|40-50", 10, "0-1"},
		{"5.3 the second line may be malformed", "bytes=0-1|x", 10, malformed},
		{"5.3 the second line has no unit of its own", "bytes=0-1|bytes=4-5", 10, malformed},
		{"5.3 the first line must have the unit", "0-1|bytes=4-5", 10, malformed},
		{"5.3 an empty first line", "|bytes=4-5", 10, malformed},
		{"5.3 lines of an unknown unit", "cats=1|bytes=0-1", 10, ignored},

		{"17.15 sixteen ranges", "bytes=" + strings.Repeat("0-0,", 15) + "1-1", 100, strings.Repeat("0-0 ", 15) + "1-1"},
		{"17.15 seventeen ranges", "bytes=" + strings.Repeat("0-0,", 16) + "1-1", 100, ignored},
		{"17.15 seventeen ranges over lines", "bytes=" + strings.Repeat("0-0|", 16) + "1-1", 100, ignored},
		{"17.15 sixteen unsatisfiable ranges", "bytes=" + strings.Repeat("200-,", 15) + "200-", 100, unsatisfiable},
		{"17.15 seventeen unsatisfiable ranges", "bytes=" + strings.Repeat("200-,", 16) + "200-", 100, ignored},
		{"14.2 the whole file once and half of it again", "bytes=0-9,0-4", 10, "0-9 0-4"},
		{"14.2 one byte more", "bytes=0-9,0-5", 10, ignored},
		{"14.2 the whole file twice", "bytes=0-,0-", 10, ignored},
		{"14.2 half of an odd size is rounded down", "bytes=0-2,0-0", 3, "0-2 0-0"},
		{"14.2 half of an odd size is not rounded up", "bytes=0-2,0-1", 3, ignored},
		{"14.2 a file of one byte, twice", "bytes=0-0,-1", 1, ignored},
		{"14.2 unsatisfiable ranges ask for nothing", "bytes=0-9,0-4,50-99", 10, "0-9 0-4"},

		{"14.2 an empty file, from the start", "bytes=0-", 0, ignored},
		{"14.2 an empty file, beyond it", "bytes=5-9", 0, ignored},
		{"14.2 an empty file, a suffix", "bytes=-5", 0, ignored},
		{"14.2 an empty file, a suffix of zero", "bytes=-0", 0, ignored},
		{"14.2 an empty file, malformed", "bytes=x", 0, malformed},
		{"14.2 a negative size is an empty file", "bytes=0-4", -1, ignored},
	} {
		lines := strings.Split(c.lines, "|")
		if got := verdictOf(byterange.Parse(lines, c.size)); got != c.want {
			t.Errorf("%s: Range %q of %d bytes: got %s, want %s", c.rule, lines, c.size, got, c.want)
		}
	}
}

func TestParseWithoutField(t *testing.T) {
	if got := verdictOf(byterange.Parse(nil, 10)); got != ignored {
		t.Errorf("no Range lines: got %s, want %s", got, ignored)
	}
}
