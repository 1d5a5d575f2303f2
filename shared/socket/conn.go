package socket

import (
	"context"
	"errors"
	"net"
)

// conn is a TCP connection of which large reads and writes are cheaper than
// Go's own, where the system has a file for it.
type conn struct{ *net.TCPConn }

// What is read or written by the conn's own way, in bytes: smaller pieces cost
// what they cost, and of larger ones only so much at once, since a processor is
// not given up meanwhile.
const (
	leastDirect = 16 << 10
	mostDirect  = 1 << 20
)

// Dial returns d's DialContext with connections whose large reads and writes
// are cheaper than Go's own: for what copies a store's bytes.
func Dial(d *net.Dialer) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		made, err := d.DialContext(ctx, network, addr)
		if tcp, ok := made.(*net.TCPConn); ok {
			return conn{tcp}, nil
		}
		return made, err
	}
}

// failure makes err one of the connection, as package net would tell it.
func (c conn) failure(op string, err error) error {
	if raw, ok := errors.AsType[*net.OpError](err); ok {
		err = raw.Err
	}
	local := c.LocalAddr()
	return &net.OpError{Op: op, Net: local.Network(), Source: local, Addr: c.RemoteAddr(), Err: err}
}
