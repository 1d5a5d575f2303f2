package api

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"sluice/shared/contract"
	"sluice/shared/fault"
	"sluice/shared/tus"
)

// statusOf is the one map from kind to HTTP status.
func statusOf(kind fault.Kind) int {
	switch kind {
	case fault.Invalid:
		return http.StatusBadRequest
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.NotFound:
		return http.StatusNotFound
	case fault.MethodNotAllowed:
		return http.StatusMethodNotAllowed
	case fault.Timeout:
		return http.StatusRequestTimeout
	case fault.Conflict:
		return http.StatusConflict
	case fault.PreconditionFailed:
		return http.StatusPreconditionFailed
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.UnsupportedMedia:
		return http.StatusUnsupportedMediaType
	case fault.RangeNotSatisfiable:
		return http.StatusRequestedRangeNotSatisfiable
	case fault.Unprocessable:
		return http.StatusUnprocessableEntity
	case fault.Mismatch:
		return tus.StatusChecksumMismatch
	case fault.TooManyRequests:
		return http.StatusTooManyRequests
	case fault.Upstream:
		return http.StatusBadGateway
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	case fault.InsufficientStorage:
		return http.StatusInsufficientStorage
	default:
		return http.StatusInternalServerError
	}
}

// statusText is http.StatusText with the status that is of tus alone.
func statusText(status int) string {
	if status == tus.StatusChecksumMismatch {
		return "Checksum Mismatch"
	}
	return http.StatusText(status)
}

// fail answers a request with err. Once an answer has begun there is nothing
// left but to abort the connection, so that the client can tell.
func (s *server) fail(r *request, err error) {
	r.err = err
	if r.Writer.Written() {
		panic(http.ErrAbortHandler)
	}
	if !fault.Is(err, fault.Timeout, "") { // who stopped sending was waited for already
		s.drain(r)
	}
	s.writeProblem(r, err)
}

// What is read of a body that is not wanted, so that a client that sends
// before it listens gets its answer.
const (
	drainBytes = 16 << 20
	drainTime  = 2 * time.Second
)

// drain reads on. A client that waits for 100 Continue sends nothing more and
// is not asked to.
func (s *server) drain(r *request) {
	body := r.Request.Body
	if body == nil || body == http.NoBody || r.Request.Header.Get("Expect") != "" {
		return
	}
	_ = http.NewResponseController(r.Writer).SetReadDeadline(time.Now().Add(drainTime)) // where it is not supported, bytes alone are the bound
	_, _ = io.CopyN(io.Discard, body, drainBytes)                                       // whatever stops it, the answer is the same
}

// problemType is the content type of a problem (RFC 9457 §6.1).
const problemType = "application/problem+json"

// writeProblem writes err as problem+json.
func (s *server) writeProblem(r *request, err error) {
	f := classify(r.Request.Context(), err)
	status := statusOf(f.Kind)
	h := r.Writer.Header()
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", challenge(r))
	}
	if f.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(f.RetryAfter.Seconds()))))
	}
	write(r, status, problemType, problem(f, status, r.id))
}

// WriteProblem writes f as an app would, for an edge that cannot hand on what
// the app has answered. The request's id may be empty.
func WriteProblem(w http.ResponseWriter, f *fault.Error, requestID string) {
	status := statusOf(f.Kind)
	body := problem(f, status, requestID)
	h := w.Header()
	setDefaults(h, requestID)
	h.Set("Content-Type", problemType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone: nobody is left to tell
}

// problem returns f as the body of an answer (RFC 9457).
func problem(f *fault.Error, status int, requestID string) []byte {
	body, err := json.Marshal(contract.Problem{
		Type: "about:blank", Title: statusText(status), Status: status,
		Detail: f.Message, Code: f.Code, Field: f.Field, RequestID: requestID,
	}, jsontext.AllowInvalidUTF8(true)) // a field may be a stranger's: what is wrong in it is replaced
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	return append(body, '\n')
}

// classify makes any error a fault.
func classify(ctx context.Context, err error) *fault.Error {
	var f *fault.Error
	switch {
	case errors.As(err, &f) && f.Kind != fault.Internal:
		return f
	case ctx.Err() != nil:
		return fault.New(fault.Unavailable, "canceled", "The request was given up.")
	default:
		return fault.New(fault.Internal, "internal", "Something went wrong on our side.")
	}
}

// challenge is the WWW-Authenticate of RFC 6750 §3.
func challenge(r *request) string {
	if r.GetHeader("Authorization") == "" {
		return `Bearer realm="sluice"`
	}
	return `Bearer realm="sluice", error="invalid_token"`
}

// answerTime is how long a client may take to receive a whole short answer.
const answerTime = 10 * time.Second

// write sends a whole body.
func write(r *request, status int, contentType string, body []byte) {
	h := r.Writer.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_ = http.NewResponseController(r.Writer).SetWriteDeadline(time.Now().Add(answerTime)) // an edge without a connection has its own limits
	r.Writer.WriteHeader(status)
	_, _ = r.Writer.Write(body) // the client is gone: nobody is left to tell
}

// reply sends v as JSON.
func reply(r *request, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "internal", "The answer could not be written.")
	}
	write(r, status, "application/json", append(body, '\n'))
	return nil
}

func noRoute(_ *server, _ *request) error {
	return fault.New(fault.NotFound, "no_route", "There is nothing at this path.")
}

func noMethod(_ *server, _ *request) error {
	return fault.New(fault.MethodNotAllowed, "method_not_allowed", "This path does not take that method.")
}
