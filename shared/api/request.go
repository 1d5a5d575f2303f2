package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/rs/cors"

	"sluice/shared/account"
	"sluice/shared/auth"
	"sluice/shared/fault"
	"sluice/shared/link"
	"sluice/shared/tus"
)

// The events of a download in the log. A redirect, of which no more is known,
// is only started.
const (
	downloadStarted   = "download.started"
	downloadCompleted = "download.completed"
	downloadAborted   = "download.aborted"
)

// request is one call: Gin's context, who it comes from, and what its log line
// will say.
type request struct {
	*gin.Context
	id        string
	client    string // its address: the peer's, or what a trusted proxy says
	began     time.Time
	operation string
	identity  account.Identity
	linked    *link.Link // what the URL seals, if it is a link
	file      string     // the file's id, if one
	session   string     // the download session's id, if an explicit one
	onBehalf  string     // who the audit names instead of who asks, if one
	event     string     // a download event, if one
	bytes     int64      // of the file, sent or received
	issued    int64      // bytes of the file that a redirect led to
	until     time.Time  // when what the request rests on ends; zero: never
	err       error      // what was answered, or why the answer broke off
	panicked  any        // what a handler panicked with
	count     func(operation, status string, took time.Duration)

	// allowed is asked while bytes flow whether they still may; nil: who asks
	// must still be let in.
	allowed func(context.Context) error
}

// subject is who asks, as May takes it.
func (r *request) subject() auth.Subject { return r.identity.Subject() }

// address is the client's.
func (r *request) address() netip.Addr {
	a, _ := netip.ParseAddr(r.client)
	return a.Unmap()
}

// joinForwarded makes one line of several (RFC 9110 §5.3). Gin reads the first
// alone, which is the client's where a proxy adds a line of its own behind it.
func joinForwarded(h http.Header) {
	if lines := h[forwardedFor]; len(lines) > 1 {
		h[forwardedFor] = []string{strings.Join(lines, ", ")}
	}
}

// begin gives a request an id and sets the headers that every answer has. end
// must be deferred.
func (s *server) begin(c *gin.Context, operation string) *request {
	joinForwarded(c.Request.Header) // before it is read
	r := &request{Context: c, id: auth.NewID(s.Clock()), client: c.ClientIP(), began: time.Now(), operation: operation, count: s.Metrics.Begin()}
	setDefaults(c.Writer.Header(), r.id)
	if strings.HasPrefix(c.Request.URL.Path, tusPath) {
		c.Header("Tus-Resumable", tus.Version) // with whatever answer
	}
	if c.Request.ContentLength != 0 && c.Request.ProtoMajor == 1 {
		// net/http reads on by itself where no handler wanted the body. Who
		// reads it renews the deadline, and its end lifts it.
		_ = http.NewResponseController(c.Writer).SetReadDeadline(time.Now().Add(s.Stall)) // an edge without a connection has its own limits
	}
	return r
}

// end turns a panic into a 500 and writes the log line.
func (s *server) end(r *request) {
	r.panicked = recover()
	if r.panicked != nil {
		s.answerPanic(r)
	}
	took := time.Since(r.began)
	r.count(r.operation, strconv.Itoa(r.Writer.Status()), took)
	s.log(r, took)
	if r.panicked != nil {
		panic(http.ErrAbortHandler) // the answer is not whole: let no client take it for that
	}
}

// setDefaults sets what every answer has; a delivery replaces some of it.
func setDefaults(h http.Header, id string) {
	h.Set("X-Request-Id", id)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
}

// answerPanic writes a 500 while that is still possible.
func (s *server) answerPanic(r *request) {
	if err, ok := r.panicked.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		return
	}
	s.Log.LogAttrs(r.Request.Context(), slog.LevelError, "panic", slog.String("request_id", r.id),
		slog.Any("panic", r.panicked), slog.String("stack", string(debug.Stack())))
	if r.Writer.Written() {
		return
	}
	r.err = fault.New(fault.Internal, "internal", "Something went wrong on our side.")
	s.writeProblem(r, r.err)
	r.panicked = nil
}

// log writes the one line of a request. It holds ids and the route's name, and
// never a path, a query or a header, which may hold secrets, but for the id of a
// trace.
func (s *server) log(r *request, took time.Duration) {
	attrs := append(make([]slog.Attr, 0, 15), // as many as there can be
		slog.String("request_id", r.id),
		slog.String("method", r.Request.Method),
		slog.String("operation", r.operation),
		slog.Int("status", r.Writer.Status()),
		slog.Int64("bytes", r.bytes),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000),
		slog.String("client", r.client),
	)
	issuer := ""
	if r.linked != nil {
		issuer = r.linked.Issuer
	}
	for _, a := range [...]slog.Attr{
		slog.String("user_id", r.identity.User.ID), slog.String("issuer_id", issuer), slog.String("file_id", r.file),
		slog.String("session_id", r.session), slog.String("event", r.event), slog.String("trace_id", traceID(r.Request.Header)),
	} {
		if a.Value.String() != "" {
			attrs = append(attrs, a)
		}
	}
	if r.event == downloadStarted {
		attrs = append(attrs, slog.Int64("issued", r.issued))
	}
	level := slog.LevelInfo
	if r.err != nil {
		attrs = append(attrs, slog.String("error", withoutField(r.err)))
		if r.Writer.Status() >= http.StatusInternalServerError {
			level = slog.LevelError
		}
	}
	s.Log.LogAttrs(r.Request.Context(), level, "request", attrs...)
}

// withoutField words an error for the log. A field may be of the client's own
// making, such as one that is not in the contract; the answer names it, and
// the log does not.
func withoutField(err error) string {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Field == "" {
		return err.Error()
	}
	c := *f
	c.Field = ""
	return c.Error()
}

// newCORS answers preflights and tells browsers what pages of the origins may
// see. It is nil without origins.
func newCORS(origins []string) *cors.Cors {
	if len(origins) == 0 {
		return nil
	}
	return cors.New(cors.Options{
		AllowedOrigins: origins,
		AllowedMethods: []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPost, http.MethodPatch, http.MethodDelete},
		AllowedHeaders: []string{
			"Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since", "Range", "Repr-Digest",
			"Tus-Resumable", "Upload-Checksum", "Upload-Length", "Upload-Metadata", "Upload-Offset", "X-HTTP-Method-Override",
		},
		ExposedHeaders: []string{
			"Accept-Ranges", "Content-Disposition", "Content-Range", "ETag", "Location", "Repr-Digest", "Retry-After", "Sluice-Delivery", "Sluice-File",
			"Tus-Checksum-Algorithm", "Tus-Extension", "Tus-Max-Size", "Tus-Resumable", "Tus-Version",
			"Upload-Expires", "Upload-Length", "Upload-Metadata", "Upload-Offset", "X-File-Size", "X-Request-Id",
		},
		MaxAge: 600,
	})
}

// preflight sets what the origin of a request may see, and reports whether
// that was all that was asked.
func (s *server) preflight(r *request) bool {
	if s.cors == nil {
		return false
	}
	s.cors.HandlerFunc(r.Writer, r.Request)
	if r.Request.Method != http.MethodOptions || r.GetHeader("Access-Control-Request-Method") == "" {
		return false
	}
	r.operation = "preflight"
	r.AbortWithStatus(http.StatusNoContent)
	return true
}
