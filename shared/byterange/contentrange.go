package byterange

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ContentRange returns the Content-Range field value of a 206 or of one of its
// parts, such as "bytes 0-4/10" (RFC 9110 section 14.4).
func (r Range) ContentRange(size int64) string {
	return fmt.Sprintf("bytes %d-%d/%d", r.Start, r.Start+r.Length-1, size)
}

// Unsatisfied returns the Content-Range field value of a 416, such as
// "bytes */10" (RFC 9110 section 14.4).
func Unsatisfied(size int64) string {
	return fmt.Sprintf("bytes */%d", size)
}

// ParseContentRange reads the Content-Range of a 206 or of one of its parts,
// such as "bytes 0-4/10" (RFC 9110 section 14.4). The size of the representation
// is -1 where it is not told ("bytes 0-4/*"). What is not of that form, of
// another unit, or of bytes that a representation of that size does not have, is
// ErrMalformed.
func ParseContentRange(field string) (r Range, size int64, err error) {
	unit, rest, _ := strings.Cut(field, " ")
	bounds, total, _ := strings.Cut(rest, "/")
	first, last, _ := strings.Cut(bounds, "-")
	start, startOK := digits(first)
	end, endOK := digits(last)
	size, sizeOK := digits(total)
	if total == "*" {
		size, sizeOK = -1, true
	}
	if !strings.EqualFold(unit, "bytes") || !startOK || !endOK || !sizeOK || start > end || size >= 0 && end >= size {
		return Range{}, 0, fmt.Errorf("%w: Content-Range %q", ErrMalformed, field)
	}
	return Range{start, end - start + 1}, size, nil
}

// digits reads a number that has nothing but digits.
func digits(text string) (int64, bool) {
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n < math.MaxInt64 // one more would overflow
}
