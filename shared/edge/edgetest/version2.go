package edgetest

import (
	"net/http"
	"net/url"
	"strings"
)

// event2 is payload format 2.0, of HTTP APIs and Function URLs
// (docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html,
// docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html). Names of headers
// are in small letters, repeated ones are joined by commas, cookies stand by
// themselves.
type event2 struct {
	Version               string            `json:"version"`
	RouteKey              string            `json:"routeKey"`
	RawPath               string            `json:"rawPath"`
	RawQueryString        string            `json:"rawQueryString"`
	Cookies               []string          `json:"cookies,omitempty"`
	Headers               map[string]string `json:"headers"`
	QueryStringParameters map[string]string `json:"queryStringParameters,omitempty"`
	PathParameters        map[string]string `json:"pathParameters,omitempty"`
	RequestContext        context2          `json:"requestContext"`
	Body                  string            `json:"body,omitempty"`
	IsBase64Encoded       bool              `json:"isBase64Encoded"`
}

type context2 struct {
	AccountID    string `json:"accountId"`
	APIID        string `json:"apiId"`
	DomainName   string `json:"domainName"`
	DomainPrefix string `json:"domainPrefix"`
	HTTP         http2  `json:"http"`
	RequestID    string `json:"requestId"`
	RouteKey     string `json:"routeKey"`
	Stage        string `json:"stage"`
	Time         string `json:"time"`
	TimeEpoch    int64  `json:"timeEpoch"`
}

type http2 struct {
	Method    string `json:"method"`
	Path      string `json:"path"`
	Protocol  string `json:"protocol"`
	SourceIP  string `json:"sourceIp"`
	UserAgent string `json:"userAgent"`
}

func (g *Gateway) version2(r *http.Request, h http.Header, body []byte) event2 {
	now, path, account := g.now().UTC(), r.URL.EscapedPath(), "anonymous"
	if g.Transport == HTTP {
		path, account = decodedPath(r), "123456789012"
	}
	cookies := cookiesOf(h)
	h.Del("Cookie")
	e := event2{
		Version: "2.0", RouteKey: "$default", RawPath: path, RawQueryString: r.URL.RawQuery, Cookies: cookies,
		Headers: joined(lowerNames(h)), QueryStringParameters: joined(decodedQuery(r.URL.RawQuery)),
		RequestContext: context2{
			AccountID: account, APIID: prefix(host(h)), DomainName: host(h), DomainPrefix: prefix(host(h)),
			HTTP:      http2{Method: r.Method, Path: path, Protocol: "HTTP/1.1", SourceIP: g.sourceIP(), UserAgent: h.Get("User-Agent")},
			RequestID: g.requestID(), RouteKey: "$default", Stage: g.stage(), Time: now.Format(timeFormat), TimeEpoch: now.UnixMilli(),
		},
	}
	if len(body) > 0 {
		e.Body, e.IsBase64Encoded = encodeBody(body, h, false)
	}
	return e
}

// decodedPath is the path of an HTTP API: decoded, so that %2F and / are one, and
// decoded again, and cut at a question mark that was escaped
// (github.com/middleapi/standard-server/pull/93 reports captures;
// github.com/fastify/aws-lambda-fastify/issues/169 shows one).
func decodedPath(r *http.Request) string {
	path := r.URL.Path
	if again, err := url.PathUnescape(path); err == nil {
		path = again
	}
	path, _, _ = strings.Cut(path, "?")
	return path
}

// cookiesOf splits the Cookie headers, in their order.
func cookiesOf(h http.Header) []string {
	var cookies []string
	for _, line := range h.Values("Cookie") {
		for cookie := range strings.SplitSeq(line, ";") {
			if cookie = strings.TrimSpace(cookie); cookie != "" {
				cookies = append(cookies, cookie)
			}
		}
	}
	return cookies
}
