package edge

import (
	"syscall"

	"golang.org/x/sys/unix"

	"sluice/shared/socket"
)

// tune sets TCP_NOTSENT_LOWAT on a listening socket; connections inherit it.
func tune(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, socket.Unsent)
	})
	if err != nil {
		return err
	}
	return failed
}
