// Package stores starts real stores for tests: each test has its own, on a free
// port and with empty data, which end with the test. Where one is not installed
// the test is skipped and says so; where SLUICE_REQUIRE_TOOLS is set it fails.
package stores

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sluice/localstack/program"
)

// patience is how long a store may take to be ready. It is long, since the
// machine may be busy, and is reached only where something is broken.
const patience = 2 * time.Minute

// attempts is how many ports a store is tried on: between our looking for one
// and its listening another program can take it.
const attempts = 5

// shown is how many bytes of a store's log are printed when a test fails.
const shown = 16 << 10

// S3 is a running S3-compatible store.
type S3 struct {
	*Server
	Region    string
	AccessKey string
	SecretKey string
}

// DynamoDB is a running DynamoDB emulator.
type DynamoDB struct {
	*Server
	Region    string
	AccessKey string
	SecretKey string
}

// MinIO starts MinIO. At http://bucket.localhost with the same port it takes
// requests with the bucket in the host.
func MinIO(t testing.TB) *S3 {
	t.Helper()
	return &S3{start(t, program.MinIO()), program.Region, program.AccessKey, program.SecretKey}
}

// MinIOWith is MinIO with more settings in its environment, as NAME=value.
func MinIOWith(t testing.TB, settings ...string) *S3 {
	t.Helper()
	return &S3{start(t, program.MinIO().With(settings...)), program.Region, program.AccessKey, program.SecretKey}
}

// Versitygw starts versitygw, an S3 of other authors than MinIO's.
func Versitygw(t testing.TB) *S3 {
	t.Helper()
	return &S3{start(t, program.Versitygw()), program.Region, program.AccessKey, program.SecretKey}
}

// Dynoxide starts dynoxide, which is ready in milliseconds.
func Dynoxide(t testing.TB) *DynamoDB {
	t.Helper()
	return &DynamoDB{start(t, program.Dynoxide()), program.Region, program.AccessKey, program.SecretKey}
}

// DynamoDBLocal starts Amazon's DynamoDB Local, which takes a second or two.
func DynamoDBLocal(t testing.TB) *DynamoDB {
	t.Helper()
	return &DynamoDB{start(t, program.DynamoDBLocal()), program.Region, program.AccessKey, program.SecretKey}
}

// Server is a running store. Its methods are for one goroutine at a time; what
// goes wrong in them fails the test that started it.
type Server struct {
	Endpoint string // http://127.0.0.1:port, the same for as long as the test runs

	t       testing.TB
	program program.Program
	place   program.Place
	process *program.Process
}

// start starts a program with empty data on a free port.
func start(t testing.TB, p program.Program) *Server {
	t.Helper()
	if _, err := program.Find(p.Name); errors.Is(err, program.ErrNotInstalled) {
		if os.Getenv("SLUICE_REQUIRE_TOOLS") != "" {
			t.Fatalf("%v, and SLUICE_REQUIRE_TOOLS asks for it", err)
		}
		t.Skipf("NOT TESTED: %v", err)
	}
	dir := t.TempDir()
	s := &Server{t: t, program: p, place: program.Place{Dir: filepath.Join(dir, "data"), Log: filepath.Join(dir, p.Name+".log")}}
	if err := os.Mkdir(s.place.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var err error
	for range attempts {
		if s.place.Port, err = program.FreePort(); err != nil {
			t.Fatal(err)
		}
		if s.process, err = launch(t.Context(), p, s.place); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, s.log())
	}
	s.Endpoint = s.place.Endpoint()
	t.Cleanup(func() { // before the data is removed
		s.Kill()
		if t.Failed() {
			t.Logf("the log of %s ends with:\n%s", p.Name, s.log())
		}
	})
	return s
}

func launch(ctx context.Context, p program.Program, at program.Place) (*program.Process, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	process, err := program.Start(p, at)
	if err != nil {
		return nil, err
	}
	if err := process.Ready(ctx, p, at); err != nil {
		return nil, errors.Join(err, process.Kill())
	}
	return process, nil
}

// Kill ends the store as a crash would.
func (s *Server) Kill() {
	s.t.Helper()
	if err := s.process.Kill(); err != nil {
		s.t.Errorf("kill %s: %v", s.program.Name, err)
	}
}

// Stop asks the store to end and waits until it has.
func (s *Server) Stop() {
	s.t.Helper()
	if err := s.process.Stop(); err != nil {
		s.t.Errorf("stop %s: %v", s.program.Name, err)
	}
}

// Start starts the store again after Kill or Stop, on the same port and data,
// and waits until it is ready.
func (s *Server) Start() {
	s.t.Helper()
	process, err := launch(s.t.Context(), s.program, s.place)
	if err != nil {
		s.t.Errorf("start %s again: %v\n%s", s.program.Name, err, s.log())
		return
	}
	s.process = process
}

// log returns the end of what the store has written.
func (s *Server) log() []byte {
	text, err := os.ReadFile(s.place.Log)
	if err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(text[max(0, len(text)-shown):])
}
