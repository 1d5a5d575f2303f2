package blob_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/shared/blob"
	"sluice/shared/blob/blobtest"
	"sluice/shared/fault"
)

func TestCopyNReturnsAsIoCopyNDoes(t *testing.T) {
	b, _ := chaotic()
	put(t, b, "key", "0123456789")
	for _, c := range []struct {
		offset, length, n int64
		want              string
		err               error
	}{
		{0, 10, 10, "0123456789", nil},
		{2, 5, 5, "23456", nil},
		{2, 5, 3, "234", nil},
		{2, 5, 6, "23456", io.EOF},
		{2, 5, 1 << 40, "23456", io.EOF},
		{2, 5, 0, "", nil},
		{2, 5, -1, "", nil},
		{2, 0, 0, "", nil},
		{2, 0, 1, "", io.EOF},
	} {
		r := open(t, b, "key", c.offset, c.length)
		var out strings.Builder
		n, err := r.CopyN(&out, c.n)
		if n != int64(len(c.want)) || out.String() != c.want || err != c.err {
			t.Errorf("CopyN %d of %d: %d bytes %q, %v, want %q, %v", c.n, c.length, n, out.String(), err, c.want, c.err)
		}
		if left := c.length - n; r.Remaining() != left {
			t.Errorf("CopyN %d of %d: %d remaining, want %d", c.n, c.length, r.Remaining(), left)
		}
	}
}

func TestReadAndCopyNTakeTurns(t *testing.T) {
	b, _ := chaotic()
	data := strings.Repeat("0123456789abcdef", 100)
	put(t, b, "key", data)
	rapid.Check(t, func(rt *rapid.T) {
		offset := rapid.Int64Range(0, int64(len(data))).Draw(rt, "offset")
		length := rapid.Int64Range(0, int64(len(data))-offset).Draw(rt, "length")
		r := open(t, b, "key", offset, length)
		var got bytes.Buffer
		var err error
		for err == nil {
			n := rapid.IntRange(1, 300).Draw(rt, "n")
			if rapid.Bool().Draw(rt, "read") {
				part := make([]byte, n)
				n, err = r.Read(part)
				got.Write(part[:n])
			} else {
				_, err = r.CopyN(&got, int64(n))
			}
			if r.Remaining() != length-int64(got.Len()) {
				rt.Fatalf("%d bytes remain after %d of %d", r.Remaining(), got.Len(), length)
			}
		}
		if want := data[offset : offset+length]; err != io.EOF || got.String() != want {
			rt.Fatalf("got %q, %v, want %q, EOF", got.String(), err, want)
		}
	})
}

func TestABrokenReaderTellsWhereToGoOn(t *testing.T) {
	for name, c := range map[string]struct {
		fault blobtest.Fault
		code  string
		cause error
	}{
		"broken": {blobtest.Fault{After: 4, Err: io.ErrClosedPipe}, "blob_failed", io.ErrClosedPipe},
		"cut":    {blobtest.Fault{After: 4, Cut: true}, "blob_truncated", io.ErrUnexpectedEOF},
	} {
		for _, by := range []string{"Read", "CopyN"} {
			b, chaos := chaotic()
			put(t, b, "key", "0123456789")
			chaos.Script(blobtest.Read, c.fault)
			r := open(t, b, "key", 1, 8)
			var got bytes.Buffer
			var err error
			if by == "Read" {
				_, err = got.ReadFrom(r)
			} else {
				_, err = r.CopyN(&got, 8)
			}
			if !fault.Is(err, fault.Upstream, c.code) || !errors.Is(err, c.cause) {
				t.Errorf("%s, %s: %v, want %s around %v", by, name, err, c.code, c.cause)
			}
			rest := open(t, b, "key", 9-r.Remaining(), r.Remaining())
			if _, err := got.ReadFrom(rest); err != nil || got.String() != "12345678" {
				t.Errorf("%s, %s, then going on: %q, %v, want 12345678", by, name, got.String(), err)
			}
		}
	}
}

// broken is a destination. As a Writer it fails, and where it is copied to in
// the kernel, as files are, its ReadFrom does.
type broken struct{ err error }

func (b broken) Write([]byte) (int, error)         { return 0, b.err }
func (b broken) ReadFrom(io.Reader) (int64, error) { return 0, b.err }

// writerOnly hides a ReadFrom.
type writerOnly struct{ io.Writer }

func TestErrorsOfADestinationAreReturnedAsTheyAre(t *testing.T) {
	b, _ := chaotic()
	put(t, b, "key", "0123456789")
	for _, want := range []error{
		io.ErrClosedPipe,
		os.ErrDeadlineExceeded,
		syscall.EPIPE,
		syscall.EIO, // of a destination: the blob is not a file
		&net.OpError{Op: "write", Err: syscall.ECONNRESET},
	} {
		if _, err := open(t, b, "key", 0, 10).CopyN(broken{want}, 10); err != want {
			t.Errorf("CopyN to a broken ReaderFrom: %v, want %v itself", err, want)
		}
		if _, err := open(t, b, "key", 0, 10).CopyN(writerOnly{broken{want}}, 10); err != want {
			t.Errorf("CopyN to a broken Writer: %v, want %v itself", err, want)
		}
	}
}

func TestADestinationThatStallsIsNoFaultOfTheBlob(t *testing.T) {
	b, _ := chaotic()
	put(t, b, "key", "0123456789")
	dst, peer := net.Pipe()
	defer peer.Close()
	if err := dst.SetWriteDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	_, err := open(t, b, "key", 0, 10).CopyN(dst, 10)
	if ours := (*fault.Error)(nil); !errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &ours) {
		t.Errorf("CopyN: %v, want the deadline's error as it is", err)
	}
}

// fileDriver is a driver whose readers are a file, closed already where
// broken.
type fileDriver struct {
	blob.Driver
	broken bool
}

func (d fileDriver) Open(context.Context, string, int64, int64, string) (io.ReadCloser, error) {
	file, err := os.Open(os.DevNull)
	if err == nil && d.broken {
		err = file.Close()
	}
	return file, err
}

func TestErrorsOfAFileAreTheBlobs(t *testing.T) {
	b := blob.NewBucket(fileDriver{blobtest.NewMemory(), true})
	for name, dst := range map[string]io.Writer{
		"a Writer":     writerOnly{io.Discard},
		"a ReaderFrom": io.Discard,
		"a socket":     socket(t),
	} {
		if _, err := open(t, b, "key", 0, 10).CopyN(dst, 10); !fault.Is(err, fault.Upstream, "blob_failed") || !errors.Is(err, os.ErrClosed) {
			t.Errorf("CopyN to %s: %v, want blob_failed around the file's error", name, err)
		}
	}
	if _, err := open(t, b, "key", 0, 10).Read(make([]byte, 10)); !fault.Is(err, fault.Upstream, "blob_failed") {
		t.Errorf("Read: %v, want blob_failed", err)
	}
}

func TestAFailedKernelCopyIsJudgedByItsError(t *testing.T) {
	b := blob.NewBucket(fileDriver{blobtest.NewMemory(), false})
	for _, c := range []struct {
		errno syscall.Errno
		blobs bool
	}{
		{syscall.EIO, true},
		{syscall.ESTALE, true},
		{syscall.EBADMSG, true},
		{syscall.EPIPE, false},
		{syscall.ECONNRESET, false},
		{syscall.ETIMEDOUT, false},
	} {
		sent := &net.OpError{Op: "readfrom", Err: os.NewSyscallError("sendfile", c.errno)}
		_, err := open(t, b, "key", 0, 10).CopyN(broken{sent}, 10)
		if blobs := fault.Is(err, fault.Upstream, "blob_failed"); blobs != c.blobs || !errors.Is(err, c.errno) {
			t.Errorf("sendfile failing with %v: %v, want a failure of the blob: %t", c.errno, err, c.blobs)
		}
	}
}

// socket returns a TCP connection that somebody reads.
func socket(t *testing.T) net.Conn {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	peer, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		_ = peer.Close()
	})
	return conn
}
