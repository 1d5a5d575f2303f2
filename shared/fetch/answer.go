package fetch

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"

	"sluice/shared/byterange"
	"sluice/shared/contract/client"
	"sluice/shared/digest"
	"sluice/shared/fault"
	"sluice/shared/outbound"
)

// answer is a response whose body may be kept.
type answer struct {
	body    io.ReadCloser
	header  http.Header
	bytes   span  // what the body is; its End is the largest number where nobody knows
	size    int64 // of the whole; unknownSize if not told
	pin     pin
	sums    digest.Set // what the server says of the whole
	framed  bool       // the end of the body can be told from a connection that broke
	ranged  bool       // it is a 206
	counted bool       // its length was told, and no framing is between its bytes
}

// inOneGo reports whether the answer holds a whole file of a size, and one so
// small that nothing of it need be recorded before its end.
func (a answer) inOneGo(size int64) bool {
	return a.bytes == span{0, size} && size <= leastSave
}

// examine returns what a response offers to who asked for a span, or why none
// of its bytes may be kept. Its body is closed then.
func examine(resp *http.Response, asked span, ranged bool, known pin) (answer, error) {
	a, err := read(resp, asked, ranged)
	if err == nil {
		err = known.check(resp.Header)
	}
	if err != nil {
		_ = resp.Body.Close() // nothing of it is wanted
		return answer{}, err
	}
	return a, nil
}

func read(resp *http.Response, asked span, ranged bool) (answer, error) {
	a := answer{body: resp.Body, header: resp.Header, pin: pinOf(resp.Header), framed: true, size: unknownSize}
	a.counted = resp.ProtoMajor == 1 && resp.ContentLength > 0
	switch resp.StatusCode {
	case http.StatusOK:
		if resp.Header.Get("Content-Range") != "" {
			return a, lie("It is a 200 with a Content-Range.")
		}
		a.size = resp.ContentLength
		a.bytes = span{0, a.size}
		if a.size == unknownSize {
			a.bytes.End = math.MaxInt64
			a.framed = resp.ProtoMajor > 1 || len(resp.TransferEncoding) > 0
		}
	case http.StatusPartialContent:
		a.ranged = true
		var err error
		if a.bytes, a.size, err = contentRange(resp, asked, ranged); err != nil {
			return a, err
		}
	default:
		return a, refused(resp)
	}
	if coding := resp.Header.Values("Content-Encoding"); len(coding) > 0 && !strings.EqualFold(strings.Join(coding, ","), "identity") {
		return a, lie("It encoded the file (%q), though it was asked for it as it is.", coding[0])
	}
	var err error
	if a.sums, err = digest.Parse(resp.Header.Values("Repr-Digest")); err != nil {
		a.sums = digest.Set{} // RFC 9530 §2: what cannot be read is ignored
	}
	return a, nil
}

// contentRange reads what a 206 holds. It must begin where it was asked to and
// not go further; RFC 9110 §15.3.7 lets it end earlier.
func contentRange(resp *http.Response, asked span, ranged bool) (got span, size int64, err error) {
	field := resp.Header.Get("Content-Range")
	if !ranged {
		return got, 0, lie("It is a 206, and no range was asked for.")
	}
	got, size, ok := parseContentRange(field)
	switch {
	case !ok:
		return got, 0, lie("Its Content-Range is %q.", field)
	case got.Start != asked.Start || got.End > asked.End:
		return got, 0, lie("It was asked for bytes %d-%d, and sent %q.", asked.Start, asked.End-1, field)
	case resp.ContentLength >= 0 && resp.ContentLength != got.length():
		return got, 0, lie("Its Content-Range is %q, its Content-Length %d.", field, resp.ContentLength)
	}
	return got, size, nil
}

// parseContentRange reads "bytes 0-4/10" (RFC 9110 §14.4). The size must be
// told.
func parseContentRange(field string) (got span, size int64, ok bool) {
	r, size, err := byterange.ParseContentRange(field)
	if err != nil || size < 0 {
		return span{}, 0, false
	}
	return span{r.Start, r.Start + r.Length}, size, true
}

// emptyFile reports a 416 that says that there are no bytes at all.
func emptyFile(resp *http.Response) bool {
	return resp.StatusCode == http.StatusRequestedRangeNotSatisfiable &&
		strings.EqualFold(strings.TrimSpace(resp.Header.Get("Content-Range")), "bytes */0")
}

// refused makes a failure of an answer that holds no bytes of the file. Its
// body is read and closed.
func refused(resp *http.Response) error {
	status := resp.StatusCode
	_, err := client.Check(resp, nil)
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return lie("It is a %d, which has no bytes of the file.", status)
	}
	switch status {
	case http.StatusPreconditionFailed:
		return changed()
	case http.StatusRequestedRangeNotSatisfiable:
		return failure{useless, fault.New(fault.PreconditionFailed, "file_changed",
			"The file on the server is shorter than the one that was begun. --restart fetches the new one from its beginning.")}
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return failure{again, f}
	}
	return failure{useless, f}
}

// noAnswer makes a failure of a request that failed without an answer, or in
// the middle of one.
func noAnswer(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if f, ok := errors.AsType[failure](err); ok {
		return f
	}
	return failure{again, fault.Wrap(outbound.WithoutURL(err), fault.Unavailable, "no_answer", "The server cannot be reached, or its connection broke.")}
}
