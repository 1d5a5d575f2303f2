package upload

import (
	"bufio"
	"errors"
	"hash"
	"io"

	"sluice/shared/fault"
	"sluice/shared/tus"
)

// incoming is the body of an Append. It remembers why there is no more of it.
type incoming struct {
	body *bufio.Reader
	sum  *tus.Checksum // what the whole must have, or nil
	hash hash.Hash     // of what came; nil without a sum
	err  error         // why there is no more; io.EOF at its end
}

func newIncoming(body io.Reader, sum *tus.Checksum) *incoming {
	const peeked = 4 << 10
	in := &incoming{body: bufio.NewReaderSize(body, peeked), sum: sum}
	if sum != nil {
		in.hash = sum.New()
	}
	return in
}

// more waits until something has come, and reports whether it has.
func (in *incoming) more() bool {
	if in.err == nil {
		_, in.err = in.body.Peek(1)
	}
	return in.err == nil
}

// Read implements io.Reader.
func (in *incoming) Read(p []byte) (int, error) {
	n, err := in.body.Read(p)
	if in.hash != nil {
		_, _ = in.hash.Write(p[:n]) // never fails
	}
	in.err = err
	return n, err
}

// copy writes what comes to w, up to limit bytes. Its error is that of w: where
// the body broke off, what came before is good.
func (in *incoming) copy(w io.Writer, limit int64) (int64, error) {
	n, err := io.CopyBuffer(writesOnly{w}, io.LimitReader(in, limit), make([]byte, bufferSize))
	if in.err != nil && errors.Is(err, in.err) {
		err = nil
	}
	return n, err
}

// writesOnly hides every other method, so that a copy is through the buffer.
type writesOnly struct{ io.Writer }

// verify says why what came is not to be kept, or nil.
func (in *incoming) verify() error {
	switch {
	case in.sum == nil:
		return nil
	case in.more():
		return nil // there is more to come
	case !errors.Is(in.err, io.EOF):
		return cut(in.err)
	case !in.sum.Holds(in.hash):
		return fault.New(fault.Mismatch, "checksum_mismatch", "The body is not what its checksum announced; nothing was kept.")
	}
	return nil
}

// end says what is wrong with a body that has been read, or nil.
func (in *incoming) end() error {
	if in.sum == nil && in.err != nil && !errors.Is(in.err, io.EOF) {
		if f, ok := errors.AsType[*fault.Error](in.err); ok {
			return f
		}
		return fault.Wrap(in.err, fault.Invalid, "body_cut", "The body ended early; what came is kept.")
	}
	return in.verify()
}
