package edgetest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// proxyAnswer is what a function answers to any buffered transport
// (docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html,
// section "Output format").
type proxyAnswer struct {
	StatusCode        int                 `json:"statusCode"`
	StatusDescription string              `json:"statusDescription"`
	Headers           map[string]string   `json:"headers"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
	Cookies           []string            `json:"cookies"`
	Body              string              `json:"body"`
	IsBase64Encoded   bool                `json:"isBase64Encoded"`
}

// buffered makes an answer in JSON a response. What AWS cannot use becomes its
// own error.
func (g *Gateway) buffered(r *http.Request, a *Answer) *http.Response {
	defer a.Body.Close()
	text, err := io.ReadAll(io.LimitReader(a.Body, int64(g.Transport.most())+1))
	if err != nil {
		return g.failure(r, err)
	}
	if len(text) > g.Transport.most() {
		return g.failure(r, &FunctionError{"Function.ResponseSizeTooLarge", "The answer is longer than the transport takes."})
	}
	var p proxyAnswer
	if err := json.Unmarshal(text, &p); err != nil {
		return g.failure(r, fmt.Errorf("the answer is no JSON that the transport knows: %w", err))
	}
	body, err := p.body()
	if err == nil {
		err = p.check(g)
	}
	if err != nil {
		return g.failure(r, err)
	}
	return g.response(r, p, body)
}

func (p proxyAnswer) body() ([]byte, error) {
	if !p.IsBase64Encoded {
		return []byte(p.Body), nil
	}
	body, err := base64.StdEncoding.DecodeString(p.Body)
	if err != nil {
		return nil, fmt.Errorf("the answer's body is no base64: %w", err)
	}
	return body, nil
}

// check finds what AWS answers by an error of its own, or drops silently.
func (p proxyAnswer) check(g *Gateway) error {
	multi := len(p.MultiValueHeaders) > 0
	switch {
	case p.StatusCode < 100 || p.StatusCode > 599:
		return fmt.Errorf("the answer's status code is %d", p.StatusCode)
	case (g.Transport == HTTP || g.Transport == URLStream) && multi:
		return errors.New("payload format 2.0 has no multiValueHeaders; AWS drops them")
	case len(p.Cookies) > 0 && g.Transport != HTTP && g.Transport != URLStream:
		return errors.New("only payload format 2.0 has cookies; AWS drops them elsewhere")
	case g.Transport == ALB && !g.SingleHeaders && len(p.Headers) > 0 && !multi:
		return errors.New("a load balancer with multi-value headers takes multiValueHeaders alone")
	case g.Transport == ALB && g.SingleHeaders && multi && len(p.Headers) == 0:
		return errors.New("a load balancer without multi-value headers takes headers alone")
	}
	return nil
}

// header merges both kinds of headers: of a name in both, the values of
// multiValueHeaders count. A load balancer looks at one kind only.
func (p proxyAnswer) header(g *Gateway) http.Header {
	h := http.Header{}
	if g.Transport != ALB || g.SingleHeaders {
		for name, value := range p.Headers {
			h.Set(name, value)
		}
	}
	if g.Transport != ALB || !g.SingleHeaders {
		for name, values := range p.MultiValueHeaders {
			h[canonical(name)] = values
		}
	}
	for _, cookie := range p.Cookies {
		h.Add("Set-Cookie", cookie)
	}
	for name, values := range h {
		if g.Transport.renames(name) {
			delete(h, name)
			h["X-Amzn-Remapped-"+name] = values
		}
	}
	return h
}

// response is what the client gets. The length is that of the bytes that AWS
// sends, whatever the function said; of a HEAD that is nothing.
func (g *Gateway) response(r *http.Request, p proxyAnswer, body []byte) *http.Response {
	h := p.header(g)
	h.Del("Content-Length")
	if r.Method == http.MethodHead {
		body = nil
	}
	if p.StatusCode != http.StatusNoContent && p.StatusCode != http.StatusNotModified {
		h.Set("Content-Length", fmt.Sprint(len(body)))
	}
	return &http.Response{
		Status: status(p.StatusCode), StatusCode: p.StatusCode, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}
}

func status(code int) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", code, http.StatusText(code)))
}

// failure is what AWS answers where the function failed, or answered what AWS
// does not understand. The cause, which AWS tells only its logs, stands in a
// header, for whoever runs this.
func (g *Gateway) failure(r *http.Request, cause error) *http.Response {
	code, message := http.StatusBadGateway, "Internal server error"
	if g.Transport == HTTP {
		code, message = http.StatusInternalServerError, "Internal Server Error"
	}
	response := g.platform(r, code, message)
	response.Header.Set(CauseHeader, strings.ReplaceAll(cause.Error(), "\n", " "))
	return response
}

// CauseHeader tells of an answer that it is AWS's and not the function's, and why.
const CauseHeader = "X-Edgetest-Cause"

// platform is an answer of AWS's own. A load balancer says it in HTML.
func (g *Gateway) platform(r *http.Request, code int, message string) *http.Response {
	p := proxyAnswer{StatusCode: code, Body: fmt.Sprintf("{%q:%q}", "message", message), Headers: map[string]string{"Content-Type": "application/json"}}
	if g.Transport == ALB {
		p.Body = "<html><head><title>" + status(code) + "</title></head></html>"
		p.Headers, p.MultiValueHeaders = nil, map[string][]string{"Content-Type": {"text/html"}}
		if g.SingleHeaders {
			p.Headers, p.MultiValueHeaders = map[string]string{"Content-Type": "text/html"}, nil
		}
	}
	response := g.response(r, p, []byte(p.Body))
	response.Header.Set(CauseHeader, message)
	return response
}
