package blobtest

import (
	"bytes"
	"io"
	"sync"
	"testing"

	"sluice/shared/blob"
	"sluice/shared/fault"
)

// start creates a blob and writes data, without Commit.
func start(t *testing.T, b *blob.Bucket, key string, data []byte) *blob.Writer {
	t.Helper()
	w, err := b.Create(t.Context(), key, -1)
	if err != nil {
		t.Fatalf("Create %q: %v", key, err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatalf("Write %q: %v", key, err)
	}
	return w
}

func testUnseenBeforeCommit(t *testing.T, b *blob.Bucket) {
	data := content(1, 1<<20)
	w := start(t, b, "key", data)
	wantAbsent(t, b, "key")
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatalf("Commit: %v", err)
	}
	wantBlob(t, b, "key", data)
}

func testTakenKey(t *testing.T, b *blob.Bucket) {
	old := content(1, 1000)
	mustPut(t, b, "key", old)
	_, err := put(t.Context(), b, "key", content(2, 1000))
	wantFault(t, "second put", err, fault.Conflict, "blob_exists")
	_, err = put(t.Context(), b, "key", nil)
	wantFault(t, "put of nothing", err, fault.Conflict, "blob_exists")
	wantBlob(t, b, "key", old)
}

func testRacingCommits(t *testing.T, b *blob.Bucket) {
	const writers = 8
	var all [writers]*blob.Writer
	var errs [writers]error
	for i := range all {
		all[i] = start(t, b, "key", content(uint64(i), 10_000+i))
	}
	var group sync.WaitGroup
	for i, w := range all {
		group.Go(func() { _, errs[i] = w.Commit(t.Context()) })
	}
	group.Wait()
	winners := 0
	for i, err := range errs {
		if err == nil {
			winners++
			wantBlob(t, b, "key", content(uint64(i), 10_000+i))
			continue
		}
		wantFault(t, "losing Commit", err, fault.Conflict, "blob_exists")
	}
	if winners != 1 {
		t.Errorf("%d Commits won, want 1", winners)
	}
}

func testAbort(t *testing.T, b *blob.Bucket) {
	w := start(t, b, "key", content(1, 100_000))
	for range 2 {
		if err := w.Abort(); err != nil {
			t.Errorf("Abort: %v", err)
		}
	}
	wantAbsent(t, b, "key")
	_, err := w.Write([]byte("late"))
	wantFault(t, "Write after Abort", err, fault.Internal, "blob_closed")
	_, err = w.Commit(t.Context())
	wantFault(t, "Commit after Abort", err, fault.Internal, "blob_closed")
	wantAbsent(t, b, "key")
	mustPut(t, b, "key", content(2, 10))
	wantBlob(t, b, "key", content(2, 10))
}

func testAbortAfterCommit(t *testing.T, b *blob.Bucket) {
	w := start(t, b, "key", content(1, 100))
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatalf("Commit: %v", err)
	}
	if err := w.Abort(); err != nil {
		t.Errorf("Abort: %v", err)
	}
	_, err := w.Commit(t.Context())
	wantFault(t, "second Commit", err, fault.Internal, "blob_closed")
	wantBlob(t, b, "key", content(1, 100))
}

func testSizeMismatch(t *testing.T, b *blob.Bucket) {
	w, err := b.Create(t.Context(), "key", 10)
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	if _, err := w.Write(make([]byte, 9)); err != nil {
		t.Fatalf("Write: %v", err)
	}
	_, err = w.Commit(t.Context())
	wantFault(t, "Commit of 9 bytes of 10", err, fault.Unprocessable, "blob_size_mismatch")
	wantAbsent(t, b, "key")

	if w, err = b.Create(t.Context(), "key", 10); err != nil {
		t.Fatalf("Create: %v", err)
	}
	_, err = w.Write(make([]byte, 11))
	wantFault(t, "Write of 11 bytes of 10", err, fault.Unprocessable, "blob_size_mismatch")
	_, err = w.Commit(t.Context())
	wantFault(t, "Commit after 11 bytes of 10", err, fault.Unprocessable, "blob_size_mismatch")
	wantAbsent(t, b, "key")
}

func testAbsent(t *testing.T, b *blob.Bucket) {
	mustPut(t, b, "here", content(1, 10))
	for _, key := range []string{"absent", "her", "here/", "here/there", "HERE", "here "} {
		wantAbsent(t, b, key)
	}
}

func testDelete(t *testing.T, b *blob.Bucket) {
	mustPut(t, b, "key", content(1, 100))
	mustPut(t, b, "other", content(2, 100))
	for range 2 {
		if err := b.Delete(t.Context(), "key"); err != nil {
			t.Fatalf("Delete: %v", err)
		}
		wantAbsent(t, b, "key")
	}
	wantBlob(t, b, "other", content(2, 100))
}

func testCreateAfterDelete(t *testing.T, b *blob.Bucket) {
	mustPut(t, b, "key", content(1, 100))
	if err := b.Delete(t.Context(), "key"); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	mustPut(t, b, "key", content(2, 50))
	wantBlob(t, b, "key", content(2, 50))
}

func testDeleteWhileReading(t *testing.T, b *blob.Bucket) {
	data := content(1, 3<<20)
	mustPut(t, b, "key", data)
	r, err := b.Open(t.Context(), "key", 0, int64(len(data)), "")
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	defer r.Close()
	got := make([]byte, 1000)
	if _, err := io.ReadFull(r, got); err != nil {
		t.Fatalf("Read: %v", err)
	}
	if err := b.Delete(t.Context(), "key"); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	mustPut(t, b, "key", content(2, len(data)))
	rest, err := io.ReadAll(r)
	got = append(got, rest...)
	if !bytes.Equal(got, data[:len(got)]) {
		t.Errorf("the reader yields other bytes from byte %d on", differ(got, data))
	}
	if err == nil && len(got) != len(data) {
		t.Errorf("the reader ended without an error after %d bytes of %d", len(got), len(data))
	}
}

func testPing(t *testing.T, b *blob.Bucket) {
	if err := b.Ping(t.Context()); err != nil {
		t.Errorf("Ping: %v", err)
	}
}
