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

// sender carries one answer's body to the connection.
type sender struct {
	w       http.ResponseWriter
	control *http.ResponseController
	stall   time.Duration
	ctx     context.Context
	allowed func(context.Context) error
	checked time.Time // when allowed was last asked
	slice   int64
	sent    int64
}

// send writes the header and the body and returns how many bytes of the file
// were handed to the connection.
func (s *Service) send(w http.ResponseWriter, r *http.Request, b body, parts []*blob.Reader, allowed func(context.Context) error) (int64, error) {
	o := &sender{
		w: w, control: http.NewResponseController(w), stall: s.Stall,
		ctx: r.Context(), allowed: allowed, checked: time.Now(), slice: firstSlice,
	}
	if err := o.renew(); err != nil {
		return 0, err
	}
	w.WriteHeader(b.status)
	if b.multipart == nil && b.length <= small {
		err := o.sendSmall(parts[0], int(b.length))
		return o.sent, err
	}
	// Flushed by itself: a header that got stuck half way must not be
	// followed by more, which only this error tells.
	if err := o.control.Flush(); err != nil {
		return 0, fmt.Errorf("header: %w", err)
	}
	for i, part := range parts {
		if b.multipart != nil {
			if _, err := w.Write(b.multipart.Header(i)); err != nil {
				return o.sent, err
			}
			if err := o.control.Flush(); err != nil {
				return o.sent, err
			}
		}
		if err := o.sendPart(part, b.ranges[i].Length); err != nil {
			return o.sent, err
		}
	}
	if b.multipart != nil {
		if _, err := w.Write(b.multipart.Trailer()); err != nil {
			return o.sent, err
		}
	}
	return o.sent, nil
}

// renew gives the connection another stall's worth of time.
func (o *sender) renew() error {
	err := o.control.SetWriteDeadline(time.Now().Add(o.stall))
	if errors.Is(err, http.ErrNotSupported) {
		return nil // an edge without a connection, such as a buffered Lambda
	}
	return err
}

func (o *sender) sendSmall(part *blob.Reader, length int) error {
	buf := make([]byte, length)
	for n := 0; n < length; {
		m, err := part.Read(buf[n:])
		if n += m; err != nil && n < length {
			return err
		}
	}
	n, err := o.w.Write(buf)
	o.sent += int64(n)
	return err
}

// sendPart sends length bytes slice by slice. A deadline that passes within a
// slice of which some was taken is progress: the rest follows in smaller ones.
func (o *sender) sendPart(part *blob.Reader, length int64) error {
	for length > 0 {
		if err := o.stillAllowed(); err != nil {
			return err
		}
		if err := o.renew(); err != nil {
			return err
		}
		began := time.Now()
		n, err := part.CopyN(o.w, min(o.slice, length))
		o.sent += n
		length -= n
		if err != nil && (n == 0 || !errors.Is(err, os.ErrDeadlineExceeded)) {
			return err
		}
		o.adapt(time.Since(began))
	}
	return nil
}

// adapt sizes the next slice by how long the last one took.
func (o *sender) adapt(took time.Duration) {
	switch {
	case took < time.Second/4:
		o.slice = min(o.slice*2, maxSlice)
	case took > time.Second:
		o.slice = max(o.slice/2, minSlice)
	}
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
