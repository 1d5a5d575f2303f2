package socket

import (
	"errors"
	"io"
	"os"

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

// SetUnsent bounds how much of what is written from now on may wait in the socket
// unsent, in bytes. It is a wish: where it cannot be granted nothing changes.
func (s *Socket) SetUnsent(bytes int) {
	raw, err := s.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { // fails where the connection is closed
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, bytes)
	})
}

// Acknowledged returns how many bytes the client's system has acknowledged
// since the connection began, or 0 where it cannot be told.
func (s *Socket) Acknowledged() uint64 {
	raw, err := s.SyscallConn()
	if err != nil {
		return 0
	}
	var n uint64
	_ = raw.Control(func(fd uintptr) { // fails where the connection is closed
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			n = info.Bytes_acked
		}
	})
	return n
}

// atOnce is the most that one call of the system copies, in bytes, so that
// none takes long.
const atOnce = 4 << 20

// copyFile copies r, which reads file, as far as the socket takes it.
func (s *Socket) copyFile(r *io.LimitedReader, file *os.File) (int64, error) {
	raw, err := s.SyscallConn()
	if err != nil {
		return 0, err
	}
	before := r.N
	var stopped error
	err = raw.Control(func(fd uintptr) { stopped = sendfile(int(fd), r, file) })
	copied := before - r.N
	switch {
	case err != nil:
		return copied, err
	case errors.Is(stopped, unix.EAGAIN):
		return copied, ErrFull
	case copied == 0 && (errors.Is(stopped, unix.EINVAL) || errors.Is(stopped, unix.ENOSYS) || errors.Is(stopped, unix.EOPNOTSUPP)):
		return s.TCPConn.ReadFrom(r) // the kernel cannot copy from that file system
	}
	return copied, os.NewSyscallError("sendfile", stopped)
}

// sendfile copies until r or its file ends or an error stops it.
func sendfile(to int, r *io.LimitedReader, file *os.File) error {
	for r.N > 0 {
		n, err := unix.Sendfile(to, int(file.Fd()), nil, int(min(r.N, atOnce)))
		switch {
		case err == nil && n == 0:
			return nil
		case err == nil:
			r.N -= int64(n)
		case !errors.Is(err, unix.EINTR):
			return err
		}
	}
	return nil
}
