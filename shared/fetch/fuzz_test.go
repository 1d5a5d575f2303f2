package fetch

import (
	"bytes"
	"strings"
	"testing"
)

func FuzzContentRange(f *testing.F) {
	for _, seed := range []string{"bytes 0-4/10", "bytes 0-4/*", "bytes */10", "bytes 4-0/10", "bytes +0-4/10", "bytes 0-9/9", "", "bytes 0-9223372036854775807/9223372036854775807"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		s, size, ok := parseContentRange(field)
		if ok && (s.Start < 0 || s.length() <= 0 || s.End > size) {
			t.Errorf("%q is read as %v of %d", field, s, size)
		}
	})
}

func FuzzRecord(f *testing.F) {
	good, err := record{Source: "x", Size: 10, Written: spans{{0, 4}, {6, 8}}, Synced: spans{{0, 2}}}.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(append(bytes.Clone(good), good[:len(good)/2]...))
	f.Add([]byte(recordHeader))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := decodeRecords(text)
		if err == nil && (!r.Written.valid(r.Size) || !r.Synced.valid(r.Size)) {
			t.Errorf("%q is read as %+v", text, r)
		}
	})
}

func FuzzMetalink(f *testing.F) {
	f.Add([]byte(`<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="../a"><size>3</size><hash type="sha-256">00</hash><url priority="1">http://a.test/x</url></file></metalink>`))
	f.Add([]byte(`<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="a"><size>3</size><pieces length="1" type="sha-256"><hash>00</hash></pieces><url>http://a.test/x</url></file></metalink>`))
	f.Fuzz(func(t *testing.T, document []byte) {
		files, err := ParseMetalink(document)
		if err != nil {
			return
		}
		for _, file := range files {
			if file.Name == "" || strings.ContainsAny(file.Name, "/\\\x00") || strings.HasPrefix(file.Name, ".") || len(file.Sources) == 0 || file.Content.Check() != nil {
				t.Errorf("%q names %+v", document, file)
			}
		}
	})
}

// TestTheLastWholeRecordCounts is of what a crash leaves.
func TestTheLastWholeRecordCounts(t *testing.T) {
	line := func(n int64) []byte {
		text, err := record{Size: n, Written: spans{{0, n}}}.encode()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	both := append(line(1), line(2)...)
	for name, c := range map[string]struct {
		text []byte
		want int64 // 0: none
	}{
		"two":               {both, 2},
		"the last is cut":   {both[:len(both)-5], 1},
		"the last is zeros": {append(line(1), make([]byte, 100)...), 1},
		"a flipped bit":     {append(line(1), flipped(line(2))...), 1},
		"nothing":           {nil, 0},
	} {
		r, err := decodeRecords(c.text)
		if r.Size != c.want || (err == nil) != (c.want > 0) {
			t.Errorf("%s: the record is of %d bytes, %v; want %d", name, r.Size, err, c.want)
		}
	}
}

func flipped(text []byte) []byte {
	text[len(text)/2] ^= 1
	return text
}

// TestAfterACrashOfTheSystemOnlyWhatWasSyncedCounts compares the two rules.
func TestAfterACrashOfTheSystemOnlyWhatWasSyncedCounts(t *testing.T) {
	r := record{Size: 10, Written: spans{{0, 8}}, Synced: spans{{0, 3}}, Boot: "another start"}
	if got := r.there().bytes(); got != 3 {
		t.Errorf("after another start %d bytes count, want 3", got)
	}
	if r.Boot = bootID(); r.Boot != "" && r.there().bytes() != 8 {
		t.Errorf("after a kill %d bytes count, want 8", r.there().bytes())
	}
}
