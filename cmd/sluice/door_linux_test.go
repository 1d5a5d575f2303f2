package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A third of all connects to both stores is refused, by the system, before a
// byte is sent. Uploads, downloads and what is asked of records work all the
// same: the blob store is asked again until it answers, and where the record
// store was out of luck six times over the answer is to come again.
func TestAThirdOfConnectsRefused(t *testing.T) {
	var doors []*door
	n := startNetworkBehind(t, func(proxy string) string {
		d := newDoor(t, proxy)
		doors = append(doors, d)
		return d.addr
	})
	n.faults.Add(blobStore, short(1<<20)) // so that a download takes many connections
	var refused [2]func() float64
	for i, d := range doors {
		refused[i] = d.swing()
	}

	used, files := firstSize, 1
	for round := range rounds(4, 40) {
		for _, size := range []int{5 << 10, 3 << 20, 20 << 20} {
			path := fmt.Sprintf("%d/%d", round, size)
			content := bytes.Repeat([]byte(path), size/len(path)+1)[:size]
			var made struct{ ID string }
			n.insist(http.MethodPut, "/file/admin/"+path, content, &made)
			if got := n.insist(http.MethodGet, "/file/admin/"+path, nil, nil); !bytes.Equal(got, content) {
				t.Errorf("%s: %d other bytes came, want %d", path, len(got), len(content))
			}
			var list struct{ Files []struct{ ID, Path string } }
			n.insist(http.MethodGet, "/api/files?prefix="+path, nil, &list)
			if len(list.Files) != 1 || list.Files[0].ID != made.ID {
				t.Errorf("%s is listed as %+v, want it with the id %s", path, list.Files, made.ID)
			}
			var moved struct{ Path string }
			n.insist(http.MethodPatch, "/api/files/"+made.ID, []byte(`{"path":"moved/`+path+`"}`), &moved)
			if moved.Path != "moved/"+path {
				t.Errorf("%s was moved to %q", path, moved.Path)
			}
			n.insist(http.MethodPost, "/api/files/"+made.ID+"/link", nil, nil)
			used, files = used+size, files+1
		}
	}
	for i, d := range doors {
		share := refused[i]()
		t.Logf("door %d refused %.0f %% of what was tried, and let %d connections in", i, 100*share, d.used.Load())
		if share < 0.1 || d.used.Load() < 60 {
			t.Errorf("door %d refused %.0f %% of what was tried and let %d connections in, want a third and 60 at least, or nothing was tested", i, 100*share, d.used.Load())
		}
	}
	wantUsed(n.process, n.token, used, files)
	n.wantCalm()
}

// insist asks by connections that are new, again whenever it is told to come
// again, and reads the answer, into what out points to if it is not nil.
func (n *network) insist(method, path string, body []byte, out any) []byte {
	n.t.Helper()
	for range 50 {
		n.cut(blobStore)
		n.cut(recordStore)
		r := n.ask(method, path, body)
		got, err := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if seconds, bad := strconv.Atoi(r.Header.Get("Retry-After")); r.StatusCode == http.StatusServiceUnavailable && bad == nil && seconds > 0 {
			continue
		}
		if err == nil && out != nil {
			err = json.Unmarshal(got, out)
		}
		if r.StatusCode >= http.StatusMultipleChoices || err != nil {
			n.t.Fatalf("%s %s = %s, %d bytes, %v; want success, or 503 with Retry-After", method, path, r.Status, len(got), err)
		}
		return got
	}
	n.t.Fatalf("%s %s is never served", method, path)
	return nil
}

// ask sends a body as JSON, but for the content of a file.
func (n *network) ask(method, path string, body []byte) *http.Response {
	n.t.Helper()
	r, err := http.NewRequest(method, n.URL+path, bytes.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+n.token)
	if strings.HasPrefix(path, "/api/") {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := client.Do(r)
	if err != nil {
		n.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer
}

// door passes connections on. While it is shut its address is nobody's, so that
// connect(2) fails with ECONNREFUSED.
type door struct {
	addr string
	used atomic.Int64 // connections that carried anything

	t    *testing.T
	to   string
	open sync.Mutex // held by who opens or shuts it
	ln   net.Listener
}

// newDoor returns an open door to an address.
func newDoor(t *testing.T, to string) *door {
	t.Helper()
	d := &door{t: t, to: to}
	d.reserve()
	d.unlock()
	t.Cleanup(d.shut)
	return d
}

// reserve binds a free port without listening on it: nobody else can take it
// while the door is shut, and who connects is refused.
func (d *door) reserve() {
	d.t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = syscall.Close(fd) })
	err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	}
	at, failed := syscall.Getsockname(fd)
	if err := errors.Join(err, failed); err != nil {
		d.t.Fatal(err)
	}
	d.addr = fmt.Sprintf("127.0.0.1:%d", at.(*syscall.SockaddrInet4).Port)
}

// unlock opens the door.
func (d *door) unlock() {
	ln, err := net.Listen("tcp", d.addr)
	if err != nil {
		d.t.Errorf("the door cannot be opened: %v", err)
		return
	}
	d.open.Lock()
	d.ln = ln
	d.open.Unlock()
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go d.pass(conn)
		}
	}()
}

// shut shuts the door. Who is in stays in.
func (d *door) shut() {
	d.open.Lock()
	defer d.open.Unlock()
	_ = d.ln.Close() // it may be shut already
}

// pass passes bytes on both ways until one end has had enough. A connection
// that brings nothing goes nowhere.
func (d *door) pass(conn net.Conn) {
	defer conn.Close()
	first := make([]byte, 32<<10)
	n, err := conn.Read(first)
	if err != nil {
		return
	}
	d.used.Add(1)
	upstream, err := net.Dial("tcp", d.to)
	if err != nil {
		return
	}
	defer upstream.Close()
	if _, err := upstream.Write(first[:n]); err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(upstream, conn)
		_ = upstream.Close()
	}()
	_, _ = io.Copy(conn, upstream)
}

// swing opens and shuts the door for a while, one part in three shut, until the
// function that it returns is called. That leaves the door open, and returns
// which share was refused of connects that were tried all the time.
func (d *door) swing() (end func() float64) {
	over, done := make(chan struct{}), make(chan struct{}, 2)
	go func() {
		defer func() { done <- struct{}{} }()
		for rest(over, 20*time.Millisecond) {
			d.shut()
			rest(over, 10*time.Millisecond)
			d.unlock()
		}
	}()
	var tried, refused float64
	go func() {
		defer func() { done <- struct{}{} }()
		for rest(over, time.Millisecond) {
			conn, err := net.Dial("tcp", d.addr)
			if tried++; errors.Is(err, syscall.ECONNREFUSED) {
				refused++
			}
			if err == nil {
				_ = conn.Close()
			}
		}
	}()
	return func() float64 {
		close(over)
		<-done
		<-done
		return refused / max(tried, 1)
	}
}

// rest waits for a random time of that mean, unless it is over.
func rest(over <-chan struct{}, mean time.Duration) bool {
	timer := time.NewTimer(rand.N(2 * mean))
	defer timer.Stop()
	select {
	case <-over:
		return false
	case <-timer.C:
		return true
	}
}
