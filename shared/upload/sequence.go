package upload

import (
	"context"
	"io"
	"slices"

	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/fault"
	"sluice/shared/tus"
)

// maxPieces is how many pieces an upload may have before they are made one, so
// that clients that send little at a time do not make its record long.
const maxPieces = 64

// Append adds the bytes of body to an upload in sequence, behind the offset
// bytes that have arrived, and completes it with its last byte. size is the
// length of body, or -1. The upload is returned as it is then.
//
// Of a body that breaks off, what came is kept, and the error is Invalid
// "body_cut"; with a sum, all is kept or nothing. Of two calls at once whoever
// keeps something first wins. It fails with Conflict "offset_mismatch" or
// "upload_moved" where the upload is not, or no longer, that far; with TooLarge
// "body_too_large" where body leads past its end; and with Mismatch
// "checksum_mismatch". A body that is an Interrupter may be ended by Settle.
func (s *Service) Append(ctx context.Context, m catalog.Multipart, offset int64, body io.Reader, size int64, sum *tus.Checksum) (catalog.Multipart, error) {
	switch {
	case offset != m.Sequence.Received:
		return m, fault.Newf(fault.Conflict, "offset_mismatch", "The upload has %d bytes, not %d.", m.Sequence.Received, offset)
	case size > m.Size-offset:
		return m, tooLarge(m)
	case m.State != catalog.UploadOpen && size != 0:
		return m, m.NotOpen()
	}
	watched, end := s.running.begin(m.ID, body)
	defer end()
	in := newIncoming(watched, sum)
	// Who hangs up ends the body, and ctx with it: what came is kept all the same.
	keep := context.WithoutCancel(ctx)
	for m.Sequence.Received < m.Size && in.more() {
		var err error
		if m, err = s.tidy(keep, m); err == nil {
			m, err = s.receivePiece(keep, m, in)
		}
		if err != nil {
			return m, err
		}
	}
	if err := in.end(); err != nil {
		return m, err
	}
	if m.Sequence.Received == m.Size {
		return s.Finish(ctx, m)
	}
	return s.fold(keep, m)
}

func tooLarge(m catalog.Multipart) error {
	return fault.Newf(fault.TooLarge, "body_too_large", "The upload has %d bytes in all, and more came.", m.Size)
}

// receivePiece keeps what comes as one more piece: up to the end of a part, so
// that a crash costs no more than that; or all of it, where all is to be checked
// first.
func (s *Service) receivePiece(ctx context.Context, m catalog.Multipart, in *incoming) (catalog.Multipart, error) {
	next := *m.Sequence
	limit := m.Size - next.Received
	if in.sum == nil {
		limit = min(limit, m.PartSize-next.Received%m.PartSize)
	}
	piece, err := s.writePiece(ctx, m, func(w io.Writer) (int64, error) {
		size, err := in.copy(w, limit)
		switch next.Received += size; {
		case err != nil:
			return size, err
		case next.Received == m.Size && in.more():
			return size, tooLarge(m)
		default:
			return size, in.verify()
		}
	})
	if err != nil {
		return m, err
	}
	next.Pieces = append(slices.Clip(next.Pieces), piece)
	return s.proceed(ctx, m, next, piece)
}

// writePiece makes a blob of what write writes. After an error nothing is kept.
func (s *Service) writePiece(ctx context.Context, m catalog.Multipart, write func(io.Writer) (int64, error)) (catalog.Piece, error) {
	u := m.Piece(auth.NewID(s.Clock()))
	if err := s.Catalog.BeginUpload(ctx, u); err != nil {
		return catalog.Piece{}, err
	}
	size, err := s.writeBlob(ctx, u.Key(), write)
	if err != nil {
		s.discard(ctx, u)
	}
	return catalog.Piece{ID: u.ID, Size: size}, err
}

func (s *Service) writeBlob(ctx context.Context, key string, write func(io.Writer) (int64, error)) (int64, error) {
	w, err := s.Blobs.Create(ctx, key, -1)
	if err != nil {
		return 0, err
	}
	defer w.Abort() // after a Commit it does nothing; what it fails to drop the janitor finds
	size, err := write(w)
	if err == nil {
		_, err = w.Commit(ctx)
	}
	return size, err
}

// proceed records next, which has a new piece. The piece is discarded only where
// the record is known not to name it.
func (s *Service) proceed(ctx context.Context, m catalog.Multipart, next catalog.Sequence, piece catalog.Piece) (catalog.Multipart, error) {
	after, err := s.Catalog.Proceed(ctx, m, next)
	switch {
	case fault.Is(err, fault.Conflict, "upload_moved"):
		s.discard(ctx, m.Piece(piece.ID))
	case err != nil:
		s.leave(ctx, m.Piece(piece.ID), err)
	}
	return after, err
}

// tidy makes parts of the pieces that reach so far, as after a crash, and one
// piece of too many.
func (s *Service) tidy(ctx context.Context, m catalog.Multipart) (catalog.Multipart, error) {
	m, err := s.fold(ctx, m)
	if err != nil || len(m.Sequence.Pieces) < maxPieces {
		return m, err
	}
	next := *m.Sequence
	from := int64(next.Parts) * m.PartSize
	piece, err := s.writePiece(ctx, m, func(w io.Writer) (int64, error) {
		return s.copyPieces(ctx, w, m, from, next.Received-from)
	})
	if err != nil {
		return m, err
	}
	next.Pieces = []catalog.Piece{piece}
	after, err := s.proceed(ctx, m, next, piece)
	if err == nil {
		s.dropPieces(ctx, m, m.Sequence.Pieces)
	}
	return after, err
}

// fold makes every part of an upload in sequence of which all bytes are there.
func (s *Service) fold(ctx context.Context, m catalog.Multipart) (catalog.Multipart, error) {
	for m.State == catalog.UploadOpen && m.Sequence.Parts < PartCount(m) {
		from := int64(m.Sequence.Parts) * m.PartSize
		size := min(m.PartSize, m.Size-from)
		if m.Sequence.Received < from+size {
			break
		}
		next := *m.Sequence
		next.Parts++
		body := s.readPieces(ctx, m, from, size)
		_, err := s.PutPart(ctx, m, next.Parts, body, size, nil)
		body.close()
		if err != nil {
			return m, err
		}
		var used []catalog.Piece
		used, next.Pieces = splitPieces(next, from+size)
		before := m
		if m, err = s.Catalog.Proceed(ctx, m, next); err != nil {
			return m, err
		}
		s.dropPieces(ctx, before, used)
	}
	return m, nil
}

// foldLast is fold for an upload that has all its bytes: whoever else changes
// it does the same, so it goes on from there.
func (s *Service) foldLast(ctx context.Context, m catalog.Multipart) (catalog.Multipart, error) {
	const attempts = 10
	for attempt := 1; ; attempt++ {
		folded, err := s.fold(ctx, m)
		if !fault.Is(err, fault.Conflict, "") || attempt == attempts {
			return folded, err
		}
		if m, err = s.Catalog.Multipart(ctx, m.ID); err != nil {
			return m, err
		}
	}
}

// Finish completes an upload in sequence that has all its bytes; any other it
// returns as it is. It fails as Complete does.
func (s *Service) Finish(ctx context.Context, m catalog.Multipart) (catalog.Multipart, error) {
	if m.Sequence.Received < m.Size {
		return m, nil
	}
	m, err := s.foldLast(context.WithoutCancel(ctx), m)
	if err != nil {
		return m, err
	}
	m, err = s.Complete(ctx, m)
	if fault.Is(err, fault.Unprocessable, "") { // what was announced is the size, and it came
		err = fault.Wrap(err, fault.Upstream, "blob_failed", "The store does not have what it was given.")
	}
	return m, err
}

// Terminate ends an upload: one that goes on is aborted, and of any other the
// record goes. The file that it became, if one, stays.
func (s *Service) Terminate(ctx context.Context, m catalog.Multipart) error {
	if m.State == catalog.UploadOpen || m.State == catalog.UploadVerifying {
		return s.Abort(ctx, m)
	}
	return s.Catalog.ForgetMultipart(ctx, m)
}

// dropAll removes what there is of an upload in parts that has ended otherwise
// than by becoming a file.
func (s *Service) dropAll(ctx context.Context, m catalog.Multipart) {
	s.drop(ctx, m.Upload)
	if m.Sequence == nil {
		return
	}
	m, err := s.Catalog.Multipart(ctx, m.ID) // as it was when it ended
	if err != nil {
		s.leave(ctx, m.Upload, err)
		return
	}
	s.dropPieces(ctx, m, m.Sequence.Pieces)
}

func (s *Service) dropPieces(ctx context.Context, m catalog.Multipart, pieces []catalog.Piece) {
	for _, p := range pieces {
		s.discard(ctx, m.Piece(p.ID))
	}
}
