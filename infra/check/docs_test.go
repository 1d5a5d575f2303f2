package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// onLambda returns what docs/operations.md says of Lambda.
func onLambda(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n## On AWS Lambda\n")
	if !ok {
		t.Fatal("docs/operations.md has no section on Lambda")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	return section
}

// The parameters in the documentation are those of the template, with their
// defaults, and whatever it sets is one; it names every output.
func TestTheDocumentationNamesWhatTheTemplateHas(t *testing.T) {
	parsed, err := parse(transformed(t))
	if err != nil {
		t.Fatal(err)
	}
	section := onLambda(t)
	_, table, _ := strings.Cut(section, "| parameter | default | what it is |\n|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	told := map[string]string{}
	for row := range strings.SplitSeq(table, "\n") {
		cells := strings.Split(row, "|")
		for name := range strings.SplitSeq(cells[1], ",") {
			told[strings.TrimSpace(name)] = strings.TrimSpace(cells[2])
		}
	}
	for name, p := range parsed.Parameters {
		want := fmt.Sprint(p.Default)
		if want == "" {
			want = "none"
		}
		if told[name] != want {
			t.Errorf("the default of %s is told as %q, want %q", name, told[name], want)
		}
		delete(told, name)
	}
	for name := range told {
		t.Errorf("%s is told of, and is no parameter", name)
	}
	for _, set := range regexp.MustCompile(`\b([A-Z][A-Za-z]*)=`).FindAllStringSubmatch(section, -1) {
		if _, ok := parsed.Parameters[set[1]]; !ok && set[1] != "F" && set[1] != "E" && set[1] != "SAMFLAGS" {
			t.Errorf("%s is set, and is no parameter", set[1])
		}
	}
	for name := range parsed.Outputs {
		if !regexp.MustCompile(`\b` + name + `\b`).MatchString(section) {
			t.Errorf("the output %s is not told of", name)
		}
	}
}

// Every command of make that the documentation has is there, and every event.
func TestTheDocumentationsCommandsExist(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join("..", "..", "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	section := onLambda(t)
	for _, found := range regexp.MustCompile("(?m)(?:^    |`)make ([a-z][a-z-]*)").FindAllStringSubmatch(section, -1) {
		if !strings.Contains(string(makefile), "\n"+found[1]+":") {
			t.Errorf("there is no make %s", found[1])
		}
	}
	invoked := regexp.MustCompile(`make invoke F=(\S+) E=(\S+)`).FindAllStringSubmatch(section, -1)
	if len(invoked) == 0 {
		t.Error("no event is invoked")
	}
	for _, found := range invoked {
		for _, path := range []string{filepath.Join("functions", found[1], "main.go"), found[2]} {
			if _, err := os.Stat(filepath.Join("..", "..", path)); err != nil {
				t.Errorf("make invoke F=%s E=%s: %v", found[1], found[2], err)
			}
		}
	}
}
