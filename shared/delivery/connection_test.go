package delivery_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"sluice/shared/blob"
	"sluice/shared/blob/blobtest"
	"sluice/shared/catalog"
	"sluice/shared/delivery"
	"sluice/shared/edge"
)

// ended is how a delivery ended.
type ended struct {
	delivery.Outcome
	err error
}

// serve runs an edge that delivers f on every request and tells how each ended.
// through, which may be nil, stands between the edge's connections and it.
func serve(t *testing.T, s *delivery.Service, f *catalog.File, through func(http.ResponseWriter) http.ResponseWriter) (addr string, outcomes <-chan ended) {
	t.Helper()
	out := make(chan ended, 100)
	return serveBy(t, s.Stall, func(w http.ResponseWriter, r *http.Request) {
		if through != nil {
			w = through(w)
		}
		outcome, err := s.Serve(w, r, f, delivery.Options{})
		out <- ended{outcome, err}
		if err != nil {
			panic(http.ErrAbortHandler)
		}
	}), out
}

// serveBy runs an edge of a handler.
func serveBy(t *testing.T, stall time.Duration, handler http.HandlerFunc) (addr string) {
	t.Helper()
	server := &edge.Server{Handler: handler, Log: slog.New(slog.DiscardHandler), Stall: stall}
	ln, err := edge.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, smallBuffers{ln}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String()
}

// smallBuffers makes connections on which little is under way, as those to
// clients far away are at first.
type smallBuffers struct{ net.Listener }

func (l smallBuffers) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return conn, conn.(*net.TCPConn).SetWriteBuffer(64 << 10)
}

// get sends a GET over a connection with a small buffer. Nothing of the answer
// is read yet.
func get(t *testing.T, addr, fields string) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := errors.Join(conn.(*net.TCPConn).SetReadBuffer(64<<10), conn.SetDeadline(time.Now().Add(time.Minute))); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", fields); err != nil {
		t.Fatal(err)
	}
	return conn
}

// spy tells what net/http's writer was given to copy from.
type spy struct {
	http.ResponseWriter
	sources *[]string
}

func (s spy) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s spy) ReadFrom(r io.Reader) (int64, error) {
	source := fmt.Sprintf("%T", r)
	if limited, ok := r.(*io.LimitedReader); ok {
		source += fmt.Sprintf(" over %T", limited.R)
	}
	*s.sources = append(*s.sources, source)
	return s.ResponseWriter.(io.ReaderFrom).ReadFrom(r)
}

// net/http hands what it is given to the connection, and a *net.TCPConn copies
// in the kernel if and only if that is an *io.LimitedReader over an *os.File.
func TestAFileStaysInTheKernel(t *testing.T) {
	b := onDisk(t)
	content := noise(4 << 20)
	f := keep(t, b, content)
	for fields, want := range map[string][]byte{"": content, "Range: bytes=1000-3000000\r\n": content[1000:3000001]} {
		var sources []string
		addr, outcomes := serve(t, service(b, 10*time.Second), f, func(w http.ResponseWriter) http.ResponseWriter {
			return spy{w, &sources}
		})
		if got, err := read(get(t, addr, fields)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("with %q: %d bytes, %v, want %d", fields, len(got), err, len(want))
		}
		<-outcomes
		if len(sources) == 0 || slices.ContainsFunc(sources, func(s string) bool { return s != "*io.LimitedReader over *os.File" }) {
			t.Errorf("with %q: the copies were from %q, want each from an *io.LimitedReader over an *os.File", fields, sources)
		}
	}
}

// read reads an answer to its end and returns the body.
func read(conn net.Conn) ([]byte, error) {
	a, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, err
	}
	defer a.Body.Close()
	return io.ReadAll(a.Body)
}

// A client that is slow but goes on gets everything, from a file and from what
// is none, in one part and in several.
func TestASlowClientGetsEverything(t *testing.T) {
	t.Parallel()
	const stall = time.Second
	content := noise(6 << 20)
	memory, _ := inMemory(t)
	for name, b := range map[string]*blob.Bucket{"a file": onDisk(t), "no file": memory} {
		addr, _ := serve(t, service(b, stall), keep(t, b, content), nil)
		for _, fields := range []string{"", "Range: bytes=0-3999999,1000-4000\r\n"} {
			t.Run(name+" "+fields, func(t *testing.T) {
				t.Parallel()
				slow, err := http.ReadResponse(bufio.NewReader(get(t, addr, fields)), nil)
				if err != nil {
					t.Fatal(err)
				}
				defer slow.Body.Close()
				pace := time.NewTicker(stall / 10)
				defer pace.Stop()
				began := time.Now()
				var got bytes.Buffer
				for err == nil {
					<-pace.C
					_, err = io.CopyN(&got, slow.Body, slow.ContentLength/25)
				}
				took := time.Since(began)
				if err != io.EOF || int64(got.Len()) != slow.ContentLength {
					t.Errorf("%d of %d bytes came in %v, then %v", got.Len(), slow.ContentLength, took, err)
				}
				if fields == "" && !bytes.Equal(got.Bytes(), content) || fields != "" && !bytes.Contains(got.Bytes(), content[:4_000_000]) {
					t.Error("the bytes that came are not the file's")
				}
				if took < 2*stall {
					t.Errorf("it took %v, want more than %v for this to be a test", took, 2*stall)
				}
			})
		}
	}
}

func TestAClientThatTakesNothingIsDropped(t *testing.T) {
	t.Parallel()
	const stall = time.Second
	content := noise(6 << 20)
	memory, _ := inMemory(t)
	for name, b := range map[string]*blob.Bucket{"a file": onDisk(t), "no file": memory} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, outcomes := serve(t, service(b, stall), keep(t, b, content), nil)
			began := time.Now()
			conn := get(t, addr, "")
			end := <-outcomes
			if took := time.Since(began); took < stall/2 || took > 5*stall {
				t.Errorf("it was dropped after %v, want about %v", took, stall)
			}
			if end.Complete || end.Bytes >= int64(len(content)) || !errors.Is(end.err, os.ErrDeadlineExceeded) {
				t.Errorf("%+v, %v, want an end before the last byte and the deadline's error", end.Outcome, end.err)
			}
			if got, err := read(conn); err == nil || !bytes.HasPrefix(content, got) {
				t.Errorf("it then read %d bytes, %v, want the first ones and an error", len(got), err)
			}
		})
	}
}

// late is a store whose files are pipes: what is read comes when it comes.
type late struct {
	blob.Driver
	name string
}

func (d late) Open(context.Context, string, int64, int64, string) (io.ReadCloser, error) {
	return os.OpenFile(d.name, os.O_RDWR, 0)
}

// A disk may take longer over a small file than a client may be blocked.
func TestASmallFileOfASlowDiskIsWhole(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Skip(err)
	}
	addr, outcomes := serve(t, service(closing(t, late{blobtest.NewMemory(), name}), 10*time.Second), file(10), nil)
	conn := get(t, addr, "")
	pipe, err := os.OpenFile(name, os.O_WRONLY, 0) // waits until the blob is open
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	<-time.After(200 * time.Millisecond)
	if _, err := io.WriteString(pipe, "0123456789"); err != nil {
		t.Fatal(err)
	}
	if got, err := read(conn); err != nil || string(got) != "0123456789" {
		t.Errorf("%q came, %v, want all ten bytes", got, err)
	}
	if end := <-outcomes; !end.Complete || end.err != nil {
		t.Errorf("%+v, %v, want a complete delivery", end.Outcome, end.err)
	}
}

// A small answer that is lost before it is sent is not half sent either.
func TestASmallFileThatBreaksOffEndsInAnError(t *testing.T) {
	for name, fault := range map[string]blobtest.Fault{
		"broken": {After: 4, Err: io.ErrClosedPipe},
		"cut":    {After: 4, Cut: true},
	} {
		b, chaos := inMemory(t)
		f := keep(t, b, []byte("0123456789"))
		addr, outcomes := serve(t, service(b, 10*time.Second), f, nil)
		chaos.Script(blobtest.Read, fault)
		conn := get(t, addr, "")
		if got, err := io.ReadAll(conn); len(got) > 0 {
			t.Errorf("%s: %q came, %v, want nothing of an answer that is lost", name, got, err)
		}
		if end := <-outcomes; end.Complete || end.Bytes != 0 || end.err == nil {
			t.Errorf("%s: %+v, %v, want no byte and an error", name, end.Outcome, end.err)
		}
		if got, err := read(get(t, addr, "")); err != nil || string(got) != "0123456789" {
			t.Errorf("%s: the next answer is %q, %v, want all ten bytes", name, got, err)
		}
	}
}
