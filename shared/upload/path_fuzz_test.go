package upload_test

import (
	"path"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"sluice/shared/fault"
	"sluice/shared/upload"
)

// A path that is taken is one that no clean-up changes and that fits into a
// key; one that is refused is the client's fault, by name.
func FuzzCheckPath(f *testing.F) {
	for _, seed := range []string{
		"", "a", "a/b.txt", "/a", "a/", "a//b", ".", "..", "a/../b", "a/./b", "...", "a\x00b", "a\nb", "\xff", "é/日本/🦆",
		strings.Repeat("a", upload.MaxPath), strings.Repeat("a", upload.MaxPath+1), strings.Repeat("é", upload.MaxPath/2), "%2e%2e/a", "..\\a",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, p string) {
		err := upload.CheckPath("path", p)
		good := p != "" && len(p) <= upload.MaxPath && utf8.ValidString(p) && !strings.ContainsFunc(p, unicode.IsControl) &&
			p[0] != '/' && p == path.Clean(p) && p != "." && p != ".." && !strings.HasPrefix(p, "../")
		if good != (err == nil) {
			t.Errorf("CheckPath(%q) = %v, want an error: %t", p, err, !good)
		}
		if err != nil && !fault.Is(err, fault.Invalid, "invalid_field") {
			t.Errorf("CheckPath(%q) = %v, want the fault invalid_field", p, err)
		}
	})
}
