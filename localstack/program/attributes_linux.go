package program

import "syscall"

// attributes makes a process that dies with the thread that started it, or one
// of a session of its own.
func attributes(outlive bool) *syscall.SysProcAttr {
	if outlive {
		return &syscall.SysProcAttr{Setsid: true}
	}
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
