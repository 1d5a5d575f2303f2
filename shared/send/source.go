package send

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"

	"sluice/shared/digest"
	"sluice/shared/fault"
)

// identity tells a file from another one, and from what it was before. A change
// that keeps all of it is found by the digests.
type identity struct {
	Size     int64  `json:"size"`     // in bytes
	Modified int64  `json:"modified"` // in nanoseconds since 1970
	Inode    uint64 `json:"inode"`    // 0: unknown
}

func identityOf(info os.FileInfo) identity {
	return identity{info.Size(), info.ModTime().UnixNano(), inode(info)}
}

// source is a file that is being sent.
type source struct {
	*os.File

	was identity // when it was opened
}

// open opens a regular file, or with follow a symbolic link to one. Nobody can
// put a link in its place meanwhile.
func open(name string, follow bool) (*source, error) {
	look := os.Lstat
	if follow {
		look = os.Stat
	}
	before, err := look(name)
	if err != nil {
		return nil, unreadable(err)
	}
	if !before.Mode().IsRegular() { // to open a pipe would wait for its other end
		return nil, fault.Newf(fault.Invalid, "not_a_file", "%s is no regular file.", name)
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, unreadable(err)
	}
	info, err := file.Stat()
	if err == nil && !os.SameFile(before, info) {
		err = changed()
	}
	if err != nil {
		return nil, errors.Join(unreadable(err), file.Close())
	}
	return &source{file, identityOf(info)}, nil
}

// unreadable is the fault of a file that cannot be read.
func unreadable(err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok || err == nil {
		return err
	}
	kind := fault.Internal
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		kind = fault.Invalid
	}
	return fault.Wrap(err, kind, "unreadable", "The file cannot be read.")
}

// check returns a fault if the file is not what it was when it was opened.
func (s *source) check() error {
	info, err := s.Stat()
	if err == nil && identityOf(info) != s.was {
		err = changed()
	}
	return unreadable(err)
}

func changed() error {
	return fault.New(fault.PreconditionFailed, "source_changed",
		"The file is not what it was when its upload began; nothing of it was published. --restart sends it as it is now.")
}

// hashInto reads size bytes from an offset on. A file that has fewer has
// changed.
func hashInto(to io.Writer, from io.ReaderAt, offset, size int64) error {
	n, err := io.CopyBuffer(to, struct{ io.Reader }{io.NewSectionReader(from, offset, size)}, make([]byte, hashBuffer))
	if err != nil {
		return unreadable(err)
	}
	if n != size {
		return changed()
	}
	return nil
}

// hashBuffer is how much is read at once to be hashed, in bytes.
const hashBuffer = 256 << 10

// sums hashes the whole, which is written to it in its order.
type sums struct {
	sha256 hash.Hash
	sha512 hash.Hash // nil: nobody asks for it
	want   digest.Set
}

func newSums(want digest.Set) *sums {
	s := &sums{sha256: sha256.New(), want: want}
	if want.SHA512 != nil {
		s.sha512 = sha512.New()
	}
	return s
}

// Write implements io.Writer; it never fails.
func (s *sums) Write(p []byte) (int, error) {
	if s.sha512 != nil {
		_, _ = s.sha512.Write(p) // never fails
	}
	return s.sha256.Write(p)
}

// end returns the SHA-256 of the whole, if the whole is what it should be.
func (s *sums) end() ([]byte, error) {
	sum := s.sha256.Sum(nil)
	if s.want.SHA256 != nil && !bytes.Equal(s.want.SHA256, sum) || s.sha512 != nil && !bytes.Equal(s.want.SHA512, s.sha512.Sum(nil)) {
		return nil, fault.New(fault.Unprocessable, "digest_mismatch", "What was to be sent is not what its digest says; nothing was published.")
	}
	return sum, nil
}
