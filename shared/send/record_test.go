package send

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const aSum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

// written returns the text of a record of two parts.
func written(t testing.TB) string {
	t.Helper()
	file, err := openLocked(filepath.Join(t.TempDir(), "record"))
	if err != nil {
		t.Fatal(err)
	}
	r := &record{file: file}
	defer r.Close()
	if err := r.begin(head{UploadID: "01ARZ3NDEKTSV4RRFFQ69G5FAV", PartSize: smallest, File: identity{Size: 1}}); err != nil {
		t.Fatal(err)
	}
	for number := range 2 {
		if err := r.note(number+1, aSum); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRecord(t *testing.T) {
	whole := written(t)
	first, _, _ := strings.Cut(whole, "\n")
	for _, c := range []struct {
		name  string
		text  string
		ok    bool
		parts int
	}{
		{"whole", whole, true, 2},
		{"its last line cut", whole[:len(whole)-1], true, 1},
		{"its last line twice", whole + "2 " + aSum + "\n", true, 2},
		{"zeros at its end", whole + strings.Repeat("\x00", 512), true, 2},
		{"zeros in a line", whole + strings.Repeat("\x00", 512) + "\n3 " + aSum + "\n", true, 3},
		{"a part that is none", whole + "-3 " + aSum + "\n0 " + aSum + "\nx " + aSum + "\n", true, 2},
		{"a digest that is none", whole + "3 " + aSum[1:] + "\n4 " + strings.Repeat("x", 64) + "\n", true, 2},
		{"its head alone", first + "\n", true, 0},
		{"its head alone, without an end", first, true, 0},
		{"its head cut", first[:len(first)-1], false, 0},
		{"its head changed", strings.Replace(whole, `"size":1`, `"size":2`, 1), false, 0},
		{"another version", strings.Replace(whole, "sluice-send 1", "sluice-send 2", 1), false, 0},
		{"nothing", "", false, 0},
	} {
		h, sums, ok := decodeRecord([]byte(c.text))
		if ok != c.ok || len(sums) != c.parts || ok && h.UploadID == "" {
			t.Errorf("%s: it reads as %+v with %d parts, %t; want %d, %t", c.name, h, len(sums), ok, c.parts, c.ok)
		}
	}
}

// FuzzRecord: what is no record of ours has no head, and what is one keeps it
// whatever follows.
func FuzzRecord(f *testing.F) {
	whole := written(f)
	first, _, _ := strings.Cut(whole, "\n")
	f.Add([]byte(whole))
	f.Add([]byte("1 " + aSum + "\n"))
	f.Add([]byte("\x00\n\n \n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, sums, ok := decodeRecord(text); !ok && len(sums) > 0 {
			t.Errorf("there are %d parts without a head", len(sums))
		}
		h, sums, ok := decodeRecord(append([]byte(first+"\n"), text...))
		if !ok || h.PartSize != smallest {
			t.Errorf("behind a head it reads as %+v, %t", h, ok)
		}
		for number, sum := range sums {
			if number < 1 || len(sum) != len(aSum) {
				t.Errorf("part %d has the digest %q", number, sum)
			}
		}
	})
}

func TestOldRecordsGo(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	for name, age := range map[string]time.Duration{"old": forgotten + time.Hour, "young": forgotten - time.Hour} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	sweep(dir, now)
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != "young" {
		t.Errorf("%v are left, %v; want the young one", left, err)
	}
}

func TestPartSizes(t *testing.T) {
	const m, g, tera = 1 << 20, 1 << 30, 1 << 40
	for _, c := range []struct{ size, asked, want int64 }{
		{9 * m, 0, 8 * m},
		{80_000 * m, 0, 8 * m},
		{80_000*m + 1, 0, 16 * m},
		{tera, 0, 128 * m},
		{40 * tera, 0, 5 * g},
		{unknownSize, 0, 16 * m},
		{unknownSize, 64 * m, 64 * m},
		{9 * m, 32 * m, 32 * m},
	} {
		if got := partSizeFor(c.size, c.asked); got != c.want {
			t.Errorf("a file of %d bytes has parts of %d where %d are asked for, want %d", c.size, got, c.asked, c.want)
		}
	}
}
