package edgetest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Function is what a gateway invokes.
type Function interface {
	// Invoke runs one event. A *FunctionError is the function's own failure.
	Invoke(ctx context.Context, event []byte, streams bool) (*Answer, error)
}

// Answer is what a function answered to one event: JSON, or a prelude and a
// body. Reading Body fails with a *FunctionError where the function broke off.
type Answer struct {
	ContentType string
	Body        io.ReadCloser
}

// FunctionError is how a function failed, as it told the Runtime API, or as
// Lambda does where it told nothing.
type FunctionError struct{ Type, Message string }

func (e *FunctionError) Error() string {
	return fmt.Sprintf("the function failed (%s): %s", e.Type, e.Message)
}

// Gateway stands between a client of HTTP and a function, as AWS would. It is an
// http.RoundTripper, so an http.Client can speak to a function through it. It is
// safe for concurrent use if its function is.
type Gateway struct {
	Transport Transport
	Function  Function

	Stage         string           // of REST; empty: prod
	SourceIP      string           // the client's address; empty: 192.0.2.1
	SingleHeaders bool             // a load balancer whose target group has multi-value headers off
	Now           func() time.Time // nil: time.Now
	RequestID     func() string    // nil: always the same
}

func (g *Gateway) stage() string {
	switch {
	case g.Transport == HTTP || g.Transport == URLStream:
		return "$default"
	case g.Stage == "":
		return "prod"
	}
	return g.Stage
}

func (g *Gateway) sourceIP() string {
	if g.SourceIP == "" {
		return "192.0.2.1"
	}
	return g.SourceIP
}

func (g *Gateway) now() time.Time {
	if g.Now == nil {
		return time.Now()
	}
	return g.Now()
}

func (g *Gateway) requestID() string {
	if g.RequestID == nil {
		return "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
	}
	return g.RequestID()
}

// RoundTrip implements http.RoundTripper: it makes the request an event, has
// the function answer it, and makes the answer a response. What AWS refuses is
// an answer too; only a request that cannot be read is an error.
func (g *Gateway) RoundTrip(r *http.Request) (*http.Response, error) {
	event, err := g.Event(r)
	if err != nil {
		return nil, err
	}
	if response := g.refuse(r, len(event)); response != nil {
		return response, nil
	}
	answer, err := g.Function.Invoke(r.Context(), event, g.Transport.Streams())
	if err != nil {
		if r.Context().Err() != nil {
			return nil, err
		}
		return g.failure(r, err), nil
	}
	if g.Transport.Streams() {
		return g.streamed(r, answer), nil
	}
	return g.buffered(r, answer), nil
}

// refuse answers a request that is too large to become an event.
func (g *Gateway) refuse(r *http.Request, size int) *http.Response {
	if size <= MaxPayload && (g.Transport != ALB || r.ContentLength <= MaxALB) {
		return nil
	}
	return g.platform(r, http.StatusRequestEntityTooLarge, "Request Too Long")
}
