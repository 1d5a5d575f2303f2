//go:build !linux

package edge

import "syscall"

// tune leaves the socket as it is.
func tune(_, _ string, _ syscall.RawConn) error { return nil }
