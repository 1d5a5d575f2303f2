package edgetest

import "net/http"

// eventALB is the event of an Application Load Balancer
// (docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html):
// names of headers in small letters, path and query as the client escaped them,
// and either all values of each header or the last, by a setting of the target
// group. Who asks is the last address of X-Forwarded-For.
type eventALB struct {
	RequestContext                  contextALB          `json:"requestContext"`
	HTTPMethod                      string              `json:"httpMethod"`
	Path                            string              `json:"path"`
	MultiValueQueryStringParameters map[string][]string `json:"multiValueQueryStringParameters,omitempty"`
	MultiValueHeaders               map[string][]string `json:"multiValueHeaders,omitempty"`
	QueryStringParameters           map[string]string   `json:"queryStringParameters,omitempty"`
	Headers                         map[string]string   `json:"headers,omitempty"`
	Body                            string              `json:"body"`
	IsBase64Encoded                 bool                `json:"isBase64Encoded"`
}

type contextALB struct {
	ELB struct {
		TargetGroupARN string `json:"targetGroupArn"`
	} `json:"elb"`
}

func (g *Gateway) loadBalancer(r *http.Request, h http.Header, body []byte) eventALB {
	e := eventALB{HTTPMethod: r.Method, Path: r.URL.EscapedPath()}
	e.RequestContext.ELB.TargetGroupARN = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/sluice/0123456789abcdef"
	headers, query := lowerNames(h), rawQuery(r.URL.RawQuery)
	if g.SingleHeaders {
		e.Headers, e.QueryStringParameters = last(headers), last(query)
	} else {
		e.MultiValueHeaders, e.MultiValueQueryStringParameters = headers, query
	}
	if len(body) > 0 {
		e.Body, e.IsBase64Encoded = encodeBody(body, h, false)
	}
	return e
}
