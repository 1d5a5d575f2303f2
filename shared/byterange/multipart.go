package byterange

import (
	"crypto/rand"
	"strings"
	"unicode"
)

// Multipart describes a multipart/byteranges body (RFC 9110 section 14.6) to
// one who writes it: Header(0), the bytes of range 0, Header(1), the bytes of
// range 1, and so on, then Trailer. It does not change once made.
type Multipart struct {
	boundary string
	headers  [][]byte
	trailer  []byte
	length   int64
}

// NewMultipart describes the body that sends ranges of a representation of
// size bytes. Every part carries the representation's content type, or none if
// it is empty (RFC 9110 section 15.3.7.2). The boundary is random, so that no
// content can be made to hold it.
func NewMultipart(ranges []Range, size int64, contentType string) Multipart {
	boundary := rand.Text()
	m := Multipart{
		boundary: boundary,
		trailer:  []byte("\r\n--" + boundary + "--\r\n"),
	}
	m.length = int64(len(m.trailer))
	field := contentTypeField(contentType)
	delimiter := "--" + boundary + "\r\n"
	for _, r := range ranges {
		header := delimiter + field + "Content-Range: " + r.ContentRange(size) + "\r\n\r\n"
		m.headers = append(m.headers, []byte(header))
		m.length += int64(len(header)) + r.Length
		delimiter = "\r\n--" + boundary + "\r\n"
	}
	return m
}

// contentTypeField is the field line of a part. A content type can come from
// a stranger, and no server stands between a part and the wire: controls
// become spaces, so that none ends the line.
func contentTypeField(contentType string) string {
	if contentType == "" {
		return ""
	}
	clean := strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, contentType)
	return "Content-Type: " + clean + "\r\n"
}

// ContentType returns the Content-Type field value of the answer.
func (m Multipart) ContentType() string {
	return "multipart/byteranges; boundary=" + m.boundary
}

// Length returns the Content-Length of the answer in bytes: the ranges with
// all that surrounds them.
func (m Multipart) Length() int64 { return m.length }

// Header returns the bytes to write before range i. The caller must not change
// them.
func (m Multipart) Header(i int) []byte { return m.headers[i] }

// Trailer returns the bytes to write after the last range. The caller must not
// change them.
func (m Multipart) Trailer() []byte { return m.trailer }
