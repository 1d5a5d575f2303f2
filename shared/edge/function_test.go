package edge_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"sluice/shared/edge"
)

// transports are all of them.
func transports() []edge.Transport {
	return []edge.Transport{edge.REST, edge.HTTP, edge.ALB, edge.URLStream, edge.RESTStream}
}

// question is what a client sends, from which the transports make their events.
type question struct {
	method string // empty: GET
	path   string // as sent
	query  string // as sent
	header map[string][]string
	cookie []string
	body   []byte
}

// event is the question as a transport tells it. Names of fields come in small
// letters, as over HTTP/2.
func (q question) event(t testing.TB, transport edge.Transport) json.RawMessage {
	t.Helper()
	method := cmp.Or(q.method, http.MethodGet)
	body, inBase64 := base64.StdEncoding.EncodeToString(q.body), true
	multi := map[string][]string{"host": {"files.example"}, "x-forwarded-for": {"192.0.2.7"}}
	maps.Copy(multi, q.header)
	single := map[string]string{}
	for name, lines := range multi {
		single[name] = strings.Join(lines, ",")
	}
	var v any
	switch transport {
	case edge.REST, edge.RESTStream:
		if q.cookie != nil {
			multi["cookie"] = []string{strings.Join(q.cookie, "; ")}
		}
		v = events.APIGatewayProxyRequest{
			HTTPMethod: method, Path: q.path, MultiValueHeaders: multi, Body: body, IsBase64Encoded: inBase64,
			MultiValueQueryStringParameters: decodedQuery(t, q.query),
			RequestContext: events.APIGatewayProxyRequestContext{
				DomainName: "abc.execute-api.eu-west-1.amazonaws.com", Stage: "prod", Identity: events.APIGatewayRequestIdentity{SourceIP: "192.0.2.7"},
			},
		}
	case edge.ALB:
		if q.cookie != nil {
			multi["cookie"] = []string{strings.Join(q.cookie, "; ")}
		}
		v = events.ALBTargetGroupRequest{
			HTTPMethod: method, Path: q.path, MultiValueHeaders: multi, Body: body, IsBase64Encoded: inBase64,
			MultiValueQueryStringParameters: rawQuery(q.query),
		}
	default:
		path := q.path
		if transport == edge.HTTP {
			path = unescape(t, path)
		}
		e := events.APIGatewayV2HTTPRequest{
			Version: "2.0", RawPath: path, RawQueryString: q.query, Headers: single, Cookies: q.cookie, Body: body, IsBase64Encoded: inBase64,
		}
		e.RequestContext.DomainName, e.RequestContext.Stage = "abc.execute-api.eu-west-1.amazonaws.com", "$default"
		e.RequestContext.HTTP.Method, e.RequestContext.HTTP.SourceIP = method, "192.0.2.7"
		if transport == edge.URLStream {
			e.RequestContext.DomainName = "abc.lambda-url.eu-west-1.on.aws"
			if q.cookie != nil {
				single["cookie"] = strings.Join(q.cookie, "; ") // too
			}
		}
		v = e
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// reply is an answer as a client would get it.
type reply struct {
	status   int
	header   http.Header
	body     string
	inBase64 bool  // how it travelled
	size     int   // of the JSON, where it was buffered
	err      error // the body broke off
}

// invoke asks a function and decodes its answer.
func invoke(t testing.TB, f *edge.Function, event json.RawMessage) reply {
	t.Helper()
	answer, err := f.Invoke(t.Context(), event)
	if err != nil {
		t.Fatalf("Invoke: %v", err)
	}
	return decode(t, answer)
}

func decode(t testing.TB, answer any) reply {
	t.Helper()
	switch a := answer.(type) {
	case events.APIGatewayProxyResponse:
		return buffered(t, a, a.StatusCode, a.MultiValueHeaders, a.Body, a.IsBase64Encoded)
	case events.ALBTargetGroupResponse:
		h := http.Header(a.MultiValueHeaders)
		if h == nil {
			h = lines(a.Headers, nil)
		}
		return buffered(t, a, a.StatusCode, h, a.Body, a.IsBase64Encoded)
	case events.APIGatewayV2HTTPResponse:
		return buffered(t, a, a.StatusCode, lines(a.Headers, a.Cookies), a.Body, a.IsBase64Encoded)
	case *events.APIGatewayProxyStreamingResponse:
		return streamed(t, a, a.StatusCode, a.MultiValueHeaders)
	case *events.LambdaFunctionURLStreamingResponse:
		return streamed(t, a, a.StatusCode, lines(a.Headers, a.Cookies))
	default:
		t.Fatalf("the answer is a %T", answer)
		return reply{}
	}
}

func lines(single map[string]string, cookies []string) http.Header {
	h := http.Header{}
	for name, line := range single {
		h.Set(name, line)
	}
	for _, c := range cookies {
		h.Add("Set-Cookie", c)
	}
	return h
}

func buffered(t testing.TB, answer any, status int, h http.Header, body string, inBase64 bool) reply {
	t.Helper()
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // as aws-lambda-go does
	if err := encoder.Encode(answer); err != nil {
		t.Fatal(err)
	}
	r := reply{status: status, header: h, body: body, inBase64: inBase64, size: text.Len() - 1}
	if inBase64 {
		raw, err := base64.StdEncoding.DecodeString(body)
		if err != nil {
			t.Fatal(err)
		}
		r.body = string(raw)
	}
	return r
}

// streamed reads what the runtime would send, and holds it against the head.
func streamed(t testing.TB, answer io.ReadCloser, status int, h http.Header) reply {
	t.Helper()
	wire, broken := io.ReadAll(answer)
	if err := answer.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	prelude, body, ok := bytes.Cut(wire, make([]byte, 8))
	var said struct{ StatusCode int }
	if err := json.Unmarshal(prelude, &said); !ok || err != nil || said.StatusCode != status {
		t.Errorf("the stream begins with %.100q, %v; want a prelude of status %d and 8 NULs", wire, err, status)
	}
	return reply{status: status, header: h, body: string(body), err: broken}
}

// function is an app behind a transport.
func function(transport edge.Transport, app http.HandlerFunc) *edge.Function {
	return &edge.Function{Transport: transport, App: app, Log: slog.New(slog.DiscardHandler)}
}

// problemCode is the code of a problem (RFC 9457).
func problemCode(t testing.TB, r reply) string {
	t.Helper()
	var p struct {
		Code   string
		Status int
	}
	if err := json.Unmarshal([]byte(r.body), &p); err != nil || p.Status != r.status || r.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %s %.200q, %v; want a problem of that status", r.status, r.header.Get("Content-Type"), r.body, err)
	}
	return p.Code
}

func TestAnEventOfAnotherKindIsAnError(t *testing.T) {
	for _, transport := range transports() {
		f := function(transport, func(http.ResponseWriter, *http.Request) { t.Errorf("%s: the app was asked", transport) })
		for _, event := range []string{`{}`, `[]`, `"`, ``, `{"Records":[{"eventSource":"aws:sqs"}]}`, `{"httpMethod":"GET"}`, `{"httpMethod":"G T","path":"/"}`,
			`{"rawPath":"/","requestContext":{"http":{"method":""}}}`, `{"httpMethod":"GET","path":"a"}`, `{"httpMethod":"PUT","path":"/","isBase64Encoded":true,"body":"*"}`,
			`{"rawPath":"/","isBase64Encoded":true,"body":"*","requestContext":{"http":{"method":"PUT"}}}`} {
			answer, err := f.Invoke(t.Context(), json.RawMessage(event))
			if err == nil || !strings.Contains(err.Error(), string(transport)) {
				t.Errorf("%s: %s = %v, %v, want an error that names the transport", transport, event, answer, err)
			}
		}
	}
	if _, err := function("lambda", nil).Invoke(t.Context(), nil); err == nil {
		t.Error("an unknown transport is no error")
	}
}

// What an app leaves to be done is done before the answer ends, since the
// platform may halt the process after that; also where the answer broke off.
func TestCountsAreWrittenBeforeTheAnswerEnds(t *testing.T) {
	for _, transport := range transports() {
		for name, app := range map[string]http.HandlerFunc{
			"whole":  func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "body") },
			"broken": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		} {
			var log bytes.Buffer
			ended, after := false, 0
			f := &edge.Function{
				Transport: transport, Log: slog.New(slog.NewTextHandler(&log, nil)),
				App: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					defer func() { ended = true }()
					app(w, r)
				}),
				After: func(ctx context.Context) error {
					if after++; !ended || ctx.Err() != nil {
						t.Errorf("%s: After is called before the app has answered (%t), or too late: %v", transport, !ended, ctx.Err())
					}
					return errors.New("the table is away")
				},
			}
			invoke(t, f, question{path: "/"}.event(t, transport))
			if after != 1 || !strings.Contains(log.String(), "the table is away") {
				t.Errorf("%s, %s: After was called %d times, and the log says %q; want once, and its error", transport, name, after, &log)
			}
		}
	}
}
