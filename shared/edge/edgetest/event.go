package edgetest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// Event returns the JSON that AWS gives the function for a request, and reads
// the request's body.
func (g *Gateway) Event(r *http.Request) ([]byte, error) {
	var body []byte
	if r.Body != nil {
		read, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, fmt.Errorf("the request's body cannot be read: %w", err)
		}
		if err := r.Body.Close(); err != nil {
			return nil, fmt.Errorf("the request's body cannot be closed: %w", err)
		}
		body, r.ContentLength = read, int64(len(read))
	}
	header := g.forwarded(r)
	var event any
	switch g.Transport {
	case HTTP, URLStream:
		event = g.version2(r, header, body)
	case ALB:
		event = g.loadBalancer(r, header, body)
	default:
		event = g.version1(r, header, body)
	}
	out, err := json.Marshal(event)
	if err != nil {
		return nil, fmt.Errorf("the event cannot be encoded: %w", err)
	}
	return out, nil
}

// forwarded is the header that AWS passes on: the client's without what is
// between two hops, with the client's address added to what it claims, and with
// what AWS notes.
func (g *Gateway) forwarded(r *http.Request) http.Header {
	h := r.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	for _, name := range []string{"Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect", "Proxy-Connection"} {
		h.Del(name)
	}
	h.Set("Host", r.Host)
	if r.Host == "" {
		h.Set("Host", r.URL.Host)
	}
	if r.ContentLength > 0 {
		h.Set("Content-Length", fmt.Sprint(r.ContentLength))
	}
	h.Set("X-Forwarded-For", strings.Join(append(h.Values("X-Forwarded-For"), g.sourceIP()), ", "))
	h.Set("X-Forwarded-Port", "443")
	h.Set("X-Forwarded-Proto", "https")
	h.Set("X-Amzn-Trace-Id", "Root=1-5e6722a7-cc56aaee46db7ae02d4da47e")
	return h
}

// host is the domain that the client asked, without a port.
func host(h http.Header) string {
	name, _, _ := strings.Cut(h.Get("Host"), ":")
	return name
}

// prefix is the first label of a domain.
func prefix(domain string) string {
	label, _, _ := strings.Cut(domain, ".")
	return label
}

// encodeBody returns a body as it stands in an event. all says that every body
// is in base64; else those are not that are text by their content type
// (docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
// and docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html).
// What calls itself text and is not UTF-8 cannot stand in JSON; it is taken that
// AWS sends it in base64 then.
func encodeBody(body []byte, h http.Header, all bool) (text string, isBase64 bool) {
	if !all && isText(h) && utf8.Valid(body) {
		return string(body), false
	}
	return base64.StdEncoding.EncodeToString(body), true
}

func isText(h http.Header) bool {
	kind, _, _ := strings.Cut(strings.ToLower(h.Get("Content-Type")), ";")
	if h.Get("Content-Encoding") != "" {
		return false
	}
	return strings.HasPrefix(kind, "text/") || slices.Contains([]string{"application/json", "application/javascript", "application/xml"}, kind)
}

// lowerNames returns a header by its names in small letters, as HTTP APIs,
// Function URLs and load balancers pass them on.
func lowerNames(h http.Header) map[string][]string {
	out := map[string][]string{}
	for name, values := range h {
		out[strings.ToLower(name)] = values
	}
	return out
}

// joined has one value for each name, joined by commas without a blank, as
// payload format 2.0 does.
func joined[M ~map[string][]string](values M) map[string]string {
	out := map[string]string{}
	for name, all := range values {
		out[name] = strings.Join(all, ",")
	}
	return out
}

// last has one value for each name, the last.
func last[M ~map[string][]string](values M) map[string]string {
	out := map[string]string{}
	for name, all := range values {
		out[name] = all[len(all)-1]
	}
	return out
}

// rawQuery splits a query without decoding it.
func rawQuery(query string) map[string][]string {
	out := map[string][]string{}
	for pair := range strings.SplitSeq(query, "&") {
		if name, value, _ := strings.Cut(pair, "="); pair != "" {
			out[name] = append(out[name], value)
		}
	}
	return out
}

// decodedQuery splits a query and decodes it; nil where there is none.
func decodedQuery(query string) map[string][]string {
	values, _ := url.ParseQuery(query) // what is malformed is left out
	if len(values) == 0 {
		return nil
	}
	return maps.Clone(values)
}

// canonical returns a name as net/http has it.
func canonical(name string) string { return textproto.CanonicalMIMEHeaderKey(name) }
