package contracttest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"sluice/shared/tus"
)

const problemJSON = "application/problem+json"

// Check returns an error if resp is not an answer that the contract declares
// for req, and remembers it as seen if it is. body is the answer's body; of a
// file's bytes it may be nil. An answer below 400 means that the request was
// taken, so the request must then be as the contract asks; reqBody is its
// body, or nil if not at hand.
//
// A request that is none of the contract's must be answered by 404, or by 405
// and an Allow header where its path has other methods.
func (c *Checker) Check(req *http.Request, reqBody []byte, resp *http.Response, body []byte) error {
	o, parameters, known := c.find(req)
	if o.declared == nil {
		return c.checkUnlisted(req, known, resp, body)
	}
	declared := o.declared.Responses.Status(resp.StatusCode)
	if declared == nil {
		return fmt.Errorf("%s answers %d, which is not declared (%v are)", o, resp.StatusCode, o.Statuses)
	}
	if err := c.checkAnswer(req, declared, resp, body); err != nil {
		return fmt.Errorf("%s answers %d: %w", o, resp.StatusCode, err)
	}
	if resp.StatusCode < http.StatusBadRequest {
		if err := c.checkRequest(req, o, parameters, reqBody); err != nil {
			return fmt.Errorf("%s answers %d to what it must refuse: %w", o, resp.StatusCode, err)
		}
	}
	c.see(Answer{o.ID, resp.StatusCode})
	return nil
}

func (c *Checker) checkUnlisted(req *http.Request, known bool, resp *http.Response, body []byte) error {
	want := http.StatusNotFound
	if known {
		want = http.StatusMethodNotAllowed
	}
	if resp.StatusCode != want {
		return fmt.Errorf("%s %s is not in the contract and answers %d, not %d", req.Method, req.URL.Path, resp.StatusCode, want)
	}
	if known && resp.Header.Get("Allow") == "" {
		return fmt.Errorf("%s %s answers 405 without Allow (RFC 9110 §15.5.6)", req.Method, req.URL.Path)
	}
	if err := c.checkAnswer(req, c.document.Components.Responses["NotFound"], resp, body); err != nil {
		return fmt.Errorf("%s %s answers %d: %w", req.Method, req.URL.Path, resp.StatusCode, err)
	}
	return nil
}

// checkAnswer checks headers, content type and body.
func (c *Checker) checkAnswer(req *http.Request, declared *openapi3.ResponseRef, resp *http.Response, body []byte) error {
	content := declared.Value.Content
	bodiless := req.Method == http.MethodHead || len(content) == 0
	switch {
	case bodiless && len(body) > 0:
		return fmt.Errorf("there must be no body, but there are %d bytes", len(body))
	case len(content) > 0 && resp.Header.Get("Content-Type") == "":
		return errors.New("there is no Content-Type")
	case len(content) > 0 && content.Get(resp.Header.Get("Content-Type")) == nil:
		return fmt.Errorf("the content type %q is not declared", resp.Header.Get("Content-Type"))
	}
	if err := c.validateResponse(declared, resp.Header, body, bodiless); err != nil {
		return err
	}
	if bodiless || mediaType(resp.Header) != problemJSON {
		return nil
	}
	return checkProblem(resp.StatusCode, body)
}

// validateResponse runs kin-openapi. It leaves out HEAD, 304 and redirects,
// so it is told that this is the only answer, a 200, of a GET.
func (c *Checker) validateResponse(declared *openapi3.ResponseRef, header http.Header, body []byte, bodiless bool) error {
	only := &openapi3.Operation{Responses: openapi3.NewResponses(openapi3.WithStatus(http.StatusOK, declared))}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{
			Request: &http.Request{Method: http.MethodGet},
			Route:   &routers.Route{Spec: c.document, Operation: only},
		},
		Status:  http.StatusOK,
		Header:  header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, ExcludeResponseBody: bodiless, MultiError: true},
	}
	return openapi3filter.ValidateResponse(context.Background(), input.SetBodyBytes(body))
}

// checkProblem checks what a schema cannot say: that the members agree with
// the status line (RFC 9457 §3.1.3).
func checkProblem(status int, body []byte) error {
	var p struct {
		Status int
		Title  string
	}
	if err := json.Unmarshal(body, &p); err != nil {
		return err
	}
	title := http.StatusText(status)
	if status == tus.StatusChecksumMismatch {
		title = "Checksum Mismatch"
	}
	if p.Status != status || p.Title != title {
		return fmt.Errorf("the problem has status %d %q, not %d %q", p.Status, p.Title, status, title)
	}
	return nil
}

// checkRequest checks parameters, credentials and, if it is at hand, the body.
func (c *Checker) checkRequest(req *http.Request, o Operation, parameters map[string]string, body []byte) error {
	if duplicate := duplicateQuery(req); duplicate != "" {
		return fmt.Errorf("the parameter %q is there twice", duplicate)
	}
	if unknown := o.unknownQuery(req); unknown != "" {
		return fmt.Errorf("the parameter %q is not declared", unknown)
	}
	request := req.Clone(context.Background())
	request.Body = io.NopCloser(bytes.NewReader(body))
	return openapi3filter.ValidateRequest(context.Background(), &openapi3filter.RequestValidationInput{
		Request:    request,
		PathParams: parameters,
		Route:      &routers.Route{Spec: c.document, Path: o.Path, PathItem: o.item, Method: o.Method, Operation: o.declared},
		Options: &openapi3filter.Options{
			ExcludeRequestBody:  body == nil,
			SkipSettingDefaults: true,
			AuthenticationFunc:  needBearer,
		},
	})
}

// needBearer only looks whether there is a token: whether it is good is the
// server's to say.
func needBearer(_ context.Context, input *openapi3filter.AuthenticationInput) error {
	if scheme, token, _ := strings.Cut(input.RequestValidationInput.Request.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "bearer") && token != "" {
		return nil
	}
	return errors.New("there is no bearer token")
}

func duplicateQuery(req *http.Request) string {
	for name, values := range req.URL.Query() {
		if len(values) > 1 {
			return name
		}
	}
	return ""
}

// unknownQuery returns the name of a query parameter that an operation with
// query parameters does not declare: a misspelt filter must not be ignored.
func (o Operation) unknownQuery(req *http.Request) string {
	declared := slices.Concat(o.item.Parameters, o.declared.Parameters)
	inQuery := func(p *openapi3.ParameterRef) bool { return p.Value.In == openapi3.ParameterInQuery }
	if !slices.ContainsFunc(declared, inQuery) {
		return ""
	}
	for name := range req.URL.Query() {
		if declared.GetByInAndName(openapi3.ParameterInQuery, name) == nil {
			return name
		}
	}
	return ""
}

func mediaType(h http.Header) string {
	name, _, _ := mime.ParseMediaType(h.Get("Content-Type")) // malformed, it is none
	return name
}
