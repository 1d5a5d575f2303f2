// Package edgetest plays the outside of a Lambda function, for tests and for
// running one event by hand: it makes the events that AWS makes of a request,
// makes the response that AWS makes of a function's answer, and runs a compiled
// function behind a Lambda Runtime API of its own.
//
// It is written after AWS's documentation and captures that others published,
// named where they are followed; none of it has been held against AWS itself.
// It shares no code with package edge, so that a mistake is not made twice.
package edgetest

// Transport is a way from HTTP to a function, by the name that SLUICE_TRANSPORT
// has for it.
type Transport string

// The transports.
const (
	REST       Transport = "rest"        // API Gateway REST, Lambda proxy, BinaryMediaTypes */*
	HTTP       Transport = "http"        // API Gateway HTTP API, payload format 2.0
	ALB        Transport = "alb"         // Application Load Balancer
	URLStream  Transport = "url-stream"  // Function URL, InvokeMode RESPONSE_STREAM
	RESTStream Transport = "rest-stream" // API Gateway REST, ResponseTransferMode STREAM
)

// Transports are all there are.
func Transports() []Transport { return []Transport{REST, HTTP, ALB, URLStream, RESTStream} }

// Streams reports whether answers leave as they are made.
func (t Transport) Streams() bool { return t == URLStream || t == RESTStream }

// The limits of AWS, in bytes.
const (
	// MaxPayload is the JSON of an event, and of a buffered answer
	// (docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: 6 MB).
	MaxPayload = 6_291_556
	// MaxALB is the body of a request to a load balancer, and the JSON that it
	// takes (docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html: 1 MB).
	MaxALB = 1 << 20
	// MaxPrelude is what may stand before the body of a streamed answer.
	MaxPrelude = 16 << 10
	// MaxStream is a streamed answer (200 MB).
	MaxStream = 200 << 20
)

// most is the longest buffered answer in bytes of JSON.
func (t Transport) most() int {
	if t == ALB {
		return MaxALB
	}
	return MaxPayload
}

// renames reports whether AWS renames a header of an answer to
// X-Amzn-Remapped-… (docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
// for REST; Function URLs were seen to do the same).
func (t Transport) renames(header string) bool {
	if t == HTTP || t == ALB {
		return false
	}
	switch header {
	case "Authorization", "Connection", "Content-Length", "Content-Md5", "Date", "Expect", "Host", "Max-Forwards",
		"Proxy-Authenticate", "Server", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "User-Agent", "Warn", "Www-Authenticate":
		return true
	}
	return false
}
