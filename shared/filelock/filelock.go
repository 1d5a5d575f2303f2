// Package filelock keeps other processes from a file. A lock is advisory: who
// does not ask for it is not kept from anything. It belongs to the open file,
// so closing that gives it back, and so does the end of the process, however it
// comes: flock(2) on Unix, LockFileEx on Windows.
package filelock

import (
	"errors"
	"os"
)

// ErrHeld tells that somebody else has the lock.
var ErrHeld = errors.New("filelock: another process has the file")

// Try takes the lock until the file is closed, or fails at once with ErrHeld.
func Try(file *os.File) error { return lock(file, false) }

// Wait takes the lock until the file is closed. It waits for whoever has it.
func Wait(file *os.File) error { return lock(file, true) }
