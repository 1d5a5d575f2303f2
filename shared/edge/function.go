package edge

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"
)

// Handle answers one event of a function: a JSON value in, what is to be encoded
// as JSON out, or a streaming response of aws-lambda-go's package events.
type Handle func(context.Context, json.RawMessage) (any, error)

// Function answers the events of one transport by an app, as the plain server
// answers requests. It is safe for concurrent use.
type Function struct {
	Transport Transport
	App       http.Handler
	Log       *slog.Logger

	// After is called when the app has answered and before the answer ends:
	// the platform may halt the process at any time after that. nil: nothing.
	After func(context.Context) error
}

// Invoke is a Handle. Its error is for an event that is not the transport's, and
// for nothing else: whatever goes wrong with a request is an answer.
func (f *Function) Invoke(ctx context.Context, event json.RawMessage) (any, error) {
	c, err := f.Transport.read(ctx, event)
	if err != nil {
		return nil, err
	}
	if f.Transport.Streams() {
		return f.stream(c), nil
	}
	return f.buffer(c), nil
}

// margin is the time that is kept of an invocation's for what must follow when
// the app's is over: counts to be written, the end of an answer to be sent.
const margin = time.Second

// withMargin returns a context that ends so much before ctx that there is time
// left, of a short invocation a tenth.
func withMargin(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(margin, time.Until(deadline)/10)))
}

// Why an answer is not whole.
var (
	errAborted  = errors.New("the app gave the answer up")
	errPanicked = errors.New("the app panicked")
	errShort    = errors.New("the body is shorter than its Content-Length")
)

// serve lets the app answer, and returns why the answer is not whole, if it is
// not. outer is the invocation's context, which outlives the request's.
func (f *Function) serve(outer context.Context, w *writer, r *http.Request) (broken error) {
	defer f.after(outer)
	defer func() {
		switch p := recover(); {
		case p == nil:
		case p == http.ErrAbortHandler: //nolint:errorlint // net/http compares it so
			broken = errAborted
		default:
			f.Log.ErrorContext(r.Context(), "panic", "panic", p, "stack", string(debug.Stack()))
			broken = errPanicked
		}
	}()
	f.App.ServeHTTP(w, r)
	return w.close()
}

func (f *Function) after(ctx context.Context) {
	if f.After == nil {
		return
	}
	if err := f.After(ctx); err != nil {
		f.Log.ErrorContext(ctx, "after the answer", "error", err)
	}
}
