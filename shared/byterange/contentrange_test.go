package byterange_test

import (
	"errors"
	"testing"

	"sluice/shared/byterange"
)

func TestParseContentRange(t *testing.T) {
	const none = -2 // it is malformed
	for _, c := range []struct {
		field               string
		start, length, size int64
	}{
		{"bytes 0-4/10", 0, 5, 10},
		{"bytes 0-0/1", 0, 1, 1},
		{"Bytes 5-9/10", 5, 5, 10},
		{"bytes 3-4/*", 3, 2, -1},
		{"bytes 00-04/010", 0, 5, 10},
		{"bytes 9223372036854775805-9223372036854775805/9223372036854775806", 9223372036854775805, 1, 9223372036854775806},
		{"", 0, 0, none},
		{"bytes", 0, 0, none},
		{"bytes 0-4", 0, 0, none},
		{"bytes */10", 0, 0, none},
		{"bytes -4/10", 0, 0, none},
		{"bytes 4-/10", 0, 0, none},
		{"bytes 4-3/10", 0, 0, none},
		{"bytes 0-10/10", 0, 0, none},
		{"bytes +0-4/10", 0, 0, none},
		{"bytes 0-4/10junk", 0, 0, none},
		{"bytes 0-4/-1", 0, 0, none},
		{"bytes=0-4/10", 0, 0, none},
		{"bytes  0-4/10", 0, 0, none},
		{"pages 0-4/10", 0, 0, none},
		{"bytes 0-9223372036854775807/*", 0, 0, none},
		{"bytes 0-4/99999999999999999999", 0, 0, none},
	} {
		r, size, err := byterange.ParseContentRange(c.field)
		switch {
		case c.size == none && !errors.Is(err, byterange.ErrMalformed):
			t.Errorf("%q is %v of %d, %v; want ErrMalformed", c.field, r, size, err)
		case c.size != none && (err != nil || r != byterange.Range{Start: c.start, Length: c.length} || size != c.size):
			t.Errorf("%q is %v of %d, %v; want %d bytes from %d of %d", c.field, r, size, err, c.length, c.start, c.size)
		}
	}
}

// FuzzParseContentRange wants what is read to be what would be written.
func FuzzParseContentRange(f *testing.F) {
	for _, seed := range []string{"bytes 0-4/10", "bytes 0-4/*", "bytes */10", "bytes 4-0/10", "bytes +0-4/10", "bytes 0-9/9", "", "bytes 0-9223372036854775807/9223372036854775807"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		r, size, err := byterange.ParseContentRange(field)
		if err != nil {
			return
		}
		if r.Start < 0 || r.Length <= 0 || size >= 0 && r.Start+r.Length > size {
			t.Fatalf("%q is read as %v of %d", field, r, size)
		}
		if size < 0 {
			return
		}
		if again, of, err := byterange.ParseContentRange(r.ContentRange(size)); err != nil || again != r || of != size {
			t.Errorf("%q is read as %v of %d, and written and read as %v of %d, %v", field, r, size, again, of, err)
		}
	})
}
