package blobtest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/iotest"

	"sluice/shared/blob"
	"sluice/shared/fault"
)

// partSize is that of the suite's uploads: S3's least.
const partSize = 5 << 20

// needParts skips a case that a driver does not claim to pass, once the driver
// was seen to say so.
func needParts(t *testing.T, b *blob.Bucket) {
	t.Helper()
	if b.Multipart() {
		return
	}
	_, err := b.CreateMultipart(t.Context(), "key", partSize)
	wantFault(t, "CreateMultipart", err, fault.Unprocessable, "multipart_unsupported")
	t.Skip("the driver declares that it takes no parts")
}

func begin(t *testing.T, b *blob.Bucket, key string) string {
	t.Helper()
	needParts(t, b)
	id, err := b.CreateMultipart(t.Context(), key, partSize)
	if err != nil {
		t.Fatalf("CreateMultipart: %v", err)
	}
	return id
}

func putPart(t *testing.T, b *blob.Bucket, id string, number int, data []byte) {
	t.Helper()
	sum := sha256.Sum256(data)
	part, err := b.PutPart(t.Context(), "key", id, number, bytes.NewReader(data), int64(len(data)), sum[:])
	if err != nil || part.Number != number || part.Size != int64(len(data)) || part.ETag == "" {
		t.Fatalf("PutPart %d of %d bytes = %+v, %v", number, len(data), part, err)
	}
}

func listParts(t *testing.T, b *blob.Bucket, id string) []blob.Part {
	t.Helper()
	parts, err := b.ListParts(t.Context(), "key", id)
	if err != nil {
		t.Fatalf("ListParts: %v", err)
	}
	return parts
}

// complete completes with the parts listed, and wants data.
func complete(t *testing.T, b *blob.Bucket, id string, data []byte) {
	t.Helper()
	attrs, err := b.CompleteMultipart(t.Context(), "key", id, listParts(t, b, id))
	if err != nil || attrs.Size != int64(len(data)) {
		t.Fatalf("CompleteMultipart = %+v, %v, want %d bytes", attrs, err, len(data))
	}
	wantBlob(t, b, "key", data)
}

// pieces cuts data into parts.
func pieces(data []byte) [][]byte {
	var out [][]byte
	for ; len(data) > partSize; data = data[partSize:] {
		out = append(out, data[:partSize])
	}
	return append(out, data)
}

func testPartsInAnyOrder(t *testing.T, b *blob.Bucket) {
	id, data := begin(t, b, "key"), content(1, 3*partSize+7)
	parts := pieces(data)
	for _, i := range rand.New(rand.NewPCG(1, 1)).Perm(len(parts)) {
		putPart(t, b, id, i+1, parts[i])
		wantAbsent(t, b, "key")
	}
	complete(t, b, id, data)
	_, err := b.ListParts(t.Context(), "key", id)
	wantFault(t, "ListParts after CompleteMultipart", err, fault.NotFound, "blob_not_found")
	_, err = b.PutPart(t.Context(), "key", id, 1, bytes.NewReader(data[:1]), 1, nil)
	wantFault(t, "PutPart after CompleteMultipart", err, fault.NotFound, "blob_not_found")
	wantBlob(t, b, "key", data)
}

func testPartsAtOnce(t *testing.T, b *blob.Bucket) {
	id, data := begin(t, b, "key"), content(2, 2*partSize+1)
	var group sync.WaitGroup
	for i, part := range pieces(data) {
		group.Go(func() { putPart(t, b, id, i+1, part) })
	}
	group.Wait()
	complete(t, b, id, data)
}

func testPartsRepeated(t *testing.T, b *blob.Bucket) {
	id, data := begin(t, b, "key"), content(3, partSize+100)
	putPart(t, b, id, 1, content(4, partSize))
	putPart(t, b, id, 2, content(5, 1000))
	for range 2 {
		putPart(t, b, id, 2, data[partSize:])
		putPart(t, b, id, 1, data[:partSize])
	}
	complete(t, b, id, data)
}

func testPartsThatFail(t *testing.T, b *blob.Bucket) {
	id, data := begin(t, b, "key"), content(6, 1<<20)
	cut := errors.New("cut off")
	for _, kept := range []int{0, 1} {
		half := io.MultiReader(bytes.NewReader(data[:len(data)/2]), iotest.ErrReader(cut))
		if _, err := b.PutPart(t.Context(), "key", id, 1, half, int64(len(data)), nil); !errors.Is(err, cut) {
			t.Errorf("PutPart of a body that broke = %v, want the body's error", err)
		}
		_, err := b.PutPart(t.Context(), "key", id, 1, bytes.NewReader(data), int64(len(data))+1, nil)
		wantFault(t, "PutPart of a short body", err, fault.Unprocessable, "blob_size_mismatch")
		_, err = b.PutPart(t.Context(), "key", id, 1, bytes.NewReader(content(7, 1<<20)), 1<<20, make([]byte, sha256.Size))
		wantFault(t, "PutPart of another digest", err, fault.Unprocessable, "digest_mismatch")
		if got := listParts(t, b, id); len(got) != kept {
			t.Fatalf("after failures there are %d parts %+v, want %d", len(got), got, kept)
		}
		putPart(t, b, id, 1, data)
	}
	complete(t, b, id, data)
}

func testPartsNeverMix(t *testing.T, b *blob.Bucket) {
	id := begin(t, b, "key")
	const writers = 4
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() { putPart(t, b, id, 1, content(uint64(i), 1<<20)) })
	}
	group.Wait()
	parts := listParts(t, b, id)
	if _, err := b.CompleteMultipart(t.Context(), "key", id, parts); err != nil {
		t.Fatalf("CompleteMultipart: %v", err)
	}
	got, err := get(t.Context(), b, "key", 0, 1<<20, "")
	if err != nil {
		t.Fatal(err)
	}
	for i := range writers {
		if bytes.Equal(got, content(uint64(i), 1<<20)) {
			return
		}
	}
	t.Error("the part is none of those that were sent at once")
}

func testPartsOfWhichOneChanged(t *testing.T, b *blob.Bucket) {
	id, data := begin(t, b, "key"), content(8, 1000)
	putPart(t, b, id, 1, content(9, 1000))
	stale := listParts(t, b, id)
	putPart(t, b, id, 1, data)
	_, err := b.CompleteMultipart(t.Context(), "key", id, stale)
	wantFault(t, "CompleteMultipart of a part replaced since", err, fault.PreconditionFailed, "blob_changed")
	_, err = b.CompleteMultipart(t.Context(), "key", id, nil)
	wantFault(t, "CompleteMultipart of no parts", err, fault.Invalid, "invalid_field")
	wantAbsent(t, b, "key")
	complete(t, b, id, data)
}

func testCompletesAtOnce(t *testing.T, b *blob.Bucket) {
	id, data := begin(t, b, "key"), content(10, 1<<20)
	putPart(t, b, id, 1, data)
	parts := listParts(t, b, id)
	var errs [4]error
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() { _, errs[i] = b.CompleteMultipart(t.Context(), "key", id, parts) })
	}
	group.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		wantFault(t, "losing CompleteMultipart", err, fault.NotFound, "blob_not_found")
	}
	if won == 0 {
		t.Error("no CompleteMultipart succeeded")
	}
	wantBlob(t, b, "key", data)
}

func testDiscard(t *testing.T, b *blob.Bucket) {
	id := begin(t, b, "key")
	putPart(t, b, id, 1, content(11, 1000))
	for range 2 {
		if err := b.Discard(t.Context(), "key"); err != nil {
			t.Fatalf("Discard: %v", err)
		}
	}
	_, err := b.ListParts(t.Context(), "key", id)
	wantFault(t, "ListParts after Discard", err, fault.NotFound, "blob_not_found")
	_, err = b.PutPart(t.Context(), "key", id, 1, bytes.NewReader(nil), 0, nil)
	wantFault(t, "PutPart after Discard", err, fault.NotFound, "blob_not_found")
	wantAbsent(t, b, "key")
	mustPut(t, b, "key", nil)
	if err := b.Discard(t.Context(), "key"); err != nil {
		t.Fatalf("Discard: %v", err)
	}
	wantAbsent(t, b, "key")
}

func testEmptyPart(t *testing.T, b *blob.Bucket) {
	id := begin(t, b, "key")
	putPart(t, b, id, 1, nil)
	complete(t, b, id, nil)
}
