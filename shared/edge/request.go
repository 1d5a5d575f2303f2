package edge

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/awslabs/aws-lambda-go-api-proxy/core"

	"sluice/shared/api"
)

// call is a request that an event holds.
type call struct {
	*http.Request

	outer  context.Context // the invocation's; the Request's ends a margin sooner
	cancel context.CancelFunc
	single bool // a load balancer that takes one value for each name
}

// read makes an event of the transport a request, as net/http would have read it.
func (t Transport) read(ctx context.Context, event json.RawMessage) (*call, error) {
	from := map[Transport]func(context.Context, json.RawMessage) (*call, error){
		REST: readREST, RESTStream: readREST, HTTP: readHTTP, URLStream: readURL, ALB: readALB,
	}[t]
	if from == nil {
		return nil, fmt.Errorf("there is no transport %q", t)
	}
	c, err := from(ctx, event)
	if err != nil {
		return nil, fmt.Errorf("the event is not of transport %s: %w", t, err)
	}
	c.outer = ctx
	ctx, c.cancel = withMargin(c.Context())
	c.Request = c.WithContext(ctx)
	return c, nil
}

// readREST reads an event of a REST API. Its path is as the client sent it, its
// query is decoded.
func readREST(ctx context.Context, event json.RawMessage) (*call, error) {
	var e events.APIGatewayProxyRequest
	if err := json.Unmarshal(event, &e); err != nil {
		return nil, err
	}
	s := said{
		method: e.HTTPMethod, header: headerOf(e.Headers, e.MultiValueHeaders),
		peer: e.RequestContext.Identity.SourceIP,
		host: e.RequestContext.DomainName, stage: e.RequestContext.Stage,
	}
	if err := s.check(e.Path); err != nil {
		return nil, err
	}
	e.Path, e.Headers, e.MultiValueHeaders, e.RequestContext.DomainName = escape(e.Path), nil, nil, ""
	r, err := new(core.RequestAccessor).EventToRequestWithContext(ctx, e)
	return s.mend(r, err)
}

// readHTTP reads an event of an HTTP API, which has decoded the path, twice
// over: only what needs no escape comes through for certain.
func readHTTP(ctx context.Context, event json.RawMessage) (*call, error) {
	return readV2(ctx, event, func(path, stage string) string {
		if rest, ok := strings.CutPrefix(path, "/"+stage+"/"); ok && stage != "" {
			path = "/" + rest // a stage that has a name is the first segment
		}
		return (&url.URL{Path: path}).EscapedPath()
	})
}

// readURL reads an event of a Function URL: an HTTP API's, but with the path as
// the client sent it.
func readURL(ctx context.Context, event json.RawMessage) (*call, error) {
	return readV2(ctx, event, func(path, _ string) string { return escape(path) })
}

// readV2 reads an event of payload format 2.0, whose path is to be escaped.
func readV2(ctx context.Context, event json.RawMessage, escaped func(path, stage string) string) (*call, error) {
	var e events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(event, &e); err != nil {
		return nil, err
	}
	s := said{
		method: e.RequestContext.HTTP.Method, header: headerOf(e.Headers, nil),
		peer: e.RequestContext.HTTP.SourceIP, query: e.RawQueryString,
		host: e.RequestContext.DomainName, stage: e.RequestContext.Stage,
	}
	if len(e.Cookies) > 0 { // a Function URL sends them twice
		s.header.Set("Cookie", strings.Join(e.Cookies, "; "))
	}
	if err := s.check(e.RawPath); err != nil {
		return nil, err
	}
	e.RawPath, e.RawQueryString = escaped(e.RawPath, e.RequestContext.Stage), ""
	e.Headers, e.Cookies, e.QueryStringParameters, e.RequestContext.DomainName = nil, nil, nil, ""
	r, err := new(core.RequestAccessorV2).EventToRequestWithContext(ctx, e)
	return s.mend(r, err)
}

// readALB reads an event of a load balancer, with path and query as the client
// sent them. Its context has no address: the balancer has added that of its peer
// to X-Forwarded-For, at the end.
func readALB(ctx context.Context, event json.RawMessage) (*call, error) {
	var e events.ALBTargetGroupRequest
	if err := json.Unmarshal(event, &e); err != nil {
		return nil, err
	}
	s := said{
		method: e.HTTPMethod, header: headerOf(e.Headers, e.MultiValueHeaders), single: e.MultiValueHeaders == nil,
		query: rawQuery(e.QueryStringParameters, e.MultiValueQueryStringParameters),
	}
	s.peer = lastAddress(s.header.Values("X-Forwarded-For"))
	if err := s.check(e.Path); err != nil {
		return nil, err
	}
	e.Path, e.Headers, e.MultiValueHeaders = escape(e.Path), nil, nil
	e.QueryStringParameters, e.MultiValueQueryStringParameters = nil, nil
	r, err := new(core.RequestAccessorALB).EventToRequestWithContext(ctx, e)
	return s.mend(r, err)
}

// said is what an event says of a request that the library would get wrong.
type said struct {
	method string
	header http.Header
	peer   string // the address at the other end of the connection to the platform
	host   string // by which the platform knows the API; empty: it does not tell
	stage  string
	query  string // as the client sent it; empty: what the library made counts
	single bool
}

// check refuses what is no request. The library would print its path, which may
// be a secret, to the log.
func (s said) check(path string) error {
	if !isToken(s.method) || !strings.HasPrefix(path, "/") {
		return fmt.Errorf("it has the method %q and a path of %d bytes", s.method, len(path))
	}
	return nil
}

// gatewayFields begins the names of fields by which the library can hand on the
// event's context. None is ever sent by it here, so what comes is forged.
const gatewayFields = "X-Golambdaproxy-"

// mend makes what the library read what net/http would have read.
func (s said) mend(r *http.Request, err error) (*call, error) {
	if err != nil {
		return nil, err
	}
	for name := range s.header {
		if strings.HasPrefix(name, gatewayFields) {
			delete(s.header, name)
		}
	}
	r.Host = cmp.Or(s.header.Get("Host"), s.host)
	delete(s.header, "Host")
	delete(s.header, "Transfer-Encoding")
	r.Method, r.Header = s.method, s.header
	announced(r)
	r.RemoteAddr = net.JoinHostPort(s.peer, "0") // Gin wants a port
	r.URL.Scheme, r.URL.Host = "", ""
	if s.query != "" {
		r.URL.RawQuery = s.query
	}
	r.RequestURI = r.URL.RequestURI()
	return &call{Request: r.WithContext(api.WithBaseURL(r.Context(), baseURL(s.host, s.stage))), single: s.single}, nil
}

// headerOf returns the fields of an event, each line as it is. Where there are
// lists of lines, the single values are the last ones of them.
func headerOf(single map[string]string, multi map[string][]string) http.Header {
	h := make(http.Header, max(len(single), len(multi)))
	for name, lines := range multi {
		for _, line := range lines {
			h.Add(name, line)
		}
	}
	if len(multi) == 0 {
		for name, line := range single {
			h.Add(name, line)
		}
	}
	return h
}

// baseURL is where a request came in: the name by which API Gateway knows its
// API, which is no field of the client's, and the stage, where that is part of
// the path.
func baseURL(domain, stage string) string {
	switch {
	case domain == "":
		return ""
	case strings.Contains(domain, ".execute-api.") && stage != "" && stage != "$default":
		return "https://" + domain + "/" + stage
	default:
		return "https://" + domain
	}
}

// rawQuery joins parameters as they are: their order among names is lost.
func rawQuery(single map[string]string, multi map[string][]string) string {
	var pairs []string
	for name, values := range multi {
		for _, value := range values {
			pairs = append(pairs, name+"="+value)
		}
	}
	if len(multi) == 0 {
		for name, value := range single {
			pairs = append(pairs, name+"="+value)
		}
	}
	return strings.Join(pairs, "&")
}

// lastAddress returns the last address of X-Forwarded-For, without a port.
func lastAddress(lines []string) string {
	all := strings.Join(lines, ",")
	last := strings.TrimSpace(all[strings.LastIndexByte(all, ',')+1:])
	if withPort, err := netip.ParseAddrPort(last); err == nil {
		return withPort.Addr().String()
	}
	if address, err := netip.ParseAddr(last); err == nil {
		return address.String()
	}
	return ""
}

// escape escapes what no path of a URL has (RFC 3986 §3.3), and leaves escapes
// as they are.
func escape(path string) string {
	var b strings.Builder
	for i := range len(path) {
		c := path[i]
		switch {
		case c == '%' && i+2 < len(path) && isHex(path[i+1]) && isHex(path[i+2]), isPathByte(c):
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func isPathByte(c byte) bool {
	return isAlphanumeric(c) || strings.IndexByte("-._~!$&'()*+,;=:@/", c) >= 0
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// isToken reports whether s is a token of RFC 9110 §5.6.2, as a method is.
func isToken(s string) bool {
	for i := range len(s) {
		if !isAlphanumeric(s[i]) && strings.IndexByte("!#$%&'*+-.^_`|~", s[i]) < 0 {
			return false
		}
	}
	return s != ""
}
