// Package blob is the byte port: immutable blobs under keys that are never
// reused.
//
// Bucket is concrete and holds what every driver shares: key rules, range
// checks, the counting of bytes, cancellation, error wrapping. A Driver is
// small and returns raw errors plus a Code. Every driver passes package
// blobtest.
//
// # Errors
//
// Bucket, Writer and Reader return faults:
//
//	code                 kind                 when
//	invalid_field        Invalid              a key, size, offset or length outside the rules
//	blob_not_found       NotFound             no blob under that key
//	blob_exists          Conflict             the key is taken
//	blob_changed         PreconditionFailed   the blob is not the pinned one
//	blob_size_mismatch   Unprocessable        other than the announced number of bytes was written
//	no_space             InsufficientStorage  the store has no room
//	blob_truncated       Upstream             the blob ended early; wraps io.ErrUnexpectedEOF
//	canceled             Unavailable          the context ended; wraps its error
//	blob_busy            Unavailable          the store is overloaded; see RetryAfter
//	key_unsupported      Unprocessable        the store can keep no blob under that key
//	blob_failed          Upstream             anything else
//	blob_closed          Internal             a Writer was used after Commit or Abort
//	digest_mismatch      Unprocessable        a part is not of the SHA-256 announced
//	multipart_unsupported Unprocessable       the store takes no blob in parts
//	presign_unsupported  Unprocessable        the store cannot be reached by presigned URLs
//	list_unsupported     Unprocessable        the store does not list its blobs
//
// The exceptions are the errors of a destination (see Reader.CopyN) and of a
// part's body (see Bucket.PutPart).
package blob

// MaxKey is the longest key, in bytes, as in S3.
const MaxKey = 1024

// Attrs describe a stored blob.
type Attrs struct {
	Size int64  // bytes
	ETag string // the store's own entity tag, quoted; empty where it has none

	// ContentType is what whoever put the blob there says that it is; empty
	// where nobody did, or said no more than that it is bytes. Stat alone tells.
	ContentType string
}
