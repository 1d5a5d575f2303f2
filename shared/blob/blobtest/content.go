package blobtest

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"sluice/shared/blob"
	"sluice/shared/fault"
)

func testRoundTrip(t *testing.T, b *blob.Bucket) {
	for i, size := range []int{0, 1, 2, 511, 512, 513, 4095, 4096, 32<<10 + 1, 1 << 20, 1<<20 + 7, 9<<20 + 3} {
		key := fmt.Sprintf("of %d bytes", size)
		data := content(uint64(i), size)
		committed := mustPut(t, b, key, data)
		wantBlob(t, b, key, data)
		if stat, err := b.Stat(t.Context(), key); stat != committed {
			t.Errorf("Stat %q: %+v, %v, but Commit said %+v", key, stat, err, committed)
		}
	}
}

func testOddChunks(t *testing.T, b *blob.Bucket) {
	const size = 5<<20 + 11
	data := content(1, size)
	sizes := rand.New(rand.NewPCG(1, 2))
	for _, announced := range []int64{-1, size} {
		key := fmt.Sprintf("announced as %d", announced)
		w, err := b.Create(t.Context(), key, announced)
		if err != nil {
			t.Fatalf("Create %q: %v", key, err)
		}
		for rest := data; len(rest) > 0; {
			n := min(sizes.IntN(150_000), len(rest))
			if got, err := w.Write(rest[:n]); got != n || err != nil {
				t.Fatalf("Write %q: %d, %v, want %d", key, got, err, n)
			}
			rest = rest[n:]
		}
		if w.Written() != size {
			t.Errorf("Written %q: %d, want %d", key, w.Written(), size)
		}
		if attrs, err := w.Commit(t.Context()); err != nil || attrs.Size != size {
			t.Fatalf("Commit %q: %+v, %v, want %d bytes", key, attrs, err, size)
		}
		wantBlob(t, b, key, data)
	}
}

func testRanges(t *testing.T, b *blob.Bucket) {
	for _, size := range []int64{0, 1, 10, 1<<20 + 7} {
		key := fmt.Sprintf("of %d bytes", size)
		data := content(uint64(size), int(size))
		pin := mustPut(t, b, key, data).ETag
		for _, edge := range edges(size) {
			offset, end := edge[0], edge[1]
			what := fmt.Sprintf("bytes %d to %d of %d", offset, end, size)
			got, err := get(t.Context(), b, key, offset, end-offset, pin)
			if err != nil || !bytes.Equal(got, data[offset:end]) {
				t.Errorf("Read %s: %d bytes, %v, or others", what, len(got), err)
			}
			got, err = copyOut(t, b, key, offset, end-offset)
			if err != nil || !bytes.Equal(got, data[offset:end]) {
				t.Errorf("CopyN %s: %d bytes, %v, or others", what, len(got), err)
			}
		}
	}
}

// edges returns every range whose ends are at, just before or just after
// something: the start, a page, the middle, the end.
func edges(size int64) [][2]int64 {
	var marks []int64
	for _, m := range []int64{0, 1, 2, 4095, 4096, 4097, size / 2, size/2 + 1, size - 2, size - 1, size} {
		if m >= 0 && m <= size {
			marks = append(marks, m)
		}
	}
	var ranges [][2]int64
	for _, from := range marks {
		for _, to := range marks {
			if from <= to {
				ranges = append(ranges, [2]int64{from, to})
			}
		}
	}
	return ranges
}

// copyOut reads a range by CopyN in three pieces.
func copyOut(t *testing.T, b *blob.Bucket, key string, offset, length int64) ([]byte, error) {
	r, err := b.Open(t.Context(), key, offset, length, "")
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out bytes.Buffer
	for _, n := range []int64{length / 3, length / 2, length - length/3 - length/2} {
		if got, err := r.CopyN(&out, n); got != n || err != nil {
			return out.Bytes(), fmt.Errorf("%d of %d bytes: %w", got, n, err)
		}
	}
	if n, err := r.CopyN(&out, 1); n != 0 || err != io.EOF || r.Remaining() != 0 {
		return out.Bytes(), fmt.Errorf("after the end: %d bytes, %d remaining, %w", n, r.Remaining(), err)
	}
	return out.Bytes(), nil
}

func testPastTheEnd(t *testing.T, b *blob.Bucket) {
	data := content(1, 10)
	mustPut(t, b, "ten", data)
	for _, c := range []struct{ offset, length, there int64 }{
		{0, 11, 10},
		{9, 2, 1},
		{10, 1, 0},
		{11, 1, 0},
		{1 << 40, 1 << 40, 0},
	} {
		what := fmt.Sprintf("%d bytes from %d on of 10", c.length, c.offset)
		got, err := get(t.Context(), b, "ten", c.offset, c.length, "")
		wantFault(t, "Read "+what, err, fault.Upstream, "blob_truncated")
		if want := data[min(c.offset, 10):]; !bytes.Equal(got, want) {
			t.Errorf("Read %s: %x, want %x", what, got, want)
		}

		r, err := b.Open(t.Context(), "ten", c.offset, c.length, "")
		if err != nil {
			t.Fatalf("Open %s: %v", what, err)
		}
		n, err := r.CopyN(io.Discard, c.length)
		wantFault(t, "CopyN "+what, err, fault.Upstream, "blob_truncated")
		if n != c.there || r.Remaining() != c.length-c.there {
			t.Errorf("CopyN %s: %d bytes, %d remaining, want %d", what, n, r.Remaining(), c.there)
		}
		if err := r.Close(); err != nil {
			t.Errorf("Close %s: %v", what, err)
		}
	}
}

func testPin(t *testing.T, b *blob.Bucket) {
	first := mustPut(t, b, "key", content(1, 100))
	wantBlob(t, b, "key", content(1, 100)) // reads under the pin that Stat gave
	if _, err := get(t.Context(), b, "key", 0, 100, first.ETag); err != nil {
		t.Errorf("Open under the ETag of Commit: %v", err)
	}
	_, err := get(t.Context(), b, "key", 0, 100, `"another"`)
	wantFault(t, "Open under another ETag", err, fault.PreconditionFailed, "blob_changed")
	_, err = get(t.Context(), b, "absent", 0, 100, `"another"`)
	wantFault(t, "Open of an absent blob under a pin", err, fault.NotFound, "blob_not_found")
	if first.ETag == "" {
		return
	}
	if err := b.Delete(t.Context(), "key"); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	mustPut(t, b, "key", content(2, 100))
	_, err = get(t.Context(), b, "key", 0, 100, first.ETag)
	wantFault(t, "Open of a replaced blob", err, fault.PreconditionFailed, "blob_changed")
}
