package edgetest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// runtimePath is where the Lambda Runtime API stands
// (docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html).
const runtimePath = "/2018-06-01/runtime"

// The headers of the Runtime API.
const (
	headerRequestID = "Lambda-Runtime-Aws-Request-Id"
	headerDeadline  = "Lambda-Runtime-Deadline-Ms"
	headerARN       = "Lambda-Runtime-Invoked-Function-Arn"
	headerTrace     = "Lambda-Runtime-Trace-Id"
	headerErrorType = "Lambda-Runtime-Function-Error-Type"
	headerErrorBody = "Lambda-Runtime-Function-Error-Body"
)

// invocation is one event on its way through the function.
type invocation struct {
	id       string
	event    []byte
	streams  bool
	deadline time.Time
	answered chan outcome  // of one: the answer has begun, or there is none
	done     chan struct{} // closed when nothing more comes
}

type outcome struct {
	answer *Answer
	err    error
}

// settle tells who waits; only the first time counts.
func (i *invocation) settle(o outcome) {
	select {
	case i.answered <- o:
	default:
	}
}

// runtimeAPI serves one function process. Its requests come one at a time, as
// the process asks for the next when it is done with one.
type runtimeAPI struct {
	next    chan *invocation
	polled  chan struct{}       // told of each poll; of one
	current chan *invocation    // holds the one under way; of one
	failed  chan *FunctionError // of one: why the process could not start
}

func newRuntimeAPI() *runtimeAPI {
	return &runtimeAPI{
		next: make(chan *invocation), polled: make(chan struct{}, 1),
		current: make(chan *invocation, 1), failed: make(chan *FunctionError, 1),
	}
}

func (a *runtimeAPI) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+runtimePath+"/invocation/next", a.serveNext)
	mux.HandleFunc("POST "+runtimePath+"/invocation/{id}/response", a.serveResponse)
	mux.HandleFunc("POST "+runtimePath+"/invocation/{id}/error", a.serveError)
	mux.HandleFunc("POST "+runtimePath+"/init/error", a.serveInitError)
	return mux
}

func (a *runtimeAPI) serveNext(w http.ResponseWriter, r *http.Request) {
	select {
	case a.polled <- struct{}{}:
	default:
	}
	select {
	case i := <-a.next:
		a.current <- i
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set(headerRequestID, i.id)
		h.Set(headerDeadline, strconv.FormatInt(i.deadline.UnixMilli(), 10))
		h.Set(headerARN, "arn:aws:lambda:eu-central-1:123456789012:function:sluice")
		h.Set(headerTrace, "Root=1-5e6722a7-cc56aaee46db7ae02d4da47e;Parent=53995c3f42cd8ad8;Sampled=0")
		_, _ = w.Write(i.event) // a process that has gone is noticed by its exit
	case <-r.Context().Done():
	}
}

// take returns the invocation that a request is about, or answers 400.
func (a *runtimeAPI) take(w http.ResponseWriter, r *http.Request) *invocation {
	select {
	case i := <-a.current:
		if i.id == r.PathValue("id") {
			return i
		}
		a.current <- i
	default:
	}
	answerRuntime(w, http.StatusBadRequest, "InvalidRequestID")
	return nil
}

func (a *runtimeAPI) serveResponse(w http.ResponseWriter, r *http.Request) {
	i := a.take(w, r)
	if i == nil {
		return
	}
	defer close(i.done)
	if i.streams {
		a.stream(i, r)
		answerRuntime(w, http.StatusAccepted, "")
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxPayload+1))
	switch {
	case err != nil:
		i.settle(outcome{err: err})
	case len(body) > MaxPayload:
		i.settle(outcome{err: &FunctionError{"Function.ResponseSizeTooLarge", "The answer is longer than 6 MB."}})
		answerRuntime(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge")
		return
	case trailerError(r) != nil:
		i.settle(outcome{err: trailerError(r)})
	default:
		i.settle(outcome{answer: &Answer{r.Header.Get("Content-Type"), io.NopCloser(bytes.NewReader(body))}})
	}
	answerRuntime(w, http.StatusAccepted, "")
}

// stream passes a body on as it comes. Lambda takes all of it, whether the
// client is still there or not.
func (a *runtimeAPI) stream(i *invocation, r *http.Request) {
	out, in := io.Pipe()
	i.settle(outcome{answer: &Answer{r.Header.Get("Content-Type"), out}})
	_, err := io.Copy(in, r.Body)
	if errors.Is(err, io.ErrClosedPipe) {
		_, err = io.Copy(io.Discard, r.Body)
	}
	if err == nil {
		err = trailerError(r)
	}
	in.CloseWithError(err) // nil: the end
}

// trailerError is the error that a function sent behind its body, or nil
// (docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html, "Response streaming").
func trailerError(r *http.Request) error {
	kind := r.Trailer.Get(headerErrorType)
	if kind == "" {
		return nil
	}
	text, err := base64.StdEncoding.DecodeString(r.Trailer.Get(headerErrorBody))
	if err != nil {
		text = nil
	}
	return functionError(kind, text)
}

func functionError(kind string, text []byte) *FunctionError {
	var told struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}
	if err := json.Unmarshal(text, &told); err != nil {
		told.Message = string(text)
	}
	if kind == "" {
		kind = told.Type
	}
	return &FunctionError{kind, told.Message}
}

func (a *runtimeAPI) serveError(w http.ResponseWriter, r *http.Request) {
	i := a.take(w, r)
	if i == nil {
		return
	}
	defer close(i.done)
	i.settle(outcome{err: readError(r)})
	answerRuntime(w, http.StatusAccepted, "")
}

func (a *runtimeAPI) serveInitError(w http.ResponseWriter, r *http.Request) {
	select {
	case a.failed <- readError(r):
	default:
	}
	answerRuntime(w, http.StatusAccepted, "")
}

func readError(r *http.Request) *FunctionError {
	text, _ := io.ReadAll(io.LimitReader(r.Body, MaxPayload)) // what came is told
	return functionError(r.Header.Get(headerErrorType), text)
}

func answerRuntime(w http.ResponseWriter, status int, problem string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if problem == "" {
		fmt.Fprint(w, `{"status":"OK"}`)
		return
	}
	fmt.Fprintf(w, `{"errorType":%q}`, problem)
}
