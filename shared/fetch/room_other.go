//go:build !windows

package fetch

import (
	"errors"
	"syscall"
)

// noRoom reports that a disk, a quota or a file has no room for more.
func noRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
