package manifest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sluice/shared/manifest"
)

const mib = 1 << 20

func TestChunkSize(t *testing.T) {
	for _, c := range []struct {
		name        string
		size        int64
		chunk, have int64
	}{
		{"unknown", -1, 8 * mib, 0},
		{"nothing", 0, 8 * mib, 0},
		{"a byte", 1, 8 * mib, 1},
		{"one chunk", 8 * mib, 8 * mib, 1},
		{"a byte more", 8*mib + 1, 8 * mib, 2},
		{"as many as there may be", 8 * mib * 65536, 8 * mib, 65536},
		{"a byte more than that", 8*mib*65536 + 1, 16 * mib, 32769},
		{"the largest there is", math.MaxInt64, 1 << 47, 65536},
	} {
		chunk := manifest.ChunkSize(c.size)
		if count := manifest.Count(c.size, chunk); chunk != c.chunk || count != c.have {
			t.Errorf("%s: %d bytes have %d chunks of %d, want %d of %d", c.name, c.size, count, chunk, c.have, c.chunk)
		}
	}
}

// direct is the manifest computed in the plainest way.
func direct(content []byte, chunkSize int64) manifest.Manifest {
	whole := sha256.Sum256(content)
	m := manifest.Manifest{Size: int64(len(content)), SHA256: whole[:], ChunkSize: chunkSize}
	for len(content) > 0 {
		n := min(chunkSize, int64(len(content)))
		sum := sha256.Sum256(content[:n])
		m.Digests, content = append(m.Digests, sum[:]...), content[n:]
	}
	return m
}

func equal(a, b manifest.Manifest) bool {
	return a.Size == b.Size && a.ChunkSize == b.ChunkSize && bytes.Equal(a.SHA256, b.SHA256) && bytes.Equal(a.Digests, b.Digests)
}

// TestHasher writes contents in pieces of any size, across chunks of any size.
func TestHasher(t *testing.T) {
	noise := make([]byte, 512<<10)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
	rapid.Check(t, func(t *rapid.T) {
		chunk := rapid.Int64Range(1, 200<<10).Draw(t, "chunk size")
		size := rapid.Int64Range(0, min(int64(len(noise)), chunk*50)).Draw(t, "size")
		h := manifest.NewHasherOf(chunk)
		for left := noise[:size]; len(left) > 0; {
			n := rapid.IntRange(0, len(left)).Draw(t, "piece")
			if wrote, err := h.Write(left[:n]); wrote != n || err != nil {
				t.Fatalf("Write of %d bytes = %d, %v", n, wrote, err)
			}
			left = left[n:]
			if n == 0 {
				_, _ = h.Write(left)
				break
			}
		}
		got, complete := h.Manifest()
		if want := direct(noise[:size], chunk); !complete || !equal(got, want) {
			t.Fatalf("%d bytes in chunks of %d: got %v, complete %v; want %v", size, chunk, got, complete, want)
		}
	})
}

func TestHasherOfAnAnnouncedSize(t *testing.T) {
	content := bytes.Repeat([]byte("sluice.."), 9*mib/8)
	for _, announced := range []int64{-1, int64(len(content))} {
		h := manifest.NewHasher(announced)
		_, _ = h.Write(content)
		got, complete := h.Manifest()
		if want := direct(content, 8*mib); !complete || !equal(got, want) || got.Check() != nil {
			t.Errorf("announced as %d: got %d bytes of digests, complete %v, %v; want %d", announced, len(got.Digests), complete, got.Check(), len(want.Digests))
		}
	}
}

func TestHasherGivesUpBeyondTheMostChunks(t *testing.T) {
	for _, c := range []struct {
		size     int
		complete bool
	}{
		{manifest.MaxChunks * 2, true},
		{manifest.MaxChunks*2 + 1, false},
		{manifest.MaxChunks*2 + 2, false},
		{manifest.MaxChunks * 4, false},
	} {
		content := make([]byte, c.size)
		h := manifest.NewHasherOf(2)
		_, _ = h.Write(content)
		m, complete := h.Manifest()
		if whole := sha256.Sum256(content); complete != c.complete || !bytes.Equal(m.SHA256, whole[:]) {
			t.Errorf("%d bytes in chunks of 2: complete %v with digest %x, want %v with %x", c.size, complete, m.SHA256, c.complete, whole)
		}
		if !c.complete && len(m.Digests) != 0 {
			t.Errorf("%d bytes in chunks of 2: %d bytes of digests were kept, want none", c.size, len(m.Digests))
		}
	}
}

func TestSingle(t *testing.T) {
	for _, content := range []string{"", "x", strings.Repeat("x", 8*mib)} {
		want := direct([]byte(content), 8*mib)
		if got := manifest.Single(want.Size, want.SHA256); !equal(got, want) || got.Check() != nil {
			t.Errorf("of %d bytes: got %v, %v; want %v", len(content), got, got.Check(), want)
		}
	}
}

func TestChunks(t *testing.T) {
	digests := bytes.Repeat([]byte{7}, 3*manifest.DigestSize)
	m := manifest.Manifest{Size: 16*mib + 5, SHA256: digests[:manifest.DigestSize], ChunkSize: 8 * mib, Digests: digests}
	chunks := m.Chunks()
	for i, want := range []manifest.Chunk{{Offset: 0, Length: 8 * mib}, {Offset: 8 * mib, Length: 8 * mib}, {Offset: 16 * mib, Length: 5}} {
		if len(chunks) != 3 || chunks[i].Offset != want.Offset || chunks[i].Length != want.Length || len(chunks[i].SHA256) != manifest.DigestSize {
			t.Errorf("chunk %d of %d is %v, want %v", i, len(chunks), chunks[i], want)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	sum := make([]byte, manifest.DigestSize)
	for name, m := range map[string]manifest.Manifest{
		"a negative size":      {Size: -1, SHA256: sum, ChunkSize: 8 * mib},
		"no digest":            {Size: 0, ChunkSize: 8 * mib},
		"no chunk size":        {Size: 1, SHA256: sum, Digests: sum},
		"chunks too large":     {Size: 1, SHA256: sum, ChunkSize: 16 * mib, Digests: sum},
		"a chunk too few":      {Size: 8*mib + 1, SHA256: sum, ChunkSize: 8 * mib, Digests: sum},
		"a chunk too many":     {Size: 0, SHA256: sum, ChunkSize: 8 * mib, Digests: sum},
		"a digest cut short":   {Size: 1, SHA256: sum, ChunkSize: 8 * mib, Digests: sum[1:]},
		"a size over the most": {Size: math.MaxInt64, SHA256: sum, ChunkSize: 8 * mib, Digests: sum},
	} {
		if err := m.Check(); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	sum := sha256.Sum256(nil)
	f.Add(manifest.Single(0, sum[:]).Pack())
	f.Add(manifest.Single(1, sum[:]).Pack())
	f.Add(direct(make([]byte, 9*mib), 8*mib).Pack())
	f.Add([]byte{})
	f.Add([]byte{2})
	f.Add(bytes.Repeat([]byte{0xff}, 100))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := manifest.Unpack(b)
		if err != nil {
			return
		}
		if err := m.Check(); err != nil {
			t.Fatalf("%x was taken, and is %v", b, err)
		}
		if again := m.Pack(); !bytes.Equal(again, b) {
			t.Fatalf("%x is packed again as %x", b, again)
		}
		m.Chunks()
	})
}

func TestUnpackRefusesWhatIsCut(t *testing.T) {
	whole := direct(make([]byte, 9*mib), 8*mib).Pack()
	for n := range whole {
		if _, err := manifest.Unpack(whole[:n]); err == nil {
			t.Errorf("%d of %d bytes pass", n, len(whole))
		}
	}
}

func TestMetalink(t *testing.T) {
	m := direct([]byte("hello"), 8*mib)
	sum := hex.EncodeToString(m.SHA256)
	got, err := m.Metalink("a.txt", "https://example.org/a?b=1&c=2")
	want := `<?xml version="1.0" encoding="UTF-8"?>
<metalink xmlns="urn:ietf:params:xml:ns:metalink">
  <file name="a.txt">
    <size>5</size>
    <hash type="sha-256">` + sum + `</hash>
    <pieces length="8388608" type="sha-256">
      <hash>` + sum + `</hash>
    </pieces>
    <url>https://example.org/a?b=1&amp;c=2</url>
  </file>
</metalink>`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
	if empty, err := direct(nil, 8*mib).Metalink("a"); err != nil || bytes.Contains(empty, []byte("pieces")) {
		t.Errorf("of an empty content: %s, %v; want no pieces", empty, err)
	}
}

func TestMetalinkEscapesNames(t *testing.T) {
	for _, name := range []string{`"><file name="x`, "a&b", "<!-- -->", "]]>", "Ünïcödé 日本", `back\slash`, "quote'\""} {
		body, err := manifest.Single(0, make([]byte, 32)).Metalink(name)
		var read struct {
			Files []struct {
				Name string `xml:"name,attr"`
			} `xml:"file"`
		}
		if err == nil {
			err = xml.Unmarshal(body, &read)
		}
		if err != nil || len(read.Files) != 1 || read.Files[0].Name != name {
			t.Errorf("%q is read back as %v, %v", name, read.Files, err)
		}
	}
}

func BenchmarkHasher(b *testing.B) {
	buf := make([]byte, 256<<10)
	h := manifest.NewHasher(-1)
	_, _ = h.Write(make([]byte, 8*mib)) // beyond the first chunk, which is free
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		_, _ = h.Write(buf)
	}
}

func BenchmarkSHA256(b *testing.B) {
	buf := make([]byte, 256<<10)
	h := sha256.New()
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		h.Write(buf)
	}
}
