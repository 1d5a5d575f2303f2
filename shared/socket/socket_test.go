package socket_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"sluice/shared/socket"
)

// connect returns the Socket that a Listener made, and what its peer reads.
func connect(t *testing.T) (*socket.Socket, *net.TCPConn) {
	t.Helper()
	inner, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := &socket.Listener{Listener: inner}
	defer ln.Close()
	return accept(t, ln)
}

func accept(t *testing.T, ln *socket.Listener) (*socket.Socket, *net.TCPConn) {
	t.Helper()
	peer, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = peer.Close()
		_ = conn.Close()
	})
	if err := peer.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	s, ok := conn.(*socket.Socket)
	if !ok {
		t.Fatalf("Accept: %T, want a *socket.Socket", conn)
	}
	return s, peer.(*net.TCPConn)
}

// rest closes s and returns what its peer got.
func rest(t *testing.T, s *socket.Socket, peer net.Conn) string {
	t.Helper()
	_ = s.Close()
	got, err := io.ReadAll(peer)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func TestAContextCarriesTheSocketOfItsConnection(t *testing.T) {
	s, peer := connect(t)
	for name, conn := range map[string]net.Conn{"the socket": s, "TLS over it": tls.Server(s, &tls.Config{MinVersion: tls.VersionTLS12})} {
		if got := socket.Of(socket.With(t.Context(), conn)); got != s {
			t.Errorf("%s: Of(With) = %p, want %p", name, got, s)
		}
	}
	for name, ctx := range map[string]context.Context{"a connection of TCP alone": socket.With(t.Context(), peer), "no connection": t.Context()} {
		if got := socket.Of(ctx); got != nil {
			t.Errorf("%s: Of = %p, want nil", name, got)
		}
	}
}

func TestGatherSendsNothingBeforeItsEnd(t *testing.T) {
	s, peer := connect(t)
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte("file "), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	err = s.Gather(func() error {
		_, err := io.WriteString(s, "written ")
		if err == nil {
			_, err = s.ReadFrom(&io.LimitedReader{R: file, N: 100})
		}
		if err == nil {
			err = peer.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		}
		if n, _ := peer.Read(make([]byte, 1)); n != 0 {
			t.Error("something was sent before the end")
		}
		return errors.Join(err, peer.SetReadDeadline(time.Now().Add(time.Minute)))
	})
	if err != nil {
		t.Fatalf("Gather: %v", err)
	}
	if _, err := io.WriteString(s, "after"); err != nil {
		t.Errorf("Write after Gather: %v", err)
	}
	if got := rest(t, s, peer); got != "written file after" {
		t.Errorf("the peer got %q, want %q", got, "written file after")
	}
}

// An answer of which a part is lost must not go on, neither with the bytes
// that net/http writes when it closes a connection after a panic, nor into the
// buffer that another connection has by then.
func TestGatherClosesTheConnectionOfALostAnswer(t *testing.T) {
	inner, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := &socket.Listener{Listener: inner}
	defer ln.Close()
	for name, fails := range map[string]func() error{
		"an error": func() error { return io.ErrUnexpectedEOF },
		"a panic":  func() error { panic("the store broke") },
	} {
		s, peer := accept(t, ln)
		func() {
			defer func() { _ = recover() }()
			err := s.Gather(func() error {
				_, err := io.WriteString(s, "lost")
				return errors.Join(err, fails())
			})
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s: Gather: %v, want it", name, err)
			}
		}()
		other, otherPeer := accept(t, ln)
		err := other.Gather(func() error {
			if _, err := io.WriteString(s, "stray"); err == nil {
				t.Errorf("%s: a later Write succeeded", name)
			}
			_, err := io.WriteString(other, "whole")
			return err
		})
		if got := rest(t, other, otherPeer); err != nil || got != "whole" {
			t.Errorf("%s: another connection: %v, and its peer got %q, want %q", name, err, got, "whole")
		}
		if got := rest(t, s, peer); got != "" {
			t.Errorf("%s: the peer got %q, want nothing", name, got)
		}
	}
}

// noise is content of which no two stretches are alike, so that a hole shows.
func noise(size int) []byte {
	content := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(content) // never fails
	return content
}

// A copy that the peer holds up stops at once, and goes on where it stopped.
func TestTryCopiesWhatTheSocketTakes(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("this system copies and waits in one")
	}
	s, peer := connect(t)
	content := noise(8 << 20) // more than the sockets hold
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := errors.Join(s.SetWriteBuffer(64<<10), peer.SetReadBuffer(64<<10), s.SetWriteDeadline(time.Now().Add(50*time.Millisecond))); err != nil {
		t.Fatal(err)
	}
	source := &io.LimitedReader{R: file, N: int64(len(content)) - 1}
	try := func() (int64, error) { return s.Try(func() (int64, error) { return s.ReadFrom(source) }) }
	n, err := try()
	if !errors.Is(err, socket.ErrFull) || n == 0 || source.N != int64(len(content))-1-n {
		t.Fatalf("a copy to a peer that does not read: %d bytes, %v, %d left, want some and ErrFull", n, err, source.N)
	}
	if err := s.WaitWritable(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("WaitWritable: %v, want the deadline to pass", err)
	}
	if err := s.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	received := make(chan []byte, 1)
	go func() {
		got, _ := io.ReadAll(peer) // its length tells
		received <- got
	}()
	for err = socket.ErrFull; errors.Is(err, socket.ErrFull); _, err = try() {
		if err := s.WaitWritable(); err != nil {
			t.Fatalf("WaitWritable while the peer reads: %v", err)
		}
	}
	if err != nil || source.N != 0 {
		t.Errorf("the copy ended with %v, %d bytes left, want none", err, source.N)
	}
	if err := s.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got := <-received; !bytes.Equal(got, content[:len(content)-1]) {
		t.Errorf("%d bytes arrived, or others than the %d sent", len(got), len(content)-1)
	}
}

func TestTryTellsWhatFailed(t *testing.T) {
	s, _ := connect(t)
	file, err := os.Open(t.TempDir()) // a directory cannot be read
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if n, err := s.Try(func() (int64, error) { return s.ReadFrom(&io.LimitedReader{R: file, N: 1}) }); n != 0 || err == nil || errors.Is(err, socket.ErrFull) {
		t.Errorf("a copy of what cannot be read: %d, %v, want its error", n, err)
	}
	_ = s.Close()
	if n, err := s.Try(func() (int64, error) { return s.ReadFrom(&io.LimitedReader{R: file, N: 1}) }); n != 0 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("a copy to a closed socket: %d, %v, want net.ErrClosed", n, err)
	}
}

func TestAcknowledgedGrowsAsThePeerTakesBytes(t *testing.T) {
	s, peer := connect(t)
	const size = 1 << 20
	go func() { _, _ = io.Copy(io.Discard, peer) }()
	before := s.Acknowledged()
	if _, err := s.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "linux" {
		t.Skip("this system does not tell")
	}
	for deadline := time.Now().Add(time.Minute); s.Acknowledged() < before+size; {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are acknowledged, want %d", s.Acknowledged()-before, size)
		}
	}
	_ = s.Close()
	if got := s.Acknowledged(); got != 0 {
		t.Errorf("a closed socket has %d bytes acknowledged, want 0", got)
	}
}
