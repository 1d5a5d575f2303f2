package main_test

import (
	"bytes"
	"strings"
	"testing"
)

// wantRefused runs the program and wants it to end with the exit code 1,
// nothing on stdout and one line on stderr that holds want and no secret. It
// returns the line.
func wantRefused(t *testing.T, args, settings []string, want string) string {
	t.Helper()
	code, out, line := runToEnd(t, args, settings)
	if code != 1 || out != "" {
		t.Errorf("sluice %s with %s: exit code %d and %q; want 1 and nothing", args, settings, code, out)
	}
	if !strings.HasPrefix(line, "sluice: ") || strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") || !strings.Contains(line, want) {
		t.Errorf("sluice %s with %s says\n%swant one line with %q", args, settings, line, want)
	}
	if strings.Contains(line, secret) {
		t.Errorf("sluice %s with %s shows a secret: %s", args, settings, line)
	}
	return line
}

// secret is in values that must not be shown.
const secret = "hunter2"

// runToEnd runs the program until it ends by itself.
func runToEnd(t *testing.T, args, settings []string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := command(args...)
	cmd.Env = environment(settings...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // ProcessState tells
		close(ended)
	}()
	defer func() {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
	}()
	eventually(t, "the end of sluice "+strings.Join(args, " "), func() bool {
		select {
		case <-ended:
			return true
		default:
			return false
		}
	})
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}
