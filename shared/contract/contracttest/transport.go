package contracttest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
)

// Transport returns a RoundTripper that sends by base and checks every answer.
// One that breaks the contract fails the test, and is handed on all the same.
// A file's bytes pass through unread, in both directions; of a body that
// breaks off, nothing is checked.
func (c *Checker) Transport(base http.RoundTripper) http.RoundTripper {
	return &transport{checker: c, base: base}
}

type transport struct {
	checker *Checker
	base    http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	o, _, _ := t.checker.find(req)
	sent, reqBody, err := keepBody(req, o)
	if err != nil {
		return nil, err
	}
	resp, err := t.base.RoundTrip(sent)
	if err != nil {
		return nil, err
	}
	var body []byte
	if !o.deliversBytes(resp.StatusCode) {
		if body, err = io.ReadAll(resp.Body); err != nil {
			resp.Body = rest{io.MultiReader(bytes.NewReader(body), failing{err}), resp.Body}
			return resp, nil //nolint:nilerr // whoever reads the body meets it
		}
		resp.Body = rest{bytes.NewReader(body), resp.Body}
	}
	if err := t.checker.Check(req, reqBody, resp, body); err != nil {
		t.checker.t.Errorf("the answer breaks the contract: %v", err)
	}
	return resp, nil
}

// keepBody returns the request to send and its JSON body, if it has one. The
// request itself stays as it is, but for its body, which is read.
func keepBody(req *http.Request, o Operation) (sent *http.Request, body []byte, err error) {
	if req.Body == nil || req.Body == http.NoBody || o.takesBytes() {
		return req, nil, nil
	}
	body, err = io.ReadAll(req.Body)
	if err = errors.Join(err, req.Body.Close()); err != nil {
		return nil, nil, err
	}
	sent = req.Clone(req.Context())
	sent.Body = io.NopCloser(bytes.NewReader(body))
	return sent, body, nil
}

// takesBytes reports whether the request's body is a file's bytes.
func (o Operation) takesBytes() bool {
	if o.declared == nil || o.declared.RequestBody == nil {
		return false
	}
	return o.declared.RequestBody.Value.Content["*/*"] != nil
}

// deliversBytes reports whether the answer's body is a file's bytes.
func (o Operation) deliversBytes(status int) bool {
	if o.declared == nil {
		return false
	}
	declared := o.declared.Responses.Status(status)
	return declared != nil && declared.Value.Content["*/*"] != nil
}

// rest is a body that was read, or begun to be read, and closes as before.
type rest struct {
	io.Reader
	io.Closer
}

// failing is a reader that is broken.
type failing struct{ err error }

// Read fails.
func (f failing) Read([]byte) (int, error) { return 0, f.err }
