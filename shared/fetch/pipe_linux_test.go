package fetch

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// sockets returns both ends of a TCP connection.
func sockets(t *testing.T) (here *conn, there net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	dialled, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dialled.Close() })
	there, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = there.Close() })
	return divertible(dialled).(*conn), there
}

func TestPipe(t *testing.T) {
	here, there := sockets(t)
	p := newPipe()
	if p == nil {
		t.Fatal("there is no pipe")
	}
	defer p.close()
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	want := make([]byte, 3<<20)
	_, _ = rand.Read(want) // never fails
	go func() {
		_, _ = there.Write(want) // the reader tells what is wrong
		_ = there.Close()
	}()
	room := make([]byte, pipeSize)
	here.divert.Store(&diversion{room, p})
	at := int64(0)
	for {
		n, err := here.Read(room)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || n != p.holds {
			t.Fatalf("Read = %d, %v; the pipe holds %d", n, err, p.holds)
		}
		if err := p.drain(file, at, n); err != nil || p.holds != 0 {
			t.Fatalf("drain: %v; the pipe holds %d", err, p.holds)
		}
		at += int64(n)
	}
	got := make([]byte, len(want)+1)
	if n, _ := file.ReadAt(got, 0); !bytes.Equal(got[:n], want) {
		t.Errorf("the file has %d bytes, and not those that were sent", n)
	}
	if !bytes.Equal(room, make([]byte, pipeSize)) {
		t.Error("bytes went to the room")
	}
}

func TestWhatCannotTakeAPipe(t *testing.T) {
	here, there := sockets(t)
	p := newPipe()
	defer p.close()
	file, err := os.OpenFile(filepath.Join(t.TempDir(), "file"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := there.Write([]byte("bytes")); err != nil {
		t.Fatal(err)
	}
	n, err := p.fill(here.raw, 5)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.drain(file, 0, n); !errors.Is(err, errNoPipe) {
		t.Errorf("a file that cannot be written at a place: %v, want %v", err, errNoPipe)
	}
}
