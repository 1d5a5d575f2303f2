package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// What is in flight when the program dies: what each connection has taken out of
// its socket and not written yet. What lies in sockets the program never had.
const (
	connections = 8
	inFlight    = connections * 1 << 20
)

// inSockets returns how many bytes lie in the sockets of the connections to an
// address of 127.0.0.1, at either end.
func inSockets(t *testing.T, address string) (sum int64) {
	t.Helper()
	text, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Skip("only Linux tells what lies in sockets")
	}
	_, port, _ := strings.Cut(address, ":")
	number, _ := strconv.Atoi(port)
	end := fmt.Sprintf("0100007F:%04X", number)
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line) // number, local end, remote end, state, bytes to send:bytes to read
		if len(fields) < 5 || fields[1] != end && fields[2] != end || fields[3] == "0A" {
			continue // another's, or it listens
		}
		for queue := range strings.SplitSeq(fields[4], ":") {
			n, err := strconv.ParseInt(queue, 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			sum += n
		}
	}
	return sum
}

// counting serves a file, and counts what is taken of it.
type counting struct {
	path string
	sent atomic.Int64
}

// ServeHTTP implements http.Handler.
func (c *counting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, err := os.Open(c.path)
	if err != nil {
		panic(err)
	}
	defer file.Close()
	w.Header().Set("ETag", `"one"`)
	http.ServeContent(&countedWriter{w, &c.sent}, r, "", time.Time{}, file)
}

// settled waits until no more is sent, and returns how much was.
func (c *counting) settled(t *testing.T) int64 {
	t.Helper()
	last, since := int64(-1), time.Now()
	eventually(t, "the end of what is sent", func() bool {
		if now := c.sent.Load(); now != last {
			last, since = now, time.Now()
		}
		return time.Since(since) > 100*time.Millisecond // acknowledgements take up to 40
	})
	return last
}

type countedWriter struct {
	http.ResponseWriter
	sent *atomic.Int64
}

// Write implements io.Writer; there is no ReadFrom, so that every byte is seen.
func (w *countedWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.sent.Add(int64(n))
	return n, err
}

// TestKillOfGetFetchesLittleTwice kills downloads of one file at random moments
// until it is whole.
func TestKillOfGetFetchesLittleTwice(t *testing.T) {
	rounds, size := 5, int64(256<<20+777)
	if os.Getenv("SLUICE_FULL") != "" {
		rounds, size = 50, 1<<30
	}
	dir := t.TempDir()
	served := &counting{path: filepath.Join(dir, "served")}
	sum := writeRandom(t, served.path, size)
	server := httptest.NewServer(served)
	defer server.Close()

	got := filepath.Join(dir, "got")
	args := []string{"get", "--json", "--max-connections", "8", "-o", got, server.URL + "/x"}
	var taken int64 // by the program, of all runs
	for round := range rounds {
		before := served.sent.Load()
		enough := rand.Int64N(2 * size / int64(rounds+2))
		out := &transcript{}
		cmd := command(args...)
		cmd.Stdout = out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { _ = cmd.Wait(); close(ended) }()
		eventually(t, "the moment to kill", func() bool {
			select {
			case <-ended:
				return true
			default:
				return served.sent.Load()-before >= enough
			}
		})
		_ = cmd.Process.Signal(syscall.SIGSTOP) // it may have ended
		sent := served.settled(t)
		taken += sent - before - inSockets(t, server.Listener.Addr().String())
		_ = cmd.Process.Kill()
		<-ended
		if _, err := os.Stat(got); err == nil {
			rounds = round + 1 // it was done before it was killed
			break
		}
	}
	before := served.sent.Load()
	_, out, errs := runToEnd(t, args, nil)
	if sha := sha256sum(t, got); sha != sum {
		t.Fatalf("after %d kills the file is another one: %s, want %s\n%s", rounds, sha, sum, errs)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var last struct {
		Resumed int64 `json:"resumed_bytes"`
	}
	_ = json.Unmarshal([]byte(lines[len(lines)-1]), &last) // it is only told
	again := taken + served.sent.Load() - before - size
	flying := int64(rounds) * inFlight
	t.Logf("%d kills of a download of %d MiB: %d KiB were fetched again (%.2f %%), of which at most %d KiB were in flight; %d KiB more were in sockets; the last run found %d MiB",
		rounds, size>>20, again>>10, 100*float64(again)/float64(size), flying>>10, (served.sent.Load()-size-again)>>10, last.Resumed>>20)
	if again > size/20+flying {
		t.Errorf("%d bytes were fetched again, want at most 5 %% of %d and %d in flight", again, size, flying)
	}
}

// writeRandom writes a file and returns its SHA-256.
func writeRandom(t *testing.T, path string, size int64) (sum string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := io.CopyN(file, rand.NewChaCha8([32]byte{7}), size); err != nil {
		t.Fatal(err)
	}
	return sha256sum(t, path)
}
