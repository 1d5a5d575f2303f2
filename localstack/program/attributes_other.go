//go:build unix && !linux

package program

import "syscall"

// attributes makes a process of a session of its own where it is to outlive the
// caller. Only Linux can end a process with another one.
func attributes(outlive bool) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: outlive}
}
