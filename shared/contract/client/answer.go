package client

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"

	"sluice/shared/contract"
	"sluice/shared/fault"
	"sluice/shared/outbound"
)

// The longest JSON that is read of an answer, in bytes: a page of 1,000 files
// with the longest paths stays well below the first, a problem below the second.
const (
	maxAnswer  = 32 << 20
	maxProblem = 64 << 10
)

// Decode returns what an answer says in JSON and closes its body. It takes
// what a method of Client returns, and fails as Check does; an answer that is
// not the JSON of a T is an Upstream fault "unexpected_answer".
func Decode[T any](resp *http.Response, err error) (T, error) {
	var value T
	if resp, err = Check(resp, err); err != nil {
		return value, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&value); err != nil {
		return value, fault.Wrap(err, fault.Upstream, "unexpected_answer", "The server's answer is not what its contract says.")
	}
	return value, nil
}

// Done is for an answer without a body: it closes it, and fails as Check does.
func Done(resp *http.Response, err error) error {
	if resp, err = Check(resp, err); err != nil {
		return err
	}
	return resp.Body.Close()
}

// Check returns an answer below 400 as it is; the caller closes its body. One
// of 400 and above becomes a *fault.Error with the kind of its status, and
// with the code, the message, the field and the time to wait of its problem.
// No answer at all is an Unavailable fault "no_answer", whose cause is err.
func Check(resp *http.Response, err error) (*http.Response, error) {
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "no_answer", "The server did not answer.")
	}
	if resp.StatusCode < http.StatusBadRequest {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, readFault(resp)
}

// readFault makes a fault of a problem. What a proxy or another server answers
// in its own words has the code "unexpected_answer".
func readFault(resp *http.Response) *fault.Error {
	f := fault.Newf(kindOf(resp.StatusCode), "unexpected_answer", "The server answered %s.", resp.Status)
	f.RetryAfter = outbound.RetryAfter(resp.Header)
	if mediaType, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || mediaType != "application/problem+json" {
		return f
	}
	var p contract.Problem
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxProblem)).Decode(&p); err != nil || p.Code == "" {
		f.Err = err // an answer to HEAD has no body
		return f
	}
	f.Code, f.Message, f.Field = p.Code, p.Detail, p.Field
	if p.RequestID != "" {
		f.Err = fmt.Errorf("the server's log has it as request %s", p.RequestID)
	}
	return f
}

func kindOf(status int) fault.Kind {
	switch status {
	case http.StatusUnauthorized:
		return fault.Unauthenticated
	case http.StatusForbidden:
		return fault.Forbidden
	case http.StatusNotFound:
		return fault.NotFound
	case http.StatusMethodNotAllowed:
		return fault.MethodNotAllowed
	case http.StatusRequestTimeout:
		return fault.Timeout
	case http.StatusConflict:
		return fault.Conflict
	case http.StatusPreconditionFailed:
		return fault.PreconditionFailed
	case http.StatusRequestEntityTooLarge:
		return fault.TooLarge
	case http.StatusUnsupportedMediaType:
		return fault.UnsupportedMedia
	case http.StatusRequestedRangeNotSatisfiable:
		return fault.RangeNotSatisfiable
	case http.StatusUnprocessableEntity:
		return fault.Unprocessable
	case http.StatusTooManyRequests:
		return fault.TooManyRequests
	case http.StatusBadGateway:
		return fault.Upstream
	case http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return fault.Unavailable
	case http.StatusInsufficientStorage:
		return fault.InsufficientStorage
	}
	if status >= http.StatusInternalServerError {
		return fault.Internal
	}
	return fault.Invalid
}
