package api

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"sluice/shared/fault"
)

// maxJSON is the longest JSON body taken, in bytes.
const maxJSON = 64 << 10

// validator is a request that can check itself.
type validator interface{ Validate() error }

// decode is the one place where JSON comes in. It refuses another content
// type, a body over maxJSON, unknown and repeated fields, wrong types, invalid
// UTF-8 and trailing data, and null where there is none in the contract; then
// it asks the request to validate itself.
func decode[T validator](s *server, r *request) (T, error) {
	var v T
	if mediaType, _, err := mime.ParseMediaType(r.GetHeader("Content-Type")); err != nil || mediaType != "application/json" {
		return v, fault.New(fault.UnsupportedMedia, "unsupported_media_type", "Send application/json.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(r.Writer, s.shortBody(r), maxJSON))
	if err != nil {
		return v, bodyError(err)
	}
	if err := json.Unmarshal(body, &v, json.RejectUnknownMembers(true), json.WithUnmarshalers(refuseNull())); err != nil {
		return v, jsonError(err)
	}
	return v, v.Validate()
}

// decodeIfSent is decode where the body may be left out: then the zero request.
func decodeIfSent[T validator](s *server, r *request) (T, error) {
	if r.Request.ContentLength == 0 {
		var v T
		return v, nil
	}
	return decode[T](s, r)
}

// refuseNull takes null only where the contract does: for a nullable.Nullable.
// Elsewhere the decoder would take it for a zero value, or for nothing sent.
func refuseNull() *json.Unmarshalers {
	return json.UnmarshalFromFunc(func(d *jsontext.Decoder, v any) error {
		if _, nullable := v.(interface{ IsNull() bool }); !nullable && d.PeekKind() == 'n' {
			return errNull
		}
		return errors.ErrUnsupported // to be decoded as it would be without this
	})
}

var errNull = errors.New("null is not a value here")

func bodyError(err error) error {
	var tooLarge *http.MaxBytesError
	var f *fault.Error
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &tooLarge):
		return fault.Newf(fault.TooLarge, "body_too_large", "The body has over %d bytes.", tooLarge.Limit)
	default:
		return fault.Wrap(err, fault.Invalid, "body_cut", "The body ended early.")
	}
}

// jsonError names the field where the decoder knows it.
func jsonError(err error) error {
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.As(err, &semantic) && semantic.JSONPointer == "":
		return fault.New(fault.Invalid, "invalid_json", "The body is not a JSON object.")
	case errors.Is(err, json.ErrUnknownName) && semantic != nil:
		return fault.InvalidField(fieldName(semantic.JSONPointer), "There is no such field.")
	case semantic != nil:
		return fault.InvalidField(fieldName(semantic.JSONPointer), "The field does not take this value.")
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syntactic):
		return fault.InvalidField(fieldName(syntactic.JSONPointer), "The field is there twice.")
	default:
		return fault.New(fault.Invalid, "invalid_json", "The body is not one valid JSON value.") // without the cause, which quotes the body
	}
}

// fieldName turns /a/b into a.b.
func fieldName(p jsontext.Pointer) string {
	var names []string
	for name := range p.Tokens() {
		names = append(names, name)
	}
	return strings.Join(names, ".")
}

// body returns the request's body, each read of which must bring something
// within the stall time: progress is what counts, not the whole. The time to
// answer does not run meanwhile.
func (s *server) body(r *request) *progressBody {
	control := http.NewResponseController(r.Writer)
	_ = control.SetWriteDeadline(time.Time{}) // write sets it again
	return &progressBody{ReadCloser: r.Request.Body, control: control, stall: s.Stall, http2: r.Request.ProtoMajor > 1}
}

// shortBody returns a body that must come whole within the stall time: one of
// a few bytes that drips would hold a connection for days.
func (s *server) shortBody(r *request) io.ReadCloser {
	b := s.body(r)
	b.until = time.Now().Add(s.Stall)
	return b
}

type progressBody struct {
	io.ReadCloser
	control *http.ResponseController
	stall   time.Duration
	until   time.Time // when the whole must have come; zero: no matter
	http2   bool
	read    time.Time // when the last Read ended; zero: there was none

	interrupted atomic.Bool
}

// Interrupt ends the Read that waits, and all to come, with Conflict
// "upload_moved": it is for what a client goes on with by another request.
func (b *progressBody) Interrupt() {
	b.interrupted.Store(true)
	b.expire()
}

// expire ends what waits for the connection.
func (b *progressBody) expire() {
	_ = b.control.SetReadDeadline(time.Unix(1, 0)) // an edge without a connection has its own limits
}

// away is how long nobody has read, as while a disk is slow. The client's TCP
// then tries again at growing intervals, and is silent for as long once more.
func (b *progressBody) away() time.Duration {
	if b.read.IsZero() {
		return 0
	}
	return time.Since(b.read)
}

// Read fails with Timeout "body_stalled" when nothing came in time.
func (b *progressBody) Read(p []byte) (int, error) {
	deadline := b.until
	if deadline.IsZero() {
		deadline = time.Now().Add(b.stall + b.away())
	}
	_ = b.control.SetReadDeadline(deadline) // an edge without a connection has its own limits
	if b.interrupted.Load() {
		b.expire() // the deadline just set may have come after the one meant
	}
	n, err := b.ReadCloser.Read(p)
	b.read = time.Now()
	if errors.Is(err, os.ErrDeadlineExceeded) && b.interrupted.Load() {
		return n, fault.Wrap(err, fault.Conflict, "upload_moved", "Another request asked how far the upload is, to go on from there.")
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return n, fault.Wrap(err, fault.Timeout, "body_stalled", "The body stopped coming.")
	}
	if err == nil && b.http2 {
		// Over HTTP/2 a deadline ends the body even while nobody reads, which
		// would make a slow disk a client that stalls.
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}
