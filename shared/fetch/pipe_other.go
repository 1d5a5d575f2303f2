//go:build !linux

package fetch

import (
	"os"
	"syscall"
)

// pipe is a buffer of the kernel's, which only Linux has.
type pipe struct{ holds int }

const pipeSize = 1 << 20

func newPipe() *pipe { return nil }

func (*pipe) close() {}

func (*pipe) fill(syscall.RawConn, int) (int, error) { return 0, errNoPipe }

func (*pipe) drain(*os.File, int64, int) error { return errNoPipe }
