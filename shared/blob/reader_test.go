package blob_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
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

// fileDriver is a driver whose readers are a file, by default an empty one,
// closed already where broken.
type fileDriver struct {
	blob.Driver
	broken bool
	name   string
}

func (d fileDriver) Open(_ context.Context, _ string, offset, _ int64, _ string) (io.ReadCloser, error) {
	file, err := os.Open(cmp.Or(d.name, os.DevNull))
	if err == nil {
		_, err = file.Seek(offset, io.SeekStart)
	}
	if err == nil && d.broken {
		err = file.Close()
	}
	return file, err
}

func TestErrorsOfAFileAreTheBlobs(t *testing.T) {
	b := blob.NewBucket(fileDriver{Driver: blobtest.NewMemory(), broken: true})
	for name, dst := range map[string]io.Writer{
		"a Writer":     writerOnly{io.Discard},
		"a ReaderFrom": io.Discard,
		"a socket":     first(sockets(t)),
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
	b := blob.NewBucket(fileDriver{Driver: blobtest.NewMemory()})
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

// A deadline that passes while the kernel copies a file to a socket loses
// nothing: what was sent is what was taken.
func TestACopyOfAFileGoesOnBehindADeadline(t *testing.T) {
	data := noise(8 << 20) // more than the sockets buffer
	r := open(t, fileBucket(t, data), "key", 1000, int64(len(data))-1000)
	conn, peer := sockets(t)
	copied := fillUp(t, r, conn, conn)
	for copied == 0 {
		copied = fillUp(t, r, conn, conn)
	}
	received := make(chan []byte, 1)
	go func() {
		got, _ := io.ReadAll(peer) // its length tells
		received <- got
	}()
	if err := conn.SetWriteDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	rest, err := r.CopyN(conn, int64(len(data)))
	if err != io.EOF || copied+rest != int64(len(data))-1000 || r.Remaining() != 0 {
		t.Errorf("CopyN, going on: %d and %d bytes, %v, %d remaining, want %d, EOF, none", copied, rest, err, r.Remaining(), len(data)-1000)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if got := <-received; !bytes.Equal(got, data[1000:]) {
		t.Errorf("%d bytes arrived, or others than the %d sent", len(got), len(data)-1000)
	}
}

// A copy through a buffer has taken bytes that a socket then refused. Who went
// on would leave a hole.
func TestABufferedCopyDoesNotGoOnBehindADeadline(t *testing.T) {
	data := noise(8 << 20)
	memory, _ := chaotic()
	put(t, memory, "key", string(data))
	for name, c := range map[string]struct {
		bucket *blob.Bucket
		dst    func(net.Conn) io.Writer
	}{
		"a blob that is no file":      {memory, func(c net.Conn) io.Writer { return c }},
		"neither file nor ReaderFrom": {memory, func(c net.Conn) io.Writer { return writerOnly{c} }},
	} {
		conn, _ := sockets(t)
		r := open(t, c.bucket, "key", 0, int64(len(data)))
		copied := fillUp(t, r, conn, c.dst(conn))
		var out bytes.Buffer
		if n, err := r.CopyN(&out, 10); n != 0 || out.Len() != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: CopyN, going on: %d bytes, %v, want none and the deadline's error", name, n, err)
		}
		if n, err := r.Read(make([]byte, 10)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: Read, going on: %d bytes, %v, want none and the deadline's error", name, n, err)
		}
		if left := int64(len(data)) - copied; r.Remaining() != left {
			t.Errorf("%s: %d remaining, want %d: another Reader goes on there", name, r.Remaining(), left)
		}
	}
}

// A file is rewound over what a buffer had taken of it.
func TestABufferedCopyOfAFileGoesOnBehindADeadline(t *testing.T) {
	data := noise(8 << 20)
	conn, _ := sockets(t)
	r := open(t, fileBucket(t, data), "key", 0, int64(len(data)))
	copied := fillUp(t, r, conn, writerOnly{conn})
	var rest bytes.Buffer
	n, err := r.CopyN(&rest, int64(len(data)))
	if err != io.EOF || copied+n != int64(len(data)) || !bytes.Equal(rest.Bytes(), data[copied:]) {
		t.Errorf("CopyN, going on behind %d of %d bytes: %d bytes, %v, want exactly the others and EOF", copied, len(data), n, err)
	}
}

func TestACopyGoesOnWhereADestinationTookNothing(t *testing.T) {
	b, _ := chaotic()
	put(t, b, "key", "0123456789")
	r := open(t, b, "key", 0, 10)
	if n, err := r.CopyN(broken{io.ErrClosedPipe}, 10); n != 0 || err != io.ErrClosedPipe {
		t.Fatalf("CopyN to a ReaderFrom that reads nothing: %d, %v, want 0 and its error", n, err)
	}
	var out strings.Builder
	if n, err := r.CopyN(&out, 10); n != 10 || err != nil || out.String() != "0123456789" {
		t.Errorf("CopyN, going on: %d bytes %q, %v, want all ten", n, out.String(), err)
	}
}

// fillUp copies to a socket that nobody reads until a deadline passes, and
// returns how much it took: nothing, where the machine is slow.
func fillUp(t *testing.T, r *blob.Reader, conn net.Conn, dst io.Writer) int64 {
	t.Helper()
	if err := conn.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	copied, err := r.CopyN(dst, r.Remaining())
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("CopyN to a socket that nobody reads: %d bytes, %v, want the deadline to pass", copied, err)
	}
	return copied
}

// fileBucket returns a bucket in which every blob is a file with that data.
func fileBucket(t *testing.T, data []byte) *blob.Bucket {
	t.Helper()
	name := filepath.Join(t.TempDir(), "blob")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return blob.NewBucket(fileDriver{Driver: blobtest.NewMemory(), name: name})
}

// noise returns n bytes of which no two stretches are alike.
func noise(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data) // never fails
	return data
}

// sockets returns both ends of a TCP connection with small buffers.
func sockets(t *testing.T) (conn, peer *net.TCPConn) {
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
	conn, peer = dialled.(*net.TCPConn), accepted.(*net.TCPConn)
	if err := errors.Join(conn.SetWriteBuffer(64<<10), peer.SetReadBuffer(64<<10)); err != nil {
		t.Fatal(err)
	}
	return conn, peer
}

func first[A, B any](a A, _ B) A { return a }
