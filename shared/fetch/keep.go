package fetch

import (
	"context"
	"errors"
	"io"
	"time"
)

// keep writes bytes to their place. The claim's end may have come nearer since
// they were asked for.
func (t *Transfer) keep(claim *claim, got bite, now time.Time) error {
	claim.mu.Lock()
	got = got.first(min(got.length, claim.end-claim.pos))
	complete, err := t.write(claim, got)
	if err == nil {
		claim.pos += got.length
		claim.moved = now
	}
	claim.mu.Unlock()
	if err != nil {
		return err
	}
	if err := t.journal.wrote(t.kept.Add(got.length)); err != nil {
		return diskFault(err)
	}
	for _, i := range complete {
		if err := t.checkChunk(i); err != nil {
			return err
		}
	}
	return nil
}

func (t *Transfer) write(claim *claim, got bite) ([]int64, error) {
	if t.stream != nil {
		_, err := t.stream.WriteAt(got.memory, claim.pos)
		return nil, err
	}
	if err := got.writeTo(t.part.File, claim.pos); err != nil {
		if errors.Is(err, errNoPipe) {
			return nil, err
		}
		return nil, diskFault(err)
	}
	if t.checker == nil {
		return nil, nil
	}
	return t.checker.wrote(claim.source, claim.pos, got), nil
}

// checkChunk verifies a chunk that is complete. A wrong one is forgotten, and
// fetched again.
func (t *Transfer) checkChunk(i int64) error {
	right, blamed, err := t.checker.finish(i)
	if err != nil || right {
		return diskFault(err)
	}
	s := t.checker.span(i)
	t.plan.forget(s)
	t.journal.forget(s)
	t.kept.Add(-s.length())
	for _, src := range blamed {
		if src.struck() {
			src.bury(mismatch())
		}
	}
	return nil
}

// endOfClaim reads past the end of an answer that ends with the claim, so that
// the connection can be used again, and wants nothing there.
func (t *Transfer) endOfClaim(c *call, claim *claim, buf []byte) error {
	if c.answer.bytes.End != claim.rest().Start {
		return nil
	}
	// All that was asked for has come, whatever becomes of the connection now.
	if n, _ := c.answer.body.Read(buf[:1]); n > 0 {
		t.takeBack(claim)
		return lie("It sent more than it announced.")
	}
	return nil
}

// takeBack forgets what a claim kept.
func (t *Transfer) takeBack(claim *claim) {
	s := claim.kept()
	if t.checker != nil || t.stream != nil {
		return // chunks are judged by their digests; what was written out is out
	}
	claim.mu.Lock()
	claim.pos = claim.start
	claim.mu.Unlock()
	t.journal.forget(s)
	t.kept.Add(-s.length())
}

// endOfBody draws the consequences of the end of a body.
func (t *Transfer) endOfBody(c *call, claim *claim, err error) error {
	at := claim.rest()
	switch {
	case errors.Is(err, errNoPipe):
		return err
	case !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		if at.length() == 0 && !errors.Is(context.Cause(c.ctx), errStolen) {
			return nil
		}
		return c.broken(err) // that all was taken over says nothing good of the host
	case at.Start == c.answer.bytes.End || at.length() == 0:
		return nil
	case !c.answer.knownEnd() && t.size == unknownSize:
		t.learnSize(at.Start, claim)
		return nil
	}
	return c.broken(io.ErrUnexpectedEOF)
}

// learnSize is told the size by the end of the body.
func (t *Transfer) learnSize(size int64, claim *claim) {
	claim.mu.Lock()
	claim.end = claim.pos
	claim.mu.Unlock()
	t.plan.setSize(size)
	t.mu.Lock()
	t.size = size
	t.mu.Unlock()
}
