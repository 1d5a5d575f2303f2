package fetch

import (
	"errors"
	"net"
	"net/http/httptrace"
	"sync/atomic"
	"syscall"
)

// errNoPipe says that bytes have to pass through memory here.
var errNoPipe = errors.New("bytes cannot be moved in the kernel here")

// conn is a TCP connection whose bytes can be diverted into a pipe. net/http
// reads from it, and knows of each byte whether it belongs to a header, to a
// body or to the framing. It passes a Read of a large piece of a body on as it
// is, and such a Read can fill the pipe instead of the memory that it names.
type conn struct {
	*net.TCPConn

	raw    syscall.RawConn
	divert atomic.Pointer[diversion]
}

// diversion says that a Read into room goes to a pipe. What is in room is
// nobody's: it stands for the bytes, and only their number counts.
type diversion struct {
	room []byte
	pipe *pipe
}

// divertible returns c so that its bytes can be diverted, if they can.
func divertible(c net.Conn) net.Conn {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return c
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return c
	}
	return &conn{TCPConn: tcp, raw: raw}
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	d := c.divert.Load()
	if d == nil || len(p) == 0 || &p[0] != &d.room[0] {
		return c.TCPConn.Read(p)
	}
	return d.pipe.fill(c.raw, len(p))
}

// watch remembers by which connection a call's answer comes, if its bytes can
// be diverted: those of TLS, for one, have to be read.
func (c *call) watch() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { c.conn, _ = info.Conn.(*conn) }}
}
