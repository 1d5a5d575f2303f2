package upload

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"sluice/shared/fault"
)

// MaxPath is the longest path of a file, in bytes.
const MaxPath = 900

// CheckPath returns nil for a path that a file may have: at most MaxPath
// bytes of valid UTF-8 in segments that are not empty, "." or "..", without
// control characters. field names the path in the error.
func CheckPath(field, path string) error {
	switch {
	case path == "":
		return fault.InvalidField(field, "The path is empty.")
	case len(path) > MaxPath:
		return fault.InvalidField(field, "The path has %d bytes; at most %d are allowed.", len(path), MaxPath)
	case !utf8.ValidString(path):
		return fault.InvalidField(field, "The path is not valid UTF-8.")
	case strings.ContainsFunc(path, unicode.IsControl):
		return fault.InvalidField(field, "The path holds a control character.")
	}
	for segment := range strings.SplitSeq(path, "/") {
		switch segment {
		case "":
			return fault.InvalidField(field, "The path has an empty segment.")
		case ".", "..":
			return fault.InvalidField(field, "The path has a segment %q.", segment)
		}
	}
	return nil
}
