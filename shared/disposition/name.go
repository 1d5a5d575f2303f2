package disposition

import (
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxName is the longest name in bytes that the common file systems take.
	maxName = 255

	// maxExtension is the longest extension in bytes, with its dot, that is
	// kept when a name is cut. What is longer is no extension.
	maxExtension = 32

	nameless = "download"
)

// The zero-width joiners.
const (
	nonJoiner = '\u200c' // ZWNJ
	joiner    = '\u200d' // ZWJ
)

// safeName makes a name safe as Format says. A safe name stays as it is.
func safeName(name string) string {
	name = visible(strings.ToValidUTF8(name, "\uFFFD"))
	name = lastSegment(name)
	name = cut(trim(name))
	if name == "" {
		return nameless
	}
	return cut(withoutDevice(name))
}

// visible replaces controls and drops what cannot be seen.
func visible(name string) string {
	if !strings.ContainsFunc(name, notPlainASCII) {
		return name // as nearly all are
	}
	in := []rune(name)
	out := make([]rune, 0, len(in))
	for i, c := range in {
		switch {
		case unicode.IsControl(c):
			out = append(out, '_')
		case c == joiner || c == nonJoiner:
			if i+1 < len(in) && len(out) > 0 && joins(out[len(out)-1]) && joins(in[i+1]) {
				out = append(out, c)
			}
		case !invisible(c):
			out = append(out, c)
		}
	}
	return string(out)
}

func notPlainASCII(c rune) bool { return c < ' ' || c > '~' }

// joins reports a character beside which a joiner may have a meaning: a letter,
// mark or symbol beyond ASCII. Among ASCII letters it would only disguise one
// name as another.
func joins(c rune) bool {
	return c > unicode.MaxASCII && !invisible(c) &&
		(unicode.IsLetter(c) || unicode.IsMark(c) || unicode.IsSymbol(c))
}

// invisible reports a character that changes how others read and leaves no
// mark of its own: format characters (bidirectional controls among them), line
// and paragraph separators, and fillers. The number signs of Arabic are format
// characters that do show.
func invisible(c rune) bool {
	if unicode.Is(unicode.Prepended_Concatenation_Mark, c) {
		return false
	}
	return unicode.In(c, unicode.Cf, unicode.Zl, unicode.Zp,
		unicode.Other_Default_Ignorable_Code_Point)
}

// lastSegment is the last segment of a path of any system. The colon of a
// Windows drive parts segments too (C:name), but also times and titles, so it
// is replaced rather than cut at.
func lastSegment(name string) string {
	const separators = `/\`
	name = strings.TrimRight(name, separators)
	name = name[strings.LastIndexAny(name, separators)+1:]
	if len(name) >= 2 && name[1] == ':' && unicode.IsLetter(rune(name[0])) {
		name = name[:1] + "_" + name[2:]
	}
	return name
}

// trim drops space from both ends and dots from the end.
func trim(name string) string {
	return strings.TrimRightFunc(strings.TrimLeftFunc(name, unicode.IsSpace), atEnd)
}

// atEnd reports a character that no name may end with: Windows drops dots and
// spaces there, and a joiner is left over where a name was cut.
func atEnd(c rune) bool {
	return c == '.' || c == joiner || c == nonJoiner || unicode.IsSpace(c)
}

// cut shortens a name to maxName bytes before its extension.
func cut(name string) string {
	if len(name) <= maxName {
		return name
	}
	extension := path.Ext(name)
	if len(extension) > maxExtension {
		extension = ""
	}
	end := maxName - len(extension)
	for !utf8.RuneStart(name[end]) {
		end--
	}
	return strings.TrimRightFunc(name[:end], atEnd) + extension
}

// withoutDevice puts _ before the name of a Windows device, which is one in any
// case and with any extension.
func withoutDevice(name string) string {
	stem := name
	if end := strings.IndexAny(name, ".:"); end >= 0 {
		stem = name[:end]
	}
	if isDevice(strings.TrimRight(stem, " \t\n\f\r")) {
		return "_" + name
	}
	return name
}

// isDevice reports whether a name is a device's. Windows takes the superscripts
// of Latin-1 for digits.
func isDevice(name string) bool {
	is := func(device string) bool { return strings.EqualFold(name, device) }
	if slices.ContainsFunc([]string{"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}, is) {
		return true
	}
	digit, size := utf8.DecodeLastRuneInString(name)
	name = name[:len(name)-size]
	return strings.ContainsRune("0123456789¹²³", digit) && (is("COM") || is("LPT"))
}
