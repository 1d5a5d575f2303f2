package fileblob_test

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/shared/blob"
	"sluice/shared/blob/fileblob"
)

func open(t *testing.T, dir string, opts fileblob.Options) *fileblob.Driver {
	t.Helper()
	d, err := fileblob.Open(dir, opts)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return d
}

// openBucket opens a store that the end of the test closes.
func openBucket(t *testing.T, dir string) *blob.Bucket {
	t.Helper()
	b := blob.NewBucket(open(t, dir, fileblob.Options{}))
	t.Cleanup(func() { closeStore(t, b) })
	return b
}

func closeStore(t *testing.T, b *blob.Bucket) {
	t.Helper()
	if err := b.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func tryPut(t *testing.T, b *blob.Bucket, key string, data []byte) (blob.Attrs, error) {
	w, err := b.Create(t.Context(), key, int64(len(data)))
	if err != nil {
		return blob.Attrs{}, err
	}
	defer w.Abort()
	if _, err := w.Write(data); err != nil {
		return blob.Attrs{}, err
	}
	return w.Commit(t.Context())
}

func put(t *testing.T, b *blob.Bucket, key string, data []byte) {
	t.Helper()
	if _, err := tryPut(t, b, key, data); err != nil {
		t.Fatalf("put %q: %v", key, err)
	}
}

func read(t *testing.T, b *blob.Bucket, key string, length int64) []byte {
	t.Helper()
	r, err := b.Open(t.Context(), key, 0, length, "")
	if err != nil {
		t.Fatalf("Open %q: %v", key, err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("Read %q: %v", key, err)
	}
	return data
}

func plant(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("planted"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// list returns all names under a folder of dir, relative to dir, in order.
func list(t *testing.T, dir, folder string) []string {
	t.Helper()
	var names []string
	err := fs.WalkDir(os.DirFS(dir), folder, func(name string, _ fs.DirEntry, err error) error {
		names = append(names, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// files returns all files under dir, relative to it, in order.
func files(t *testing.T, dir string) []string {
	t.Helper()
	return slices.DeleteFunc(list(t, dir, "."), func(name string) bool {
		info, err := os.Lstat(filepath.Join(dir, name))
		return err == nil && info.IsDir()
	})
}

// objectFile returns the one file under objects/.
func objectFile(t *testing.T, dir string) string {
	t.Helper()
	names := slices.DeleteFunc(files(t, dir), func(name string) bool { return !strings.HasPrefix(name, "objects/") })
	if len(names) != 1 {
		t.Fatalf("the objects are %q, want one", names)
	}
	return names[0]
}
