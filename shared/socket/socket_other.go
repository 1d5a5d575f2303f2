//go:build !linux

package socket

// WaitWritable returns at once: the write itself waits.
func (s *Socket) WaitWritable() error { return nil }

// Queued cannot be told.
func (s *Socket) Queued() int { return -1 }
