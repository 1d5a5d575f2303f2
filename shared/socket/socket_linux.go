package socket

import (
	"errors"

	"golang.org/x/sys/unix"
)

// WaitWritable returns when the socket takes bytes again, or when the
// connection's write deadline has passed.
func (s *Socket) WaitWritable() error {
	raw, err := s.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		_, failed = unix.Poll(poll, 0)
		// Asking marks the socket as awaited, so that no edge is missed.
		return failed != nil && !errors.Is(failed, unix.EINTR) || poll[0].Revents != 0
	})
	return errors.Join(err, failed)
}

// Queued returns how many bytes the client has not yet acknowledged, or -1
// where it cannot be told.
func (s *Socket) Queued() int {
	n := -1
	raw, err := s.SyscallConn()
	if err != nil {
		return n
	}
	_ = raw.Control(func(fd uintptr) { // fails where the connection is closed
		if got, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ); err == nil {
			n = got
		}
	})
	return n
}
