package fetch

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"sluice/shared/fault"
	"sluice/shared/outbound"
)

// firstPiece is what the first request asks for, in bytes. Its answer tells the
// size, and a file that is not larger comes with it.
const firstPiece = 4 << 20

var (
	errStolen  = errors.New("another connection took over")
	errStalled = errors.New("the server sends nothing")
)

// call is one request under way, and what came of it.
type call struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	stall  *time.Timer
	reset  time.Time // when stall was last put off
	limit  time.Duration
	source *source
	began  time.Time
	answer answer
	conn   *conn  // by which the answer comes; nil: its bytes cannot be diverted
	slot   func() // gives back what the call holds of the client's slots; nil: nothing
	kept   int64
	well   bool // it got on
}

// newCall prepares a request to a source that is given up where it makes no
// progress.
func (t *Transfer) newCall(ctx context.Context, src *source) *call {
	c := &call{source: src, began: time.Now(), limit: t.client.options.Stall}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	c.ctx = httptrace.WithClientTrace(c.ctx, c.watch())
	c.reset = c.began
	c.stall = time.AfterFunc(c.limit, func() { c.cancel(errStalled) })
	return c
}

// moved is told of bytes that came, and puts the end for want of progress off.
func (c *call) moved(n int64, now time.Time) {
	c.kept += n
	if now.Sub(c.reset) > c.limit/16 {
		c.stall.Reset(c.limit)
		c.reset = now
	}
	c.source.sent(n)
}

// gotOn tells the host that it is well, once enough has come that will be kept.
func (c *call) gotOn() {
	if !c.well && c.kept >= leastProgress {
		c.well = true
		c.source.host.succeeded()
	}
}

// end gives up what is still on its way.
func (c *call) end() {
	c.stall.Stop()
	c.cancel(nil)
	if c.answer.body != nil {
		_ = c.answer.body.Close() // all that is wanted of it was read
	}
	if c.slot != nil {
		c.slot()
	}
}

// broken words an error of the connection.
func (c *call) broken(err error) error {
	switch cause := context.Cause(c.ctx); {
	case errors.Is(cause, errStolen):
		return errStolen
	case errors.Is(cause, errStalled):
		return failure{again, fault.New(fault.Unavailable, "stalled", fmt.Sprintf("The server sent nothing for %s.", c.limit))}
	}
	return noAnswer(c.ctx, err)
}

// ask sends a request for a span to the call's source. It renews a URL that is
// over, before and after a server says so.
func (t *Transfer) ask(c *call, want span) error {
	src := c.source
	for tries := 0; ; tries++ {
		at, home, own, age := src.place()
		if src.expired(time.Now()) && tries == 0 {
			if _, err := src.renew(c.ctx, age); err != nil {
				return t.notRenewed(c, err)
			}
			at, home, own, age = src.place()
		}
		h, ranged := http.Header{}, !src.oneStream()
		if ranged {
			h.Set("Range", fmt.Sprintf("bytes=%d-%d", want.Start, want.End-1))
		}
		src.known().ask(h)
		resp, final, err := t.client.send(c.ctx, at, home, own, h)
		if err != nil {
			return c.broken(err)
		}
		if ranged && emptyFile(resp) && !src.known().strong() {
			c.answer = answer{body: resp.Body, header: resp.Header, framed: true}
			return nil
		}
		if resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && ranged && !src.known().strong() {
			_ = resp.Body.Close() // it says no
			src.setOneStream()
			return errAskWhole
		}
		if tries < 2 && denied(resp.StatusCode) {
			if fresh, err := t.elsewhere(c, age); err != nil || fresh {
				_ = resp.Body.Close() // it says no
				if err != nil {
					return t.notRenewed(c, err)
				}
				continue
			}
		}
		if c.answer, err = examine(resp, want, ranged, src.known()); err == nil {
			src.settle(final)
		}
		return err
	}
}

// denied reports an answer that a URL gets whose time is over.
func denied(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusGone:
		return true
	}
	return false
}

// elsewhere looks for another URL of the source: the one that it redirected
// from, or a new one.
func (t *Transfer) elsewhere(c *call, age int) (bool, error) {
	if c.source.retreat() {
		return true, nil
	}
	return c.source.renew(c.ctx, age)
}

func (t *Transfer) notRenewed(c *call, err error) error {
	if c.ctx.Err() != nil {
		return c.broken(err)
	}
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		f = fault.Wrap(err, fault.Unavailable, "not_renewed", "The URL is over, and no other is to be had.")
	}
	if f.Kind == fault.Unavailable || f.Kind == fault.Internal || f.Kind == fault.TooManyRequests {
		return failure{again, f}
	}
	return failure{useless, f}
}

// probe sends the first request until there is an answer whose bytes may be
// kept: of what is lacking first, where an earlier run left something. The call
// holds its slot until it ends.
func (t *Transfer) probe(ctx context.Context, earlier record) (*call, error) {
	want := span{0, firstPiece}
	if t.content.Size > 0 {
		want.End = min(want.End, t.content.Size)
	}
	if len(earlier.there()) > 0 {
		want = t.nextOf(earlier)
	}
	for {
		src, err := best(t.sources, time.Now(), nil)
		if err != nil {
			return nil, err
		}
		if len(earlier.there()) > 0 && !t.content.verifiable() {
			src.learn(pin{ETag: earlier.ETag, LastModified: earlier.LastModified})
		}
		if err := t.client.slots.take(ctx, t.request.Priority); err != nil {
			return nil, err
		}
		c, err := t.probeOnce(ctx, src, want)
		c.slot = sync.OnceFunc(t.client.slots.give)
		if err == nil {
			return c, nil
		}
		c.slot()
		if err := t.failed(c, err, 0); err != nil {
			return nil, err
		}
	}
}

// nextOf is the first span that an earlier run did not get; of a file that is
// whole, its last byte.
func (t *Transfer) nextOf(earlier record) span {
	gaps := earlier.there().gaps(span{0, earlier.Size})
	if len(gaps) == 0 {
		return span{max(0, earlier.Size-1), max(1, earlier.Size)}
	}
	return span{gaps[0].Start, min(gaps[0].End, gaps[0].Start+firstPiece)}
}

func (t *Transfer) probeOnce(ctx context.Context, src *source, want span) (*call, error) {
	c := t.newCall(ctx, src)
	if err := src.host.enter(ctx); err != nil {
		c.end()
		return c, err
	}
	c.began = time.Now()
	err := t.ask(c, want)
	if err == nil {
		err = t.meet(c)
	}
	if err != nil {
		c.end()
		return c, err
	}
	src.host.left()
	return c, nil
}

// meet learns from the first answer of all.
func (t *Transfer) meet(c *call) error {
	a, src := c.answer, c.source
	if asked := t.content.Size; asked > 0 && a.size != unknownSize && a.size != asked {
		return failure{useless, fault.Newf(fault.Unprocessable, "size_mismatch", "The file has %d bytes, and should have %d.", a.size, asked)}
	}
	sums, err := t.content.Digest.Join(a.sums)
	if err != nil {
		return failure{useless, mismatch()}
	}
	content := t.content
	if content.Digest = sums; !a.framed && !content.verifiable() {
		return failure{useless, fault.New(fault.Upstream, "no_length",
			"The server does not say how long the file is, so that nobody can tell whether all of it came. Give its digest with --checksum.")}
	}
	fragile := !a.pin.strong() && !content.verifiable()
	if !a.ranged {
		src.setOneStream()
	}
	if fragile && a.ranged && a.bytes != (span{0, a.size}) {
		src.setOneStream()
		return errAskWhole
	}
	src.learn(a.pin)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.content, t.size, t.fragile = content, a.size, fragile
	return nil
}

// errAskWhole says that the request is to be made again, without a range.
var errAskWhole = errors.New("all of it must come in one answer")

// join checks an answer of a source that was not asked before.
func (t *Transfer) join(a answer, src *source) error {
	src.learn(a.pin)
	if a.size != unknownSize && t.size != unknownSize && a.size != t.size {
		return changed()
	}
	return nil
}

// failed draws the consequences of a call that ended with err, having kept some
// bytes. It returns the error with which the transfer ends, if it does.
func (t *Transfer) failed(c *call, err error, kept int64) error {
	host := c.source.host
	if kept >= leastProgress || err == nil {
		host.succeeded()
	}
	f, ok := errors.AsType[failure](err)
	if !ok {
		host.left()
		if err == nil || errors.Is(err, errStolen) || errors.Is(err, errAskWhole) || errors.Is(err, errNoPipe) {
			return nil
		}
		return err
	}
	switch f.verdict {
	case again, strike:
		if kept >= leastProgress {
			break
		}
		failures := host.failed(c.began, time.Now(), f.fault.RetryAfter)
		if f.fault.RetryAfter > outbound.MaxRetryAfter || failures > t.client.options.Retries || f.verdict == strike && c.source.struck() {
			c.source.bury(f.fault)
		}
	case useless:
		host.left()
		c.source.bury(f.fault)
	case fatal:
		host.left()
		c.source.bury(f.fault)
		if !t.content.verifiable() {
			return f.fault
		}
	}
	_, none := best(t.sources, time.Now(), nil)
	return none
}

// leastProgress is how much an answer must give to count as getting on, in
// bytes. A server that sends a byte and breaks off does not.
const leastProgress = 64 << 10

// knownEnd reports whether the answer says where its body ends.
func (a answer) knownEnd() bool { return a.bytes.End != math.MaxInt64 }
