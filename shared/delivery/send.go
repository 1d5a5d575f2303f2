package delivery

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"sluice/shared/blob"
	"sluice/shared/catalog"
	"sluice/shared/socket"
)

// small is the largest body that is copied through a buffer, so that header
// and body leave together; larger ones stay in the kernel where they can.
const small = 64 << 10

// Slices are what is sent between two renewals of the deadline. They adapt to
// about a second's worth, so that a slow client is seen to make progress and a
// fast one is not held up.
const (
	firstSlice = 256 << 10
	minSlice   = 16 << 10
	maxSlice   = 16 << 20
)

// quantum is how long a copy may stay blocked before its client counts as slow.
const quantum = time.Second / 40

// sender carries one answer's body to the connection.
type sender struct {
	w       http.ResponseWriter
	control *http.ResponseController
	stall   time.Duration
	ctx     context.Context
	allowed func(context.Context) error
	checked time.Time // when allowed was last asked
	count   func(int64)
	slice   int64
	sent    int64
	socket  *socket.Socket // nil where there is none to wait for
	slow    bool           // the client takes less than a slice in good time
	queued  int            // unacknowledged bytes when last looked

	patient  bool      // a blocked copy must be left blocked: it cannot go on after a deadline
	progress time.Time // when the client last took something
}

// send writes the header and the body and returns how many bytes of the file
// were handed to the connection.
func (s *Service) send(w http.ResponseWriter, r *http.Request, b *body, parts []*blob.Reader, options Options) (int64, error) {
	o := &sender{
		w: w, control: http.NewResponseController(w), stall: s.Stall,
		ctx: r.Context(), allowed: options.Allowed, count: options.Sent, checked: time.Now(), slice: firstSlice,
		socket: socket.Of(r.Context()),
	}
	if err := o.renew(o.stall); err != nil {
		return 0, err
	}
	w.WriteHeader(b.status)
	if o.socket != nil && b.length <= small {
		err := o.socket.Gather(func() error { return o.sendBody(b, parts) })
		return o.sent, err
	}
	err := o.sendBody(b, parts)
	return o.sent, err
}

func (o *sender) sendBody(b *body, parts []*blob.Reader) error {
	// Flushed by itself: a header that got stuck half way must not be
	// followed by more, which only this error tells.
	if err := o.control.Flush(); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	for i, part := range parts {
		if b.multipart != nil {
			if err := o.sendText(b.multipart.Header(i)); err != nil {
				return err
			}
		}
		if err := o.sendPart(part, b.ranges[i].Length); err != nil {
			return err
		}
	}
	if b.multipart != nil {
		return o.sendText(b.multipart.Trailer())
	}
	return nil
}

// sendText sends what stands between the parts, and out at once, so that an
// error is seen before a part follows.
func (o *sender) sendText(text []byte) error {
	if err := o.renew(o.stall); err != nil {
		return err
	}
	if _, err := o.w.Write(text); err != nil {
		return err
	}
	return o.control.Flush()
}

// renew gives the connection so much more time.
func (o *sender) renew(d time.Duration) error {
	err := o.control.SetWriteDeadline(time.Now().Add(d))
	if errors.Is(err, http.ErrNotSupported) {
		return nil // an edge without a connection, such as a buffered Lambda
	}
	return err
}

// add counts n bytes of the file.
func (o *sender) add(n int64) {
	o.sent += n
	if o.count != nil && n > 0 {
		o.count(n)
	}
}

// sendPart sends length bytes slice by slice. A deadline that passes ends it
// only where the client took nothing at all for the stall time.
func (o *sender) sendPart(part *blob.Reader, length int64) error {
	// Only a copy in the kernel can be interrupted and go on.
	o.patient = o.socket == nil || !part.IsFile()
	o.progress = time.Now()
	for length > 0 {
		if err := o.stillAllowed(); err != nil {
			return err
		}
		began := time.Now()
		n, err := o.sendSlice(part, min(o.slice, length))
		o.add(n)
		length -= n
		if err != nil && (o.patient || !errors.Is(err, os.ErrDeadlineExceeded) || o.stalled(n)) {
			return err
		}
		if n > 0 {
			o.progress = time.Now()
		}
		o.adapt(time.Since(began))
	}
	return nil
}

// sendSlice copies up to length bytes. A copy holds a buffer while it is
// blocked, so that it is not left blocked for long: who turns out to be slow is
// waited for without one.
func (o *sender) sendSlice(part *blob.Reader, length int64) (int64, error) {
	if o.patient {
		return part.CopyN(patient{o}, length)
	}
	if o.slow {
		if err := o.renew(o.step()); err != nil {
			return 0, err
		}
		if err := o.socket.WaitWritable(); err != nil {
			return 0, err
		}
	}
	if err := o.renew(min(quantum, o.step())); err != nil {
		return 0, err
	}
	return part.CopyN(o.w, length)
}

// patient is a connection whose blocked writes must be left blocked, as under
// TLS and HTTP/2. Each write gets the stall time for itself: a slice is too
// much for a client that was fast and has become slow.
type patient struct{ *sender }

// Write implements io.Writer.
func (p patient) Write(b []byte) (int, error) {
	if err := p.stillAllowed(); err != nil {
		return 0, err
	}
	if err := p.renew(p.stall); err != nil {
		return 0, err
	}
	return p.w.Write(b)
}

// step is how often a client that is waited for is looked at.
func (o *sender) step() time.Duration { return o.stall / 8 }

// stalled reports, when a deadline has passed, whether the client took nothing
// for too long: neither of the slice nor of what waited in the socket. Who
// would be found stalled only after the stall time is so already.
func (o *sender) stalled(n int64) bool {
	before := o.queued
	o.queued = o.socket.Queued()
	if n > 0 || o.queued < before {
		o.progress = time.Now()
	}
	return time.Since(o.progress)+o.step() > o.stall
}

// adapt sizes the next slice by how long the last one took. A slow client gets
// slices small enough to fit into a socket that takes bytes again.
func (o *sender) adapt(took time.Duration) {
	switch {
	case took < quantum/2:
		o.slice = min(o.slice*2, maxSlice)
	case took >= quantum:
		o.slice = max(o.slice/4, minSlice)
	}
	o.slow = o.slice < firstSlice
}

// stillAllowed asks allowed every catalog.MaxAge.
func (o *sender) stillAllowed() error {
	if o.allowed == nil || time.Since(o.checked) < catalog.MaxAge {
		return nil
	}
	o.checked = time.Now()
	if err := o.allowed(o.ctx); err != nil {
		return errors.Join(ErrRevoked, err)
	}
	return nil
}
