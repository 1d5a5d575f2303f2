package catalog

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"sluice/shared/fault"
	"sluice/shared/table"
)

// Sequence is how far an upload has come whose bytes arrive in their order, as
// those of tus do. Its whole parts are in the blob store, as those of any upload
// in parts. What came behind them are pieces: blobs of their own, each of which
// begins where the one before ends.
//
// A piece never changes and is read only once the record names it, so that what
// a part is made of is settled by the record alone: whoever makes it, and
// however often, makes it of the same bytes.
type Sequence struct {
	Metadata string // as the client sent it
	Received int64  // bytes, from the first on
	Parts    int    // that are in the blob store, from the first on
	Pieces   []Piece
}

// Piece is a run of bytes that no part has yet. The first one may begin before
// the end of the last part.
type Piece struct {
	ID   string // of an Upload, of the same owner and expiry, that is never published
	Size int64
}

// Piece returns the upload that a piece of m is.
func (m Multipart) Piece(id string) Upload {
	return Upload{ID: id, Owner: m.Owner, ExpiresAt: m.ExpiresAt}
}

func (s *Sequence) attrs() table.Attrs {
	if s == nil {
		return nil
	}
	pieces := make([]string, 0, len(s.Pieces))
	for _, p := range s.Pieces {
		pieces = append(pieces, fmt.Sprintf("%s:%d", p.ID, p.Size))
	}
	return table.Attrs{
		"sequence": true, "metadata": s.Metadata, "received": s.Received, "parts": int64(s.Parts), "pieces": strings.Join(pieces, " "),
	}
}

// sequence returns what an item says of one, or nil.
func (r reader) sequence() *Sequence {
	if !r.flag("sequence") {
		return nil
	}
	s := &Sequence{Metadata: r.str("metadata"), Received: r.num("received"), Parts: int(r.num("parts"))}
	for field := range strings.FieldsSeq(r.str("pieces")) {
		id, size, _ := strings.Cut(field, ":")
		n, _ := strconv.ParseInt(size, 10, 64) // as attrs wrote it
		s.Pieces = append(s.Pieces, Piece{ID: id, Size: n})
	}
	return s
}

// Proceed records how far an open upload in sequence has come by now: next, in
// place of what m says, and returns m so. Whoever was first wins: where the
// record is no longer as m, m is returned as it is, with Conflict
// "upload_moved".
func (c *Catalog) Proceed(ctx context.Context, m Multipart, next Sequence) (Multipart, error) {
	attrs := next.attrs()
	attrs["rev"] = m.rev + 1
	_, err := c.table.Apply(ctx, change(multipartKey(m.ID), attrs,
		table.IfExists(), table.IfEqual("rev", m.rev), table.IfEqual("state", string(UploadOpen))))
	if lost(err) {
		err = fault.New(fault.Conflict, "upload_moved", "Another request changed the upload; ask how far it is.")
	}
	if err != nil {
		return m, err
	}
	m.Sequence, m.rev = &next, m.rev+1
	return m, nil
}

// ForgetMultipart removes the record of an upload that has ended. What it
// became, if anything, stays.
func (c *Catalog) ForgetMultipart(ctx context.Context, m Multipart) error {
	_, err := c.table.Apply(ctx, remove(multipartKey(m.ID), table.IfEqual("state", string(m.State))))
	if lost(err) {
		return nil // it has gone
	}
	return err
}
