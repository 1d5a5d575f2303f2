package blob

import (
	"context"
	"errors"
	"io"
	"time"

	"sluice/shared/fault"
)

// busyFor is when to try again what a busy store did not do. Its driver has
// tried for a while already.
const busyFor = 5 * time.Second

// wrap turns a driver's error into a fault. ctx governs the call that failed.
func (b *Bucket) wrap(ctx context.Context, err error) error {
	switch b.driver.ErrorCode(err) {
	case NotFound:
		return fault.Wrap(err, fault.NotFound, "blob_not_found", "There is no such blob.")
	case Exists:
		return fault.Wrap(err, fault.Conflict, "blob_exists", "There is a blob under that key already.")
	case Changed:
		return fault.Wrap(err, fault.PreconditionFailed, "blob_changed", "The blob is not the one expected.")
	case Full:
		return fault.Wrap(err, fault.InsufficientStorage, "no_space", "The store has no room for the bytes.")
	case Canceled:
		return canceled(ctx, err)
	case Busy:
		return fault.Wrap(err, fault.Unavailable, "blob_busy", "The blob store is busy; try again.").WithRetryAfter(busyFor)
	case Refused:
		return fault.Wrap(err, fault.Unprocessable, "key_unsupported", "The store can keep no blob under that key.")
	}
	return fault.Wrap(err, fault.Upstream, "blob_failed", "The blob store failed.")
}

// canceled keeps ctx's own error in the chain, whatever a driver made of it.
func canceled(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		err = errors.Join(cause, err)
	}
	return fault.Wrap(err, fault.Unavailable, "canceled", "The request was given up.")
}

// alive returns the fault of a context that has ended, else nil.
func alive(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return canceled(ctx, err)
	}
	return nil
}

// truncated is the fault of a blob that has fewer bytes than were asked for.
func truncated() error {
	return fault.Wrap(io.ErrUnexpectedEOF, fault.Upstream, "blob_truncated", "The blob ended too early.")
}
