//go:build !linux

package socket

import (
	"io"
	"os"
)

// WaitWritable returns at once: the write itself waits.
func (s *Socket) WaitWritable() error { return nil }

// SetUnsent changes nothing.
func (s *Socket) SetUnsent(int) {}

// Acknowledged cannot be told: it is 0.
func (s *Socket) Acknowledged() uint64 { return 0 }

// copyFile copies r, which reads a file.
func (s *Socket) copyFile(r *io.LimitedReader, _ *os.File) (int64, error) {
	return s.TCPConn.ReadFrom(r)
}
