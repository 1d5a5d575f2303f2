// Package disposition says how a browser is to treat a file: under which name
// it is saved (the Content-Disposition field of RFC 6266) and whether it may be
// shown at all (Safe).
//
// A file name is a stranger's text, and whoever saves the file trusts it. The
// one that is sent is therefore a single path segment, of a length that file
// systems take, that reads as it is written; see Format.
//
// All functions are safe for concurrent use.
package disposition

import "strings"

// Type is a disposition type (RFC 6266 section 4.2).
type Type string

// The types that RFC 6266 defines.
const (
	Inline     Type = "inline"     // show it
	Attachment Type = "attachment" // save it
)

// Format returns the Content-Disposition field value for a file of any name,
// even one that is not UTF-8. A type other than Inline is Attachment, as RFC
// 6266 section 4.2 has it.
//
// The value is one line of printable ASCII. A name of plain ASCII is sent as
// filename="…". Any other is sent twice (RFC 6266 appendix D): as filename="…"
// with _ for what an old client would misread, and percent-encoded as
// filename*=… (RFC 8187), which the others prefer.
//
// The name is made safe first:
//   - Of a path, with either slash, the last segment stays.
//   - Controls become _ and invalid UTF-8 becomes U+FFFD.
//   - What reorders text or is invisible goes, but for the joiners that
//     Persian, Indic scripts and emoji are written with, between such
//     characters.
//   - Space at either end goes, and dots at the end with it: Windows drops
//     them, and "." and ".." are no names.
//   - The name of a Windows device (CON, aux.txt) gets _ in front, the colon of
//     a drive becomes _.
//   - It is cut to 255 bytes, between characters, the extension kept.
//   - If nothing is left, it is "download".
//
// Characters that Windows alone forbids (<>:"|?*) stay, as they are common
// elsewhere; browsers replace them there.
func Format(t Type, name string) string {
	if t != Inline {
		t = Attachment
	}
	name = safeName(name)
	fallback := strings.Map(plain, name)
	value := string(t) + `; filename="` + fallback + `"`
	if fallback != name {
		value += "; filename*=UTF-8''" + encode(name)
	}
	return value
}

// plain is c, or _ if c may not stand in filename="…". Beyond what the grammar
// forbids these are the quotation mark and the percent sign: RFC 6266 appendix
// D advises against both, since user agents differ in undoing a backslash and
// some undo percent-encoding too.
func plain(c rune) rune {
	if c < ' ' || c > '~' || strings.ContainsRune(`"\%`, c) {
		return '_'
	}
	return c
}

// encode percent-encodes s as the value-chars of RFC 8187 section 3.2.1.
func encode(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(s) {
		if isAttrChar(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// isAttrChar reports an attr-char of RFC 8187 section 3.2.1.
func isAttrChar(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("!#$&+-.^_`|~", c) >= 0
}
