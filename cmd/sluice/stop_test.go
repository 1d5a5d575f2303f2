package main_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// beginDownload uploads the large file and reads the first bytes of it. What
// is left is far more than fits in between.
func beginDownload(t *testing.T, settings ...string) (p *process, rest io.Reader, sum string) {
	t.Helper()
	p = startEmpty(t, settings...)
	token := p.Login(password)
	path, sum := large()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if r := p.Ask(http.MethodPut, "/file/admin/large.bin", token, file); r.StatusCode != http.StatusCreated {
		t.Fatalf("PUT = %s", r.Status)
	}
	r := p.Ask(http.MethodGet, "/file/admin/large.bin", token, nil)
	first := make([]byte, 1000)
	if _, err := io.ReadFull(r.Body, first); err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("GET = %s, %v", r.Status, err)
	}
	return p, io.MultiReader(strings.NewReader(string(first)), r.Body), sum
}

// refusesConnections waits until the server takes no more connections.
func (p *process) refusesConnections() {
	p.t.Helper()
	eventually(p.t, "the refusal of new connections", func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.URL, "http://"))
		if err != nil {
			return true
		}
		_ = conn.Close()
		return false
	})
}

func TestStopLetsDownloadsEnd(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		t.Run(signal.String(), func(t *testing.T) {
			p, rest, sum := beginDownload(t)
			p.Signal(signal)
			p.refusesConnections()
			hash := sha256.New()
			if n, err := io.Copy(hash, rest); err != nil || hex.EncodeToString(hash.Sum(nil)) != sum {
				t.Errorf("the running download brought %d bytes, %v; want all %d of the file", n, err, largeSize)
			}
			if state := p.Wait(); state.ExitCode() != 0 {
				t.Errorf("the server ended with %s, want exit status 0", state)
			}
			if lines := p.Logged(0, "event", "download.completed"); len(lines) != 1 {
				t.Errorf("the log has %d completed downloads, want 1:\n%s", len(lines), p.Stderr)
			}
			if lines := p.Logged(0, "msg", "stopped"); len(lines) != 1 {
				t.Errorf("the log does not end with the stop:\n%s", p.Stderr)
			}
			if _, err := os.Stat(filepath.Join(p.Data, "sluice.db.pid")); err == nil {
				t.Error("the stopped server still claims its records")
			}
		})
	}
}

func TestStopEndsWhatTakesTooLong(t *testing.T) {
	p, rest, _ := beginDownload(t, "SLUICE_STOP_TIMEOUT=100ms")
	p.Signal(syscall.SIGTERM)
	if state := p.Wait(); state.ExitCode() != 0 {
		t.Errorf("the server ended with %s, want exit status 0", state)
	}
	if n, err := io.Copy(io.Discard, rest); err == nil {
		t.Errorf("the download that was cut ended cleanly after %d of %d bytes", n, largeSize)
	}
	if lines := p.Logged(0, "event", "download.aborted"); len(lines) != 1 {
		t.Errorf("the log has %d aborted downloads, want 1:\n%s", len(lines), p.Stderr)
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			p, _, _ := beginDownload(t, "SLUICE_STOP_TIMEOUT=10m", "SLUICE_STALL=10m")
			p.Signal(signal)
			p.refusesConnections()
			eventually(t, "the end after more signals", func() bool {
				_ = p.cmd.Process.Signal(signal) // it may have ended
				return p.Ended()
			})
			if status := p.Wait().Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != signal {
				t.Errorf("the server ended with %s, want it killed by %s", p.Wait(), signal)
			}
		})
	}
}

func TestSecondServerNamesTheFirst(t *testing.T) {
	p := startEmpty(t)
	pid := p.cmd.Process.Pid
	wantRefused(t, []string{"serve"}, []string{"SLUICE_DATA=" + p.Data, "SLUICE_ADDR=127.0.0.1:0"},
		fmt.Sprintf("SLUICE_TABLE: The record file %s is in use by process %d on ", filepath.Join(p.Data, "sluice.db"), pid))
	blobs := filepath.Join(p.Data, "blobs")
	wantRefused(t, []string{"serve"}, []string{"SLUICE_DATA=" + t.TempDir(), "SLUICE_BLOB=file://" + blobs, "SLUICE_ADDR=127.0.0.1:0"},
		fmt.Sprintf("SLUICE_BLOB: %s is in use by process %d,", blobs, pid))
	p.Login(password)
	p.Stop()
	start(t, p.Data).Login(password)
}
