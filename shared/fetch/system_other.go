//go:build !linux

package fetch

import "os"

// bootID names the running system. Empty means unknown: what was not synced is
// then fetched again.
func bootID() string { return "" }

// allocate makes a file size bytes long.
func allocate(file *os.File, size int64) error { return file.Truncate(size) }
