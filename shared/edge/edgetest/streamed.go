package edgetest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// preludeType is the content type by which a function says that a prelude comes
// first (docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html).
const preludeType = "application/vnd.awslambda.http-integration-response"

// preludeEnd are the bytes between the prelude and the body.
var preludeEnd = [8]byte{}

// streamed makes a streamed answer a response, whose body is what comes behind
// the prelude, as it comes. It has no length. Where the function breaks off, so
// does the body.
func (g *Gateway) streamed(r *http.Request, a *Answer) *http.Response {
	if a.ContentType != preludeType {
		a.Body.Close()
		return g.failure(r, fmt.Errorf("the answer's content type is %q, not %s", a.ContentType, preludeType))
	}
	body := bufio.NewReader(a.Body)
	p, err := readPrelude(body)
	if err == nil && (p.StatusCode < 100 || p.StatusCode > 599) {
		err = fmt.Errorf("the prelude's status code is %d", p.StatusCode)
	}
	if err == nil && g.Transport == URLStream && len(p.MultiValueHeaders) > 0 {
		err = errors.New("a Function URL knows no multiValueHeaders; AWS drops them")
	}
	if err != nil {
		a.Body.Close()
		return g.failure(r, err)
	}
	h := p.header(g)
	h.Del("Content-Length")
	response := &http.Response{
		Status: status(p.StatusCode), StatusCode: p.StatusCode, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, ContentLength: -1, Body: &streamBody{from: io.LimitReader(body, MaxStream), Closer: a.Body}, Request: r,
	}
	if r.Method == http.MethodHead {
		a.Body.Close()
		response.Body = http.NoBody
	}
	return response
}

// readPrelude reads up to the eight NULs.
func readPrelude(from *bufio.Reader) (p proxyAnswer, err error) {
	var text []byte
	for !bytes.HasSuffix(text, preludeEnd[:]) {
		c, err := from.ReadByte()
		if err != nil {
			return p, fmt.Errorf("the answer ends within its prelude %q: %w", text, err)
		}
		if text = append(text, c); len(text) > MaxPrelude {
			return p, fmt.Errorf("the prelude is longer than %d bytes", MaxPrelude)
		}
	}
	if err := json.Unmarshal(text[:len(text)-len(preludeEnd)], &p); err != nil {
		return p, fmt.Errorf("the prelude is no JSON: %w", err)
	}
	return p, nil
}

// streamBody is the body of a streamed answer.
type streamBody struct {
	from io.Reader
	io.Closer
}

// Read reads what the function sent. That it broke off is what a client sees of
// chunks without their end.
func (b *streamBody) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err)
	}
	return n, err
}
