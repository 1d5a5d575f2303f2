package main_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestGetOnAFullDisk runs on a file system of 20 MiB, which lives as long as the
// shell that mounts it.
func TestGetOnAFullDisk(t *testing.T) {
	needTool(t, "unshare", "bash")
	dir := t.TempDir()
	mount := fmt.Sprintf("mount -t tmpfs -o size=20m none %q", dir)
	if out, err := exec.Command("unshare", "-rm", "bash", "-c", mount).CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED: nothing may be mounted here: %v %s", err, out)
	}
	s := startWithLarge(t)
	script := mount + fmt.Sprintf("; cd %q; %q get %q; echo code $?; ls -A; %[2]q get -o - %[3]q > /dev/full; echo code $?", dir, binary, s.url)
	cmd := exec.Command("unshare", "-rm", "bash", "-c", script)
	cmd.Env = append(environment(s.loggedIn()...), "HOME="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"There is no room for the file.", "code 10\n", "The output takes no more", "code 1\n"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("on a full disk it says\n%s\nwant %q", out, want)
		}
	}
	if strings.Contains(string(out), "\n"+filepath.Base(s.url)+"\n") {
		t.Errorf("there is a file that is not whole:\n%s", out)
	}
}
