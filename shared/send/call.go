package send

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"sluice/shared/contract/client"
	"sluice/shared/fault"
	"sluice/shared/outbound"
)

const (
	// maxAnswer is how much of an answer is read, in bytes.
	maxAnswer = 32 << 20
	// expectAbove is the size of a body, in bytes, before which the server is
	// asked whether it wants it (RFC 9110 §10.1.1).
	expectAbove = 1 << 20
)

// call is one request, made anew for each attempt.
type call struct {
	request *http.Request    // its GetBody makes its body; nil: it has none
	login   bool             // it carries the token
	content bool             // its body is of a file
	told    func(n int64)    // of bytes that go out; negative: they went in vain
	begun   func(open int64) // of connections that carry it: 1, and -1 at the end
}

// ask sends a request of the API, with the token, and decodes the answer.
func ask[T any](ctx context.Context, c *Client, request *http.Request, err error) (T, error) {
	var none T
	if err != nil {
		return none, badRequest(err)
	}
	a, err := c.do(ctx, call{request: request, login: true})
	if err != nil {
		return none, err
	}
	return decode[T](a)
}

// answer is one that was read to its end.
type answer struct {
	status int
	header http.Header
	text   []byte
}

// decode returns what an answer says in JSON, or the fault that it is.
func decode[T any](a answer) (T, error) {
	return client.Decode[T](a.response(), nil)
}

// refused returns the fault that an answer is, if it is one.
func (a answer) refused() error {
	return client.Done(a.response(), nil)
}

func (a answer) response() *http.Response {
	return &http.Response{
		StatusCode: a.status, Status: strconv.Itoa(a.status) + " " + http.StatusText(a.status), Header: a.header,
		Body: io.NopCloser(bytes.NewReader(a.text)),
	}
}

// badRequest is of an id or a path that makes no URL.
func badRequest(err error) error {
	return fault.Wrap(err, fault.Upstream, "bad_answer", "What the server says makes no request.")
}

// do sends a request until there is an answer that is not to be tried again, or
// it has been tried too often. An error is of no answer, or of the context.
func (c *Client) do(ctx context.Context, k call) (answer, error) {
	h := c.hosts.of(outbound.Origin(k.request.URL))
	for tries := 1; ; tries++ {
		if err := h.enter(ctx, k.content); err != nil {
			return answer{}, err
		}
		began := time.Now()
		a, err := c.attempt(ctx, k)
		came, after := judge(a, err)
		h.leave(k.content, began, came, after)
		if came == fine || came == useless || tries > c.options.Retries || after > outbound.MaxRetryAfter || ctx.Err() != nil {
			return a, err
		}
	}
}

// slot waits for one of the connections that carry bytes of files. Whoever has
// it calls done.
func (c *Client) slot(ctx context.Context) (done func(), err error) {
	select {
	case c.slots <- struct{}{}:
		return func() { <-c.slots }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// judge tells what an answer, or none, says of the host, and how long it asks to
// be left alone.
func judge(a answer, err error) (outcome, time.Duration) {
	switch {
	case fault.Is(err, fault.Unavailable, ""):
		return failed, 0
	case err != nil:
		return useless, 0
	}
	switch a.status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return tooMuch, outbound.RetryAfter(a.header)
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return failed, outbound.RetryAfter(a.header)
	}
	return fine, 0
}

// attempt sends a request once, follows redirects, and reads the answer.
func (c *Client) attempt(ctx context.Context, k call) (answer, error) {
	if k.begun != nil {
		k.begun(1)
		defer k.begun(-1)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	w := newWatch(c.options.Stall, cancel)
	defer w.stop()
	at := k.request.URL
	for range outbound.MaxRedirects + 1 {
		a, err := c.round(ctx, w, k, at)
		if err != nil {
			return answer{}, c.noAnswer(ctx, err)
		}
		next, err := a.redirect(k.request.Method, at)
		if next == nil || err != nil {
			return a, err
		}
		at = next
	}
	return answer{}, outbound.BadRedirect("The server redirects in a circle.")
}

// round sends a request to a URL and reads its answer to the end.
func (c *Client) round(ctx context.Context, w *watch, k call, at *url.URL) (answer, error) {
	req := k.request.Clone(ctx)
	req.URL, req.Host = at, at.Host
	req.Header.Set("User-Agent", c.options.UserAgent)
	if k.login && outbound.Origin(at) == c.home {
		token, err := c.token(ctx)
		if err != nil {
			return answer{}, err
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	var sent *body
	if k.request.GetBody != nil {
		from, err := k.request.GetBody()
		if err != nil {
			return answer{}, err
		}
		sent = &body{ctx: ctx, client: c, watch: w, told: k.told, from: from}
		req.Body, req.GetBody = sent, nil // what is sent again is counted again
		if req.ContentLength > expectAbove {
			req.Header.Set("Expect", "100-continue")
		}
	}
	a, err := c.exchange(req)
	if sent != nil {
		sent.end(err != nil || a.status >= http.StatusMultipleChoices)
	}
	return a, err
}

// exchange sends a request and reads the answer to its end.
func (c *Client) exchange(req *http.Request) (answer, error) {
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return answer{resp.StatusCode, resp.Header, text}, err
}

// token returns one, or a fault.
func (c *Client) token(ctx context.Context) (string, error) {
	token, err := c.options.Token(ctx)
	if _, known := errors.AsType[*fault.Error](err); err != nil && !known {
		err = fault.Wrap(err, fault.Internal, "no_token", "No access token is to be had.")
	}
	return token, err
}

// noAnswer words why there is none.
func (c *Client) noAnswer(ctx context.Context, err error) error {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errStalled):
		return fault.Newf(fault.Unavailable, "stalled", "The server took nothing, and said nothing, for %s.", c.options.Stall)
	case cause != nil:
		return cause
	}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f
	}
	return fault.Wrap(outbound.WithoutURL(err), fault.Unavailable, "no_answer", "The server cannot be reached, or its connection broke.")
}
