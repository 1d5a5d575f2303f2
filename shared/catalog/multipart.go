package catalog

import (
	"context"
	"maps"
	"time"

	"sluice/shared/auth"
	"sluice/shared/fault"
	"sluice/shared/table"
)

// UploadState says how far an upload in parts is.
type UploadState string

// The states. An upload is open, then verifying, then one of the others for
// good; which one is decided by one transaction.
const (
	UploadOpen      UploadState = "open"      // takes parts
	UploadVerifying UploadState = "verifying" // its bytes are being read
	UploadComplete  UploadState = "complete"  // it is a version
	UploadFailed    UploadState = "failed"    // its bytes are not what was announced
	UploadAborted   UploadState = "aborted"
)

// Multipart is an upload in parts. Which parts arrived is known to the blob
// store alone; the record holds what it cannot know.
type Multipart struct {
	Upload
	By          string // the id of the user who began it
	ContentType string
	Size        int64  // announced; -1 where unknown
	SHA256      []byte // announced, or nil
	PartSize    int64  // of every part but the last, in bytes
	Store       string // the id that the blob store gave
	State       UploadState
	Condition   Condition // on the file at the path, when it is published
	Problem     string    // the code of what is wrong with one that failed
	File        string    // the id of the file, once complete
	CreatedAt   time.Time

	// Of an upload in sequence alone:
	Sequence *Sequence

	rev int64
}

func multipartKey(id string) table.Key { return table.Key{PK: "UPLOAD#" + id, SK: "UPLOAD"} }

// verifyingKey names the item by which a server finds, when it starts, what it
// or another one was verifying.
func verifyingKey(id string) table.Key { return table.Key{PK: "VERIFYING", SK: id} }

func (m Multipart) attrs() table.Attrs {
	attrs := table.Attrs{
		"owner": m.Owner, "path": m.Path, "expires": millis(m.ExpiresAt), "by": m.By, "content_type": m.ContentType,
		"size": m.Size, "sha256": m.SHA256, "part_size": m.PartSize, "store": m.Store, "state": string(m.State),
		"problem": m.Problem, "file": m.File, "created": millis(m.CreatedAt), "rev": m.rev,
	}
	m.Condition.addTo(attrs)
	maps.Copy(attrs, m.Sequence.attrs())
	return attrs
}

func readMultipart(item table.Item) (Multipart, error) {
	r, err := read(item)
	sum, _ := r.attrs["sha256"].([]byte)
	if len(sum) == 0 {
		sum = nil
	}
	return Multipart{
		Upload: Upload{
			ID: item.Key.PK[len("UPLOAD#"):], Owner: r.str("owner"), Path: r.str("path"), ExpiresAt: r.time("expires"), Parted: true,
		},
		By: r.str("by"), ContentType: r.str("content_type"), Size: r.num("size"), SHA256: sum, PartSize: r.num("part_size"),
		Store: r.str("store"), State: UploadState(r.str("state")), Problem: r.str("problem"), File: r.str("file"),
		CreatedAt: r.time("created"), Condition: r.condition(), Sequence: r.sequence(), rev: r.num("rev"),
	}, err
}

// CreateMultipart records an upload in parts that BeginUpload has announced and
// for which the blob store is ready. The record goes when the upload expires.
// Where the same request has begun another one meanwhile, that one is returned,
// and m is the caller's to discard.
func (c *Catalog) CreateMultipart(ctx context.Context, m Multipart, once Once) (Multipart, error) {
	m.State, m.CreatedAt, m.Parted, m.rev = UploadOpen, c.now(), true, 1
	record := put(multipartKey(m.ID), m.attrs(), table.IfAbsent())
	record.ExpiresAt = m.ExpiresAt
	ops := append([]table.Op{check(m.due().key(), table.IfEqual("state", dueOpen)), record}, once.note(m)...)
	err := c.table.Transact(ctx, ops...)
	if !lost(err) {
		return m, err
	}
	if once.Key != "" {
		if other, found, err := c.Begun(ctx, once); found || err != nil {
			return other, err
		}
	}
	return m, uploadExpired()
}

// Multipart returns the upload in parts with that id, as it is now, or
// NotFound.
func (c *Catalog) Multipart(ctx context.Context, id string) (Multipart, error) {
	if !auth.ValidID(id) {
		return Multipart{}, notFound("upload")
	}
	item, found, err := c.table.Get(ctx, multipartKey(id))
	if err != nil {
		return Multipart{}, err
	}
	if !found {
		return Multipart{}, notFound("upload")
	}
	return readMultipart(item)
}

// NotOpen is the error of what only an open upload can do.
func (m Multipart) NotOpen() error {
	return fault.Newf(fault.Conflict, "upload_not_open", "The upload is %s.", m.State)
}

// Verify closes an open upload to parts, so that its bytes can be verified. An
// upload that is in another state stays as it is, and is returned so.
func (c *Catalog) Verify(ctx context.Context, id string) (Multipart, error) {
	for range c.tries(ctx) {
		m, err := c.Multipart(ctx, id)
		if err != nil || m.State != UploadOpen {
			return m, err
		}
		seen := m.rev
		m.State, m.rev = UploadVerifying, seen+1
		waiting := put(verifyingKey(id), table.Attrs{})
		waiting.ExpiresAt = m.ExpiresAt
		err = c.table.Transact(ctx,
			change(multipartKey(id), m.attrs(), table.IfExists(), table.IfEqual("rev", seen)),
			check(m.due().key(), table.IfEqual("state", dueOpen)), waiting)
		if !lost(err) {
			return m, err
		}
	}
	return Multipart{}, contended()
}

// Reopen opens an upload that was being verified to parts again, since the
// store has not got all of them. One in another state stays as it is.
func (c *Catalog) Reopen(ctx context.Context, id string) error {
	for range c.tries(ctx) {
		m, err := c.Multipart(ctx, id)
		if err != nil || m.State != UploadVerifying {
			return err
		}
		seen := m.rev
		m.State, m.rev = UploadOpen, seen+1
		err = c.table.Transact(ctx,
			change(multipartKey(id), m.attrs(), table.IfExists(), table.IfEqual("rev", seen), table.IfEqual("state", string(UploadVerifying))),
			remove(verifyingKey(id)))
		if !lost(err) {
			return err
		}
	}
	return contended()
}

// EndMultipart gives an upload up: it has failed, with a problem, or was
// aborted. What there is of it is then the caller's to remove. Against a
// publication exactly one wins; an upload that has ended already fails with
// Conflict "upload_not_open".
func (c *Catalog) EndMultipart(ctx context.Context, id string, state UploadState, problem string) error {
	for range c.tries(ctx) {
		m, err := c.Multipart(ctx, id)
		if err != nil {
			return err
		}
		if m.State != UploadOpen && m.State != UploadVerifying {
			return m.NotOpen()
		}
		seen := m.rev
		m.State, m.Problem, m.rev = state, problem, seen+1
		err = c.table.Transact(ctx,
			change(multipartKey(id), m.attrs(), table.IfExists(), table.IfEqual("rev", seen)),
			change(m.due().key(), table.Attrs{"state": dueClaimed}, table.IfEqual("state", dueOpen)),
			remove(verifyingKey(id)))
		if !lost(err) {
			return err
		}
	}
	return contended()
}

// completeOps makes the record of an upload in parts say what it became.
func (u Upload) completeOps(file string) []table.Op {
	if !u.Parted {
		return nil
	}
	done := table.Attrs{"state": string(UploadComplete), "file": file}
	return []table.Op{
		change(multipartKey(u.ID), done, table.IfEqual("state", string(UploadVerifying))),
		remove(verifyingKey(u.ID)),
	}
}

// Verifying lists the ids of up to limit uploads that are being verified, or
// were when a server ended.
func (c *Catalog) Verifying(ctx context.Context, limit int) ([]string, error) {
	page, err := c.table.Query(ctx, table.Query{PK: verifyingKey("").PK, Limit: limit})
	ids := make([]string, 0, len(page.Items))
	for _, item := range page.Items {
		ids = append(ids, item.Key.SK)
	}
	return ids, err
}
