package s3blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// The pieces that a reader asks for which has fallen behind: the first is of
// firstWindow bytes, each further one of twice as many if it was taken quickly,
// and beyond lastWindow all is asked for. Up to heldWindow bytes are taken to
// be in the system's socket buffers, so that the store is done with them.
const (
	firstWindow = 128 << 10
	heldWindow  = 256 << 10
	lastWindow  = 16 << 20
)

// reader yields one range of an object, over as many connections as it takes.
type reader struct {
	driver *Driver
	ctx    context.Context // Open's governs the reader
	cancel context.CancelFunc
	key    string
	pin    string // entity tag of the object; empty until the first answer
	next   int64  // offset of the next byte
	end    int64  // offset behind the last byte
	window int64  // how many bytes are asked for at a time; 0 means all
	up     *upstream
}

// open returns a reader that is connected.
func (d *Driver) open(ctx context.Context, key string, offset, length int64, pin string) (*reader, error) {
	ctx, cancel := context.WithCancel(ctx)
	r := &reader{driver: d, ctx: ctx, cancel: cancel, key: key, pin: pin, next: offset, end: offset + length}
	if err := persist(ctx, d.options.Retry, r.connect); err != nil {
		cancel()
		return nil, err
	}
	return r, nil
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := r.attempt(p)
	if err == nil || err == io.EOF || !passing(err) {
		return n, err
	}
	err = persist(r.ctx, r.driver.options.Patience, func() error {
		n, err = r.attempt(p)
		return err
	})
	return n, err
}

// attempt reads from the upstream, which it opens where there is none.
func (r *reader) attempt(p []byte) (int, error) {
	for {
		if r.up == nil && r.next < r.end {
			if err := r.connect(); err != nil {
				return 0, err
			}
		}
		if r.next == r.end {
			return 0, io.EOF
		}
		n, err := r.up.Read(p)
		r.next += int64(n)
		if done := r.up.left == 0; done || err != nil {
			r.part(done)
		}
		switch {
		case n > 0:
			return n, nil // what went wrong behind it is found out at the next Read
		case r.ctx.Err() != nil:
			return 0, r.ctx.Err()
		case !errors.Is(err, errIdle):
			return 0, err
		}
	}
}

// part gives the upstream back. It is done if it brought all it was asked for.
func (r *reader) part(done bool) {
	slow := r.up.slow.Load()
	r.up.close()
	r.up = nil
	switch {
	case slow:
		r.window = firstWindow
	case done && r.window > 0:
		r.window *= 2
	}
	if r.window > lastWindow {
		r.window = 0
	}
}

// connect asks for the range from the next byte on.
func (r *reader) connect() error {
	end := r.end
	if r.window > 0 {
		end = min(end, r.next+r.window)
	}
	up := newUpstream(r.ctx, r.driver.options, r.window)
	req := request{
		method: http.MethodGet, url: r.driver.at(r.driver.base, r.key, nil), digest: empty,
		header: http.Header{"Range": {"bytes=" + digits(r.next) + "-" + digits(end-1)}},
	}
	if r.pin != "" {
		req.header.Set("If-Match", r.pin)
	}
	resp, err := r.driver.send(up.ctx, req) //nolint:bodyclose // the upstream does
	if err != nil {
		err = up.why(err)
		up.close()
		if r.ctx.Err() != nil {
			return r.ctx.Err()
		}
		return r.beyond(err)
	}
	up.body = resp.Body
	if err := r.accept(up, resp, end); err != nil {
		up.close()
		return err
	}
	up.rest()
	r.up = up
	return nil
}

// beyond makes an end of the blob of the answer that the range is past it.
func (r *reader) beyond(err error) error {
	if status, _ := said(err); status != http.StatusRequestedRangeNotSatisfiable {
		return err
	}
	attrs, _, err := r.driver.head(r.ctx, r.key, r.pin)
	if err != nil {
		return err
	}
	r.pin, r.end = attrs.ETag, r.next
	return nil
}

// accept holds an answer against what was asked for.
func (r *reader) accept(up *upstream, resp *http.Response, end int64) error {
	tag := resp.Header.Get("ETag")
	switch {
	case r.pin != "" && tag != r.pin:
		return errChanged
	case tag == "":
		return errNoTag // nothing would pin the rest
	}
	from, to, size := int64(0), resp.ContentLength-1, resp.ContentLength
	if resp.StatusCode == http.StatusPartialContent {
		_, err := fmt.Sscanf(strings.TrimSpace(resp.Header.Get("Content-Range")), "bytes %d-%d/%d", &from, &to, &size)
		if err != nil {
			return fmt.Errorf("%w: %w", errNotRange, err)
		}
	}
	if from != r.next || to < from || size <= to || to < min(end, size)-1 {
		return errNotRange
	}
	r.pin, r.end = tag, min(r.end, size)
	up.left = min(to+1, end) - from
	return nil
}

// Close implements io.Closer.
func (r *reader) Close() error {
	r.cancel()
	if r.up != nil {
		r.up.close()
		r.up = nil
	}
	return nil
}

// upstream is one answer of the store, and the watch over it.
type upstream struct {
	ctx    context.Context // of the request, whose body it governs
	cancel context.CancelCauseFunc
	body   io.ReadCloser
	left   int64 // bytes to come

	stall, idle time.Duration
	timer       *time.Timer
	held        bool        // all of it fits into the system's buffers
	reading     atomic.Bool // somebody waits for it, not it for somebody
	slow        atomic.Bool // nobody read from it for the time of idle
}

// newUpstream returns an upstream from which an answer is awaited.
func newUpstream(ctx context.Context, o Options, window int64) *upstream {
	up := &upstream{stall: o.Stall, idle: o.Idle, held: window > 0 && window <= heldWindow}
	up.ctx, up.cancel = context.WithCancelCause(ctx)
	up.reading.Store(true)
	up.timer = time.AfterFunc(up.stall, up.late)
	return up
}

// late is called where nothing has happened for too long.
func (u *upstream) late() {
	if u.reading.Load() {
		u.cancel(errStalled)
		return
	}
	u.slow.Store(true)
	if !u.held {
		u.cancel(errIdle)
	}
}

// rest is called when it is for the reader to go on.
func (u *upstream) rest() {
	u.reading.Store(false)
	u.timer.Reset(u.idle)
}

// Read implements io.Reader. It ends with an error even where the store ends
// its answer early without one.
func (u *upstream) Read(p []byte) (int, error) {
	u.reading.Store(true)
	u.timer.Reset(u.stall)
	n, err := u.body.Read(p[:min(int64(len(p)), u.left)])
	u.left -= int64(n)
	u.rest()
	switch {
	case u.left == 0:
		return n, nil
	case err == nil:
		return n, nil
	case err == io.EOF:
		return n, errShort
	}
	return n, u.why(err)
}

// why returns what ended the upstream: the watch, or else what the connection
// says.
func (u *upstream) why(err error) error {
	if cause := context.Cause(u.ctx); errors.Is(cause, errIdle) || errors.Is(cause, errStalled) {
		return cause
	}
	return err
}

// close ends the upstream. Its connection is used again if all was read.
func (u *upstream) close() {
	u.timer.Stop()
	if u.body != nil {
		_ = u.body.Close() // it was only read
	}
	u.cancel(nil)
}
