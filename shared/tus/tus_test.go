package tus_test

import (
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"testing"

	"sluice/shared/tus"
)

func TestParseSize(t *testing.T) {
	for _, x := range []struct {
		value string
		want  int64
		ok    bool
	}{
		{"0", 0, true},
		{"100", 100, true},
		{"007", 7, true},
		{"9223372036854775807", 1<<63 - 1, true},
		{"9223372036854775808", 0, false},
		{"", 0, false},
		{"-1", 0, false},
		{"+1", 0, false},
		{"1_000", 0, false},
		{"1.0", 0, false},
		{"0x10", 0, false},
		{" 1", 0, false},
		{"1, 2", 0, false},
	} {
		if got, err := tus.ParseSize(x.value); got != x.want || (err == nil) != x.ok {
			t.Errorf("ParseSize(%q) = %d, %v; want %d, good: %t", x.value, got, err, x.want, x.ok)
		}
	}
}

func TestParseMetadata(t *testing.T) {
	for _, x := range []struct {
		rule  string
		lines []string
		want  map[string]string // nil: refused
	}{
		{"none", nil, map[string]string{}},
		{"an empty field", []string{""}, map[string]string{}},
		{"the example of the protocol", []string{"filename d29ybGRfZG9taW5hdGlvbl9wbGFuLnBkZg==,is_confidential"}, map[string]string{"filename": "world_domination_plan.pdf", "is_confidential": ""}},
		{"an empty value after a space", []string{"a ,b YQ=="}, map[string]string{"a": "", "b": "a"}},
		{"white space around the list", []string{" a YQ== ,\tb Yg== "}, map[string]string{"a": "a", "b": "b"}},
		{"several lines", []string{"a YQ==", "b Yg=="}, map[string]string{"a": "a", "b": "b"}},
		{"any bytes in a value", []string{"a AP8="}, map[string]string{"a": "\x00\xff"}},
		{"as long as may be", []string{"a " + strings.Repeat("YWFh", 1023)}, map[string]string{"a": strings.Repeat("a", 3069)}},
		{"too long", []string{strings.Repeat("a", tus.MaxMetadata+1)}, nil},
		{"an empty key", []string{"a YQ==,,b Yg=="}, nil},
		{"a comma at the end", []string{"a YQ==,"}, nil},
		{"a key twice", []string{"a YQ==,a YQ=="}, nil},
		{"a key that is not ASCII", []string{"é YQ=="}, nil},
		{"two values", []string{"a YQ== Yg=="}, nil},
		{"not Base64", []string{"a %%%"}, nil},
		{"Base64 without its padding", []string{"a YQ"}, nil},
		{"bits left over", []string{"a YR=="}, nil},
		{"a line break in Base64", []string{"a YW\nFh"}, nil},
		{"Base64 for URLs", []string{"a _-8="}, nil},
	} {
		got, err := tus.ParseMetadata(x.lines)
		if (err == nil) != (x.want != nil) || !maps.Equal(got, x.want) {
			t.Errorf("%s: ParseMetadata(%.80q) = %q, %v; want %q", x.rule, x.lines, got, err, x.want)
		}
	}
}

func TestParseChecksum(t *testing.T) {
	const sha1Hello, sha256Hello = "qvTGHdzF6KLavt4PO0gs2a6pQ00=", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="
	for _, x := range []struct {
		value string
		good  bool
	}{
		{"sha1 " + sha1Hello, true},
		{"sha256 " + sha256Hello, true},
		{"sha256 " + sha1Hello, false},
		{"sha1 " + sha256Hello, false},
		{"SHA1 " + sha1Hello, false},
		{"md5 XUFAKrxLKna5cZ2REBfFkg==", false},
		{"sha1", false},
		{"sha1 ", false},
		{"sha1  " + sha1Hello, false},
		{"sha1 aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d", false},
		{"sha1 " + sha1Hello[:14] + "\n" + sha1Hello[14:], false},
		{"", false},
	} {
		c, err := tus.ParseChecksum(x.value)
		if (err == nil) != x.good {
			t.Errorf("ParseChecksum(%q) = %v; want it to be good: %t", x.value, err, x.good)
			continue
		}
		if !x.good {
			continue
		}
		for text, want := range map[string]bool{"hello": true, "hellp": false, "": false} {
			h := c.New()
			_, _ = h.Write([]byte(text)) // never fails
			if got := c.Holds(h); got != want {
				t.Errorf("%s holds for %q: %t, want %t", x.value, text, got, want)
			}
		}
	}
}

// What is taken can be written so that it is taken again, with the same
// meaning.
func FuzzParseMetadata(f *testing.F) {
	for _, seed := range []string{"", "a", "a YQ==", "filename d29ybGRfZG9taW5hdGlvbl9wbGFuLnBkZg==,is_confidential", "a ,b", "a YQ==,a YQ==", ",", " ", "a  YQ=="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		got, err := tus.ParseMetadata([]string{field})
		if err != nil {
			return
		}
		var pairs []string
		for key, value := range got {
			pairs = append(pairs, key+" "+base64.StdEncoding.EncodeToString([]byte(value)))
		}
		again, err := tus.ParseMetadata(pairs)
		if len(strings.Join(pairs, ",")) <= tus.MaxMetadata && (err != nil || !maps.Equal(got, again)) {
			t.Errorf("%q is %q, and written anew %q, %v", field, got, again, err)
		}
	})
}

func FuzzParseChecksum(f *testing.F) {
	for _, seed := range []string{"", "sha1 ", "sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00=", "sha256 LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=", "md5 a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		c, err := tus.ParseChecksum(value)
		if err != nil {
			return
		}
		name, sum, _ := strings.Cut(value, " ")
		raw, err := base64.StdEncoding.DecodeString(sum)
		if err != nil || len(raw) != c.New().Size() || !slices.Contains(strings.Split(tus.Algorithms, ","), name) {
			t.Errorf("%q was taken", value)
		}
	})
}

func FuzzParseSize(f *testing.F) {
	for _, seed := range []string{"", "0", "-0", "9223372036854775808", "1e3", "١"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		n, err := tus.ParseSize(value)
		digits := value != "" && strings.Trim(value, "0123456789") == ""
		if err == nil && (n < 0 || !digits) {
			t.Errorf("ParseSize(%q) = %d, want an error", value, n)
		}
	})
}
