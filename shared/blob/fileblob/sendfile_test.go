package fileblob_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sluice/shared/fault"
)

// spy is a TCP connection that tells what its ReadFrom was given.
type spy struct {
	*net.TCPConn
	sources []string
}

func (s *spy) ReadFrom(r io.Reader) (int64, error) {
	source := fmt.Sprintf("%T", r)
	if limited, ok := r.(*io.LimitedReader); ok {
		source += fmt.Sprintf(" over %T", limited.R)
	}
	s.sources = append(s.sources, source)
	return s.TCPConn.ReadFrom(r)
}

// connect returns both ends of a TCP connection.
func connect(t *testing.T) (server, client *net.TCPConn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dialled, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = dialled.Close()
		_ = accepted.Close()
	})
	return accepted.(*net.TCPConn), dialled.(*net.TCPConn)
}

// A *net.TCPConn copies in the kernel if and only if its ReadFrom is given an
// *io.LimitedReader over an *os.File.
func TestCopyToASocketStaysInTheKernel(t *testing.T) {
	b := openBucket(t, t.TempDir())
	data := make([]byte, 350_000)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data) // never fails
	put(t, b, "key", data)
	server, client := connect(t)
	received := make(chan []byte, 1)
	go func() {
		got, _ := io.ReadAll(client) // its length tells
		received <- got
	}()

	const offset, slice = 1000, 100_000
	r, err := b.Open(t.Context(), "key", offset, int64(len(data))-offset-7, "")
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	defer r.Close()
	dst := &spy{TCPConn: server}
	for err == nil {
		_, err = r.CopyN(dst, slice)
	}
	if err != io.EOF {
		t.Fatalf("CopyN: %v", err)
	}
	if err := server.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got := <-received; !bytes.Equal(got, data[offset:len(data)-7]) {
		t.Errorf("%d bytes arrived, or others than the %d sent", len(got), len(data)-offset-7)
	}
	for _, source := range dst.sources {
		if source != "*io.LimitedReader over *os.File" {
			t.Errorf("ReadFrom was given a %s", source)
		}
	}
	if want := len(data)/slice + 1; len(dst.sources) != want {
		t.Errorf("ReadFrom was called %d times, want %d", len(dst.sources), want)
	}
}

func TestErrorsOfASocketAreReturnedAsTheyAre(t *testing.T) {
	b := openBucket(t, t.TempDir())
	put(t, b, "key", make([]byte, 32<<20)) // more than any socket buffers
	for name, c := range map[string]struct {
		upset func(server, client *net.TCPConn) error
		want  error
	}{
		"deadline":   {func(server, _ *net.TCPConn) error { return server.SetWriteDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded},
		"closed":     {func(server, _ *net.TCPConn) error { return server.Close() }, net.ErrClosed},
		"peer reset": {func(_, client *net.TCPConn) error { return errors.Join(client.SetLinger(0), client.Close()) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			server, client := connect(t)
			if err := c.upset(server, client); err != nil {
				t.Fatal(err)
			}
			r, err := b.Open(t.Context(), "key", 0, 32<<20, "")
			if err != nil {
				t.Fatalf("Open: %v", err)
			}
			defer r.Close()
			_, err = r.CopyN(server, 32<<20)
			var ours *fault.Error
			if network := (*net.OpError)(nil); errors.As(err, &ours) || !errors.As(err, &network) {
				t.Errorf("CopyN: %v, want the socket's own error", err)
			}
			if c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("CopyN: %v, want %v", err, c.want)
			}
		})
	}
}

func TestAShortenedFileIsATruncatedBlob(t *testing.T) {
	dir := t.TempDir()
	b := openBucket(t, dir)
	put(t, b, "key", make([]byte, 100_000))
	server, client := connect(t)
	go io.Copy(io.Discard, client)
	r, err := b.Open(t.Context(), "key", 0, 100_000, "")
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	defer r.Close()
	if err := os.Truncate(filepath.Join(dir, objectFile(t, dir)), 60_000); err != nil {
		t.Fatal(err)
	}
	n, err := r.CopyN(server, 100_000)
	if !fault.Is(err, fault.Upstream, "blob_truncated") || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("CopyN: %v, want blob_truncated", err)
	}
	if n != 60_000 || r.Remaining() != 40_000 {
		t.Errorf("CopyN: %d bytes, %d remaining, want 60000 and 40000", n, r.Remaining())
	}
}
