package fetch

import (
	"context"
	"errors"
	"net/http"
	"time"

	"sluice/shared/fault"
)

// fetch has connections fetch until every byte is there. The first goes on with
// the answer that there is.
func (t *Transfer) fetch(ctx context.Context, first *call) error {
	if t.plan.whole() {
		t.done()
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan error)
	running := 0
	start := func(c *call) {
		running++
		go func() { ended <- t.work(ctx, c) }()
	}
	start(first)
	tick := time.NewTicker(paceEvery)
	defer tick.Stop()
	pace := newPace(t.client.options.MaxConnections, time.Now())
	limit := pace.limit
	var failed error
	over := ctx.Done()
	for running > 0 || failed == nil && !t.plan.whole() {
		if failed == nil && running < limit && t.plan.larger(firstPiece) {
			for running < limit {
				start(nil)
			}
		}
		select {
		case err := <-ended:
			if running--; running == 0 && err == nil && t.plan.whole() {
				t.done()
				return nil
			}
			if err != nil && failed == nil {
				failed = err
				cancel(err)
			}
			limit = 0 // until the next tick: what ended found nothing to do
		case <-tick.C:
			if t.tooMany.Swap(false) {
				pace.tooMany(time.Now(), t.plan.open())
			}
			t.measure(time.Now())
			limit = pace.observe(time.Now(), t.kept.Load(), t.plan.open(), time.Duration(t.latency.Load()))
			t.surplus.Store(int64(running - limit))
		case <-over:
			if failed == nil {
				failed = context.Cause(ctx)
			}
			over = nil
		}
	}
	if failed == nil {
		t.done()
	}
	return failed
}

// done tells a stream its end.
func (t *Transfer) done() {
	if t.stream != nil {
		t.stream.finish(t.plan.size)
	}
}

// work fetches one span after the other until there is nothing to do, or there
// are more connections than there should be.
func (t *Transfer) work(ctx context.Context, first *call) error {
	if first != nil {
		if err := t.serveFirst(ctx, first); err != nil {
			return err
		}
	}
	for {
		more, err := t.workOnce(ctx)
		if !more || err != nil || t.leaves() {
			return err
		}
	}
}

// leaves reports whether a connection is one too many, which it is not for the
// next one that asks.
func (t *Transfer) leaves() bool {
	for n := t.surplus.Load(); n > 0; n = t.surplus.Load() {
		if t.surplus.CompareAndSwap(n, n-1) {
			return true
		}
	}
	return false
}

// serveFirst is serve for the answer to the first request, if that holds
// anything that is lacking. It ends the call.
func (t *Transfer) serveFirst(ctx context.Context, c *call) error {
	defer c.end()
	defer context.AfterFunc(ctx, func() { c.cancel(context.Cause(ctx)) })()
	claim := t.firstClaim
	if claim == nil {
		return nil
	}
	t.firstClaim = nil
	c.source.entered(1)
	return t.serve(c, claim)
}

// workOnce fetches one span, and reports whether there may be another.
func (t *Transfer) workOnce(ctx context.Context) (bool, error) {
	if t.plan.whole() { // and need not wait for a slot
		return false, nil
	}
	if err := t.client.slots.take(ctx, t.request.Priority); err != nil {
		return false, err
	}
	defer t.client.slots.give()
	src, claim, err := t.claim(ctx)
	if claim == nil || err != nil {
		return false, err
	}
	c := t.newCall(ctx, src)
	defer c.end()
	return true, t.serve(c, claim)
}

// claim returns the next span and the best source for it, or nil where there
// is nothing to do for now. The best of all may be one that nothing is left
// for but what it sent wrong: then the next best is asked.
func (t *Transfer) claim(ctx context.Context) (*source, *claim, error) {
	var wrong []*source
	for {
		src, err := t.choose(wrong)
		if src == nil || err != nil {
			return nil, nil, err
		}
		if err := src.host.enter(ctx); err != nil {
			src.entered(-1)
			return nil, nil, err
		}
		avoided := false
		claim := t.plan.claim(src, time.Now(), func(s span) bool {
			avoid := t.avoid(s, src)
			avoided = avoided || avoid
			return avoid
		})
		if claim != nil {
			return src, claim, nil
		}
		src.host.left()
		src.entered(-1)
		if !avoided {
			return nil, nil, nil
		}
		wrong = append(wrong, src)
	}
}

// choose returns the source for the next connection, which counts for it from
// then on.
func (t *Transfer) choose(wrong []*source) (*source, error) {
	t.choosing.Lock()
	defer t.choosing.Unlock()
	src, err := best(t.sources, time.Now(), wrong)
	if src != nil {
		src.entered(1)
	}
	return src, err
}

// avoid reports whether a span had better come from another source, since this
// one sent it wrong.
func (t *Transfer) avoid(s span, src *source) bool {
	if t.checker == nil || !t.checker.sentWrong(s, src) {
		return false
	}
	for _, other := range t.sources {
		if other != src && other.usable() == nil && !t.checker.sentWrong(s, other) {
			return true
		}
	}
	return false
}

// serve fetches a claim, and draws the consequences. Its error ends the
// transfer.
func (t *Transfer) serve(c *call, claim *claim) error {
	buf := t.client.buffers.take()
	defer t.client.buffers.give(buf)
	src := c.source
	defer src.entered(-1)
	src.serving(1, time.Now())
	defer func() { src.serving(-1, time.Now()) }()
	claim.mu.Lock()
	claim.stop = func() { c.cancel(errStolen) }
	began := claim.pos
	claim.mu.Unlock()

	err := t.receive(c, claim, buf)
	if errors.Is(err, errNoPipe) {
		t.client.buffers.leavePipes()
	}
	kept := claim.rest().Start - began
	src.kept(kept)
	if f, ok := errors.AsType[failure](err); ok && (f.fault.Kind == fault.TooManyRequests || f.fault.Kind == fault.Unavailable && f.fault.Code != "no_answer") {
		t.tooMany.Store(true)
	}
	if err != nil && t.fragile {
		if startOver := t.startOver(claim); startOver != nil {
			err = startOver
		}
		kept = 0 // and no progress: it may break there each time
	}
	t.plan.release(claim)
	return t.failed(c, err, kept)
}

// startOver forgets everything, where bytes of two answers cannot be joined.
func (t *Transfer) startOver(claim *claim) error {
	if t.stream != nil {
		if claim.rest().Start > 0 {
			return fault.New(fault.Unavailable, "cannot_resume", "The connection broke, and the server gives nothing to go on by.")
		}
		return nil
	}
	claim.mu.Lock()
	defer claim.mu.Unlock()
	t.kept.Add(claim.start - claim.pos)
	claim.pos = claim.start
	return nil
}

// receive gets an answer for a claim, if it has none, and keeps its body.
func (t *Transfer) receive(c *call, claim *claim, buf *buffer) error {
	if c.answer.body == nil {
		if err := t.ask(c, claim.rest()); err != nil {
			return err
		}
		t.latency.Store(int64(time.Since(c.began)))
		if err := t.join(c.answer, c.source); err != nil {
			return err
		}
		if !c.answer.ranged && !c.source.oneStream() {
			c.source.setOneStream()
			return errAskWhole // as one stream, which is another claim
		}
		if c.answer.body == http.NoBody && claim.rest().length() > 0 {
			return lie("It sent nothing.")
		}
	}
	return t.read(c, claim, buf)
}

// read keeps the body of an answer, as far as the claim goes.
func (t *Transfer) read(c *call, claim *claim, buf *buffer) error {
	if err := t.skip(c, claim, buf.memory); err != nil {
		return err
	}
	in := t.newIntake(c, claim.rest().length(), buf)
	defer in.end(c)
	for {
		rest := claim.rest()
		if rest.length() == 0 {
			return t.endOfClaim(c, claim, buf.memory)
		}
		most := max(1, min(rest.End, c.answer.bytes.End)-rest.Start)
		if t.stream != nil {
			most = min(most, int64(len(buf.memory)))
			if err := t.stream.await(c.ctx, rest.Start+most); err != nil {
				return c.broken(err)
			}
		}
		got, err := in.next(most)
		if got.length > 0 {
			if err := t.limit(c, int(got.length)); err != nil {
				return err
			}
			now := time.Now()
			c.moved(got.length, now)
			if !t.fragile { // else it counts when all of it has come
				c.gotOn()
			}
			if err := t.keep(claim, got, now); err != nil {
				return err
			}
		}
		if err != nil {
			return t.endOfBody(c, claim, err)
		}
	}
}

// limit waits until n bytes fit in the rate.
func (t *Transfer) limit(c *call, n int) error {
	if t.client.limiter == nil {
		return nil
	}
	if err := t.client.limiter.WaitN(c.ctx, n); err != nil {
		return c.broken(err)
	}
	return nil
}

// skip reads past what comes before the claim, in an answer that begins at the
// beginning.
func (t *Transfer) skip(c *call, claim *claim, buf []byte) error {
	for at := c.answer.bytes.Start; at < claim.rest().Start; {
		n, err := c.answer.body.Read(buf[:min(int64(len(buf)), claim.rest().Start-at)])
		at += int64(n)
		c.moved(0, time.Now())
		if err != nil {
			return c.broken(err)
		}
	}
	return nil
}
