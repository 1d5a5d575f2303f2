// Package socket is the TCP connection under an HTTP answer, which net/http
// hides: whether it takes bytes, what its peer has not yet acknowledged, and
// writes that leave together. Large reads and writes cost less there than by
// package net.
package socket

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
)

// Unsent is how much of what was written may wait in a socket unsent, in bytes,
// where an edge has set it and nobody else. The kernel's default is no bound:
// megabytes wait for a slow client, who seems stalled while they drain. A socket
// takes more when half of it is sent, so that a client of HTTP/2 must take half
// of it in the stall time.
const Unsent = 128 << 10

// Listener makes Sockets of the TCP connections that it accepts.
type Listener struct {
	net.Listener

	buffers sync.Pool // of *bytes.Buffer, for Gather
}

// Accept waits for the next connection.
func (l *Listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if tcp, ok := accepted.(*net.TCPConn); ok {
		return &Socket{conn: conn{tcp}, buffers: &l.buffers}, nil
	}
	return accepted, err
}

// Socket is a TCP connection. Its own methods are for one goroutine at a time,
// the one that answers.
type Socket struct {
	conn

	buffers  *sync.Pool
	gathered *bytes.Buffer // nil unless Gather runs
	trying   bool          // Try runs
}

type key struct{}

// With returns a context that carries the Socket of conn, or under conn where
// that is a connection of TLS; an edge calls it for each connection. Under TLS
// a Socket only tells of progress: what is written there belongs to TLS.
func With(ctx context.Context, conn net.Conn) context.Context {
	if over, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = over.NetConn()
	}
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
// then. An error of f is returned, and nothing is sent, now or later: the
// connection is closed, since a part of an answer is lost.
func (s *Socket) Gather(f func() error) error {
	buf, ok := s.buffers.Get().(*bytes.Buffer)
	if !ok {
		buf = new(bytes.Buffer)
	}
	buf.Reset()
	whole := false
	defer func() { // after a panic too, when net/http still writes what it holds
		s.gathered = nil
		if !whole {
			_ = s.Close() // f's error or panic is what is told
		}
		s.buffers.Put(buf)
	}()
	s.gathered = buf
	if err := f(); err != nil {
		return err
	}
	whole = true
	_, err := s.conn.Write(buf.Bytes())
	return err
}

// ErrFull is the error of a copy within Try that stopped because the socket
// took no more.
var ErrFull = errors.New("socket: full")

// Try runs f, in which ReadFrom of a file does not wait for the client: it
// copies what the socket takes at once and fails with ErrFull where that is
// not all. The copy can go on where it stopped. WaitWritable tells when. On a
// system that cannot copy so, ReadFrom waits as ever.
func (s *Socket) Try(f func() (int64, error)) (int64, error) {
	s.trying = true
	defer func() { s.trying = false }()
	return f()
}

// Write implements io.Writer.
func (s *Socket) Write(p []byte) (int, error) {
	if s.gathered != nil {
		return s.gathered.Write(p)
	}
	return s.conn.Write(p)
}

// ReadFrom implements io.ReaderFrom. It copies an *io.LimitedReader over an
// *os.File in the kernel.
func (s *Socket) ReadFrom(r io.Reader) (int64, error) {
	if s.gathered != nil {
		return s.gathered.ReadFrom(r)
	}
	if limited, ok := r.(*io.LimitedReader); ok && s.trying {
		if file, ok := limited.R.(*os.File); ok {
			return s.copyFile(limited, file)
		}
	}
	return s.TCPConn.ReadFrom(r)
}
