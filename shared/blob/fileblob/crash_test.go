package fileblob_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"

	"sluice/shared/blob"
	"sluice/shared/blob/fileblob"
	"sluice/shared/fault"
)

// TestCrash kills a process that writes and deletes blobs, many times over,
// and checks after each that every blob is whole or absent, as it told before
// it died.
func TestCrash(t *testing.T) {
	if dir := os.Getenv(storeOfChild); dir != "" {
		if err := writeUntilKilled(dir); err != nil {
			t.Fatal(err)
		}
		return
	}
	const rounds = 12
	dir := t.TempDir()
	all := map[string]string{}
	leftovers := 0
	for round := range rounds {
		said := runAndKill(t, dir, fmt.Sprint(round), 1+rand.IntN(100))
		leftovers += len(list(t, dir, "tmp")) - 1
		b := blob.NewBucket(open(t, dir, fileblob.Options{}))
		if left := list(t, dir, "tmp"); len(left) != 1 {
			t.Errorf("round %d: Open left %q", round, left)
		}
		checkBlobs(t, b, said)
		closeStore(t, b)
		maps.Copy(all, said)
	}
	checkBlobs(t, openBucket(t, dir), all)
	if leftovers == 0 {
		t.Errorf("none of %d kills hit a write", rounds)
	}
}

// runAndKill runs a child, whose keys begin with prefix, and kills it once it
// has said so many lines. It returns what it said last of each key.
func runAndKill(t *testing.T, dir, prefix string, lines int) map[string]string {
	t.Helper()
	cmd := child(t, dir)
	cmd.Env = append(cmd.Env, "FILEBLOB_TEST_PREFIX="+prefix)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	scanner := bufio.NewScanner(out)
	for ; scanner.Scan(); lines-- {
		var word, key string
		if _, err := fmt.Sscan(scanner.Text(), &word, &key); err != nil || !strings.HasPrefix(key, prefix+"/") {
			t.Fatalf("the child says %q", scanner.Text())
		}
		said[key] = word
		if lines == 1 {
			_ = cmd.Process.Kill() // it may have ended; Wait tells
		}
	}
	if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" || lines > 0 {
		t.Fatalf("the child ended by itself: %v", err)
	}
	return said
}

// checkBlobs checks the store against what its writers said last of each key.
func checkBlobs(t *testing.T, b *blob.Bucket, said map[string]string) {
	t.Helper()
	for key, word := range said {
		want := contentOf(key)
		attrs, err := b.Stat(t.Context(), key)
		absent := fault.Is(err, fault.NotFound, "blob_not_found")
		switch {
		case err != nil && !absent:
			t.Errorf("Stat %s: %v", key, err)
		case absent && word == "committed":
			t.Errorf("%s was committed and is gone", key)
		case !absent && word == "deleted":
			t.Errorf("%s was deleted and is there", key)
		case !absent && attrs.Size != int64(len(want)):
			t.Errorf("%s, of which was said %q, has %d bytes of %d", key, word, attrs.Size, len(want))
		case !absent && !bytes.Equal(read(t, b, key, attrs.Size), want):
			t.Errorf("%s, of which was said %q, holds other bytes", key, word)
		}
	}
}

// writeUntilKilled is the child. It says on its standard output what it is
// about to do, and what it has done.
func writeUntilKilled(dir string) error {
	d, err := fileblob.Open(dir, fileblob.Options{})
	if err != nil {
		return err
	}
	b := blob.NewBucket(d)
	var group sync.WaitGroup
	var errs [4]error
	for i := range errs {
		group.Go(func() {
			for n := 0; errs[i] == nil; n++ {
				errs[i] = writeOne(b, fmt.Sprintf("%s/%d/%d", os.Getenv("FILEBLOB_TEST_PREFIX"), i, n), n%3 == 0)
			}
		})
	}
	group.Wait()
	return errors.Join(errs[:]...)
}

func writeOne(b *blob.Bucket, key string, remove bool) error {
	ctx := context.Background()
	data := contentOf(key)
	say("creating", key)
	w, err := b.Create(ctx, key, int64(len(data)))
	if err != nil {
		return err
	}
	for rest := data; len(rest) > 0; {
		n, err := w.Write(rest[:min(len(rest), 30_000)])
		if err != nil {
			return err
		}
		rest = rest[n:]
	}
	if _, err := w.Commit(ctx); err != nil {
		return err
	}
	say("committed", key)
	if !remove {
		return nil
	}
	say("deleting", key)
	if err := b.Delete(ctx, key); err != nil {
		return err
	}
	say("deleted", key)
	return nil
}

// say writes a line in one piece.
func say(word, key string) { fmt.Fprintf(os.Stdout, "%s %s\n", word, key) }

// contentOf returns the bytes of a key's blob: up to 400 kB that depend on it.
func contentOf(key string) []byte {
	var seed [32]byte
	copy(seed[:], key)
	random := rand.NewChaCha8(seed)
	data := make([]byte, random.Uint64()%400_000)
	_, _ = random.Read(data) // never fails
	return data
}
