package fetch

import (
	"os"
	"testing"

	"sluice/shared/fault"
)

// TestAFileThatHasItsNameIsTheirs has another process finish a file between the
// moments at which this one opens it and locks it.
func TestAFileThatHasItsNameIsTheirs(t *testing.T) {
	dir, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	for _, c := range []struct {
		name   string
		before func() error
		code   string
	}{
		{"nobody else", func() error { return nil }, ""},
		{"named", func() error { return dir.Rename("a.part", "a") }, "in_use"},
		{"named, and begun anew", func() error {
			if err := dir.Rename("a.part", "a"); err != nil {
				return err
			}
			return dir.WriteFile("a.part", nil, 0o600)
		}, "in_use"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file, err := dir.OpenFile("a.part", os.O_RDWR|os.O_CREATE, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			if err := c.before(); err != nil {
				t.Fatal(err)
			}
			if _, err := own(dir, file, "a.part"); (c.code == "") != (err == nil) || err != nil && !fault.Is(err, fault.Conflict, c.code) {
				t.Errorf("to own it came to %v, want %q", err, c.code)
			}
		})
	}
}
