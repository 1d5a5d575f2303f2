package main_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// descriptors is how many file descriptors a slow download takes: a connection
// and an open file.
const descriptors = 2

// Ten thousand downloads that go on slowly are all served, at little memory
// each, and new requests are answered meanwhile. How soon, `make bench` tells:
// a machine that does other things too would make it a fluke here.
func TestManySlowReadersAreServed(t *testing.T) {
	if os.Getenv("SLUICE_FULL") == "" {
		t.Skip("a long test: SLUICE_FULL is not set")
	}
	readers := 10_000
	if most := (hardLimit(t) - 100) / descriptors; readers > most {
		t.Logf("%d readers instead of %d: the limit of open files (ulimit -Hn) allows no more", most, readers)
		readers = most
	}
	p := startEmpty(t, "SLUICE_STALL=2m")
	token := p.Login(password)
	p.Put(token, "small.bin", "small")
	const size = 16 << 20 // more than all buffers between the two hold
	if r := p.Ask(http.MethodPut, "/file/admin/slow.bin", token, io.LimitReader(zeros{}, size)); r.StatusCode != http.StatusCreated {
		t.Fatalf("PUT = %s", r.Status)
	}
	for range 100 {
		p.Get(token, "small.bin") // what the server needs anyway is not the readers' cost
	}
	before := p.rss()
	ask := fmt.Sprintf("GET /file/admin/slow.bin HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", token)
	conns := make([]net.Conn, readers)
	for i := range conns {
		conns[i] = slowReader(t, p, ask)
	}
	peak := int64(0)
	bite := make([]byte, 4096)
	for range 5 {
		for i, c := range conns {
			if _, err := io.ReadFull(c, bite); err != nil {
				t.Fatalf("reader %d: %v, want more of the file", i, err)
			}
		}
		if got := p.Get(token, "small.bin"); got != "small" {
			t.Errorf("a new request brought %q", got)
		}
		peak = max(peak, p.rss())
	}
	if each := float64(peak-before) / float64(readers) / 1024; each > 40 {
		t.Errorf("each of %d slow readers costs %.1f KiB, want 40 at most", readers, each)
	} else {
		t.Logf("each of %d slow readers costs %.1f KiB", readers, each)
	}
}

// slowReader begins a download over a connection with little room.
func slowReader(t *testing.T, p *process, ask string) net.Conn {
	t.Helper()
	dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 8<<10)
		})
		return errors.Join(err, failed)
	}}
	c, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(p.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, ask); err != nil {
		t.Fatal(err)
	}
	return c
}

// hardLimit is how many files a process may have open.
func hardLimit(t *testing.T) int {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	return int(min(limit.Max, 1<<20))
}

// rss returns the resident memory of the server in bytes.
func (p *process) rss() int64 {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	fields := strings.Fields(string(text))
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// zeros is an endless body.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
