package main_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the commands as a person types them: each script of
// testdata/script has a server and a home of its own. Beside testscript's own
// commands there are these:
//
//	sluice ARGS…             runs the program, and wants it to end with 0
//	exits CODE PROGRAM…      wants another exit code
//	login USERNAME           logs in; every user here has the admin's password
//	until REGEXP PROGRAM…    runs a program again until that is in its output
//	capture NAME REGEXP      sets a variable to the group in the last output
//	api METHOD PATH [BODY]   asks the server as admin; @NAME is the body in a file
//
// SLUICE_SERVER is the script's server, OTHER a second one of its own where the
// script names it, and PASSWORD a file with the password.
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("there are no scripts: %v", err)
	}
	for _, script := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(script), ".txtar"), func(t *testing.T) {
			t.Parallel()
			server := startEmpty(t)
			testscript.Run(t, testscript.Params{
				Files: []string{script}, RequireUniqueNames: true,
				Setup: func(e *testscript.Env) error { return prepare(t, e, script, server) },
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"sluice": scriptSluice, "exits": scriptExits, "login": scriptLogin, "capture": scriptCapture,
					"api":   func(ts *testscript.TestScript, _ bool, args []string) { scriptAPI(ts, server, args) },
					"until": func(ts *testscript.TestScript, _ bool, args []string) { scriptUntil(t, ts, args) },
				},
			})
		})
	}
}

// prepare gives a script its environment.
func prepare(t *testing.T, e *testscript.Env, script string, server *process) error {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		return err
	}
	e.Setenv("HOME", filepath.Join(e.WorkDir, "home"))
	e.Setenv("PATH", filepath.Dir(binary)+string(filepath.ListSeparator)+e.Getenv("PATH"))
	e.Setenv("SLUICE_SERVER", server.URL)
	e.Setenv("PASSWORD", file)
	if strings.Contains(read(t, ".", script), "$OTHER") {
		e.Setenv("OTHER", startEmpty(t).URL)
	}
	return nil
}

// scriptRun runs a program and returns its exit code.
func scriptRun(ts *testscript.TestScript, args []string) int {
	err := ts.Exec(args[0], args[1:]...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	ts.Check(err)
	return 0
}

func scriptSluice(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("write: exits CODE sluice …")
	}
	if code := scriptRun(ts, append([]string{"sluice"}, args...)); code != 0 {
		ts.Fatalf("exit code %d, want 0", code)
	}
}

func scriptExits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if code := scriptRun(ts, args[1:]); code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

func scriptLogin(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(ts.Exec("sh", "-c", `exec sluice login --password-stdin "$1" <"$PASSWORD"`, "sh", args[0]))
}

func scriptUntil(t *testing.T, ts *testscript.TestScript, args []string) {
	want := regexp.MustCompile("(?m)" + args[0])
	eventually(t, strings.Join(args, " "), func() bool {
		return scriptRun(ts, args[1:]) == 0 && want.MatchString(ts.ReadFile("stdout"))
	})
}

func scriptCapture(ts *testscript.TestScript, _ bool, args []string) {
	groups := regexp.MustCompile("(?m)" + args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(groups) != 2 {
		ts.Fatalf("the output has no %s", args[1])
	}
	ts.Setenv(args[0], groups[1])
}

func scriptAPI(ts *testscript.TestScript, server *process, args []string) {
	body := strings.Join(args[2:], "")
	if name, isFile := strings.CutPrefix(body, "@"); isFile {
		body = ts.ReadFile(name)
	}
	r := server.Ask(args[0], args[1], server.Login(password), strings.NewReader(body))
	text, err := io.ReadAll(r.Body)
	ts.Check(err)
	_, err = ts.Stdout().Write(text)
	ts.Check(err)
	if r.StatusCode >= 400 {
		ts.Fatalf("%s %s = %s", args[0], args[1], r.Status)
	}
}
