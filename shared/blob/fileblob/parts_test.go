package fileblob_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"sluice/shared/blob"
	"sluice/shared/blob/fileblob"
)

const partSize = 1 << 16

// putPart sends one part filled with fill.
func putPart(t *testing.T, d *fileblob.Driver, id string, number int, fill byte) {
	t.Helper()
	data := bytes.Repeat([]byte{fill}, partSize)
	if _, err := d.PutPart(t.Context(), "key", id, number, bytes.NewReader(data), partSize, nil); err != nil {
		t.Fatalf("PutPart %d: %v", number, err)
	}
}

func TestPartsSurviveAJournalCutShort(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, fileblob.Options{})
	id, err := d.CreateMultipart(t.Context(), "key", partSize)
	if err != nil {
		t.Fatal(err)
	}
	putPart(t, d, id, 2, 'b')
	putPart(t, d, id, 1, 'x')
	putPart(t, d, id, 1, 'a') // has a file of its own
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	cutShort(t, dir)

	d = open(t, dir, fileblob.Options{})
	parts, _, err := d.ListParts(t.Context(), "key", id, 0, 10)
	if err != nil || len(parts) != 2 {
		t.Fatalf("after the crash: %d parts, %v, want 2", len(parts), err)
	}
	putPart(t, d, id, 3, 'c') // a line after the one that was cut
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = open(t, dir, fileblob.Options{})
	if parts, _, err = d.ListParts(t.Context(), "key", id, 0, 10); err != nil || len(parts) != 3 {
		t.Fatalf("after another start: %d parts, %v, want 3", len(parts), err)
	}
	if _, err := d.CompleteMultipart(t.Context(), "key", id, parts); err != nil {
		t.Fatal(err)
	}
	wantFills(t, d, "abc")
	if left := names(t, filepath.Join(dir, "uploads")); len(left) != 0 {
		t.Errorf("left of the upload: %q", left)
	}
}

// cutShort leaves what a crash does in the midst of a line.
func cutShort(t *testing.T, dir string) {
	t.Helper()
	journals, err := filepath.Glob(filepath.Join(dir, "uploads", "*", "parts"))
	if err != nil || len(journals) != 1 {
		t.Fatalf("%d journals, %v, want 1", len(journals), err)
	}
	file, err := os.OpenFile(journals[0], os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(`{"number":3,"si`); err != nil {
		t.Fatal(err)
	}
}

func wantFills(t *testing.T, d *fileblob.Driver, fills string) {
	t.Helper()
	r, err := d.Open(t.Context(), "key", 0, 0, "")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	var want []byte
	for _, fill := range []byte(fills) {
		want = append(want, bytes.Repeat([]byte{fill}, partSize)...)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the blob has %d bytes, or others than those %d sent", len(got), len(want))
	}
}

// TestWhatACrashLeavesOfACompletionGoes has the upload's directory beside the
// blob that it became.
func TestWhatACrashLeavesOfACompletionGoes(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, fileblob.Options{})
	id, err := d.CreateMultipart(t.Context(), "key", partSize)
	if err != nil {
		t.Fatal(err)
	}
	putPart(t, d, id, 1, 'a')
	upload := filepath.Join(dir, "uploads", names(t, filepath.Join(dir, "uploads"))[0])
	journal, err := os.ReadFile(filepath.Join(upload, "parts"))
	if err != nil {
		t.Fatal(err)
	}
	parts, _, err := d.ListParts(t.Context(), "key", id, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.CompleteMultipart(t.Context(), "key", id, parts); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(upload, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(upload, "parts"), journal, 0o600); err != nil {
		t.Fatal(err)
	}
	name := filepath.Base(upload)
	if err := os.Link(filepath.Join(dir, "objects", name[:2], name), filepath.Join(upload, "whole")); err != nil {
		t.Fatal(err)
	}

	d = open(t, dir, fileblob.Options{})
	if left := names(t, filepath.Join(dir, "uploads")); len(left) != 0 {
		t.Errorf("left of the upload: %q", left)
	}
	wantFills(t, d, "a")
}

// TestAWriterOfAPartCannotTouchTheBlob holds a part back until the upload that
// it belongs to is complete.
func TestAWriterOfAPartCannotTouchTheBlob(t *testing.T) {
	d := open(t, t.TempDir(), fileblob.Options{})
	id, err := d.CreateMultipart(t.Context(), "key", partSize)
	if err != nil {
		t.Fatal(err)
	}
	putPart(t, d, id, 1, 'a')
	body, rest := io.Pipe()
	late := make(chan error, 1)
	go func() { // takes the place of part 2
		_, err := d.PutPart(t.Context(), "key", id, 2, iotest.OneByteReader(body), partSize, nil)
		late <- err
	}()
	if _, err := rest.Write([]byte("xx")); err != nil {
		t.Fatal(err)
	}
	parts, _, err := d.ListParts(t.Context(), "key", id, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.CompleteMultipart(t.Context(), "key", id, parts); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = rest.Write(make([]byte, partSize-2)); rest.Close() }()
	if err := <-late; d.ErrorCode(err) != blob.NotFound {
		t.Errorf("a part that came after the completion: %v, want NotFound", err)
	}
	body.Close()
	wantFills(t, d, "a")
}

// names returns the names in dir.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}
