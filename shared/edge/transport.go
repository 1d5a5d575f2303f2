package edge

import (
	"fmt"
	"slices"
	"strings"

	"sluice/shared/config"
)

// Transport is the kind of events that call a function, and of answers that it
// gives. A function cannot see it in an event, since a Function URL that streams
// sends the same ones as one that does not; so SLUICE_TRANSPORT names it.
type Transport string

// The transports, as SLUICE_TRANSPORT names them.
const (
	REST       Transport = "rest"        // API Gateway's REST APIs, buffered
	HTTP       Transport = "http"        // API Gateway's HTTP APIs, payload format 2.0
	ALB        Transport = "alb"         // a target group of an Application Load Balancer
	URLStream  Transport = "url-stream"  // a Function URL whose InvokeMode is RESPONSE_STREAM
	RESTStream Transport = "rest-stream" // a REST API whose ResponseTransferMode is STREAM
)

// transportOf returns the transport that is configured. There is no default:
// answers of the wrong kind reach clients as the text of a data structure.
func transportOf(c config.Config) (Transport, error) {
	if !slices.Contains(config.Transports(), c.Transport) {
		return "", fmt.Errorf("%s: name the events that come: %s", config.Env("transport"), strings.Join(config.Transports(), ", "))
	}
	t := Transport(c.Transport)
	if t == ALB && c.PublicURL == nil {
		return "", fmt.Errorf("%s: it is needed behind a load balancer, whose events do not tell its name", config.Env("public-url"))
	}
	return t, nil
}

// Streams reports whether answers leave as they are written.
func (t Transport) Streams() bool { return t == URLStream || t == RESTStream }

// The most bytes of a function's JSON answer that the platform takes: Lambda's
// limit, and a load balancer's, whose documentation says 1 MB.
const (
	mostJSON    = 6_291_556
	mostJSONALB = 1_000_000
)

// mostPrelude is the most bytes of status and header before a streamed body.
const mostPrelude = 16 << 10

// mostJSON returns the most bytes of a buffered answer's JSON.
func (t Transport) mostJSON() int {
	if t == ALB {
		return mostJSONALB
	}
	return mostJSON
}

// Most returns the most bytes of a body that the transport carries for certain:
// in Base64, beside a header of 16 KiB at least. A delivery of more goes
// elsewhere (delivery.Policy).
func (t Transport) Most() int64 {
	switch {
	case t.Streams():
		return 200_000_000
	case t == ALB:
		return 704 << 10
	default:
		return 4 << 20
	}
}
