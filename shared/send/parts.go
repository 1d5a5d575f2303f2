package send

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"

	"golang.org/x/sync/errgroup"

	"sluice/shared/contract"
	"sluice/shared/fault"
)

// plan is how a file is divided, and what is known of its parts.
type plan struct {
	src      *source
	partSize int64
	sums     []string // SHA-256 of the parts in hexadecimal, in their order, as far as they were hashed
	whole    *sums    // of these parts
	rounds   int      // how often what was lacking was sent
}

func (p *plan) count() int { return int((p.src.was.Size + p.partSize - 1) / p.partSize) }

// part returns a part, which is hashed the first time. Parts are asked for in
// their order then.
func (p *plan) part(number int) (part, error) {
	offset := int64(number-1) * p.partSize
	out := part{number: number, data: p.src, offset: offset, size: min(p.partSize, p.src.was.Size-offset), check: p.src.check}
	if number > len(p.sums) {
		sum := sha256.New()
		if err := hashInto(io.MultiWriter(sum, p.whole), p.src, offset, out.size); err != nil {
			return out, err
		}
		if err := p.src.check(); err != nil {
			return out, err
		}
		p.sums = append(p.sums, hex.EncodeToString(sum.Sum(nil)))
	}
	out.sum = p.sums[number-1]
	return out, nil
}

// maxRounds is how often the server may find parts missing that were sent.
const maxRounds = 5

// sendFile sends a file in parts, those that an earlier run did not.
func (t *Transfer) sendFile(ctx context.Context, src *source) error {
	rec, err := t.openRecord()
	if err != nil {
		return err
	}
	defer rec.Close()
	u, err := t.resume(ctx, rec, src)
	if fault.Is(err, fault.PreconditionFailed, "precondition_failed") && !t.request.Overwrite {
		return t.compare(ctx, src)
	}
	if err != nil {
		return err
	}
	p := &plan{src: src, partSize: u.PartSize, whole: newSums(t.request.Digest)}
	for round := 1; ; round++ {
		if err := t.sendParts(ctx, u, p, rec); err != nil {
			return err
		}
		sum, err := p.whole.end()
		if err != nil {
			t.abort(ctx, u.UploadID)
			rec.found = false
			return err
		}
		file, err := t.complete(ctx, u.UploadID, src.was.Size)
		if fault.Is(err, fault.Unprocessable, "parts_missing") && round < maxRounds {
			if u, err = t.upload(ctx, u.UploadID); err != nil {
				return err
			}
			t.bytes.Store(0)
			continue
		}
		return t.end(ctx, rec, file, p, sum, err)
	}
}

// compare is of a path that is taken before anything was sent.
func (t *Transfer) compare(ctx context.Context, src *source) error {
	whole := newSums(t.request.Digest)
	if err := hashInto(whole, src, 0, src.was.Size); err != nil {
		return err
	}
	sum, err := whole.end()
	if err == nil {
		err = src.check()
	}
	if err != nil {
		return err
	}
	return t.standing(ctx, src.was.Size, sum)
}

// end draws the consequences of a completion.
func (t *Transfer) end(ctx context.Context, rec *record, file contract.File, p *plan, sum []byte, err error) error {
	size := p.src.was.Size
	switch {
	case fault.Is(err, fault.PreconditionFailed, "") && !t.request.Overwrite: // somebody was faster
		t.abort(ctx, rec.head.UploadID)
		rec.found = false
		return t.standing(ctx, size, sum)
	case fault.Is(err, fault.Unprocessable, "digest_mismatch"):
		rec.found = false // the server has ended it
		return err
	case err != nil:
		return err
	}
	if err := t.published(ctx, file, size, sum); err != nil {
		return err
	}
	rec.found = false
	return nil
}

// sendParts sends the parts that an upload lacks, several at a time, while the
// next ones are hashed.
func (t *Transfer) sendParts(ctx context.Context, u contract.Upload, p *plan, rec *record) error {
	t.enter(Sending)
	jobs := make(chan part)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(jobs)
		return t.lacking(ctx, u, p, p.sent(rec), jobs)
	})
	for range min(t.client.options.MaxConnections, p.count()) {
		g.Go(func() error {
			for j := range jobs {
				err := rec.note(j.number, j.sum)
				if err == nil {
					err = t.sendPart(ctx, u.UploadID, j)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// lacking hashes all parts in their order and hands on those that have not
// arrived.
func (t *Transfer) lacking(ctx context.Context, u contract.Upload, p *plan, sent map[int]string, jobs chan<- part) error {
	there := map[int]contract.Part{}
	for _, arrived := range u.Parts {
		there[arrived.Number] = arrived
	}
	for number := 1; number <= p.count(); number++ {
		next, err := p.part(number)
		if err != nil {
			return err
		}
		arrived, err := next.arrived(there, sent)
		if err != nil {
			return err
		}
		if arrived || u.State != contract.UploadStateOpen { // all have arrived then
			t.bytes.Add(next.size)
			if p.rounds == 1 {
				t.resumed.Add(next.size)
			}
			continue
		}
		select {
		case jobs <- next:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// sent returns the digests of what was sent before this round, by the number of
// the part.
func (p *plan) sent(rec *record) map[int]string {
	if p.rounds++; p.rounds == 1 {
		return rec.sums
	}
	all := map[int]string{}
	for i, sum := range p.sums {
		all[i+1] = sum
	}
	return all
}

// arrived reports whether a server has a part. Where it has other bytes, and
// they are those that an earlier run sent, the file is another one now. What
// nobody can tell is sent again.
func (p part) arrived(there map[int]contract.Part, sent map[int]string) (bool, error) {
	got, found := there[p.number]
	before, known := sent[p.number]
	if known && before != p.sum {
		return false, changed()
	}
	switch {
	case !found || got.Size != p.size:
		return false, nil
	case got.SHA256 == "":
		return known, nil
	case got.SHA256 == p.sum:
		return true, nil
	case known:
		return false, nil // the server lost what was sent
	}
	return false, changed()
}
