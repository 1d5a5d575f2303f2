package byterange

import (
	"errors"
	"math"
	"strings"
)

const (
	// MaxRanges bounds what one request may name (RFC 9110 section 17.15).
	MaxRanges = 16

	// maxElements bounds ranges and empty list elements together. Section
	// 5.6.1.2 asks for a reasonable number of empty ones, not for any number.
	maxElements = 64

	// ows is optional whitespace (RFC 9110 section 5.6.3).
	ows = " \t"
)

// Parse reads the lines of a Range field against a representation of size
// bytes (RFC 9110 sections 14.1 and 14.2). Several lines are one list (section
// 5.3). Ranges come back in the order given, those without a byte of the
// representation left out.
//
// No ranges and no error mean that there is nothing to follow: the field is
// absent, its unit is unknown, it asks for too much, or the representation is
// empty. ErrMalformed and ErrUnsatisfiable are the only errors. Reading stops
// as soon as the field is known to be ignored, so that one of any length costs
// little.
func Parse(lines []string, size int64) ([]Range, error) {
	if len(lines) == 0 {
		return nil, nil
	}
	value := strings.Trim(strings.Join(lines, ","), ows)
	unit, list, found := strings.Cut(value, "=")
	if !found || !isToken(unit) {
		return nil, ErrMalformed
	}
	if !strings.EqualFold(unit, "bytes") {
		return nil, nil
	}
	size = max(size, 0)
	budget := uint64(size) + uint64(size)/2 // one and a half times may pass int64
	elements, specs := 0, 0
	var ranges []Range
	for spec := range strings.SplitSeq(list, ",") {
		if elements++; elements > maxElements {
			return nil, nil
		}
		if spec = strings.Trim(spec, ows); spec == "" {
			continue
		}
		if specs++; specs > MaxRanges {
			return nil, nil
		}
		r, err := parseSpec(spec, size)
		if errors.Is(err, ErrUnsatisfiable) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if uint64(r.Length) > budget {
			return nil, nil
		}
		budget -= uint64(r.Length)
		ranges = append(ranges, r)
	}
	switch {
	case specs == 0:
		return nil, ErrMalformed
	case size == 0:
		return nil, nil
	case len(ranges) == 0:
		return nil, ErrUnsatisfiable
	}
	return ranges, nil
}

// parseSpec reads one int-range or suffix-range (RFC 9110 section 14.1.1). The
// range is empty only for a suffix of an empty representation.
func parseSpec(spec string, size int64) (Range, error) {
	first, last, found := strings.Cut(spec, "-")
	if !found {
		return Range{}, ErrMalformed
	}
	if first == "" {
		return parseSuffix(last, size)
	}
	start, ok := parseNumber(first)
	if !ok {
		return Range{}, ErrMalformed
	}
	end := int64(math.MaxInt64)
	if last != "" {
		if end, ok = parseNumber(last); !ok || end < start {
			return Range{}, ErrMalformed
		}
	}
	if start >= size {
		return Range{}, ErrUnsatisfiable
	}
	return Range{Start: start, Length: min(end, size-1) - start + 1}, nil
}

// parseSuffix reads the length of a suffix-range. One longer than the
// representation means all of it; one of zero cannot be satisfied (RFC 9110
// section 14.1.2).
func parseSuffix(digits string, size int64) (Range, error) {
	n, ok := parseNumber(digits)
	if !ok {
		return Range{}, ErrMalformed
	}
	if n == 0 {
		return Range{}, ErrUnsatisfiable
	}
	n = min(n, size)
	return Range{Start: size - n, Length: n}, nil
}

// parseNumber reads 1*DIGIT and nothing else: no sign, no space. A number that
// does not fit is large, not wrong, and becomes the largest that does: RFC
// 9110 section 14.1.1 sets no limit on the digits.
func parseNumber(digits string) (n int64, ok bool) {
	const largest = math.MaxInt64
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return 0, false
		}
		d := int64(c - '0')
		if n > (largest-d)/10 {
			n = largest // and stays: the next digit does not fit either
			continue
		}
		n = n*10 + d
	}
	return n, digits != ""
}

// isToken reports whether s is a token (RFC 9110 section 5.6.2).
func isToken(s string) bool {
	const punctuation = "!#$%&'*+-.^_`|~"
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte(punctuation, c) < 0:
			return false
		}
	}
	return s != ""
}
