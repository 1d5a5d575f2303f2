package socket

import (
	"io"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Go takes a read or write of a socket for a call that may block: a thread that
// watches for those (sysmon) is woken, looks every 20 µs, and gives the
// processor of a call that lasts to another thread. But these calls never
// block, they copy, and the watching took a fifth of the time of a server that
// streams. So large pieces go by calls that nobody watches. Only the wait
// between them is Go's.

// Read implements io.Reader.
func (c conn) Read(p []byte) (int, error) {
	if raced || len(p) < leastDirect {
		return c.TCPConn.Read(p)
	}
	return c.readDirect(p[:min(len(p), mostDirect)])
}

func (c conn) readDirect(p []byte) (n int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed syscall.Errno
	err = raw.Read(func(fd uintptr) (done bool) {
		n, failed = call(unix.SYS_READ, fd, p)
		return failed != unix.EAGAIN
	})
	switch {
	case err != nil:
		return 0, c.failure("read", err)
	case failed != 0:
		return 0, c.failure("read", os.NewSyscallError("read", failed))
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write implements io.Writer.
func (c conn) Write(p []byte) (n int, err error) {
	if raced || len(p) < leastDirect {
		return c.TCPConn.Write(p)
	}
	for n < len(p) && err == nil {
		var m int
		m, err = c.writeDirect(p[n:min(len(p), n+mostDirect)])
		n += m
	}
	return n, err
}

func (c conn) writeDirect(p []byte) (n int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed syscall.Errno
	err = raw.Write(func(fd uintptr) (done bool) {
		for n < len(p) && failed == 0 {
			var m int
			m, failed = call(unix.SYS_WRITE, fd, p[n:])
			n += m
		}
		if failed == unix.EAGAIN {
			failed = 0
			return false
		}
		return true
	})
	switch {
	case err != nil:
		return n, c.failure("write", err)
	case failed != 0:
		return n, c.failure("write", os.NewSyscallError("write", failed))
	}
	return n, nil
}

// call reads into p or writes it, unwatched: fd must not block. p is not empty.
func call(trap, fd uintptr, p []byte) (int, syscall.Errno) {
	for {
		n, _, failed := syscall.RawSyscall(trap, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p))) //nolint:gosec // the system asks for an address
		switch failed {
		case 0:
			return int(n), 0
		case unix.EINTR:
		default:
			return 0, failed
		}
	}
}
