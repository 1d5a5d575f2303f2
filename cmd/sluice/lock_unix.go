//go:build unix

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// lock takes the file for this process alone, until it is closed. It waits for
// whoever has it.
func lock(file *os.File) error {
	for {
		if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != unix.EINTR {
			return err
		}
	}
}
