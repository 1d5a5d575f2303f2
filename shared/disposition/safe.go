package disposition

import (
	"mime"
	"strings"
)

// Safe reports whether a browser may show a file of this content type within
// our own origin, where a script would have the rights of whoever looks at it.
// Parameters and case do not matter; what is malformed is not safe.
//
// Safe are the common images, sounds and films, and plain text: they hold no
// script. The answer still needs X-Content-Type-Options: nosniff, or the
// browser decides for itself what they are. Not safe is everything else,
// unknown types too:
//   - HTML, SVG and anything in XML are documents with scripts;
//   - scripts and style sheets act for the page that includes them;
//   - PDF has scripts, forms and links of its own, and how far they reach is
//     up to the viewer. A sandboxing CSP, which would hold them, keeps the
//     viewers of some browsers from starting at all.
func Safe(contentType string) bool {
	mediaType, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	kind, subtype, _ := strings.Cut(mediaType, "/")
	switch kind {
	case "image":
		switch subtype {
		case "apng", "avif", "bmp", "gif", "heic", "heif", "jpeg", "jxl", "png", "tiff",
			"vnd.microsoft.icon", "webp", "x-icon":
			return true
		}
	case "audio":
		switch subtype {
		case "aac", "flac", "mp4", "mpeg", "ogg", "opus", "wav", "wave", "webm",
			"x-flac", "x-m4a", "x-wav":
			return true
		}
	case "video":
		switch subtype {
		case "mp4", "mpeg", "ogg", "quicktime", "webm", "x-m4v", "x-matroska":
			return true
		}
	case "text":
		return subtype == "plain"
	}
	return false
}
