package main_test

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// TestManPages has man format every page, and wants no word of complaint.
func TestManPages(t *testing.T) {
	needTool(t, "groff")
	dir := t.TempDir()
	if code, _, errs := runToEnd(t, []string{"docs", "--man", dir}, nil); code != 0 {
		t.Fatalf("sluice docs --man: exit code %d, %s", code, errs)
	}
	pages, err := filepath.Glob(filepath.Join(dir, "*.1"))
	if err != nil || len(pages) < 30 {
		t.Fatalf("there are %d pages, %v; want one for each command", len(pages), err)
	}
	if out, err := exec.Command("groff", append([]string{"-man", "-Tutf8", "-ww", "-z"}, pages...)...).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("groff: %v\n%s", err, out)
	}
}
