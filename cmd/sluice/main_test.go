// The tests here run the program as people do: the built binary, a terminal's
// environment, a real socket, and curl, wget and aria2c.
package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// builtVersion is the version that the binary under test was given.
const builtVersion = "1.2.3-test"

// patience is how long a test waits for what must come. It is long, since the
// machine may be busy, and is reached only where something is broken.
const patience = 2 * time.Minute

// scratch is a folder for what all tests share, and binary the program.
var scratch, binary string

func TestMain(m *testing.M) {
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sluice-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	scratch, binary = dir, filepath.Join(dir, "sluice")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-X main.version="+builtVersion, "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n%s", build, err, out)
		return 1
	}
	return m.Run()
}

// needTool skips the test where a program is not installed, and fails it where
// SLUICE_REQUIRE_TOOLS is set.
func needTool(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err == nil {
			continue
		}
		if os.Getenv("SLUICE_REQUIRE_TOOLS") != "" {
			t.Fatalf("%s is not installed, and SLUICE_REQUIRE_TOOLS asks for it", name)
		}
		t.Skipf("NOT TESTED: %s is not installed", name)
	}
}

// eventually waits until done reports true.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	giveUp := time.After(patience)
	for !done() {
		select {
		case <-tick.C:
		case <-giveUp:
			t.Fatalf("%s: not within %s", what, patience)
		}
	}
}
