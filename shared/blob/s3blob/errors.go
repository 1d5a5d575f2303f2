package s3blob

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"

	"sluice/shared/blob"
)

// What the driver itself finds out. errNotFound and its kin are classified like
// a store's answers.
var (
	errNotFound = errors.New("s3blob: no such object")
	errExists   = errors.New("s3blob: the key is taken")
	errChanged  = errors.New("s3blob: not the pinned object")
	errRefused  = errors.New("s3blob: the store can keep no object under that key")
	errStalled  = errors.New("s3blob: the store sent nothing for too long")
	errShort    = errors.New("s3blob: the store ended its answer early")
	errFolder   = errors.New("s3blob: a folder is in the way")
	errIdle     = errors.New("s3blob: nobody read for a while")
	errNoTag    = errors.New("s3blob: the answer has no entity tag")
	errNotRange = errors.New("s3blob: the answer is not the range that was asked for")
)

// storeError is an answer of the store that is no success. It has the methods
// by which the SDK's errors are known too.
type storeError struct {
	Status    int    `xml:"-"`
	Code      string `xml:"Code"`
	Message   string `xml:"Message"`
	RequestID string `xml:"RequestId"`
}

func (e *storeError) Error() string {
	return fmt.Sprintf("s3blob: the store answered %d %s: %s (request %s)", e.Status, e.Code, e.Message, e.RequestID)
}

// HTTPStatusCode returns the status of the answer.
func (e *storeError) HTTPStatusCode() int { return e.Status }

// ErrorCode returns S3's code.
func (e *storeError) ErrorCode() string { return e.Code }

// maxErrorBody is how much of an error's body is read.
const maxErrorBody = 64 << 10

// refusal reads an answer that is no success, and ends it. Answers to HEAD have
// no body, and so no code.
func refusal(resp *http.Response) error {
	e := &storeError{Status: resp.StatusCode, RequestID: resp.Header.Get("X-Amz-Request-Id")}
	body := io.LimitReader(resp.Body, maxErrorBody)
	_ = xml.NewDecoder(body).Decode(e) // a body that is none tells nothing
	_, _ = io.Copy(io.Discard, body)   // so that the connection can be used again
	_ = resp.Body.Close()
	return e
}

// said returns the status and the code of a store's answer, the SDK's or ours.
func said(err error) (status int, code string) {
	if e, ok := errors.AsType[interface {
		error
		HTTPStatusCode() int
	}](err); ok {
		status = e.HTTPStatusCode()
	}
	if e, ok := errors.AsType[interface {
		error
		ErrorCode() string
	}](err); ok {
		code = e.ErrorCode()
	}
	return status, code
}

// code classifies an error.
func code(err error) blob.Code {
	switch {
	case err == nil:
		return blob.Unknown
	case errors.Is(err, errNotFound):
		return blob.NotFound
	case errors.Is(err, errExists):
		return blob.Exists
	case errors.Is(err, errChanged):
		return blob.Changed
	case errors.Is(err, errRefused):
		return blob.Refused
	}
	status, name := said(err)
	if c := byName[name]; c != blob.Unknown {
		return c
	}
	switch status {
	case http.StatusNotFound:
		if name == "NoSuchBucket" {
			return blob.Unknown // the store is not there at all
		}
		return blob.NotFound
	case http.StatusPreconditionFailed:
		return blob.Changed
	case http.StatusInsufficientStorage:
		return blob.Full
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return blob.Busy
	case 0:
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return blob.Canceled
		}
	}
	return blob.Unknown
}

// byName are the codes of S3, and those of MinIO and versitygw, of which the
// status alone tells too little.
var byName = map[string]blob.Code{
	"NoSuchKey":                     blob.NotFound,
	"NoSuchUpload":                  blob.NotFound,
	"PreconditionFailed":            blob.Changed,
	"InvalidPart":                   blob.Changed,
	"InvalidPartOrder":              blob.Changed,
	"XMinioStorageFull":             blob.Full,
	"QuotaExceeded":                 blob.Full,
	"KeyTooLongError":               blob.Refused,
	"XMinioInvalidObjectName":       blob.Refused,
	"XMinioParentIsObject":          blob.Refused,
	"XMinioObjectExistsAsDirectory": blob.Refused,
	"ObjectParentIsFile":            blob.Refused,
	"ExistingObjectIsDirectory":     blob.Refused,
	// Amazon's, where another request for the same key was on its way.
	"ConditionalRequestConflict": blob.Busy,
	"OperationAborted":           blob.Busy,

	"SlowDown":                   blob.Busy,
	"SlowDownRead":               blob.Busy,
	"SlowDownWrite":              blob.Busy,
	"ServiceUnavailable":         blob.Busy,
	"XMinioServerNotInitialized": blob.Busy,
}

// spent is the error of a call that cannot be made again, since its body has
// been taken.
type spent struct{ error }

func (s spent) Unwrap() error { return s.error }

// passing reports whether a call that failed so may succeed when it is made
// again: the store was not reached, broke off, or is troubled.
func passing(err error) bool {
	if _, ok := errors.AsType[spent](err); ok {
		return false
	}
	switch c := code(err); {
	case c == blob.Busy:
		return true
	case c != blob.Unknown, errors.Is(err, errNotRange), errors.Is(err, errNoTag):
		return false
	}
	status, _ := said(err)
	return status == 0 || status == http.StatusRequestTimeout || status >= 500 && status != http.StatusNotImplemented
}
