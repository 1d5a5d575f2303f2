package send

import (
	"context"
	"encoding/hex"
	"net/http"
	"time"

	"sluice/shared/contract"
	"sluice/shared/contract/client"
	"sluice/shared/fault"
	"sluice/shared/outbound"
)

// What a server takes: S3's limits.
const (
	maxParts    = 10_000
	maxPartSize = 5 << 30
)

// The sizes of parts where nobody asks for another one, in bytes. What a kill
// costs is the parts that are under way, so they are small; those of a stream
// are larger, since nobody knows how many there will be.
const (
	filePart   = smallest
	streamPart = 2 * smallest
)

// partSizeFor returns the size of parts for a file, or for a stream.
func partSizeFor(size, asked int64) int64 {
	if asked > 0 {
		return asked
	}
	if size == unknownSize {
		return streamPart
	}
	part := int64(filePart)
	for size > maxParts*part && part < maxPartSize {
		part = min(2*part, maxPartSize)
	}
	return part
}

// terms are those of the request.
func (t *Transfer) terms() terms {
	r := t.request
	return terms{ContentType: r.ContentType, SHA256: hex.EncodeToString(r.Digest.SHA256), PartSize: r.PartSize, Overwrite: r.Overwrite}
}

// resume returns the upload that an earlier run began, as the server has it, or
// one that begins now.
func (t *Transfer) resume(ctx context.Context, rec *record, src *source) (contract.Upload, error) {
	if rec.found && (t.request.Restart || rec.head.Terms != t.terms()) {
		if rec.head.UploadID != "" {
			t.abort(ctx, rec.head.UploadID)
		}
		rec.found = false
	}
	if rec.found && rec.head.UploadID != "" && time.Now().Before(rec.head.ExpiresAt) {
		if rec.head.File != src.was {
			return contract.Upload{}, changed()
		}
		u, err := t.upload(ctx, rec.head.UploadID)
		switch {
		case fault.Is(err, fault.NotFound, ""):
		case err != nil:
			return u, err
		case u.State != contract.UploadStateFailed && u.State != contract.UploadStateAborted && u.PartSize == rec.head.PartSize:
			return u, nil
		}
	}
	return t.beginRecorded(ctx, rec, src)
}

// upload is one as the server has it.
func (t *Transfer) upload(ctx context.Context, id string) (contract.Upload, error) {
	req, err := client.NewGetUploadRequest(t.client.base, id)
	return ask[contract.Upload](ctx, t.client, req, err)
}

// goodbye is how long an upload that failed is given to be aborted.
const goodbye = 5 * time.Second

// abort gives an upload up, so that its owner has the room again. Where that
// fails it expires by itself.
func (t *Transfer) abort(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	req, err := client.NewAbortUploadRequest(t.client.base, id)
	if err == nil {
		_, _ = t.client.do(ctx, call{request: req, login: true}) // as above
	}
}

// complete asks the server to publish an upload, until it has verified it.
func (t *Transfer) complete(ctx context.Context, id string, size int64) (contract.File, error) {
	const firstLook, lastLook, least, slowest = 250 * time.Millisecond, 5 * time.Second, 10 * time.Minute, 8 << 20
	t.enter(Verifying)
	end := time.Now().Add(max(least, time.Duration(size/slowest)*time.Second))
	for look := firstLook; ; look = min(2*look, lastLook) {
		req, err := client.NewCompleteUploadRequest(t.client.base, id)
		if err != nil {
			return contract.File{}, badRequest(err)
		}
		a, err := t.client.do(ctx, call{request: req, login: true})
		if err != nil {
			return contract.File{}, err
		}
		if a.status != http.StatusAccepted {
			return decode[contract.File](a)
		}
		if time.Now().After(end) {
			return contract.File{}, fault.New(fault.Unavailable, "still_verifying", "All was sent, and the server has not verified it yet. Run the same command again later.")
		}
		if err := outbound.Pause(ctx, look, nil); err != nil {
			return contract.File{}, err
		}
	}
}
