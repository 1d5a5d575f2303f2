// Package delivery sends one version of a file as RFC 9110 says: it decides
// what is asked, and either opens exactly those bytes and streams them, or sends
// the client to the store for them.
package delivery

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"sluice/shared/blob"
	"sluice/shared/byterange"
	"sluice/shared/catalog"
	"sluice/shared/digest"
	"sluice/shared/disposition"
	"sluice/shared/fault"
)

// Service delivers from a bucket, and from those beside it. It is safe for
// concurrent use.
type Service struct {
	Blobs  *blob.Bucket
	Beside blob.Beside
	Policy Policy
	Clock  func() time.Time
	Stall  time.Duration // a client that takes no byte for so long is dropped

	small, large pieces // buffers of smallPiece and of largePiece
}

// Options are what a request may ask of a delivery.
type Options struct {
	// Disposition is how to show the file; empty: inline where that is safe.
	Disposition disposition.Type
	// Delivery is how the bytes should leave, where Policy.ByRequest lets a
	// request choose; else empty.
	Delivery catalog.Delivery
	// Most is the most bytes of a body that the transport carries; 0: any number.
	// A larger one is redirected, whatever was asked.
	Most int64
	// Until bounds the life of a URL of the store; zero: nothing does but the
	// file's own end.
	Until time.Time
	// Allowed is asked every few seconds while bytes flow whether they still
	// may; its error aborts the delivery.
	Allowed func(context.Context) error
	// Sent is told how many more bytes of the file were handed to the
	// connection; nil: nobody counts.
	Sent func(int64)
}

// Outcome is what became of a delivery.
type Outcome struct {
	Status   int   // 200, 206, 304 or 307; 0 where nothing was begun
	Bytes    int64 // of the file, as handed to the connection
	Issued   int64 // bytes of the file that a redirect leads to
	Complete bool
}

// Serve answers a GET or HEAD for the current version of f. An error with a
// zero Outcome.Status comes before anything was sent, and is for the caller
// to answer. One that comes later leaves the body short: the caller must
// abort the connection, so that the client can tell.
func (s *Service) Serve(w http.ResponseWriter, r *http.Request, f *catalog.File, o Options) (Outcome, error) {
	b, err := s.prepare(w.Header(), r, f, o)
	if err != nil {
		return Outcome{}, err
	}
	if b.decision.mode == catalog.DeliverRedirect {
		return s.redirect(w, r, f, b, o)
	}
	if b.parts == nil {
		w.WriteHeader(b.status)
		return Outcome{Status: b.status, Complete: true}, nil
	}
	defer closeAll(b.parts)
	sent, err := s.send(w, r, b, o)
	return Outcome{Status: b.status, Bytes: sent, Complete: err == nil}, err
}

// prepare decides the answer. Of one that is ours it opens what it carries and
// sets its header: every part is opened before the header goes out, so that a
// failing store is a clean error.
func (s *Service) prepare(h http.Header, r *http.Request, f *catalog.File, o Options) (*body, error) {
	if f.Version.Changed {
		return nil, changed(nil)
	}
	rep := byterange.Representation{ETag: f.Version.ETag, LastModified: s.lastModified(f), Size: f.Version.Size}
	verdict := byterange.Evaluate(r.Method, r.Header, rep)
	switch verdict.Status {
	case http.StatusPreconditionFailed:
		return nil, fault.New(fault.PreconditionFailed, "precondition_failed", "The file is no longer the one the condition names.")
	case http.StatusRequestedRangeNotSatisfiable:
		h.Set("Content-Range", byterange.Unsatisfied(rep.Size))
		return nil, fault.Newf(fault.RangeNotSatisfiable, "range_not_satisfiable", "The file has %d bytes, and the range asks for none of them.", rep.Size)
	case http.StatusNotModified:
		setValidators(h, f, rep)
		return &body{status: verdict.Status}, nil
	}
	b := plan(verdict, f)
	var err error
	if b.decision, err = s.decide(r, f, verdict, b, o); err != nil || b.decision.mode == catalog.DeliverRedirect {
		return b, err
	}
	if r.Method != http.MethodHead {
		if err := s.open(r.Context(), &f.Version, b); err != nil {
			return nil, err
		}
	}
	setHeaders(h, f, rep, b, o)
	return b, nil
}

// lastModified is the version's date, or zero while it lies ahead: RFC 9110
// §8.8.2.1 forbids a Last-Modified later than the answer's Date.
func (s *Service) lastModified(f *catalog.File) time.Time {
	at := f.Version.ModifiedAt.Truncate(time.Second)
	if at.After(s.Clock()) {
		return time.Time{}
	}
	return at
}

// body is what an answer carries: the ranges, one after the other, each
// behind its own header where there are several.
type body struct {
	decision    decision
	status      int
	ranges      []byterange.Range
	parts       []*blob.Reader       // of the ranges; nil where none is sent
	multipart   *byterange.Multipart // nil unless several
	contentType string
	length      int64 // of everything
}

func plan(v byterange.Verdict, f *catalog.File) *body {
	switch {
	case v.Status == http.StatusOK:
		whole := byterange.Range{Start: 0, Length: f.Version.Size}
		return &body{status: v.Status, ranges: []byterange.Range{whole}, contentType: f.ContentType, length: whole.Length}
	case len(v.Ranges) == 1:
		return &body{status: v.Status, ranges: v.Ranges, contentType: f.ContentType, length: v.Ranges[0].Length}
	default:
		m := byterange.NewMultipart(v.Ranges, f.Version.Size, f.ContentType)
		return &body{status: v.Status, ranges: v.Ranges, multipart: &m, contentType: m.ContentType(), length: m.Length()}
	}
}

// open opens the parts of b.
func (s *Service) open(ctx context.Context, v *catalog.Version, b *body) error {
	bucket, key, err := s.Beside.At(s.Blobs, v.Key)
	if err != nil {
		return err
	}
	parts := make([]*blob.Reader, 0, len(b.ranges))
	for _, r := range b.ranges {
		part, err := bucket.Open(ctx, key, r.Start, r.Length, v.StoreETag)
		if err != nil {
			closeAll(parts)
			return lost(err)
		}
		parts = append(parts, part)
	}
	b.parts = parts
	return nil
}

// lost tells what became of a blob that the record said is there: it is a fault
// of the store that it is gone, and no condition of the client's has failed
// where there is another one in its place.
func lost(err error) error {
	switch fault.KindOf(err) {
	case fault.NotFound:
		return fault.Wrap(err, fault.Upstream, "blob_missing", "The store has lost the bytes of this file.")
	case fault.PreconditionFailed:
		return changed(err)
	default:
		return err
	}
}

func changed(err error) error {
	return fault.Wrap(err, fault.Conflict, "blob_changed", "The bytes of this version were replaced in the store, or removed there.")
}

// Changed reports whether a delivery failed since the object of its version is
// another one now, or gone, before the answer or in its midst.
func Changed(err error) bool {
	return fault.Is(err, fault.Conflict, "blob_changed") || fault.Is(err, fault.PreconditionFailed, "blob_changed") ||
		fault.Is(err, fault.Upstream, "blob_missing") || fault.Is(err, fault.NotFound, "blob_not_found")
}

func closeAll(parts []*blob.Reader) {
	for _, p := range parts {
		_ = p.Close() // only read from: nothing can be lost
	}
}

// setValidators sets what every answer about a version carries: validators,
// what caches may do, and for what is not plainly safe to show a sandbox.
func setValidators(h http.Header, f *catalog.File, rep byterange.Representation) {
	h.Set("ETag", rep.ETag)
	h.Set("Cache-Control", cacheControl(f))
	if !rep.LastModified.IsZero() {
		h.Set("Last-Modified", rep.LastModified.UTC().Format(http.TimeFormat))
	}
	// On a 304 too: a cache takes its header over (RFC 9111 §4.3.4).
	if !disposition.Safe(f.ContentType) {
		h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	}
}

// cacheControl lets caches keep bytes but not hand them out unasked, since a
// file may be replaced or withdrawn at any time (RFC 9111 §5.2.2.4).
func cacheControl(f *catalog.File) string {
	if f.Visibility == catalog.Public {
		return "public, no-cache"
	}
	return "private, no-cache"
}

func setHeaders(h http.Header, f *catalog.File, rep byterange.Representation, b *body, o Options) {
	setValidators(h, f, rep)
	h.Set("Accept-Ranges", "bytes")
	h.Set("Content-Type", b.contentType)
	h.Set("Content-Length", strconv.FormatInt(b.length, 10))
	h.Set("X-File-Size", strconv.FormatInt(rep.Size, 10))
	h.Set("Sluice-Delivery", b.decision.String())
	if b.status == http.StatusPartialContent && b.multipart == nil {
		h.Set("Content-Range", b.ranges[0].ContentRange(rep.Size))
	}
	if sum := f.Version.Verified(); sum != nil {
		h.Set("Repr-Digest", digest.Format(sum))
	}
	h.Set("Content-Disposition", dispositionOf(f, o.Disposition))
}

// dispositionOf shows inline only what is plainly safe, unless asked.
func dispositionOf(f *catalog.File, asked disposition.Type) string {
	if asked == "" {
		asked = disposition.Attachment
		if disposition.Safe(f.ContentType) {
			asked = disposition.Inline
		}
	}
	return disposition.Format(asked, f.Name())
}
