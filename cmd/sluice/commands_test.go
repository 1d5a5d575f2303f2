package main

import (
	"strings"
	"testing"
)

// TestEveryCommand holds what a person relies on of any command.
func TestEveryCommand(t *testing.T) {
	withoutJSON := map[string]string{
		"sluice serve":            "its log is JSON",
		"sluice admin init":       "it asks no server",
		"sluice admin policy get": "a policy is JSON",
		"sluice admin policy set": "it asks no server",
	}
	for _, c := range documented(rootCommand()) {
		path := c.CommandPath()
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s is described by %q, want words without a full stop", path, c.Short)
		}
		if c.HasSubCommands() {
			continue
		}
		if c.Example == "" {
			t.Errorf("%s has no example", path)
		}
		for line := range strings.Lines(c.Example) {
			if strings.Contains(line, "sluice ") && !strings.Contains(line, path) && !strings.Contains(line, strings.TrimSuffix(path, " "+c.Name())) {
				t.Errorf("an example of %s is of another command: %s", path, line)
			}
		}
		if hasJSON := c.Flags().Lookup("json") != nil; hasJSON == (withoutJSON[path] != "") {
			t.Errorf("%s has --json: %t; it has none because %q", path, hasJSON, withoutJSON[path])
		}
	}
}
