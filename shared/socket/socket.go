// Package socket is the TCP connection under an HTTP answer, which net/http
// hides: whether it takes bytes, what its peer has not yet acknowledged, and
// writes that leave together.
package socket

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync"
)

// Listener makes Sockets of the TCP connections that it accepts.
type Listener struct {
	net.Listener

	buffers sync.Pool // of *bytes.Buffer, for Gather
}

// Accept waits for the next connection.
func (l *Listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok {
		return &Socket{TCPConn: tcp, buffers: &l.buffers}, nil
	}
	return conn, err
}

// Socket is a TCP connection. Its own methods are for one goroutine at a time,
// the one that answers.
type Socket struct {
	*net.TCPConn

	buffers  *sync.Pool
	gathered *bytes.Buffer // nil unless Gather runs
}

type key struct{}

// With returns a context that carries conn where it is a Socket; an edge calls
// it for each connection. What writes to another connection, such as one of
// TLS, is not what its socket carries.
func With(ctx context.Context, conn net.Conn) context.Context {
	if s, ok := conn.(*Socket); ok {
		return context.WithValue(ctx, key{}, s)
	}
	return ctx
}

// Of returns the socket that ctx carries, or nil.
func Of(ctx context.Context) *Socket {
	s, _ := ctx.Value(key{}).(*Socket)
	return s
}

// Gather runs f and sends what f wrote in one piece: one packet and one call
// of the system for a header and a small body. It is kept in memory until
// then. An error of f is returned, and nothing is sent.
func (s *Socket) Gather(f func() error) error {
	buf, ok := s.buffers.Get().(*bytes.Buffer)
	if !ok {
		buf = new(bytes.Buffer)
	}
	defer s.buffers.Put(buf)
	buf.Reset()
	s.gathered = buf
	err := f()
	s.gathered = nil
	if err != nil {
		return err
	}
	_, err = s.TCPConn.Write(buf.Bytes())
	return err
}

// Write implements io.Writer.
func (s *Socket) Write(p []byte) (int, error) {
	if s.gathered != nil {
		return s.gathered.Write(p)
	}
	return s.TCPConn.Write(p)
}

// ReadFrom implements io.ReaderFrom. It copies a file in the kernel.
func (s *Socket) ReadFrom(r io.Reader) (int64, error) {
	if s.gathered != nil {
		return s.gathered.ReadFrom(r)
	}
	return s.TCPConn.ReadFrom(r)
}
