package edge

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// BrokenError is the error by which a streamed body ends that is not whole. The
// runtime makes it the trailers of its answer, and the platform then breaks the
// client's off: so the client can tell, and go on where it was.
type BrokenError struct {
	Reason error
}

// Error implements error.
func (e *BrokenError) Error() string { return "the answer broke off: " + e.Reason.Error() }

// Unwrap returns the reason.
func (e *BrokenError) Unwrap() error { return e.Reason }

// Why a stream is ended from without.
var (
	errCallerGone = errors.New("the caller is gone")
	errOutOfTime  = errors.New("the invocation's time is over")
)

// stream is a sink whose pieces leave as they come. The app writes in a
// goroutine of its own; the runtime reads. A Write returns when its bytes were
// taken.
type stream struct {
	pipe  *pipe
	ready chan head     // gets the head, once
	done  chan struct{} // closed when the app's goroutine has ended
	stop  context.CancelFunc

	mu       sync.Mutex
	timer    *time.Timer // ends the Write that waits
	deadline time.Time   // zero: none
	writing  bool
	begun    bool
	failed   error // why the body broke off; nil: it did not
}

func newStream(stop context.CancelFunc) *stream {
	s := &stream{pipe: newPipe(), ready: make(chan head, 1), done: make(chan struct{}), stop: stop}
	s.timer = time.AfterFunc(time.Hour, s.expire)
	s.timer.Stop()
	return s
}

// stream answers a call by what the app writes, from the moment it begins.
func (f *Function) stream(c *call) any {
	s := newStream(c.cancel)
	go func() {
		defer close(s.done)
		defer c.cancel()
		defer context.AfterFunc(c.Context(), s.late)()
		broken := f.answer(c, s)
		if broken != nil && c.Context().Err() != nil {
			broken = errOutOfTime // the app only heard of it sooner than late did
		}
		s.finish(broken)
	}()
	return f.Transport.streamed(<-s.ready, s)
}

// answer lets the app answer, and sees to it that there is a head.
func (f *Function) answer(c *call, s *stream) (broken error) {
	w := newWriter(&prelude{sink: s, method: c.Method}, c.Method)
	broken = f.serve(c.outer, w, c.Request)
	if broken != nil && !w.begun {
		refuse(newWriter(s, c.Method), w.header, broken)
		return nil
	}
	return broken
}

// streamed is the answer as the transport wants it.
func (t Transport) streamed(h head, body io.Reader) any {
	if t == RESTStream {
		return &events.APIGatewayProxyStreamingResponse{StatusCode: h.status, MultiValueHeaders: h.header, Body: body}
	}
	fields, cookies := joined(h.header)
	return &events.LambdaFunctionURLStreamingResponse{StatusCode: h.status, Headers: fields, Cookies: cookies, Body: body}
}

func (s *stream) begin(h head) {
	s.mu.Lock()
	s.begun = true
	s.mu.Unlock()
	s.ready <- h
}

// Write implements sink.
func (s *stream) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := s.arm(); err != nil {
		return 0, err
	}
	n, err := s.pipe.Write(p)
	return n, s.disarm(err)
}

// arm lets the deadline run while a Write does.
func (s *stream) arm() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return s.failed
	}
	if !s.deadline.IsZero() && !time.Now().Before(s.deadline) {
		return os.ErrDeadlineExceeded
	}
	s.writing = true
	s.setTimer()
	return nil
}

// disarm returns the reason for the pipe's error, if there was one.
func (s *stream) disarm(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing = false
	s.timer.Stop()
	if err != nil && s.failed != nil {
		return s.failed
	}
	return err
}

func (s *stream) setTimer() {
	if s.deadline.IsZero() {
		s.timer.Stop()
		return
	}
	s.timer.Reset(time.Until(s.deadline))
}

func (s *stream) setWriteDeadline(at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deadline = at
	if s.writing {
		s.setTimer()
	}
	return nil
}

// expire ends the Write that waits, unless it has more time by now.
func (s *stream) expire() {
	s.mu.Lock()
	late := s.writing && !s.deadline.IsZero() && !time.Now().Before(s.deadline)
	s.mu.Unlock()
	if late {
		s.fail(os.ErrDeadlineExceeded)
	}
}

// late ends a body for which the time is over. An answer that has not begun yet
// may still be one that says so.
func (s *stream) late() {
	s.mu.Lock()
	begun := s.begun
	s.mu.Unlock()
	if begun {
		s.fail(errOutOfTime)
	}
}

// fail ends the body with an error, for the app and for who reads it.
func (s *stream) fail(reason error) {
	s.mu.Lock()
	if s.failed == nil {
		s.failed = reason
	}
	reason = s.failed
	s.mu.Unlock()
	s.pipe.end(&BrokenError{reason})
}

// finish ends the body, as a whole one where broken is nil. The first to end it
// says how.
func (s *stream) finish(broken error) {
	if broken != nil {
		s.fail(broken)
		return
	}
	s.pipe.end(io.EOF)
}

// Read is the runtime's side of the body.
func (s *stream) Read(p []byte) (int, error) { return s.pipe.Read(p) }

// Close is for the runtime when it has no more use for the body: the caller is
// gone, if it was not whole. It returns when nothing of the call is running.
func (s *stream) Close() error {
	s.fail(errCallerGone)
	s.stop()
	<-s.done
	return nil
}

// prelude is a sink that lets no head through that the platform would refuse.
type prelude struct {
	sink

	method  string
	refused bool
}

func (p *prelude) begin(h head) {
	text, err := json.Marshal(struct {
		Status  int         `json:"status_code"`
		Headers http.Header `json:"multi_value_headers"`
	}{h.status, h.header})
	if err == nil && len(text)+len(`"cookies":[],`) <= mostPrelude {
		p.sink.begin(h)
		return
	}
	p.refused = true
	refuse(newWriter(p.sink, p.method), h.header, errLargeHeader)
}

// Write implements sink.
func (p *prelude) Write(b []byte) (int, error) {
	if p.refused {
		return 0, errLargeHeader
	}
	return p.sink.Write(b)
}
