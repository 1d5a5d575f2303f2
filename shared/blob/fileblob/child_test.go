package fileblob_test

import (
	"os"
	"os/exec"
	"testing"
)

// storeOfChild names, in the environment of a child process, the directory of
// the store that it works on.
const storeOfChild = "FILEBLOB_TEST_STORE"

// child returns a command that runs this same test again, in a process of its
// own, which then finds dir in storeOfChild.
func child(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^"+t.Name()+"$", "-test.count=1")
	cmd.Env = append(os.Environ(), storeOfChild+"="+dir)
	return cmd
}

// cannotRun skips a test that this machine has no means for; the continuous
// integration must have them.
func cannotRun(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}
