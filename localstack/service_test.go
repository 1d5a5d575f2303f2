package main

import (
	"net"
	"os"
	"strings"
	"testing"

	"sluice/localstack/program"
)

// idle returns a service of a program on a free port, which is stopped with the
// test.
func idle(t *testing.T) service {
	t.Helper()
	if _, err := program.Find(program.Dynoxide().Name); err != nil {
		if os.Getenv("SLUICE_REQUIRE_TOOLS") != "" {
			t.Fatal(err)
		}
		t.Skipf("NOT TESTED: %v", err)
	}
	port, err := program.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	s := service{dir: t.TempDir(), port: port, program: program.Dynoxide()}
	t.Cleanup(func() { wantDown(t, s, false) })
	return s
}

func wantUp(t *testing.T, s service, want string) {
	t.Helper()
	if how, err := s.up(t.Context()); how != want || err != nil {
		t.Fatalf("up = %q, %v; want %q", how, err, want)
	}
}

func wantDown(t *testing.T, s service, want bool) {
	t.Helper()
	if stopped, err := s.down(t.Context()); stopped != want || err != nil {
		t.Fatalf("down = %v, %v; want %v", stopped, err, want)
	}
}

func pid(t *testing.T, s service) string {
	t.Helper()
	text, err := os.ReadFile(s.pidFile())
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func TestUpAndDownMayBeRepeated(t *testing.T) {
	s := idle(t)
	wantDown(t, s, false)
	wantUp(t, s, "started")
	first := pid(t, s)
	wantUp(t, s, "ran already")
	if again := pid(t, s); again != first {
		t.Errorf("a second up has the process %s, want %s still", again, first)
	}
	wantDown(t, s, true)
	if program.Answers(t.Context(), s.program, program.Place{Port: s.port}) {
		t.Error("the store answers after down")
	}
	wantDown(t, s, false)
	wantUp(t, s, "started")
	wantDown(t, s, true)
}

// The id in a file that a crash left behind may be another process's by now.
func TestDownSparesAProcessThatHasTheIdOfADeadStore(t *testing.T) {
	s := idle(t)
	wantUp(t, s, "started")
	wantDown(t, s, true)
	f, err := os.OpenFile(s.pidFile(), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := writePid(f, os.Getpid()); err != nil {
		t.Fatal(err)
	}
	wantDown(t, s, false) // and this process goes on
}

func TestUpNamesAPortThatIsTaken(t *testing.T) {
	s := idle(t)
	ln, err := net.Listen("tcp", strings.TrimPrefix(s.endpoint(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if _, err := s.up(t.Context()); err == nil || !strings.Contains(err.Error(), "is taken by another program") {
		t.Errorf("up on a taken port: %v; want an error that says so", err)
	}
}
