package send

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"

	"golang.org/x/sync/errgroup"

	"sluice/shared/contract"
	"sluice/shared/fault"
)

// streamBodies is how many parts of a stream are under way at most. Each is in
// memory, and so is the one that is being read.
const streamBodies = 4

// sendStream sends what Reader gives. What fits into one PUT goes by one.
func (t *Transfer) sendStream(ctx context.Context) error {
	t.enter(Checking)
	first := make([]byte, partSizeFor(unknownSize, t.request.PartSize))
	n, err := fill(ctx, t.request.Reader, first)
	if err != nil {
		return err
	}
	size := int64(unknownSize)
	if n < len(first) {
		size = int64(n)
		t.setSize(size)
	}
	if n < len(first) && size <= smallest {
		return t.sendSmall(ctx, bytes.NewReader(first[:n]), size, func() error { return nil })
	}
	u, err := t.begin(ctx, size, int64(len(first)), newKey())
	if fault.Is(err, fault.PreconditionFailed, "") && !t.request.Overwrite {
		return fault.Newf(fault.Conflict, "file_exists", "%s exists already; -f replaces it.", t.request.Path)
	}
	if err != nil {
		return err
	}
	if err := t.sendPieces(ctx, u, first, n); err != nil {
		t.abort(ctx, u.UploadID)
		return err
	}
	return nil
}

// fill reads until a buffer is full, or there is no more. It does not wait for a
// read that lasts longer than ctx; nobody may use the buffer then.
func fill(ctx context.Context, from io.Reader, buffer []byte) (int, error) {
	type outcome struct {
		n   int
		err error
	}
	read := make(chan outcome, 1)
	go func() {
		n, err := io.ReadFull(from, buffer)
		read <- outcome{n, err}
	}()
	select {
	case got := <-read:
		if got.err != nil && !errors.Is(got.err, io.EOF) && !errors.Is(got.err, io.ErrUnexpectedEOF) {
			return got.n, fault.Wrap(got.err, fault.Internal, "unreadable", "The input cannot be read.")
		}
		return got.n, nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// sendPieces sends the parts of a stream, of which the first is read, and
// publishes it.
func (t *Transfer) sendPieces(ctx context.Context, u contract.Upload, first []byte, n int) error {
	t.enter(Sending)
	r := &pieces{from: t.request.Reader, whole: newSums(t.request.Digest), free: make(chan []byte, streamBodies+1)}
	r.free <- first
	for range streamBodies {
		r.free <- nil
	}
	jobs := make(chan part)
	g, within := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(jobs)
		return r.read(within, <-r.free, n, jobs)
	})
	for range min(streamBodies, t.client.options.MaxConnections) {
		g.Go(func() error {
			for j := range jobs {
				if err := t.sendPart(within, u.UploadID, j); err != nil {
					return err
				}
				r.free <- j.data.(*piece).buffer
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	sum, err := r.whole.end()
	if err != nil {
		return err
	}
	t.setSize(r.size)
	file, err := t.complete(ctx, u.UploadID, r.size)
	if fault.Is(err, fault.PreconditionFailed, "") && !t.request.Overwrite {
		return t.standing(ctx, r.size, sum)
	}
	if err != nil {
		return err
	}
	return t.published(ctx, file, r.size, sum)
}

// piece is a part in memory.
type piece struct {
	*bytes.Reader

	buffer []byte
}

// pieces cuts a stream into parts.
type pieces struct {
	from  io.Reader
	whole *sums
	size  int64
	free  chan []byte // buffers that nobody uses; nil ones are not made yet
}

// read hands parts on until the stream ends. The first n bytes are in buffer.
func (r *pieces) read(ctx context.Context, buffer []byte, n int, jobs chan<- part) error {
	for number := 1; ; number++ {
		if number > maxParts {
			return fault.Newf(fault.TooLarge, "too_many_parts", "The input has more than %d parts. Send it again with a larger --part-size.", maxParts)
		}
		full := n == len(buffer)
		if n > 0 || number == 1 {
			sum := sha256.Sum256(buffer[:n])
			_, _ = r.whole.Write(buffer[:n]) // never fails
			r.size += int64(n)
			next := part{number: number, data: &piece{bytes.NewReader(buffer[:n]), buffer}, size: int64(n), sum: hex.EncodeToString(sum[:])}
			select {
			case jobs <- next:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if !full {
			return nil
		}
		size := len(buffer)
		select {
		case buffer = <-r.free:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if buffer == nil {
			buffer = make([]byte, size)
		}
		var err error
		if n, err = fill(ctx, r.from, buffer); err != nil {
			return err
		}
	}
}
