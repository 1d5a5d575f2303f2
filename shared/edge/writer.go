package edge

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// head is an answer's status and header.
type head struct {
	status int
	header http.Header
	length int64 // of the body that follows, as announced; -1: it was not
}

// bodiless reports whether an answer of that status has no body (RFC 9110
// §6.4.1).
func bodiless(status int) bool {
	return status < http.StatusOK || status == http.StatusNoContent || status == http.StatusNotModified
}

// sink is where an answer goes.
type sink interface {
	// begin is called once, before the first Write.
	begin(head)
	// Write takes a piece of the body. It must not keep p.
	Write(p []byte) (int, error)
	// setWriteDeadline is as that of http.ResponseController.
	setWriteDeadline(time.Time) error
}

// writer is an http.ResponseWriter with net/http's manners before a sink: the
// header counts as it is when the answer begins, a type that nobody names is
// guessed, a body is as long as was announced, and HEAD has none.
type writer struct {
	sink   sink
	method string
	header http.Header

	status  int   // 0: not yet known
	begun   bool  // the sink has its head
	length  int64 // as announced; -1: it was not
	written int64
	sent    http.Header // the header as it was when the status became known
}

func newWriter(s sink, method string) *writer {
	return &writer{sink: s, method: method, header: http.Header{}, length: -1}
}

// Header implements http.ResponseWriter.
func (w *writer) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter. Interim answers are left out: no
// transport has them.
func (w *writer) WriteHeader(status int) {
	if w.status != 0 || status < http.StatusOK && status != http.StatusSwitchingProtocols {
		return
	}
	w.status, w.sent = status, clean(w.header)
	if n, err := strconv.ParseInt(w.sent.Get("Content-Length"), 10, 64); err == nil && n >= 0 {
		w.length = n
	}
}

// clean copies a header without what belongs to a connection, which is the
// platform's (RFC 9110 §7.6.1), and without line breaks in values.
func clean(h http.Header) http.Header {
	c := h.Clone()
	for _, name := range [...]string{"Connection", "Keep-Alive", "Transfer-Encoding", "Upgrade"} {
		delete(c, name)
	}
	for _, lines := range c {
		for i, line := range lines {
			if strings.ContainsAny(line, "\r\n") {
				lines[i] = strings.NewReplacer("\r", " ", "\n", " ").Replace(line)
			}
		}
	}
	return c
}

// begin gives the sink its head; first is the beginning of the body.
func (w *writer) begin(first []byte) {
	if w.begun {
		return
	}
	w.WriteHeader(http.StatusOK)
	w.begun = true
	_, typed := w.sent["Content-Type"]
	if !typed && len(first) > 0 && w.sent.Get("Content-Encoding") == "" {
		w.sent.Set("Content-Type", http.DetectContentType(first))
	}
	length := w.length
	if w.method == http.MethodHead || bodiless(w.status) {
		length = 0
	}
	w.sink.begin(head{w.status, w.sent, length})
}

// Write implements http.ResponseWriter.
func (w *writer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if bodiless(w.status) {
		return 0, http.ErrBodyNotAllowed
	}
	if w.length >= 0 && w.written+int64(len(p)) > w.length {
		return 0, http.ErrContentLength
	}
	w.begin(p)
	if w.method == http.MethodHead {
		w.written += int64(len(p))
		return len(p), nil
	}
	n, err := w.sink.Write(p)
	w.written += int64(n)
	return n, err
}

// Flush implements http.Flusher. What was written is with the sink already.
func (w *writer) Flush() { w.begin(nil) }

// FlushError is Flush, for http.ResponseController.
func (w *writer) FlushError() error {
	w.Flush()
	return nil
}

// SetWriteDeadline is for http.ResponseController.
func (w *writer) SetWriteDeadline(at time.Time) error { return w.sink.setWriteDeadline(at) }

// close ends the answer, and tells if its body is not what was announced.
func (w *writer) close() error {
	w.begin(nil)
	if w.method != http.MethodHead && !bodiless(w.status) && w.length >= 0 && w.written < w.length {
		return errShort
	}
	return nil
}
