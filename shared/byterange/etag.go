package byterange

import "strings"

// findTag looks for the tag of rep in the lines of an If-Match or
// If-None-Match field, which are one list (RFC 9110 section 5.3). The field
// "*" finds any representation; nil is none. Reading stops at the tag found,
// or at the first element that is not an entity tag: then valid is false, and
// what follows counts as no match.
func findTag(lines []string, rep *Representation, match func(a, b string) bool) (found, valid bool) {
	if len(lines) == 1 && strings.Trim(lines[0], ows) == "*" {
		return rep != nil, true
	}
	for _, line := range lines {
		for line = strings.Trim(line, ows); line != ""; line = strings.TrimLeft(line, ows) {
			if line[0] == ',' {
				line = line[1:]
				continue
			}
			tag, rest, ok := cutTag(line)
			if !ok {
				return false, false
			}
			if rep != nil && match(tag, rep.ETag) {
				return true, true
			}
			line = rest
		}
	}
	return false, true
}

// cutTag cuts the first entity tag off a list (RFC 9110 section 8.8.3). A
// comma or the end must follow it.
func cutTag(list string) (tag, rest string, ok bool) {
	quoted, ok := strings.CutPrefix(strings.TrimPrefix(list, "W/"), `"`)
	if !ok {
		return "", "", false
	}
	opaque, rest, ok := strings.Cut(quoted, `"`)
	if !ok || strings.ContainsFunc(opaque, notTagChar) {
		return "", "", false
	}
	tag = list[:len(list)-len(rest)]
	rest = strings.TrimLeft(rest, ows)
	return tag, rest, rest == "" || rest[0] == ','
}

// notTagChar reports a character that no opaque tag holds: a control or a
// space. Everything beyond ASCII is allowed (obs-text).
func notTagChar(c rune) bool { return c <= ' ' || c == 0x7f }

// strongMatch is the strong comparison of RFC 9110 section 8.8.3.2.
func strongMatch(a, b string) bool {
	return a == b && !strings.HasPrefix(a, "W/")
}

// weakMatch is the weak comparison of RFC 9110 section 8.8.3.2.
func weakMatch(a, b string) bool {
	return strings.TrimPrefix(a, "W/") == strings.TrimPrefix(b, "W/")
}
