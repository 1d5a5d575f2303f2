package main_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What docs/security.md promises, tests hold; it names them.
func TestTheTestsThatTheSecurityPageNamesAreThere(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	declared := testsUnder(t, filepath.Join("..", ".."))
	named := regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w*`).FindAllString(string(page), -1)
	if len(named) < 80 {
		t.Errorf("the page names %d tests, want one for nearly every sentence", len(named))
	}
	for _, name := range named {
		if !declared[name] {
			t.Errorf("the page names %s, which there is not", name)
		}
	}
}

// testsUnder returns the names of all tests and fuzz targets under a folder.
func testsUnder(t *testing.T, root string) map[string]bool {
	t.Helper()
	declaration, names := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`), map[string]bool{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != root && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		for _, found := range declaration.FindAllSubmatch(text, -1) {
			names[string(found[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
