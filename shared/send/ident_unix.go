//go:build unix

package send

import (
	"os"
	"syscall"
)

// inode tells a file from one that has taken its name; 0: unknown.
func inode(info os.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Ino
	}
	return 0
}
