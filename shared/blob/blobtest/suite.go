// Package blobtest holds what tests of blob stores share: Run, the suite that
// every driver passes; HostileKeys; Memory, a driver without a store; and
// Chaos, a driver that fails by a script.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"sluice/shared/blob"
	"sluice/shared/fault"
)

// Gap is something that a driver declares it cannot do. The suite then checks
// that it does so cleanly, and that it is a gap.
type Gap uint8

// PathKeys tells that keys are paths of files to the store: the driver may
// refuse those that are none, and those that would lead through another blob.
const PathKeys Gap = 1

// Run runs the suite. open returns a driver over an empty store; the suite
// closes it. Cases run one after the other.
func Run(t *testing.T, open func(t *testing.T) blob.Driver, gaps ...Gap) {
	keys := testHostileKeys
	if slices.Contains(gaps, PathKeys) {
		keys = testPathKeys
	}
	cases := []struct {
		name string
		test func(*testing.T, *blob.Bucket)
	}{
		{"a blob round-trips, whatever its length", testRoundTrip},
		{"a blob written in odd chunks is whole", testOddChunks},
		{"every range yields its bytes", testRanges},
		{"a range past the end is truncated", testPastTheEnd},
		{"a blob cannot be seen before Commit", testUnseenBeforeCommit},
		{"Commit on a taken key keeps the old bytes", testTakenKey},
		{"one of several Commits of a key wins", testRacingCommits},
		{"Abort keeps nothing", testAbort},
		{"Abort after Commit does nothing", testAbortAfterCommit},
		{"a blob of another size than announced is not kept", testSizeMismatch},
		{"an absent blob is not found", testAbsent},
		{"Delete removes a blob, and may be repeated", testDelete},
		{"a key may be used again after Delete", testCreateAfterDelete},
		{"a reader outlives Delete or fails", testDeleteWhileReading},
		{"a pin holds", testPin},
		{"every key names a blob of its own", keys},
		{"a key outside the rules is refused", testRefusedKeys},
		{"an ended context fails every call", testEndedContext},
		{"an ended context stops a writer and a reader", testContextEndsMeanwhile},
		{"writers, readers and deletions do not disturb each other", testConcurrency},
		{"Create and Delete of neighbours do not race", testNeighbours},
		{"Ping answers", testPing},
		{"parts in any order make the blob", testPartsInAnyOrder},
		{"parts sent at once make the blob", testPartsAtOnce},
		{"the last of a part sent again holds", testPartsRepeated},
		{"a part that fails leaves the former one", testPartsThatFail},
		{"one part sent several times at once is one of them", testPartsNeverMix},
		{"parts that are not those listed make no blob", testPartsOfWhichOneChanged},
		{"several completions at once make one blob", testCompletesAtOnce},
		{"Discard removes parts and blobs", testDiscard},
		{"an empty blob has one empty part", testEmptyPart},
		{"a presigned GET reaches the blob and its ranges", testPresignedGet},
		{"a presigned URL says what the answer is called", testPresignedHeaders},
		{"a presigned URL is good for one request", testPresignedForOneRequest},
		{"a presigned PUT makes a blob and replaces none", testPresignedPut},
		{"parts by presigned URLs make the blob", testPresignedParts},
		{"a presigned URL is never shown", testPresignedSecret},
		{"what cannot be presigned is refused", testPresignRefusals},
		{"a list has every blob under a prefix, in order", testList},
		{"a list goes on where the last one ended", testListPages},
		{"what cannot be listed is refused", testListRefusals},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := blob.NewBucket(open(t))
			t.Cleanup(func() {
				if err := b.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			c.test(t, b)
		})
	}
}

// content returns n bytes that differ for every seed.
func content(seed uint64, n int) []byte {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	data := make([]byte, n)
	_, _ = rand.NewChaCha8(key).Read(data) // never fails
	return data
}

// put stores data under key.
func put(ctx context.Context, b *blob.Bucket, key string, data []byte) (blob.Attrs, error) {
	w, err := b.Create(ctx, key, int64(len(data)))
	if err != nil {
		return blob.Attrs{}, err
	}
	defer w.Abort()
	if _, err := w.Write(data); err != nil {
		return blob.Attrs{}, err
	}
	return w.Commit(ctx)
}

// get returns length bytes of the blob from offset on.
func get(ctx context.Context, b *blob.Bucket, key string, offset, length int64, pin string) ([]byte, error) {
	r, err := b.Open(ctx, key, offset, length, pin)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	return data, errors.Join(err, r.Close())
}

func mustPut(t *testing.T, b *blob.Bucket, key string, data []byte) blob.Attrs {
	t.Helper()
	attrs, err := put(t.Context(), b, key, data)
	if err != nil {
		t.Fatalf("put %.60q: %v", key, err)
	}
	if attrs.Size != int64(len(data)) {
		t.Fatalf("put %.60q: Commit says %d bytes, want %d", key, attrs.Size, len(data))
	}
	return attrs
}

// wantBlob checks that the blob is there and holds data.
func wantBlob(t *testing.T, b *blob.Bucket, key string, data []byte) {
	t.Helper()
	attrs, err := b.Stat(t.Context(), key)
	if err != nil || attrs.Size != int64(len(data)) {
		t.Fatalf("Stat %.60q: %d bytes, %v, want %d", key, attrs.Size, err, len(data))
	}
	got, err := get(t.Context(), b, key, 0, int64(len(data)), attrs.ETag)
	if err != nil {
		t.Fatalf("get %.60q: %v", key, err)
	}
	if !bytes.Equal(got, data) {
		t.Fatalf("get %.60q: %d bytes differ from the %d put, from byte %d on", key, len(got), len(data), differ(got, data))
	}
}

// wantAbsent checks that nothing can be found under key.
func wantAbsent(t *testing.T, b *blob.Bucket, key string) {
	t.Helper()
	_, err := b.Stat(t.Context(), key)
	wantFault(t, "Stat "+key, err, fault.NotFound, "blob_not_found")
	_, err = get(t.Context(), b, key, 0, 1, "")
	wantFault(t, "Open "+key, err, fault.NotFound, "blob_not_found")
}

func wantFault(t *testing.T, what string, err error, kind fault.Kind, code string) {
	t.Helper()
	if !fault.Is(err, kind, code) {
		t.Fatalf("%.60s: %v, want %s", what, err, code)
	}
}

// differ returns the index of the first byte in which a and b differ.
func differ(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}
