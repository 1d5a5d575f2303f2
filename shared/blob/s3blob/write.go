package s3blob

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"sluice/shared/blob"
)

// maxParts is the most that an upload has.
const maxParts = 10_000

// markName is the metadata that tells whose doing an object is, and markHeader
// the header that holds it.
const (
	markName   = "sluice-write"
	markHeader = "X-Amz-Meta-Sluice-Write"
)

// buffers keeps the memory of parts.
type buffers struct{ pool sync.Pool }

// take returns an empty buffer with room for n bytes at least.
func (b *buffers) take(n int) []byte {
	if spare, ok := b.pool.Get().(*[]byte); ok && cap(*spare) >= n {
		return (*spare)[:0]
	}
	return make([]byte, 0, n)
}

func (b *buffers) give(buffer []byte) {
	if cap(buffer) > 0 {
		b.pool.Put(&buffer)
	}
}

// writer sends a new object: at Commit, where it fits into one part, else part
// by part as they fill.
type writer struct {
	driver  *Driver
	ctx     context.Context // Create's governs the writer
	key     string
	mark    string // in the object's metadata
	size    int64  // of what was written
	limit   int    // of the part that fills
	filling []byte // grows with what comes, not with what was announced

	upload  string // "" until there is one
	parts   []blob.Part
	sending chan error // nil, or of the part on its way
}

// Create implements blob.Driver. Nothing is sent before a part is full.
func (d *Driver) Create(ctx context.Context, key string, size int64) (blob.DriverWriter, error) {
	if d.refuses(key) {
		return nil, errRefused
	}
	limit := d.options.PartSize
	for limit*maxParts < size {
		limit *= 2
	}
	w := &writer{driver: d, ctx: ctx, key: key, mark: rand.Text(), limit: int(limit)}
	if size < 0 || size >= limit {
		w.filling = d.buffers.take(0)
	}
	return w, nil
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		if len(w.filling) == w.limit {
			if err := w.flush(); err != nil {
				return written, err
			}
		}
		n := min(len(p), w.limit-len(w.filling))
		w.filling = append(w.filling, p[:n]...)
		w.size += int64(n)
		written += n
		p = p[n:]
	}
	return written, nil
}

// flush sends the part that is full, once the one before it has arrived.
func (w *writer) flush() error {
	if err := w.wait(); err != nil {
		return err
	}
	if w.upload == "" {
		id, err := w.driver.create(w.ctx, w.key, &s3.CreateMultipartUploadInput{Metadata: map[string]string{markName: w.mark}})
		if err != nil {
			return err
		}
		w.upload = id
	}
	ctx, number, data := w.ctx, len(w.parts)+1, w.filling
	w.parts = append(w.parts, blob.Part{Number: number, Size: int64(len(data))})
	if number%1000 == 0 && w.limit < 1<<30 {
		w.limit *= 2 // so that 10,000 parts are enough for what has no known size
	}
	w.filling = w.driver.buffers.take(w.limit)
	done := make(chan error, 1)
	w.sending = done
	go func() {
		tag, err := w.driver.put(ctx, w.key, w.upload, number, data)
		w.parts[number-1].ETag = tag
		w.driver.buffers.give(data)
		done <- err
	}()
	return nil
}

// wait waits for the part on its way.
func (w *writer) wait() error {
	if w.sending == nil {
		return nil
	}
	err := <-w.sending
	w.sending = nil
	return err
}

// put sends one part from memory, and returns its entity tag.
func (d *Driver) put(ctx context.Context, key, id string, number int, data []byte) (string, error) {
	resp, err := d.upload(ctx, key, partQuery(id, number), http.Header{}, data)
	if err != nil {
		return "", err
	}
	return resp.Get("ETag"), nil
}

// Commit implements blob.DriverWriter.
func (w *writer) Commit(ctx context.Context) (blob.Attrs, error) {
	attrs, err := w.commit(ctx)
	if err != nil {
		return blob.Attrs{}, errors.Join(err, w.Abort())
	}
	w.driver.buffers.give(w.filling)
	return attrs, nil
}

func (w *writer) commit(ctx context.Context) (blob.Attrs, error) {
	w.ctx = ctx
	if err := w.driver.vacant(ctx, w.key); err != nil {
		return blob.Attrs{}, err
	}
	if w.upload == "" {
		return w.commitWhole(ctx)
	}
	if len(w.filling) > 0 {
		if err := w.flush(); err != nil {
			return blob.Attrs{}, err
		}
	}
	if err := w.wait(); err != nil {
		return blob.Attrs{}, err
	}
	attrs, err := w.driver.complete(ctx, w.key, w.upload, w.parts)
	if err != nil {
		return w.ours(ctx, err)
	}
	return attrs, nil
}

// vacant returns errExists for a taken key, where the store would not say so.
func (d *Driver) vacant(ctx context.Context, key string) error {
	if !d.options.Gaps.Conditions {
		return nil
	}
	_, _, err := d.head(ctx, key, "")
	switch {
	case err == nil:
		return errExists
	case code(err) == blob.NotFound:
		return nil
	}
	return err
}

// commitWhole sends the blob by one PUT.
func (w *writer) commitWhole(ctx context.Context) (blob.Attrs, error) {
	header := w.driver.newObject()
	header.Set(markHeader, w.mark)
	resp, err := w.driver.upload(ctx, w.key, nil, header, w.filling)
	if err != nil {
		if code(err) == blob.Changed {
			err = fmt.Errorf("%w: %w", errExists, err)
		}
		return w.ours(ctx, err)
	}
	return blob.Attrs{Size: w.size, ETag: resp.Get("ETag")}, nil
}

// ours finds out whether a commit that seems to have failed has not: its answer
// may have been lost, and what was sent again then finds the key taken.
func (w *writer) ours(ctx context.Context, failed error) (blob.Attrs, error) {
	attrs, header, err := w.driver.head(ctx, w.key, "")
	if err == nil && header.Get(markHeader) == w.mark {
		return attrs, nil
	}
	return blob.Attrs{}, failed
}

// Abort implements blob.DriverWriter. It works where the writer's context has
// ended.
func (w *writer) Abort() error {
	_ = w.wait() // nobody asks any more
	w.driver.buffers.give(w.filling)
	w.filling = nil
	if w.upload == "" {
		return nil
	}
	return w.driver.abort(context.WithoutCancel(w.ctx), w.key, w.upload)
}

// upload sends a body from memory, as often as need be, and returns the header
// of the answer.
func (d *Driver) upload(ctx context.Context, key string, query map[string][]string, header http.Header, data []byte) (http.Header, error) {
	sum := sha256.Sum256(data)
	var answer http.Header
	err := persist(ctx, d.options.Retry, d.folder(func() error {
		body := newBody(ctx, bytes.NewReader(data), d.options.Stall)
		resp, err := d.sendBody(request{
			method: http.MethodPut, url: d.at(d.base, key, query), header: header.Clone(),
			body: body, size: int64(len(data)), digest: hex.EncodeToString(sum[:]),
		}, body)
		answer = resp
		return err
	}))
	return answer, err
}

// sendBody sends a request with a body, and returns the header of its answer
// once nothing reads from the body any more.
func (d *Driver) sendBody(r request, b *body) (http.Header, error) {
	if r.size == 0 {
		r.body = http.NoBody
		_ = b.Close() // never fails
	}
	defer b.end()
	resp, err := d.send(b.ctx, r)
	if err != nil {
		return nil, b.why(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body) // there is next to none
	_ = resp.Body.Close()
	return resp.Header, nil
}
