package socket_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"sluice/shared/socket"
)

// dial returns a connection of Dial's, and what its peer has.
func dial(t *testing.T) (net.Conn, *net.TCPConn) {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	conn, err := socket.Dial(&net.Dialer{})(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	peer, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		_ = peer.Close()
	})
	if err := errors.Join(conn.SetDeadline(time.Now().Add(time.Minute)), peer.SetDeadline(time.Now().Add(time.Minute))); err != nil {
		t.Fatal(err)
	}
	return conn, peer.(*net.TCPConn)
}

// Large pieces arrive whole and in order, also where the sockets hold little
// and both ends wait for each other.
func TestLargePiecesArriveWhole(t *testing.T) {
	for _, held := range []int{64 << 10, 4 << 20} {
		conn, peer := dial(t)
		tcp := conn.(interface {
			SetReadBuffer(bytes int) error
			SetWriteBuffer(bytes int) error
		})
		if err := errors.Join(tcp.SetReadBuffer(held), tcp.SetWriteBuffer(held), peer.SetReadBuffer(held), peer.SetWriteBuffer(held)); err != nil {
			t.Fatal(err)
		}
		content := noise(9 << 20)
		sent := make(chan error, 1)
		go func() {
			n, err := conn.Write(content)
			if err == nil && n != len(content) {
				err = io.ErrShortWrite
			}
			sent <- err
		}()
		echoed := make(chan error, 1)
		go func() {
			_, err := io.CopyN(peer, peer, int64(len(content)))
			echoed <- errors.Join(err, peer.CloseWrite())
		}()
		got, piece := []byte(nil), make([]byte, 300<<10)
		for {
			n, err := conn.Read(piece)
			got = append(got, piece[:n]...)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("sockets of %d bytes: Read: %v", held, err)
			}
		}
		if err := errors.Join(<-sent, <-echoed); err != nil || !bytes.Equal(got, content) {
			t.Errorf("sockets of %d bytes: %d bytes came back, or others than the %d sent, %v", held, len(got), len(content), err)
		}
	}
}

// A large read or write fails as one of package net does.
func TestLargePiecesFailAsSmallOnesDo(t *testing.T) {
	large := make([]byte, 9<<20) // more than the sockets hold
	read := func(c net.Conn) error { _, err := c.Read(large); return err }
	write := func(c net.Conn) error { _, err := c.Write(large); return err }
	passed := func(c net.Conn) error { return c.SetDeadline(time.Unix(1, 0)) }
	for _, x := range []struct {
		name   string
		before func(c net.Conn, peer *net.TCPConn) error
		do     func(net.Conn) error
		op     string
		want   error
	}{
		{"a read after its deadline", func(c net.Conn, _ *net.TCPConn) error { return passed(c) }, read, "read", os.ErrDeadlineExceeded},
		{"a write after its deadline", func(c net.Conn, _ *net.TCPConn) error { return passed(c) }, write, "write", os.ErrDeadlineExceeded},
		{"a write that waits past its deadline", func(c net.Conn, _ *net.TCPConn) error {
			return c.SetDeadline(time.Now().Add(20 * time.Millisecond))
		}, write, "write", os.ErrDeadlineExceeded},
		{"a read of a closed connection", func(c net.Conn, _ *net.TCPConn) error { return c.Close() }, read, "read", net.ErrClosed},
		{"a write to a closed connection", func(c net.Conn, _ *net.TCPConn) error { return c.Close() }, write, "write", net.ErrClosed},
		{"a read of a connection that was reset", reset, read, "read", syscall.ECONNRESET},
	} {
		conn, peer := dial(t)
		if err := x.before(conn, peer); err != nil {
			t.Fatalf("%s: %v", x.name, err)
		}
		err := x.do(conn)
		op, ok := errors.AsType[*net.OpError](err)
		if !ok || !errors.Is(err, x.want) || op.Op != x.op || op.Net != "tcp" || op.Addr == nil || op.Source == nil {
			t.Errorf("%s: %v, want %s of a %s over tcp between two addresses", x.name, err, x.want, x.op)
		}
	}
}

// reset has the peer break the connection off.
func reset(_ net.Conn, peer *net.TCPConn) error {
	return errors.Join(peer.SetLinger(0), peer.Close())
}

func TestALargeReadEnds(t *testing.T) {
	conn, peer := dial(t)
	if _, err := peer.Write([]byte("the last")); err != nil {
		t.Fatal(err)
	}
	_ = peer.Close()
	large := make([]byte, 1<<20)
	if n, err := conn.Read(large); err != nil || string(large[:n]) != "the last" {
		t.Errorf("Read: %q, %v, want what was sent", large[:n], err)
	}
	if n, err := conn.Read(large); n != 0 || err != io.EOF {
		t.Errorf("Read at the end: %d, %v, want io.EOF", n, err)
	}
}

func TestDialTellsWhyItCannot(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if conn, err := socket.Dial(&net.Dialer{})(ctx, "tcp", "127.0.0.1:1"); conn != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("Dial after the end of its context: %v, %v, want no connection and that", conn, err)
	}
}
