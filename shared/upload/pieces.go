package upload

import (
	"context"
	"errors"
	"io"

	"sluice/shared/blob"
	"sluice/shared/catalog"
	"sluice/shared/fault"
)

// splitPieces parts the pieces into those that end at or before an offset of
// the upload, and those that lead past it.
func splitPieces(s catalog.Sequence, offset int64) (used, left []catalog.Piece) {
	at := firstByte(s)
	for i, p := range s.Pieces {
		if at += p.Size; at > offset {
			return s.Pieces[:i], s.Pieces[i:]
		}
	}
	return s.Pieces, nil
}

// firstByte returns where in the upload the first piece begins.
func firstByte(s catalog.Sequence) int64 {
	at := s.Received
	for _, p := range s.Pieces {
		at -= p.Size
	}
	return at
}

// copyPieces writes size bytes of the upload, from an offset on, to w.
func (s *Service) copyPieces(ctx context.Context, w io.Writer, m catalog.Multipart, from, size int64) (int64, error) {
	r := s.readPieces(ctx, m, from, size)
	defer r.close()
	n, err := io.CopyBuffer(writesOnly{w}, readsOnly{r}, make([]byte, bufferSize))
	if err == nil && n < size {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// readPieces returns what reads size bytes of the upload, from an offset on that
// its pieces have.
func (s *Service) readPieces(ctx context.Context, m catalog.Multipart, from, size int64) *piecesReader {
	r := &piecesReader{ctx: ctx, blobs: s.Blobs}
	at := firstByte(*m.Sequence)
	for _, p := range m.Sequence.Pieces {
		begin, end := max(from, at), min(from+size, at+p.Size)
		if begin < end {
			r.runs = append(r.runs, run{m.Piece(p.ID).Key(), begin - at, end - begin})
		}
		at += p.Size
	}
	return r
}

// run is a range of a blob.
type run struct {
	key            string
	offset, length int64
}

// piecesReader reads one run after the other. Only one is open at a time.
type piecesReader struct {
	ctx   context.Context
	blobs *blob.Bucket
	runs  []run // still to be opened
	open  *blob.Reader
}

// Read implements io.Reader.
func (r *piecesReader) Read(p []byte) (int, error) {
	for {
		if r.open == nil {
			if len(r.runs) == 0 {
				return 0, io.EOF
			}
			if err := r.next(); err != nil {
				return 0, err
			}
		}
		n, err := r.open.Read(p)
		if errors.Is(err, io.EOF) {
			err = r.open.Close()
			r.open = nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// next opens the next run. A piece that is not there was made part of something
// else by another request.
func (r *piecesReader) next() (err error) {
	first := r.runs[0]
	r.runs = r.runs[1:]
	r.open, err = r.blobs.Open(r.ctx, first.key, first.offset, first.length, "")
	if fault.Is(err, fault.NotFound, "") {
		err = fault.Wrap(err, fault.Conflict, "upload_moved", "Another request changed the upload; ask how far it is.")
	}
	return err
}

func (r *piecesReader) close() {
	if r.open != nil {
		_ = r.open.Close() // it was only read
	}
}
