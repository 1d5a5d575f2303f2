package digest_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"strings"
	"testing"

	"sluice/shared/digest"
)

// The digests of "abc", as FIPS 180-2 and RFC 9530 write them.
const (
	abc256 = "sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:"
	abc512 = "sha-512=:3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw==:"
)

func sum256(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}

func sum512(s string) []byte {
	sum := sha512.Sum512([]byte(s))
	return sum[:]
}

func TestParse(t *testing.T) {
	for _, x := range []struct {
		rule  string
		lines []string
		want  digest.Set
	}{
		{"no field", nil, digest.Set{}},
		{"RFC 9530 §2 sha-256", []string{abc256}, digest.Set{SHA256: sum256("abc")}},
		{"RFC 9530 §2 sha-512", []string{abc512}, digest.Set{SHA512: sum512("abc")}},
		{"RFC 9530 §2 several", []string{abc256 + ", " + abc512}, digest.Set{SHA256: sum256("abc"), SHA512: sum512("abc")}},
		{"RFC 9110 §5.3 several lines", []string{abc256, abc512}, digest.Set{SHA256: sum256("abc"), SHA512: sum512("abc")}},
		{"RFC 9651 §4.2 white space around the list", []string{"  " + abc256 + " ,\t" + abc512 + "  "}, digest.Set{SHA256: sum256("abc"), SHA512: sum512("abc")}},
		{"RFC 9651 §3.2 the last of one name counts", []string{"sha-256=:AAAA:, " + abc256}, digest.Set{SHA256: sum256("abc")}},
		{"RFC 9651 §3.1.2 parameters are ignored", []string{abc256 + ";a=1;b"}, digest.Set{SHA256: sum256("abc")}},
		{"RFC 9530 §5 an unknown algorithm is ignored", []string{"md5=:AAAA:, " + abc256 + ", sha=:AAAA:"}, digest.Set{SHA256: sum256("abc")}},
		{"RFC 9530 §5 unknown algorithms alone", []string{"crc32c=:AAAA:"}, digest.Set{}},
		{"RFC 9530 §5 an unknown one of another type", []string{"unixsum=30637, id-sha-256=?1"}, digest.Set{}},
		{"an empty field", []string{""}, digest.Set{}},
	} {
		got, err := digest.Parse(x.lines)
		if err != nil || !bytes.Equal(got.SHA256, x.want.SHA256) || !bytes.Equal(got.SHA512, x.want.SHA512) {
			t.Errorf("%s: Parse(%q) = %x, %v, want %x", x.rule, x.lines, got, err, x.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, x := range []struct {
		rule string
		line string
	}{
		{"hexadecimal digits", "sha-256=" + strings.Repeat("0", 64)},
		{"the form of RFC 3230, without colons", "SHA-256=ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="},
		{"a string", `sha-256="ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="`},
		{"a boolean", "sha-256"},
		{"an inner list", "sha-256=(:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:)"},
		{"a number", "sha-256=1"},
		{"nothing", "sha-256=::"},
		{"too short", "sha-256=:AAAA:"},
		{"too long", strings.Replace(abc512, "sha-512", "sha-256", 1)},
		{"a sha-512 too short", strings.Replace(abc256, "sha-256", "sha-512", 1)},
		{"one of two", abc256 + ", sha-512=:AAAA:"},
		{"not base64", "sha-256=:!!!!:"},
		{"no closing colon", strings.TrimSuffix(abc256, ":")},
		{"text behind it", abc256 + "x"},
		{"an empty element", abc256 + ",," + abc512},
		{"a trailing comma", abc256 + ","},
		{"a name in capitals", "SHA-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:"},
		{"a control", abc256 + "\x00"},
	} {
		if got, err := digest.Parse([]string{x.line}); err == nil {
			t.Errorf("%s: Parse(%q) = %x, want an error", x.rule, x.line, got)
		}
	}
}

func TestFormat(t *testing.T) {
	if got := digest.Format(sum256("abc")); got != abc256 {
		t.Errorf("Format = %s, want %s", got, abc256)
	}
}

func TestJoin(t *testing.T) {
	a, b := digest.Set{SHA256: sum256("a")}, digest.Set{SHA512: sum512("a")}
	both := digest.Set{SHA256: sum256("a"), SHA512: sum512("a")}
	for name, x := range map[string]struct{ s, t, want digest.Set }{
		"nothing and nothing":    {},
		"one and nothing":        {a, digest.Set{}, a},
		"nothing and one":        {digest.Set{}, b, b},
		"one of each":            {a, b, both},
		"one of each, exchanged": {b, a, both},
		"the same twice":         {both, both, both},
		"a part again":           {both, a, both},
	} {
		got, err := x.s.Join(x.t)
		if err != nil || !bytes.Equal(got.SHA256, x.want.SHA256) || !bytes.Equal(got.SHA512, x.want.SHA512) {
			t.Errorf("%s: Join = %x, %v, want %x", name, got, err, x.want)
		}
	}
	for name, other := range map[string]digest.Set{
		"another sha-256":      {SHA256: sum256("b")},
		"another sha-512":      {SHA512: sum512("b")},
		"the same and another": {SHA256: sum256("a"), SHA512: sum512("b")},
		"another of no bytes":  {SHA256: []byte{}},
		"a part of it":         {SHA256: sum256("a")[:31]},
	} {
		if got, err := both.Join(other); err == nil {
			t.Errorf("%s: Join = %x, want an error", name, got)
		}
	}
}

// FuzzParse: what is taken is of the right length, and is taken again when it
// is formatted.
func FuzzParse(f *testing.F) {
	for _, line := range []string{abc256, abc512, abc256 + ", " + abc512, "md5=:AAAA:", "sha-256=?1", "sha-256=:AAAA:", "", "a=(1 2);b=?0, sha-512=1.5", "sha-256=:" + strings.Repeat("A", 43) + "=:"} {
		f.Add(line, "")
		f.Add(line, abc256)
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		got, err := digest.Parse([]string{one, two})
		if err != nil {
			return
		}
		if n := len(got.SHA256); n != 0 && n != sha256.Size {
			t.Errorf("a sha-256 of %d bytes", n)
		}
		if n := len(got.SHA512); n != 0 && n != sha512.Size {
			t.Errorf("a sha-512 of %d bytes", n)
		}
		if got.SHA256 == nil {
			return
		}
		again, err := digest.Parse([]string{digest.Format(got.SHA256)})
		if err != nil || !bytes.Equal(again.SHA256, got.SHA256) {
			t.Errorf("%x came back as %x, %v", got.SHA256, again.SHA256, err)
		}
		if joined, err := got.Join(again); err != nil || !bytes.Equal(joined.SHA256, got.SHA256) {
			t.Errorf("joined with itself it is %x, %v", joined.SHA256, err)
		}
	})
}
