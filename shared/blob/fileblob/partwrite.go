//go:build unix

package fileblob

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path"
	"strconv"
)

// partWriter is where one part goes as it arrives: to its place in data where
// that is free, else to a file of its own, so that a part that was acknowledged
// stays whole until another one is.
type partWriter struct {
	parts  *parts
	number int
	space  *space
	file   *os.File
	spool  string // "": data
	offset int64  // in file
	left   int64  // bytes of space claimed and not yet written
}

func newPartWriter(p *parts, number int, size int64, s *space) (*partWriter, error) {
	if err := s.claim(size); err != nil {
		return nil, err
	}
	w := &partWriter{parts: p, number: number, space: s, left: size}
	if err := w.open(); err != nil {
		s.release(size)
		return nil, err
	}
	return w, nil
}

func (w *partWriter) open() (err error) {
	name, flags := slotsName, os.O_WRONLY
	if w.parts.claimSlot(w.number) {
		w.offset = int64(w.number-1) * w.parts.PartSize
	} else {
		w.spool = strconv.Itoa(w.number) + "-" + rand.Text()
		name, flags = w.spool, os.O_WRONLY|os.O_CREATE|os.O_EXCL
	}
	w.file, err = w.parts.root.OpenFile(path.Join(w.parts.dir, name), flags, 0o600)
	if err != nil && w.spool == "" {
		w.parts.releaseSlot(w.number)
	}
	return absent(err)
}

// Write implements io.Writer.
func (w *partWriter) Write(p []byte) (int, error) {
	w.parts.slots.RLock()
	defer w.parts.slots.RUnlock()
	if w.parts.closed {
		return 0, errEnded()
	}
	n, err := w.file.WriteAt(p, w.offset)
	w.offset += int64(n)
	w.left -= int64(n)
	w.space.release(int64(n))
	return n, err
}

// receive writes body and returns its entry once the bytes are durable.
func (w *partWriter) receive(body io.Reader) (entry, error) {
	sum := sha256.New()
	n, err := io.CopyBuffer(io.MultiWriter(w, sum), onlyReader{body}, make([]byte, copyBuffer))
	if err != nil {
		return entry{}, err
	}
	if err := w.file.Sync(); err != nil {
		return entry{}, err
	}
	if w.spool != "" {
		if err := syncDir(w.parts.root, w.parts.dir); err != nil {
			return entry{}, err
		}
	}
	return entry{Number: w.number, Size: n, SHA256: sum.Sum(nil), Spool: w.spool}, nil
}

// copyBuffer is how much is written at a time, and how long the end of an
// upload waits for a writer.
const copyBuffer = 256 << 10

// onlyReader hides every other method, so that a copy is through the buffer.
type onlyReader struct{ io.Reader }

// close gives back what the writer holds; kept tells whether the part was
// recorded.
func (w *partWriter) close(kept bool) error {
	w.space.release(w.left)
	err := w.file.Close()
	switch {
	case w.spool == "":
		w.parts.releaseSlot(w.number)
	case !kept:
		err = errors.Join(err, w.parts.root.Remove(path.Join(w.parts.dir, w.spool)))
	}
	return err
}
