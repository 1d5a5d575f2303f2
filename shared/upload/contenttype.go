package upload

import (
	"mime"
	"strings"

	"sluice/shared/fault"
)

// maxContentType is the longest content type, in bytes.
const maxContentType = 255

// CheckContentType returns nil for a media type that can be kept: printable
// ASCII of the form of RFC 9110 §8.3.1. field names it in the error.
func CheckContentType(field, value string) error {
	mediaType, _, err := mime.ParseMediaType(value)
	if err != nil || len(value) > maxContentType || !strings.Contains(mediaType, "/") || strings.ContainsFunc(value, notPrintable) {
		return fault.InvalidField(field, "This is not a media type such as text/plain; charset=utf-8.")
	}
	return nil
}

func notPrintable(r rune) bool { return r < ' ' || r > '~' }
