package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"

	"sluice/shared/blob"
	"sluice/shared/fault"
)

func testEndedContext(t *testing.T, b *blob.Bucket) {
	data := content(1, 100)
	mustPut(t, b, "here", data)
	w := start(t, b, "new", data)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]func() error{
		"Create": func() error { _, err := b.Create(ended, "new", -1); return err },
		"Commit": func() error { _, err := w.Commit(ended); return err },
		"Open":   func() error { _, err := b.Open(ended, "here", 0, 100, ""); return err },
		"Stat":   func() error { _, err := b.Stat(ended, "here"); return err },
		"Delete": func() error { return b.Delete(ended, "here") },
		"Ping":   func() error { return b.Ping(ended) },
	} {
		wantCanceled(t, name, call())
	}
	wantAbsent(t, b, "new")
	wantBlob(t, b, "here", data)
}

func testContextEndsMeanwhile(t *testing.T, b *blob.Bucket) {
	data := content(1, 1<<20)
	mustPut(t, b, "here", data)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w, err := b.Create(ctx, "new", -1)
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	r, err := b.Open(ctx, "here", 0, int64(len(data)), "")
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	defer r.Close()
	if _, err := io.CopyN(w, r, 1000); err != nil {
		t.Fatalf("before the context ends: %v", err)
	}
	cancel()
	_, err = w.Write(data)
	wantCanceled(t, "Write", err)
	_, err = io.ReadAll(r)
	wantCanceled(t, "Read", err)
	_, err = r.CopyN(io.Discard, 1)
	wantCanceled(t, "CopyN", err)
	_, err = w.Commit(t.Context())
	wantCanceled(t, "Commit", err)
	wantAbsent(t, b, "new")
}

func wantCanceled(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, context.Canceled) || !fault.Is(err, fault.Unavailable, "canceled") {
		t.Errorf("%s: %v, want canceled", what, err)
	}
}

func testConcurrency(t *testing.T, b *blob.Bucket) {
	const workers, rounds = 16, 6
	shared := content(1, 200_007)
	mustPut(t, b, "shared", shared)
	var group sync.WaitGroup
	for worker := range workers {
		group.Go(func() {
			for round := range rounds {
				key := fmt.Sprintf("worker %d/round %d", worker, round)
				err := errors.Join(
					cycle(t.Context(), b, key, content(uint64(worker), 30_000*round+worker), round%2 == 0),
					expect(t.Context(), b, "shared", int64(worker*round), shared[worker*round:]),
				)
				if err != nil {
					t.Errorf("%s: %v", key, err)
				}
			}
		})
	}
	group.Wait()
	for worker := range workers {
		for round := range rounds {
			key := fmt.Sprintf("worker %d/round %d", worker, round)
			if round%2 == 0 {
				wantAbsent(t, b, key)
				continue
			}
			wantBlob(t, b, key, content(uint64(worker), 30_000*round+worker))
		}
	}
}

// cycle puts a blob, reads it and, where asked to, deletes it.
func cycle(ctx context.Context, b *blob.Bucket, key string, data []byte, remove bool) error {
	if _, err := put(ctx, b, key, data); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	if err := expect(ctx, b, key, 0, data); err != nil || !remove {
		return err
	}
	if err := b.Delete(ctx, key); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	return nil
}

// expect checks that the blob holds want from offset on.
func expect(ctx context.Context, b *blob.Bucket, key string, offset int64, want []byte) error {
	got, err := get(ctx, b, key, offset, int64(len(want)), "")
	if err != nil {
		return fmt.Errorf("get %q: %w", key, err)
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("get %q: other bytes from %d on", key, differ(got, want))
	}
	return nil
}

// testNeighbours is a trap for stores that make a directory for a key and
// remove it with the last key in it.
func testNeighbours(t *testing.T, b *blob.Bucket) {
	const workers, rounds = 8, 40
	var group sync.WaitGroup
	for worker := range workers {
		group.Go(func() {
			key := fmt.Sprintf("a/deep/folder/%d", worker)
			for round := range rounds {
				if err := cycle(t.Context(), b, key, fmt.Appendf(nil, "%d %d", worker, round), true); err != nil {
					t.Errorf("%s, round %d: %v", key, round, err)
					return
				}
			}
		})
	}
	group.Wait()
}
