package fetch

import (
	"errors"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// pipeSize is how much a pipe is asked to hold, in bytes: as much as it may
// without privileges. One that holds less works too.
const pipeSize = 1 << 20

// pipe is a buffer of the kernel's. What comes in by a socket goes to a file by
// way of it (splice(2)), and never through the memory of the process: that
// saves one of the two copies. One goroutine uses it at a time.
type pipe struct {
	out, in int // file descriptors
	holds   int // bytes
}

// newPipe returns a pipe, or nil if there is none to be had.
func newPipe() *pipe {
	var ends [2]int
	if unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK) != nil {
		return nil
	}
	_, _ = unix.FcntlInt(uintptr(ends[1]), unix.F_SETPIPE_SZ, pipeSize) // a smaller one works too
	return &pipe{out: ends[0], in: ends[1]}
}

func (p *pipe) close() {
	_ = unix.Close(p.out) // what is in it is not wanted
	_ = unix.Close(p.in)
}

// fill moves at most n bytes from a socket into the pipe, which is empty, as
// soon as there are any.
func (p *pipe) fill(from syscall.RawConn, n int) (int, error) {
	var moved int64
	var failed error
	err := from.Read(func(fd uintptr) bool {
		moved, failed = splice(int(fd), p.in, nil, n)
		return !errors.Is(failed, unix.EAGAIN)
	})
	switch {
	case err != nil:
		return 0, err
	case unsupported(failed):
		return 0, errNoPipe
	case failed != nil:
		return 0, os.NewSyscallError("splice", failed)
	case moved == 0:
		return 0, io.EOF
	}
	p.holds = int(moved)
	return p.holds, nil
}

// drain moves the next n bytes from the pipe to their place in a file.
func (p *pipe) drain(to *os.File, at int64, n int) error {
	raw, err := to.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		for n > 0 && failed == nil {
			var moved int64
			moved, failed = splice(p.out, int(fd), &at, n)
			if failed == nil && moved == 0 {
				failed = io.ErrUnexpectedEOF
			}
			n, p.holds = n-int(moved), p.holds-int(moved)
		}
	})
	if unsupported(failed) {
		return errNoPipe
	}
	return errors.Join(err, failed)
}

// unsupported reports a socket or a file that knows no splice.
func unsupported(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP)
}

// splice is splice(2), which moves at to where it is not nil.
func splice(from, to int, at *int64, n int) (int64, error) {
	for {
		moved, err := unix.Splice(from, nil, to, at, n, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
		if !errors.Is(err, unix.EINTR) {
			return max(moved, 0), err
		}
	}
}
