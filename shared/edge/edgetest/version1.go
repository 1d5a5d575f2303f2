package edgetest

import "net/http"

// event1 is the event of a REST API with Lambda proxy integration
// (docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html,
// section "Input format"). The path is as the client escaped it
// (github.com/localstack/localstack/pull/7728), path and query parameters are
// decoded, and names of headers keep their letters.
type event1 struct {
	Resource                        string              `json:"resource"`
	Path                            string              `json:"path"`
	HTTPMethod                      string              `json:"httpMethod"`
	Headers                         map[string]string   `json:"headers"`
	MultiValueHeaders               map[string][]string `json:"multiValueHeaders"`
	QueryStringParameters           map[string]string   `json:"queryStringParameters"`
	MultiValueQueryStringParameters map[string][]string `json:"multiValueQueryStringParameters"`
	PathParameters                  map[string]string   `json:"pathParameters"`
	StageVariables                  map[string]string   `json:"stageVariables"`
	RequestContext                  context1            `json:"requestContext"`
	Body                            *string             `json:"body"`
	IsBase64Encoded                 bool                `json:"isBase64Encoded"`
}

type context1 struct {
	AccountID         string    `json:"accountId"`
	APIID             string    `json:"apiId"`
	DomainName        string    `json:"domainName"`
	DomainPrefix      string    `json:"domainPrefix"`
	ExtendedRequestID string    `json:"extendedRequestId"`
	HTTPMethod        string    `json:"httpMethod"`
	Identity          identity1 `json:"identity"`
	Path              string    `json:"path"`
	Protocol          string    `json:"protocol"`
	RequestID         string    `json:"requestId"`
	RequestTime       string    `json:"requestTime"`
	RequestTimeEpoch  int64     `json:"requestTimeEpoch"`
	ResourceID        string    `json:"resourceId"`
	ResourcePath      string    `json:"resourcePath"`
	Stage             string    `json:"stage"`
}

type identity1 struct {
	SourceIP  string `json:"sourceIp"`
	UserAgent string `json:"userAgent"`
}

// timeFormat is how a context says when a request came.
const timeFormat = "02/Jan/2006:15:04:05 -0700"

func (g *Gateway) version1(r *http.Request, h http.Header, body []byte) event1 {
	h.Del("Content-Length") // REST passes none on
	now, path := g.now().UTC(), r.URL.EscapedPath()
	query := decodedQuery(r.URL.RawQuery)
	e := event1{
		Resource: "/{proxy+}", Path: path, HTTPMethod: r.Method,
		Headers: last(h), MultiValueHeaders: h,
		MultiValueQueryStringParameters: query,
		PathParameters:                  map[string]string{"proxy": trimSlash(r.URL.Path)},
		RequestContext: context1{
			AccountID: "123456789012", APIID: prefix(host(h)), DomainName: host(h), DomainPrefix: prefix(host(h)), ExtendedRequestID: "JKJaXmPLvHcESHA=",
			HTTPMethod: r.Method, Identity: identity1{SourceIP: g.sourceIP(), UserAgent: h.Get("User-Agent")},
			Path: "/" + g.stage() + path, Protocol: "HTTP/1.1", RequestID: g.requestID(),
			RequestTime: now.Format(timeFormat), RequestTimeEpoch: now.UnixMilli(), ResourceID: "0a1b2c", ResourcePath: "/{proxy+}", Stage: g.stage(),
		},
	}
	if query != nil {
		e.QueryStringParameters = last(query)
	}
	if len(body) > 0 {
		text, isBase64 := encodeBody(body, h, true)
		e.Body, e.IsBase64Encoded = &text, isBase64
	}
	return e
}

func trimSlash(path string) string {
	if path == "" {
		return ""
	}
	return path[1:]
}
