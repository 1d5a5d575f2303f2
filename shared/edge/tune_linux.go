package edge

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// unsent is how much of what was written may wait in a socket unsent, in
// bytes. The kernel's default is no bound: megabytes wait for a slow client,
// who seems stalled while they drain. A socket takes more when half of it is
// sent, so that a client of HTTP/2 must take half of it in the stall time.
const unsent = 128 << 10

// tune sets TCP_NOTSENT_LOWAT on a listening socket; connections inherit it.
func tune(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsent)
	})
	if err != nil {
		return err
	}
	return failed
}
