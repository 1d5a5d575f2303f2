package send

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"sluice/shared/fault"
	"sluice/shared/filelock"
)

// record is what is kept of an upload in parts until it is complete, in a file
// of the folder Options.Records. That is a folder of the user's, not the one of
// the file that is sent, since that may be read-only, may be another's, and may
// be sent itself. The record's name is the SHA-256 of the server's URL, the
// owner, the path there and the absolute name of the file, so one file that is
// sent to two places has two. It is a line
//
//	sluice-send 1 <SHA-256 of the rest of the line, in hexadecimal> <JSON>
//
// with the members of head, written before the upload is begun and synced before
// the first part is sent, and a line
//
//	<number of a part> <its SHA-256, in hexadecimal>
//
// before each part is sent. These are not synced, and one that was cut is
// ignored: a part that the server has and the record does not tell of is sent
// again, unless the server says what it has. That is all: which parts have
// arrived, the server knows. There is no token in it, and no URL.
//
// It is locked while a run uses it, and removed when the file is published, or
// by a later run when the server has forgotten the upload.
type record struct {
	file  *os.File
	head  head
	found bool           // it has a head
	sums  map[int]string // of parts that were sent, by number
}

// head is what the first line of a record says.
type head struct {
	Server    string    `json:"server"`
	Owner     string    `json:"owner"`
	Path      string    `json:"path"`
	Key       string    `json:"idempotency_key,omitempty"` // under which the upload was begun
	UploadID  string    `json:"upload_id"`                 // "" until the server has told it
	ExpiresAt time.Time `json:"expires_at"`
	PartSize  int64     `json:"part_size"`
	File      identity  `json:"file"` // as it was when the upload began
	Terms     terms     `json:"terms"`
}

// terms are what an upload cannot change once it has begun.
type terms struct {
	ContentType string `json:"content_type,omitempty"`
	SHA256      string `json:"sha256,omitempty"` // announced
	PartSize    int64  `json:"part_size,omitempty"`
	Overwrite   bool   `json:"overwrite,omitempty"`
}

const (
	recordHeader = "sluice-send 1 "
	// maxRecord is the longest record that is read, in bytes: of 10,000 parts
	// that were each sent a few times.
	maxRecord = 8 << 20
	// forgotten is the age of a record whose upload is over for certain: the
	// server keeps one for a week.
	forgotten = 30 * 24 * time.Hour
)

// openRecord opens the record of a transfer, and makes an empty one if there is
// none. It is locked until Close.
func (t *Transfer) openRecord() (*record, error) {
	dir := t.client.options.Records
	if dir == "" {
		return &record{sums: map[int]string{}}, nil
	}
	name, err := filepath.Abs(t.request.File)
	if err == nil {
		const ownersOnly = 0o700
		err = os.MkdirAll(dir, ownersOnly)
	}
	if err != nil {
		return nil, noRecord(err)
	}
	sweep(dir, time.Now())
	sum := sha256.Sum256([]byte(t.client.base + "\n" + t.owner + "\n" + t.request.Path + "\n" + name))
	file, err := openLocked(filepath.Join(dir, hex.EncodeToString(sum[:])))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(file, maxRecord))
	if err != nil {
		return nil, errors.Join(noRecord(err), file.Close())
	}
	r := &record{file: file}
	r.head, r.sums, r.found = decodeRecord(text)
	return r, nil
}

// openLocked opens a file for one run alone. Who had it before may have removed
// it meanwhile; then there is another one.
func openLocked(name string) (*os.File, error) {
	for {
		file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return nil, noRecord(err)
		}
		if err := filelock.Try(file); err != nil {
			return nil, errors.Join(fault.New(fault.Conflict, "in_use", "Another run sends this file to the same place."), file.Close())
		}
		mine, err := file.Stat()
		if err != nil {
			return nil, errors.Join(noRecord(err), file.Close())
		}
		if there, err := os.Stat(name); err == nil && os.SameFile(mine, there) {
			return file, nil
		}
		_ = file.Close() // nothing was written
	}
}

func noRecord(err error) error {
	return fault.Wrap(err, fault.Internal, "no_record", "The record of the upload cannot be kept.")
}

// sweep removes the records of uploads that nobody will go on with. What it
// cannot remove stays.
func sweep(dir string, now time.Time) {
	entries, _ := os.ReadDir(dir) // it is only tidying
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && now.Sub(info.ModTime()) > forgotten {
			_ = os.Remove(filepath.Join(dir, e.Name())) // as above
		}
	}
}

// decodeRecord reads a record; ok is false where its head is not whole.
func decodeRecord(text []byte) (h head, sums map[int]string, ok bool) {
	sums = map[int]string{}
	line, rest, _ := bytes.Cut(text, []byte("\n"))
	const at = len(recordHeader) + 2*sha256.Size + 1
	if len(line) < at {
		return h, sums, false
	}
	sum := sha256.Sum256(line[at:])
	if string(line[:at]) != recordHeader+hex.EncodeToString(sum[:])+" " || json.Unmarshal(line[at:], &h) != nil {
		return head{}, sums, false
	}
	for {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		if !whole {
			return h, sums, true
		}
		rest = after
		number, sum, _ := bytes.Cut(line, []byte(" "))
		n, err := strconv.Atoi(string(number))
		if raw, hexErr := hex.DecodeString(string(sum)); err == nil && n > 0 && hexErr == nil && len(raw) == sha256.Size {
			sums[n] = string(sum)
		}
	}
}

// begin writes the record of an upload that has just begun, to the disk.
func (r *record) begin(h head) error {
	if err := r.write(h); err != nil || r.file == nil {
		return err
	}
	if err := r.file.Sync(); err != nil {
		return noRecord(err)
	}
	return nil
}

// write makes a record of its head alone.
func (r *record) write(h head) error {
	r.head, r.found, r.sums = h, true, map[int]string{}
	if r.file == nil {
		return nil
	}
	body, err := json.Marshal(h)
	sum := sha256.Sum256(body)
	if err == nil {
		err = r.file.Truncate(0)
	}
	if err == nil {
		_, err = fmt.Fprintf(r.file, "%s%s %s\n", recordHeader, hex.EncodeToString(sum[:]), body)
	}
	if err != nil {
		return noRecord(err)
	}
	return nil
}

// note says that a part is about to be sent. It may be called concurrently: one
// write adds one line.
func (r *record) note(number int, sum string) error {
	if r.file == nil {
		return nil
	}
	if _, err := r.file.WriteString(strconv.Itoa(number) + " " + sum + "\n"); err != nil {
		return noRecord(err)
	}
	return nil
}

// Close lets another run have the record, or removes it where it has no head:
// its upload is over. What cannot be removed does no harm, since the server
// tells how the upload is.
func (r *record) Close() error {
	if r.file == nil {
		return nil
	}
	gone := r.found || os.Remove(r.file.Name()) == nil // while nobody else can have it
	err := r.file.Close()
	if !gone { // some systems do not remove what is open
		err = errors.Join(err, os.Remove(r.file.Name()))
	}
	return err
}
