package s3blob

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"io"
)

// checksumHeader is where S3 keeps the SHA-256 of a body, in Base64.
const checksumHeader = "X-Amz-Checksum-Sha256"

// piece is the length of the pieces of a trailed body.
const piece = 64 << 10

// trailed is a body with its checksum behind it, in S3's coding aws-chunked:
// pieces under their length in hex, an empty one, and the checksum. A body that
// breaks off has no end, and no store takes it for whole.
type trailed struct {
	source io.Reader
	left   int64 // of the source
	inside int64 // of the piece that is sent
	sum    hash.Hash
	frame  []byte // what comes before more of the source
	ended  bool
}

func newTrailed(source io.Reader, size int64) *trailed {
	t := &trailed{source: source, left: size, sum: sha256.New()}
	t.begin()
	return t
}

// trailedSize returns the length of the whole, for a source of size bytes.
func trailedSize(size int64) int64 {
	framed := func(n int64) int64 { return int64(len(fmt.Sprintf("%x\r\n\r\n", n))) + n }
	total := size / piece * framed(piece)
	if rest := size % piece; rest > 0 {
		total += framed(rest)
	}
	return total + int64(len(ending(make([]byte, sha256.Size))))
}

// ending is what follows the last piece.
func ending(sum []byte) string {
	return "0\r\n" + checksumHeader + ":" + base64.StdEncoding.EncodeToString(sum) + "\r\n\r\n"
}

// begin begins the next piece, or ends the body.
func (t *trailed) begin() {
	if t.left == 0 {
		t.frame, t.ended = append(t.frame, ending(t.sum.Sum(nil))...), true
		return
	}
	t.inside = min(t.left, piece)
	t.frame = fmt.Appendf(t.frame, "%x\r\n", t.inside)
}

// Read implements io.Reader.
func (t *trailed) Read(p []byte) (int, error) {
	if len(t.frame) > 0 {
		n := copy(p, t.frame)
		t.frame = t.frame[n:]
		return n, nil
	}
	if t.ended {
		return 0, io.EOF
	}
	n, err := t.source.Read(p[:min(int64(len(p)), t.inside)])
	_, _ = t.sum.Write(p[:n]) // never fails
	t.inside -= int64(n)
	t.left -= int64(n)
	if t.inside == 0 {
		t.frame = append(t.frame, "\r\n"...)
		t.begin()
		return n, nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
