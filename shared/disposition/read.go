package disposition

import "mime"

// Name returns name made safe, as Format says: what it sends is also what a
// client may save under.
func Name(name string) string { return safeName(name) }

// Read returns the file name that a Content-Disposition field gives, made safe,
// or "" where it gives none or is malformed. filename*= counts before filename=
// (RFC 6266 section 4.3).
func Read(field string) string {
	_, parameters, err := mime.ParseMediaType(field)
	if err != nil || parameters["filename"] == "" {
		return ""
	}
	return safeName(parameters["filename"])
}
