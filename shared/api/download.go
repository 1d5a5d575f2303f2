package api

import (
	"context"
	"errors"
	"io"
	"net/http"

	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/delivery"
	"sluice/shared/disposition"
	"sluice/shared/fault"
)

func downloadRoutes() []route {
	return []route{
		{http.MethodGet, "/api/files/:id/content", "getFileContent", optional, getContent},
		{http.MethodHead, "/api/files/:id/content", "headFileContent", optional, getContent},
		{http.MethodGet, "/file/:user/*path", "getFile", optional, getFile},
		{http.MethodHead, "/file/:user/*path", "headFile", optional, getFile},
	}
}

func getContent(s *server, r *request) error {
	f, err := s.fileByID(r, auth.ReadFile)
	if err != nil {
		return err
	}
	if f, err = s.atVersion(r, f, r.Query("version")); err != nil {
		return err
	}
	return s.deliver(r, f, "version")
}

func getFile(s *server, r *request) error {
	f, err := s.fileByPath(r, auth.ReadFile)
	if err != nil {
		return err
	}
	return s.deliver(r, f)
}

// fileByPath is fileByID for the user and the path that the URL gives.
func (s *server) fileByPath(r *request, action auth.Action) (*catalog.File, error) {
	path, err := filePath(r)
	if err != nil {
		return nil, err
	}
	f, err := s.find(r, path)
	return f, s.may(r, action, f, err)
}

func (s *server) find(r *request, path string) (*catalog.File, error) {
	owner, err := s.Catalog.UserByName(r.Request.Context(), r.Param("user"))
	if err != nil {
		return nil, err
	}
	f, err := s.Catalog.FileAt(r.Request.Context(), owner.ID, path)
	return &f, err
}

// deliver answers with the file's bytes and notes what became of it. The query
// may hold what every delivery takes and the parameters named.
func (s *server) deliver(r *request, f *catalog.File, parameters ...string) error {
	options, err := s.deliveryOptions(r, parameters...)
	if err != nil {
		return err
	}
	var outcome delivery.Outcome
	if r.Request.Method == http.MethodGet {
		count := s.Recorder.Begin(s.download(r, f))
		defer func() {
			if outcome.Status == http.StatusTemporaryRedirect {
				count.Issue(outcome.Issued)
				return
			}
			count.End(outcome.Bytes, outcome.Complete && r.event != "")
		}()
		options.Sent = count.Add
	}
	outcome, err = s.Delivery.Serve(bodyWriter{r}, r.Request, f, options)
	if delivery.Changed(err) && !f.Version.Changed {
		err = errors.Join(err, s.Catalog.MarkChanged(context.WithoutCancel(r.Request.Context()), *f))
	}
	r.bytes, r.issued = outcome.Bytes, outcome.Issued
	if outcome.Status == 0 || r.Request.Method == http.MethodHead || outcome.Status == http.StatusNotModified {
		return err
	}
	if outcome.Status == http.StatusTemporaryRedirect {
		r.event = downloadStarted
		s.Metrics.Redirect(outcome.Issued)
		return err
	}
	r.event = downloadCompleted
	if !outcome.Complete {
		r.event = downloadAborted
	}
	s.Metrics.Download(r.event[len("download."):], outcome.Bytes)
	return err
}

func (s *server) deliveryOptions(r *request, parameters ...string) (delivery.Options, error) {
	if r.linked != nil { // it says all; what was added to its URL is not looked at
		return delivery.Options{Disposition: r.linked.Disposition, Allowed: r.allowed, Until: r.until, Most: s.Most}, nil
	}
	if err := checkQuery(r, append(parameters, "delivery", "disposition")...); err != nil {
		return delivery.Options{}, err
	}
	o := delivery.Options{Disposition: disposition.Type(r.Query("disposition")), Until: r.until, Most: s.Most}
	var err error
	if o.Delivery, err = s.askedDelivery(r); err != nil {
		return o, err
	}
	switch o.Disposition {
	case "", disposition.Inline, disposition.Attachment:
	default:
		return o, fault.InvalidField("disposition", "A disposition is inline or attachment.")
	}
	if o.Allowed = r.allowed; r.allowed != nil {
		return o, nil
	}
	// The request's identity may lose its right while the bytes flow.
	o.Allowed = func(ctx context.Context) error {
		if !r.subject().Anonymous() {
			if err := s.Accounts.Still(ctx, r.identity); err != nil {
				return err
			}
		}
		return nil
	}
	return o, nil
}

// askedDelivery reads what a request says of how the bytes should leave.
func (s *server) askedDelivery(r *request) (catalog.Delivery, error) {
	asked := catalog.Delivery(r.Query("delivery"))
	switch {
	case asked == "":
		return asked, nil
	case asked != catalog.DeliverStream && asked != catalog.DeliverRedirect:
		return asked, fault.InvalidField("delivery", "A delivery is stream or redirect.")
	case !s.Delivery.Policy.ByRequest:
		return asked, fault.InvalidField("delivery", "Here a request does not choose how the bytes leave.")
	default:
		return asked, nil
	}
}

// bodyWriter lets a delivery write past Gin, whose ResponseWriter hides what
// keeps a copy in the kernel (io.ReaderFrom) and what tells of a stuck header
// (FlushError), while Gin still knows the status.
type bodyWriter struct{ r *request }

// Header returns the answer's header.
func (w bodyWriter) Header() http.Header { return w.r.Writer.Header() }

// WriteHeader sends the header at once.
func (w bodyWriter) WriteHeader(status int) {
	w.r.Writer.WriteHeader(status)
	w.r.Writer.WriteHeaderNow()
}

// Write writes a piece of the body.
func (w bodyWriter) Write(p []byte) (int, error) { return w.r.Writer.Write(p) }

// ReadFrom copies src to the connection.
func (w bodyWriter) ReadFrom(src io.Reader) (int64, error) {
	if direct, ok := w.Unwrap().(io.ReaderFrom); ok {
		return direct.ReadFrom(src)
	}
	return io.Copy(struct{ io.Writer }{w}, src)
}

// Unwrap returns the edge's own writer, for http.ResponseController.
func (w bodyWriter) Unwrap() http.ResponseWriter {
	if u, ok := w.r.Writer.(interface{ Unwrap() http.ResponseWriter }); ok {
		return u.Unwrap()
	}
	return w.r.Writer
}
