//go:build unix

package fileblob

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"sluice/shared/blob"
)

// What ErrorCode tells apart. fs.ErrNotExist alone is no errNotFound: where a
// blob is written, it means that the store itself is gone.
var (
	errNotFound = errors.New("fileblob: no such blob")
	errExists   = errors.New("fileblob: the key is taken")
	errChanged  = errors.New("fileblob: not the pinned blob")
	errFull     = errors.New("fileblob: not enough free space")
)

// ErrorCode implements blob.Driver. Nothing on a disk is ever Canceled.
func (d *Driver) ErrorCode(err error) blob.Code {
	switch {
	case errors.Is(err, errNotFound):
		return blob.NotFound
	case errors.Is(err, errExists):
		return blob.Exists
	case errors.Is(err, errChanged):
		return blob.Changed
	case errors.Is(err, errFull), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return blob.Full
	}
	return blob.Unknown
}

// absent marks the error of a look-up that found no file.
func absent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", errNotFound, err)
	}
	return err
}

func notRegular(name string) error {
	return fmt.Errorf("fileblob: %s is not a regular file", name)
}
