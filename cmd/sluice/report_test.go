package main

import (
	"math"
	"strings"
	"testing"
	"time"

	"sluice/shared/fetch"
)

// TestAJobIsTold has a job tell of itself four times: anew, the same, anew, and
// no more.
func TestAJobIsTold(t *testing.T) {
	for _, c := range []struct {
		name   string
		report *report
		want   string
	}{
		{"to a terminal", &report{width: 12}, "1 object\n" + "\x1b[1A\x1b[J1 object\n" + "\x1b[1A\x1b[J2 objects a\n" + "\x1b[1A\x1b[J"},
		{"to a file", &report{}, "1 object\n2 objects and more\n"},
		{"in JSON", &report{json: true}, ""},
		{"quietly", &report{quiet: true}, ""},
	} {
		var out strings.Builder
		r := c.report
		r.out = &out
		for _, text := range []string{"1 object", "1 object", "2 objects and more"} {
			r.follow(func(time.Time) string { return text })
			r.tell(time.Now())
		}
		r.follow(nil)
		r.tell(time.Now())
		if got := out.String(); got != c.want {
			t.Errorf("%s a job tells %q, want %q", c.name, got, c.want)
		}
	}
}

// TestWithoutATerminalALineIsPrintedNowAndThen has a download of 80 GB tell of
// itself once a second for 100 seconds, at 8 MB/s.
func TestWithoutATerminalALineIsPrintedNowAndThen(t *testing.T) {
	for _, c := range []struct {
		name   string
		report *report
		want   string
	}{
		{"to a file", &report{}, "" +
			"a.bin: 228.9 MiB of 74.5 GiB (0%), 7.6 MiB/s, 2h46m10s left\n" +
			"a.bin: 457.8 MiB of 74.5 GiB (0%), 7.6 MiB/s, 2h45m40s left\n" +
			"a.bin: 686.6 MiB of 74.5 GiB (0%), 7.6 MiB/s, 2h45m10s left\n"},
		{"quietly", &report{quiet: true}, ""},
	} {
		var out strings.Builder
		var bytes int64
		c.report.out = &out
		c.report.add(0, func() fetch.Progress { return fetch.Progress{Name: "a.bin", Size: 80e9, Bytes: bytes} })
		begin := time.Unix(0, 0)
		for second := range 100 {
			bytes = int64(second) * 8e6
			c.report.tell(begin.Add(time.Duration(second) * time.Second))
		}
		if got := out.String(); got != c.want {
			t.Errorf("%s the lines are\n%swant\n%s", c.name, got, c.want)
		}
	}
}

func TestTimeLeftIsToldWhereItCanBe(t *testing.T) {
	for _, c := range []struct {
		name        string
		size, bytes int64
		rate        float64
		want        string
	}{
		{"under way", 80e9, 0, 1e6, "22h13m20s"},
		{"at the end", 80e9, 80e9, 1e6, "0s"},
		{"nothing comes", 80e9, 1, 0, ""},
		{"nothing comes any more", 80e9, 1, 1e-9, ""},
		{"at an end where nothing came", 80e9, 80e9, 0, ""},
		{"of unknown size", -1, 5, 1e6, ""},
		{"longer than a clock can tell", math.MaxInt64, 0, 1, ""},
	} {
		if got := timeLeft(fetch.Progress{Size: c.size, Bytes: c.bytes}, c.rate); got != c.want {
			t.Errorf("%s: %q is left, want %q", c.name, got, c.want)
		}
	}
}
