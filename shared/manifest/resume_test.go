package manifest_test

import (
	"bytes"
	"reflect"
	"testing"

	"sluice/shared/manifest"
)

// content returns n bytes that repeat at no chunk.
func content(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i ^ i>>8 ^ i>>16 ^ i>>23)
	}
	return data
}

func TestAHashOfHalfIsGoneOnWith(t *testing.T) {
	const chunk = manifest.MinChunk
	data := content(3*chunk + 5)
	straight := manifest.NewHasher(int64(len(data)))
	_, _ = straight.Write(data)
	want, _ := straight.Manifest()
	for _, at := range []int{0, chunk, 2 * chunk, 3 * chunk} {
		first := manifest.NewHasher(int64(len(data)))
		_, _ = first.Write(data[:at])
		saved, err := first.Save()
		if err != nil {
			t.Fatalf("save at %d: %v", at, err)
		}
		second, read, err := manifest.Resume(int64(len(data)), saved)
		if err != nil || read != int64(at) {
			t.Fatalf("resume at %d: at %d, %v", at, read, err)
		}
		_, _ = second.Write(data[at:])
		if got, complete := second.Manifest(); !complete || !reflect.DeepEqual(got, want) {
			t.Errorf("saved at %d, the manifest is another one than without a break", at)
		}
	}
}

func TestOnlyWholeChunksAreSaved(t *testing.T) {
	h := manifest.NewHasher(2 * manifest.MinChunk)
	_, _ = h.Write(make([]byte, manifest.MinChunk+1))
	if saved, err := h.Save(); err == nil {
		t.Errorf("saved within a chunk: %d bytes", len(saved))
	}
}

// Whatever is read from the store, nothing but what was saved for a content of
// that size is gone on with.
func FuzzResume(f *testing.F) {
	h := manifest.NewHasher(3 * manifest.MinChunk)
	_, _ = h.Write(make([]byte, manifest.MinChunk))
	saved, err := h.Save()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(int64(3*manifest.MinChunk), saved)
	f.Add(int64(1), saved)
	f.Add(int64(3*manifest.MinChunk), saved[:len(saved)-1])
	f.Add(int64(0), bytes.Repeat([]byte{255}, 200))
	f.Add(int64(-1), []byte{})
	f.Fuzz(func(t *testing.T, size int64, saved []byte) {
		h, read, err := manifest.Resume(size, saved)
		if err != nil {
			return
		}
		again, err := h.Save()
		if err != nil || !bytes.Equal(again, saved) || read > max(size, 0) {
			t.Errorf("%x, resumed at %d of %d, is saved as %x, %v", saved, read, size, again, err)
		}
	})
}
