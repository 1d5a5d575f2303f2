package edge_test

import (
	"errors"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/shared/edge"
)

// A connection inherits what its listener was told.
func TestASocketHoldsLittleUnsent(t *testing.T) {
	ln, err := edge.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	peer, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var unsent int
	var failed error
	err = raw.Control(func(fd uintptr) {
		unsent, failed = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT)
	})
	if err := errors.Join(err, failed); err != nil || unsent != 128<<10 {
		t.Errorf("TCP_NOTSENT_LOWAT is %d, %v, want %d", unsent, err, 128<<10)
	}
}
