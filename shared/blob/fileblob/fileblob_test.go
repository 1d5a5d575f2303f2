package fileblob_test

import (
	"bytes"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sluice/shared/blob"
	"sluice/shared/blob/blobtest"
	"sluice/shared/blob/fileblob"
	"sluice/shared/fault"
)

func TestSuite(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Driver {
		return open(t, t.TempDir(), fileblob.Options{})
	})
}

func TestReopenedStoreHasItsBlobs(t *testing.T) {
	dir := t.TempDir()
	b := blob.NewBucket(open(t, dir, fileblob.Options{}))
	put(t, b, "key", []byte("bytes"))
	closeStore(t, b)

	b = openBucket(t, dir)
	if got := read(t, b, "key", 5); string(got) != "bytes" {
		t.Errorf("after reopening: %q, want %q", got, "bytes")
	}
	if _, err := tryPut(t, b, "key", []byte("other")); !fault.Is(err, fault.Conflict, "blob_exists") {
		t.Errorf("put on a key of before: %v, want blob_exists", err)
	}
}

func TestSecondOpenNamesTheHolder(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir, fileblob.Options{})
	second, err := fileblob.Open(dir, fileblob.Options{})
	if err == nil {
		second.Close()
		t.Fatal("the second Open of a directory passed")
	}
	for _, want := range []string{dir, "process " + strconv.Itoa(os.Getpid()), "lock"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %q, want %q in it", err, want)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	openBucket(t, dir)
}

func TestOpenRemovesLeftoversAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	closeStore(t, blob.NewBucket(open(t, dir, fileblob.Options{})))
	plant(t, dir, "tmp/ABC.partial")
	plant(t, dir, "objects/probe")
	plant(t, dir, "tmp/somebody-elses")
	if err := os.Mkdir(filepath.Join(dir, "tmp/folder.partial"), 0o700); err != nil {
		t.Fatal(err)
	}
	openBucket(t, dir)
	want := []string{"tmp", "tmp/folder.partial", "tmp/somebody-elses"}
	if got := list(t, dir, "tmp"); !slices.Equal(got, want) {
		t.Errorf("in tmp/ are %q, want %q", got, want)
	}
	if got := list(t, dir, "objects"); !slices.Equal(got, []string{"objects"}) {
		t.Errorf("in objects/ are %q, want nothing", got)
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	dir := t.TempDir()
	b := openBucket(t, dir)
	put(t, b, "deleted", []byte("bytes"))
	if err := b.Delete(t.Context(), "deleted"); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	w, err := b.Create(t.Context(), "aborted", -1)
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	if _, err := w.Write([]byte("bytes")); err != nil {
		t.Fatalf("Write: %v", err)
	}
	if err := w.Abort(); err != nil {
		t.Fatalf("Abort: %v", err)
	}
	if err := b.Ping(t.Context()); err != nil {
		t.Fatalf("Ping: %v", err)
	}
	if files := files(t, dir); !slices.Equal(files, []string{"lock"}) {
		t.Errorf("the files are %q, want the lock alone", files)
	}
}

func TestFilesArePrivateAndBearNothingOfTheKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "by", "Open")
	b := openBucket(t, dir)
	put(t, b, "../KEY", []byte("bytes"))
	const hash = "4f369da888733abc596127fb57b9a180a33d459bafdea6846db101ecdeb4ead7"
	for _, name := range list(t, dir, ".") {
		info, err := os.Lstat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		want := fs.FileMode(0o600)
		if info.IsDir() {
			want = 0o700
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", name, info.Mode().Perm(), want)
		}
	}
	want := []string{"lock", "objects/" + hash[:2] + "/" + hash}
	if got := files(t, dir); !slices.Equal(got, want) {
		t.Errorf("the files are %q, want %q", got, want)
	}
}

func TestLinksOutOfTheStoreAreNotFollowed(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	b := openBucket(t, dir)
	put(t, b, "key", []byte("bytes"))
	plant(t, outside, "secret")
	object := filepath.Join(dir, objectFile(t, dir))
	if err := os.Remove(object); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(outside, "secret"), object); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Open(t.Context(), "key", 0, 1, ""); !fault.Is(err, fault.Upstream, "blob_failed") {
		t.Errorf("Open through the link: %v, want blob_failed", err)
	}
	if _, err := b.Stat(t.Context(), "key"); !fault.Is(err, fault.Upstream, "blob_failed") {
		t.Errorf("Stat through the link: %v, want blob_failed", err)
	}
	if err := b.Delete(t.Context(), "key"); err != nil {
		t.Errorf("Delete of the link: %v", err)
	}
	if got := files(t, outside); !slices.Equal(got, []string{"secret"}) {
		t.Errorf("outside are %q, want the secret still", got)
	}
}

func TestOpenRefusesALayoutThatLeadsOut(t *testing.T) {
	for _, name := range []string{"tmp", "objects", "lock"} {
		t.Run(name, func(t *testing.T) {
			dir, outside := t.TempDir(), t.TempDir()
			plant(t, outside, "victim.partial")
			target := outside
			if name == "lock" {
				target = filepath.Join(outside, "victim.partial")
			}
			if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
			d, err := fileblob.Open(dir, fileblob.Options{})
			if err == nil {
				d.Close()
				t.Error("Open passed")
			}
			if got := files(t, outside); !slices.Equal(got, []string{"victim.partial"}) {
				t.Errorf("outside are %q, want what was there", got)
			}
		})
	}
}

func TestADirectoryUnderABlobsNameIsNoBlob(t *testing.T) {
	dir := t.TempDir()
	b := openBucket(t, dir)
	put(t, b, "key", []byte("bytes"))
	object := filepath.Join(dir, objectFile(t, dir))
	if err := os.Remove(object); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(object, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Open(t.Context(), "key", 0, 1, ""); !fault.Is(err, fault.Upstream, "blob_failed") {
		t.Errorf("Open: %v, want blob_failed", err)
	}
	if _, err := b.Stat(t.Context(), "key"); !fault.Is(err, fault.Upstream, "blob_failed") {
		t.Errorf("Stat: %v, want blob_failed", err)
	}
}

func TestReserveIsNeverUsed(t *testing.T) {
	dir := t.TempDir()
	b := blob.NewBucket(open(t, dir, fileblob.Options{Reserve: math.MaxInt64}))
	defer closeStore(t, b)
	for _, size := range []int64{-1, 0, 1, math.MaxInt64} {
		if _, err := b.Create(t.Context(), "key", size); !fault.Is(err, fault.InsufficientStorage, "no_space") {
			t.Errorf("Create of %d bytes: %v, want no_space", size, err)
		}
	}
	if got := files(t, dir); !slices.Equal(got, []string{"lock"}) {
		t.Errorf("the files are %q, want the lock alone", got)
	}
}

func TestMoreThanTheDiskIsRefusedAtOnce(t *testing.T) {
	b := openBucket(t, t.TempDir())
	if _, err := b.Create(t.Context(), "key", math.MaxInt64); !fault.Is(err, fault.InsufficientStorage, "no_space") {
		t.Errorf("Create of 8 EiB: %v, want no_space", err)
	}
	put(t, b, "key", bytes.Repeat([]byte("x"), 100))
}
