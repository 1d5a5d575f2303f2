package main

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A zip holds a bootstrap that can be run, and is the same whenever it is made.
func TestTheSameBootstrapMakesTheSameZip(t *testing.T) {
	dir := t.TempDir()
	bootstrap, content := filepath.Join(dir, "bootstrap"), bytes.Repeat([]byte("code"), 1000)
	var zips [2][]byte
	for i := range zips {
		if err := os.WriteFile(bootstrap, content, 0o600); err != nil {
			t.Fatal(err)
		}
		then := time.Now().Add(-time.Duration(i) * time.Hour)
		if err := os.Chtimes(bootstrap, then, then); err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, "function.zip")
		size, err := pack(bootstrap, to)
		if err != nil {
			t.Fatal(err)
		}
		if zips[i], err = os.ReadFile(to); err != nil || int64(len(zips[i])) != size {
			t.Fatalf("the zip has %d bytes, %v; want %d", len(zips[i]), err, size)
		}
	}
	if !bytes.Equal(zips[0], zips[1]) {
		t.Error("two zips of the same bootstrap differ")
	}
	archive, err := zip.NewReader(bytes.NewReader(zips[0]), int64(len(zips[0])))
	if err != nil || len(archive.File) != 1 || archive.File[0].Name != "bootstrap" || archive.File[0].Mode() != 0o755 {
		t.Fatalf("the zip holds %+v, %v; want a bootstrap that can be run", archive, err)
	}
	file, err := archive.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(file); err != nil || !bytes.Equal(got, content) {
		t.Errorf("the bootstrap has %d bytes, %v; want %d", len(got), err, len(content))
	}
}

func TestAFunctionThatIsNoneIsNamed(t *testing.T) {
	if err := run(t.Context(), []string{"-dir", t.TempDir(), "web"}, io.Discard); err == nil || err.Error() != `there is no function "web"` {
		t.Errorf("building web: %v, want that there is none", err)
	}
}
