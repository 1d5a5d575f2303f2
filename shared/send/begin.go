package send

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strconv"

	"sluice/shared/contract"
	"sluice/shared/contract/client"
	"sluice/shared/fault"
)

// newKey returns an Idempotency-Key. Under it the server begins one upload,
// however often it is asked for: an upload that nobody was told of would hold
// room for a week.
func newKey() string { return strconv.Quote(rand.Text()) }

// beginRecorded begins the upload of a file. The record has the key before the
// server is asked, so that a run that is killed before it knows the answer
// leaves no upload behind that the next one cannot find.
func (t *Transfer) beginRecorded(ctx context.Context, rec *record, src *source) (contract.Upload, error) {
	h := head{
		Server: t.client.options.Server, Owner: t.owner, Path: t.request.Path, Key: newKey(),
		PartSize: partSizeFor(src.was.Size, t.request.PartSize), File: src.was, Terms: t.terms(),
	}
	asked := rec.found && rec.head.UploadID == "" && rec.head.File == h.File && rec.head.PartSize == h.PartSize
	if asked {
		h.Key = rec.head.Key
	}
	u, err := t.beginAs(ctx, rec, h)
	if asked && fault.Is(err, fault.Conflict, "upload_not_open") {
		h.Key = newKey() // what an earlier run began has ended since
		u, err = t.beginAs(ctx, rec, h)
	}
	if err != nil && ctx.Err() == nil && !fault.Is(err, fault.Unavailable, "") {
		rec.found = false // there is an answer, and there is no upload
	}
	return u, err
}

// beginAs begins an upload under the key of h, and records it.
func (t *Transfer) beginAs(ctx context.Context, rec *record, h head) (contract.Upload, error) {
	if err := rec.write(h); err != nil {
		return contract.Upload{}, err
	}
	u, err := t.begin(ctx, h.File.Size, h.PartSize, h.Key)
	if err != nil {
		return u, err
	}
	h.UploadID, h.ExpiresAt = u.UploadID, u.ExpiresAt
	return u, rec.begin(h)
}

// begin begins an upload in parts. One that was begun under the same key and has
// ended since is a Conflict "upload_not_open".
func (t *Transfer) begin(ctx context.Context, size, partSize int64, key string) (contract.Upload, error) {
	body := contract.CreateUploadRequest{
		Path: t.request.Path, Owner: t.request.Owner, ContentType: t.request.ContentType,
		SHA256: hex.EncodeToString(t.request.Digest.SHA256), PartSize: partSize,
	}
	if size != unknownSize {
		body.Size = &size
	}
	params := &contract.CreateUploadParams{IdempotencyKey: &key}
	if !t.request.Overwrite {
		params.IfNoneMatch = new("*")
	}
	req, err := client.NewCreateUploadRequest(t.client.base, params, body)
	u, err := ask[contract.Upload](ctx, t.client, req, err)
	switch {
	case err != nil:
		return u, err
	case u.UploadID == "" || u.PartSize != partSize:
		return u, fault.New(fault.Upstream, "bad_answer", "The server began another upload than was asked for.")
	case u.State != contract.UploadStateOpen:
		return u, fault.Newf(fault.Conflict, "upload_not_open", "The upload has ended: it is %s.", u.State)
	}
	return u, nil
}
