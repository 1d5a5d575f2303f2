package upload_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/iotest"

	"sluice/shared/blob"
	"sluice/shared/blob/blobtest"
	"sluice/shared/catalog"
	"sluice/shared/fault"
	"sluice/shared/upload"
)

// partSize is the least that an upload may have.
const partSize = 8 << 20

func TestHowManyPartsAnUploadHas(t *testing.T) {
	for _, c := range []struct {
		size int64
		want int
	}{
		{-1, 0}, {0, 1}, {1, 1}, {partSize - 1, 1}, {partSize, 1}, {partSize + 1, 2}, {10 * partSize, 10}, {10*partSize + 1, 11},
	} {
		if got := upload.PartCount(catalog.Multipart{Size: c.size, PartSize: partSize}); got != c.want {
			t.Errorf("%d bytes have %d parts, want %d", c.size, got, c.want)
		}
	}
}

func TestTheNumbersOfParts(t *testing.T) {
	for _, c := range []struct {
		size   int64
		number int
		ok     bool
	}{
		{-1, 0, false}, {-1, -1, false}, {-1, 1, true}, {-1, upload.MaxParts, true}, {-1, upload.MaxParts + 1, false},
		{0, 1, true}, {0, 2, false}, {partSize, 1, true}, {partSize, 2, false}, {partSize + 1, 2, true}, {partSize + 1, 3, false},
	} {
		err := upload.CheckNumber(catalog.Multipart{Size: c.size, PartSize: partSize}, c.number)
		if (err == nil) != c.ok || err != nil && !fault.Is(err, fault.Invalid, "") {
			t.Errorf("part %d of %d bytes: %v, want it allowed: %v", c.number, c.size, err, c.ok)
		}
	}
}

func TestTheSizesOfParts(t *testing.T) {
	s := open(t)
	const size = partSize + 100
	known, unknown := s.begin(size, nil), s.begin(-1, nil)
	for _, c := range []struct {
		what   string
		m      catalog.Multipart
		number int
		bytes  int
		ok     bool
	}{
		{"a whole part", known, 1, partSize, true},
		{"a byte less", known, 1, partSize - 1, false},
		{"a byte more", known, 1, partSize + 1, false},
		{"the last part", known, 2, 100, true},
		{"a byte less than the last part", known, 2, 99, false},
		{"a byte more than the last part", known, 2, 101, false},
		{"a part of an unknown size", unknown, 1, 1, true},
		{"a whole part of one", unknown, 1, partSize, true},
		{"more than a part of one", unknown, 1, partSize + 1, false},
		{"an empty part of one", unknown, 2, 0, true},
	} {
		err := s.put(c.m, c.number, make([]byte, c.bytes))
		if (err == nil) != c.ok || err != nil && !fault.Is(err, fault.Unprocessable, "blob_size_mismatch") {
			t.Errorf("%s: %v, want it taken: %v", c.what, err, c.ok)
		}
	}
}

func TestAPartThatIsCutIsNotKept(t *testing.T) {
	s := open(t)
	m := s.begin(100, nil)
	if err := s.put(m, 1, bytes.Repeat([]byte("a"), 100)); err != nil {
		t.Fatal(err)
	}
	cut := io.MultiReader(bytes.NewReader(bytes.Repeat([]byte("b"), 50)), iotest.ErrReader(errors.New("gone")))
	_, err := s.PutPart(t.Context(), m, 1, cut, 100, nil)
	wantFault(t, "a part that breaks off", err, fault.Invalid, "body_cut")
	sum := sha256.Sum256([]byte("another"))
	_, err = s.PutPart(t.Context(), m, 1, bytes.NewReader(make([]byte, 100)), 100, sum[:])
	wantFault(t, "a part of another digest", err, fault.Unprocessable, "digest_mismatch")
	parts, err := s.Parts(t.Context(), m)
	want := sha256.Sum256(bytes.Repeat([]byte("a"), 100))
	if err != nil || len(parts) != 1 || !bytes.Equal(parts[0].SHA256, want[:]) {
		t.Errorf("the parts are %+v, %v, want the one that was whole", parts, err)
	}
}

// An upload that cannot begin takes nothing.
func TestAnUploadThatCannotBeginTakesNothing(t *testing.T) {
	s := open(t)
	s.chaos.Script(blobtest.CreateMultipart, blobtest.Fault{Err: blobtest.Error{Code: blob.Full}})
	_, _, err := s.Begin(t.Context(), upload.Multipart{Owner: s.owner, By: s.owner, Path: "a", Size: 100, PartSize: partSize})
	wantFault(t, "an upload without room", err, fault.InsufficientStorage, "no_space")
	s.wantUsed("after it", 0, 0)
	s.wantBegins(1)
}

// wantBegins wants an upload of one part to go through.
func (s *service) wantBegins(files int64) {
	s.t.Helper()
	m := s.begin(3, nil)
	if err := s.put(m, 1, []byte("abc")); err != nil {
		s.t.Fatal(err)
	}
	if done, err := s.complete(m); err != nil || done.State != catalog.UploadComplete || done.File == "" {
		s.t.Errorf("an upload afterwards: %+v, %v, want it complete", done, err)
	}
	s.wantUsed("once it is complete", 3, files)
}

func TestACompletionMakesAFileOfItsParts(t *testing.T) {
	s := open(t)
	data := append(bytes.Repeat([]byte("x"), partSize), "the rest"...)
	sum := sha256.Sum256(data)
	m := s.begin(int64(len(data)), sum[:])
	_, err := s.complete(m)
	wantFault(t, "a completion without parts", err, fault.Unprocessable, "parts_missing")
	for number, part := range map[int][]byte{2: data[partSize:], 1: data[:partSize]} {
		if err := s.put(m, number, part); err != nil {
			t.Fatal(err)
		}
	}
	done, err := s.complete(m)
	if err != nil || done.State != catalog.UploadComplete {
		t.Fatalf("complete: %+v, %v", done, err)
	}
	f, err := s.Catalog.File(t.Context(), done.File)
	if err != nil || f.Version.Size != int64(len(data)) || !bytes.Equal(f.Version.SHA256, sum[:]) || f.Version.ID != m.ID {
		t.Errorf("the file is %+v, %v", f, err)
	}
	s.wantUsed("once it is complete", int64(len(data)), 1)
	wantFault(t, "a part after it", s.put(done, 1, data[:partSize]), fault.Conflict, "upload_not_open")
	wantFault(t, "an abort after it", s.Abort(t.Context(), done), fault.Conflict, "upload_not_open")
}

func TestAnUploadOfAnotherDigestFailsForGood(t *testing.T) {
	s := open(t)
	sum := sha256.Sum256([]byte("announced"))
	m := s.begin(-1, sum[:])
	if err := s.put(m, 1, []byte("sent")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err := s.complete(m)
		wantFault(t, "a completion", err, fault.Unprocessable, "digest_mismatch")
		if m, err = s.Catalog.Multipart(t.Context(), m.ID); err != nil || m.State != catalog.UploadFailed {
			t.Errorf("the upload is %q, %v, want failed", m.State, err)
		}
	}
	s.wantUsed("after it", 0, 0)
}

func TestOfACompletionAndAnAbortOneWins(t *testing.T) {
	s := open(t)
	for range 20 {
		m := s.begin(1, nil)
		if err := s.put(m, 1, []byte("x")); err != nil {
			t.Fatal(err)
		}
		var completed, aborted error
		var group sync.WaitGroup
		group.Go(func() { _, completed = s.complete(m) })
		group.Go(func() { aborted = s.Abort(t.Context(), m) })
		group.Wait()
		if (completed == nil) == (aborted == nil) {
			t.Errorf("the completion: %v, the abort: %v, want one of them to win", completed, aborted)
		}
	}
}

// A completion that found no room says so, and can be had when there is.
func TestACompletionWithoutRoomCanBeTriedAgain(t *testing.T) {
	s := open(t)
	m := s.begin(3, nil)
	if err := s.put(m, 1, []byte("abc")); err != nil {
		t.Fatal(err)
	}
	s.chaos.Script(blobtest.CompleteMultipart, blobtest.Fault{Err: blobtest.Error{Code: blob.Full}})
	_, err := s.complete(m)
	wantFault(t, "without room", err, fault.InsufficientStorage, "no_space")
	if m, err = s.Catalog.Multipart(t.Context(), m.ID); err != nil || m.State != catalog.UploadVerifying {
		t.Fatalf("the upload is %q, %v, want verifying", m.State, err)
	}
	if done, err := s.complete(m); err != nil || done.State != catalog.UploadComplete {
		t.Errorf("with room: %+v, %v, want it complete", done, err)
	}
	s.wantUsed("once it is complete", 3, 1)
}

// What a server was verifying when it ended another one goes on with.
func TestWhatWasBeingVerifiedIsResumed(t *testing.T) {
	s := open(t)
	m := s.begin(3, nil)
	if err := s.put(m, 1, []byte("abc")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Catalog.Verify(t.Context(), m.ID); err != nil { // and here it ended
		t.Fatal(err)
	}
	if err := s.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-s.Watch(m)
	if got, err := s.Catalog.Multipart(t.Context(), m.ID); err != nil || got.State != catalog.UploadComplete {
		t.Errorf("the upload is %q, %v, want complete", got.State, err)
	}
}

func TestAnUploadOfUnknownSizeTakesRoomForItsParts(t *testing.T) {
	s := open(t)
	m := s.begin(-1, nil)
	for _, c := range []struct {
		numbers []int
		want    int64
	}{{[]int{1}, partSize}, {[]int{3, 2}, 3 * partSize}, {[]int{1}, 3 * partSize}, {nil, 3 * partSize}} {
		if err := s.Expect(t.Context(), m, c.numbers); err != nil {
			t.Errorf("parts %v: %v", c.numbers, err)
		}
		s.wantUsed("for its parts", c.want, 1)
	}
	wantFault(t, "a part that it cannot have", s.Expect(t.Context(), m, []int{1, 0}), fault.Invalid, "")
	if err := s.Abort(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	s.wantUsed("after an abort", 0, 0)
}
