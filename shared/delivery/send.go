package delivery

import (
	"errors"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"sluice/shared/blob"
	"sluice/shared/socket"
)

// small is the largest body that is gathered with its header, in bytes; larger
// ones are copied in the kernel where they can be.
const small = 32 << 10

// kernelPiece is the most that a copy in the kernel, which does not wait for the
// client, sends between two renewals of the time to send it, in bytes.
const kernelPiece = 16 << 20

// send writes the header and the body and returns how many bytes of the file
// were handed to the connection. After an error nothing more may be written:
// a header or a part may have got stuck half way.
func (s *Service) send(w http.ResponseWriter, r *http.Request, b *body, options Options) (int64, error) {
	conn := connection{w, http.NewResponseController(w)}
	direct := socket.Of(r.Context())
	if r.TLS != nil {
		direct = nil
	}
	if err := conn.expire(time.Now().Add(s.Stall)); err != nil {
		return 0, err
	}
	w.WriteHeader(b.status)
	if direct != nil && b.multipart == nil && b.length <= small {
		sent, err := conn.gather(direct, b)
		options.count(sent)
		return sent, err
	}
	o := &sender{connection: conn, service: s, socket: direct, watch: newWatch(r.Context(), conn, s.Stall, options.Allowed), count: options.count}
	defer o.watch.end()
	defer o.widen(false) // what comes next over a kept connection may be slow
	err := o.flush()
	if err == nil {
		err = o.sendParts(b)
	}
	return o.sent, o.watch.explain(err)
}

// count tells Sent of n more bytes.
func (o Options) count(n int64) {
	if o.Sent != nil && n > 0 {
		o.Sent(n)
	}
}

// connection is where an answer goes. What the edge cannot do, such as a
// buffered Lambda, is left undone.
type connection struct {
	http.ResponseWriter

	control *http.ResponseController
}

// expire sets when writes end.
func (c connection) expire(at time.Time) error { return supported(c.control.SetWriteDeadline(at)) }

// flush sends what was written so far, of which only its error tells whether
// it got stuck.
func (c connection) flush() error { return supported(c.control.Flush()) }

func supported(err error) error {
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}

// gather sends the header and the one part of b in one piece.
func (c connection) gather(to *socket.Socket, b *body) (int64, error) {
	err := to.Gather(func() error {
		if err := c.flush(); err != nil {
			return err
		}
		_, err := b.parts[0].CopyN(c.ResponseWriter, b.length)
		return err
	})
	if err != nil {
		return 0, err
	}
	return b.length, nil
}

// sender sends a body that takes time.
type sender struct {
	connection

	service *Service
	socket  *socket.Socket // the connection's, where nothing is between; else nil
	watch   *watch
	sent    int64 // bytes of the file
	fast    int64 // bytes since a write last waited for the client
	wide    bool  // the socket may hold a large piece unsent
	count   func(int64)
}

func (o *sender) sendParts(b *body) error {
	for i, part := range b.parts {
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
	if err := o.watch.renew(); err != nil {
		return err
	}
	if _, err := o.Write(text); err != nil {
		return err
	}
	return o.flush()
}

// sendPart sends length bytes of a part, piece by piece.
func (o *sender) sendPart(part *blob.Reader, length int64) error {
	for length > 0 {
		if err := o.watch.renew(); err != nil {
			return err
		}
		n, err := o.sendPiece(part, length)
		o.sent += n
		o.count(n)
		length -= n
		if errors.Is(err, socket.ErrFull) {
			err = o.await()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// await waits for a client that took all it could. The time to read the file
// is not the client's.
func (o *sender) await() error {
	if err := o.watch.renew(); err != nil {
		return err
	}
	return o.socket.WaitWritable()
}

// sendPiece sends up to length bytes of a part. A write that waits for a slow
// client keeps buffers of net/http meanwhile; so a file is copied without
// waiting, and the client is waited for without a buffer.
func (o *sender) sendPiece(part *blob.Reader, length int64) (int64, error) {
	if o.socket == nil || !part.IsFile() {
		return o.copyPiece(part, length)
	}
	return o.socket.Try(func() (int64, error) {
		return part.CopyN(o.ResponseWriter, min(length, kernelPiece))
	})
}

// Of a client that has taken so many bytes without letting a write wait for so
// long the pieces become large: the fewer they are, the less do the client, the
// store and we wake each other. Before that they are small, since a piece is
// held for as long as the client takes for it. Not all who were fast may hold
// large ones, or they could stop together.
const (
	smallPiece = 32 << 10
	largePiece = 1 << 20
	mostLarge  = 64
	fastBytes  = 4 << 20
	fastWrite  = 100 * time.Millisecond
)

// widen lets the socket take a large piece in one go, or no longer. Where it
// takes a part of a piece, each of its halves wakes us for the next.
func (o *sender) widen(wide bool) {
	if o.socket == nil || o.wide == wide {
		return
	}
	o.wide = wide
	unsent := socket.Unsent
	if wide {
		unsent = largePiece
	}
	o.socket.SetUnsent(unsent)
}

// pieces are buffers of one size, which are used again.
type pieces struct {
	lent atomic.Int64
	idle sync.Pool // of *[]byte
}

// lend returns a buffer of size bytes, or nil where most are lent.
func (p *pieces) lend(size int, most int64) *[]byte {
	if p.lent.Add(1) > most {
		p.lent.Add(-1)
		return nil
	}
	if buffer, ok := p.idle.Get().(*[]byte); ok {
		return buffer
	}
	return new(make([]byte, size))
}

func (p *pieces) giveBack(buffer *[]byte) {
	p.idle.Put(buffer)
	p.lent.Add(-1)
}

// copyPiece sends what one read brings, through a buffer that is used again:
// net/http would take a new one for each piece.
func (o *sender) copyPiece(part *blob.Reader, length int64) (int64, error) {
	var buffer *[]byte
	buffers := &o.service.large
	if o.fast >= fastBytes {
		buffer = buffers.lend(largePiece, mostLarge)
	}
	o.widen(buffer != nil)
	if buffer == nil {
		buffers = &o.service.small
		buffer = buffers.lend(smallPiece, math.MaxInt64)
	}
	defer buffers.giveBack(buffer)
	n, err := part.Read((*buffer)[:min(length, int64(len(*buffer)))])
	if n == 0 {
		return 0, err
	}
	began := time.Now()
	sent, failed := o.Write((*buffer)[:n])
	o.fast += int64(sent)
	if time.Since(began) > fastWrite {
		o.fast = 0
	}
	if failed != nil {
		err = failed
	}
	return int64(sent), err
}
