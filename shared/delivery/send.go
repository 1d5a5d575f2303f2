package delivery

import (
	"context"
	"errors"
	"net/http"

	"sluice/shared/blob"
	"sluice/shared/socket"
)

// small is the largest body that is gathered with its header, in bytes; larger
// ones are copied in the kernel where they can be.
const small = 32 << 10

// The most that is sent between two renewals of the time to send it, in bytes.
const (
	waitingPiece = 64 << 10 // by a write that waits for the client
	kernelPiece  = 16 << 20 // by copies in the kernel that do not
)

// sender carries one answer's body to its connection.
type sender struct {
	w       http.ResponseWriter
	control *http.ResponseController
	socket  *socket.Socket // what w writes to as it is; nil where there is none
	watch   *watch
	sent    int64 // bytes of the file
}

// send writes the header and the body and returns how many bytes of the file
// were handed to the connection. After an error nothing more may be written:
// a header or a part may have got stuck half way.
func (s *Service) send(w http.ResponseWriter, r *http.Request, b *body, allowed func(context.Context) error) (int64, error) {
	control := http.NewResponseController(w)
	o := &sender{w: w, control: control, watch: newWatch(control, r.Context(), s.Stall, allowed)}
	if r.TLS == nil {
		o.socket = socket.Of(r.Context())
	}
	if err := o.watch.renew(); err != nil {
		return 0, err
	}
	w.WriteHeader(b.status)
	if o.socket != nil && b.length <= small {
		return o.gather(b)
	}
	o.watch.begin()
	defer o.watch.end()
	err := control.Flush()
	if err == nil {
		err = o.sendParts(b)
	}
	return o.sent, o.watch.explain(err)
}

// gather sends header and body in one piece.
func (o *sender) gather(b *body) (int64, error) {
	err := o.socket.Gather(func() error {
		if err := o.control.Flush(); err != nil {
			return err
		}
		return o.sendParts(b)
	})
	if err != nil {
		return 0, err
	}
	return o.sent, nil
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
	if _, err := o.w.Write(text); err != nil {
		return err
	}
	return o.control.Flush()
}

// sendPart sends length bytes of a part, piece by piece.
func (o *sender) sendPart(part *blob.Reader, length int64) error {
	for length > 0 {
		if err := o.watch.renew(); err != nil {
			return err
		}
		n, err := o.sendPiece(part, length)
		o.sent += n
		length -= n
		if errors.Is(err, socket.ErrFull) {
			err = o.socket.WaitWritable()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sendPiece sends up to length bytes of a part. A write that waits for a slow
// client keeps buffers of net/http meanwhile, so that a file is tried without
// waiting, and waited for without a buffer.
func (o *sender) sendPiece(part *blob.Reader, length int64) (int64, error) {
	if o.socket == nil || !part.IsFile() {
		return part.CopyN(o.w, min(length, waitingPiece))
	}
	return o.socket.Try(func() (int64, error) {
		return part.CopyN(o.w, min(length, kernelPiece))
	})
}
