package main

import (
	"strings"
	"testing"
	"time"
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
