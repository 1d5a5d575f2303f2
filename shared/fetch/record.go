package fetch

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// record is what is kept beside an unfinished file, under its name with
// ".part.state": all that a later run needs to go on. It is a line
//
//	sluice-fetch 1 <SHA-256 of the rest of the line, in hexadecimal> <JSON>
//
// with a JSON object of the members below. It holds no URL, since URLs can be
// secrets. The last line that is whole counts: new ones are added without a
// sync, and a crash may cut or spoil them. Now and then the file is replaced as
// a whole by one line: written beside, synced, renamed.
//
// Bytes count as there by one of two rules. A process that dies takes nothing
// with it that it has written, so while the system that wrote them has not been
// started anew (Boot) all of Written is there. After a crash of the system only
// Synced is, which was on the disk before this said so.
type record struct {
	Source       string `json:"source"` // the SHA-256 of the URL, without its query
	Size         int64  `json:"size"`   // in bytes; -1: unknown
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"last_modified,omitempty"`
	SHA256       string `json:"sha256,omitempty"` // of the whole, in hexadecimal, where it is known
	Written      spans  `json:"written"`
	Synced       spans  `json:"synced"`
	Verified     spans  `json:"verified,omitempty"` // chunks whose digest was right
	Boot         string `json:"boot,omitempty"`     // identifies the running system
}

const recordHeader = "sluice-fetch 1 "

// maxRecord is the longest record that is read, in bytes.
const maxRecord = 64 << 20

var errNoRecord = errors.New("not a record of a download")

func (r record) encode() ([]byte, error) {
	body, err := json.Marshal(r)
	sum := sha256.Sum256(body)
	return fmt.Appendf(nil, "%s%s %s\n", recordHeader, hex.EncodeToString(sum[:]), body), err
}

// decodeRecords returns the last record that is whole.
func decodeRecords(text []byte) (record, error) {
	for len(text) > 0 {
		line := text[bytes.LastIndexByte(bytes.TrimSuffix(text, []byte("\n")), '\n')+1:]
		if r, err := decodeRecord(line); err == nil {
			return r, nil
		}
		text = text[:len(text)-len(line)]
	}
	return record{}, errNoRecord
}

func decodeRecord(text []byte) (record, error) {
	var r record
	const head = len(recordHeader) + 2*sha256.Size + 1
	body, whole := bytes.CutSuffix(text, []byte("\n"))
	if !whole || len(body) < head {
		return r, errNoRecord
	}
	sum := sha256.Sum256(body[head:])
	if string(body[:head]) != recordHeader+hex.EncodeToString(sum[:])+" " {
		return r, errNoRecord
	}
	body = body[head:]
	if err := json.Unmarshal(body, &r); err != nil {
		return r, errNoRecord
	}
	if r.Size < 0 || !r.Written.valid(r.Size) || !r.Synced.valid(r.Size) || !r.Verified.valid(r.Size) {
		return r, errNoRecord
	}
	return r, nil
}

// there returns the bytes that can be relied on.
func (r record) there() spans {
	if r.Boot != "" && r.Boot == bootID() {
		return r.Written
	}
	return r.Synced
}

// MarshalJSON writes a span as a pair.
func (s span) MarshalJSON() ([]byte, error) { return json.Marshal([2]int64{s.Start, s.End}) }

// UnmarshalJSON reads a pair.
func (s *span) UnmarshalJSON(text []byte) error {
	var pair [2]int64
	if err := json.Unmarshal(text, &pair); err != nil {
		return err
	}
	*s = span{pair[0], pair[1]}
	return nil
}

// loadRecord reads a file of records. found is false where there is none; one
// in which nothing is whole has the zero record.
func loadRecord(dir *os.Root, name string) (r record, found bool, err error) {
	info, err := dir.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return r, false, nil
	}
	if err == nil && !info.Mode().IsRegular() {
		return r, false, notRegular(name)
	}
	if err != nil {
		return r, false, err
	}
	file, err := dir.Open(name)
	if err != nil {
		return r, false, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxRecord))
	if err != nil {
		return r, false, err
	}
	r, _ = decodeRecords(text) // what cannot be read says nothing
	return r, true, nil
}

// write puts this record on the disk beside the others, in a file that is to
// take their place. It is returned, so that more can be added.
func (r record) write(dir *os.Root, name string) (*os.File, error) {
	text, err := r.encode()
	if err != nil {
		return nil, err
	}
	beside := newOf(name)
	if err := removeIfThere(dir, beside); err != nil {
		return nil, err
	}
	file, err := dir.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err = file.Write(text); err == nil {
		err = file.Sync()
	}
	if err != nil {
		return nil, errors.Join(err, file.Close(), removeIfThere(dir, beside))
	}
	return file, nil
}

// newOf names the file that is to take the place of one.
func newOf(name string) string { return name + ".new" }

// add adds this record to a file of records.
func (r record) add(file *os.File) error {
	text, err := r.encode()
	if err == nil {
		_, err = file.Write(text)
	}
	return err
}
