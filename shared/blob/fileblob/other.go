//go:build !unix

package fileblob

import (
	"errors"

	"sluice/shared/blob"
)

// Driver is not to be had here.
type Driver struct{ blob.Driver }

// Open fails: here a folder cannot be synced, so that nothing could be promised
// of a blob.
func Open(string, Options) (*Driver, error) {
	return nil, errors.New("blobs cannot be kept on a disk of this system; use a store that speaks S3 (SLUICE_BLOB=s3://bucket), or serve on Linux or macOS")
}
