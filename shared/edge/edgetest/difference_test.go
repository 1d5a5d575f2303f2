package edgetest_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"sluice/shared/edge/edgetest"
)

// difference is where a transport cannot answer as net/http does. Wherever it
// applies, it must show: an answer that is net/http's then is an error.
type difference struct {
	name    string
	cause   string // at AWS
	on      []edgetest.Transport
	applies func(r row, plain answer, t edgetest.Transport) bool
	// becomes returns what is wanted instead of net/http's answer.
	becomes func(w *world, r row, plain, got answer) answer
}

const (
	carried    = 4 << 20   // bytes of a body that every buffered answer holds
	carriedALB = 704 << 10 // the same behind a load balancer
)

// differences are all there are, at most twelve.
var differences = []difference{
	{
		name: "the length of HEAD", on: []edgetest.Transport{edgetest.REST, edgetest.HTTP, edgetest.ALB},
		cause: "A gateway counts the bytes that it sends, whatever Content-Length the function says; X-File-Size has the file's.",
		applies: func(_ row, plain answer, _ edgetest.Transport) bool {
			return plain.method == http.MethodHead && plain.status != http.StatusNotModified && plain.header.Get("Content-Length") != "0"
		},
		becomes: func(_ *world, _ row, plain, _ answer) answer { return plain.with("Content-Length", "0") },
	},
	{
		name: "the length of a stream", on: []edgetest.Transport{edgetest.URLStream, edgetest.RESTStream},
		cause: "A streamed answer is sent in chunks, and Content-Length is renamed; X-File-Size and Content-Range have the file's.",
		applies: func(_ row, plain answer, _ edgetest.Transport) bool {
			return plain.header.Get("Content-Length") != ""
		},
		becomes: func(_ *world, _ row, plain, _ answer) answer { return plain.with("Content-Length", "") },
	},
	{
		name: "WWW-Authenticate", on: []edgetest.Transport{edgetest.REST, edgetest.URLStream, edgetest.RESTStream},
		cause: "REST APIs and Function URLs rename it to X-Amzn-Remapped-WWW-Authenticate; the problem's code says the same.",
		applies: func(_ row, plain answer, _ edgetest.Transport) bool {
			return plain.header.Get("Www-Authenticate") != ""
		},
		becomes: func(_ *world, _ row, plain, _ answer) answer {
			return plain.with("X-Amzn-Remapped-Www-Authenticate", plain.header.Get("Www-Authenticate")).with("Www-Authenticate", "")
		},
	},
	{
		name: "a body over 4 MiB", on: []edgetest.Transport{edgetest.REST, edgetest.HTTP},
		cause: "A buffered answer of Lambda has at most 6 MB of JSON, with the body in base64; the client is led to the store.",
		applies: func(_ row, plain answer, _ edgetest.Transport) bool {
			return len(plain.body) > carried
		},
		becomes: redirected,
	},
	{
		name: "a body over 704 KiB", on: []edgetest.Transport{edgetest.ALB},
		cause: "A load balancer takes at most 1 MB of JSON from a function; the client is led to the store.",
		applies: func(_ row, plain answer, _ edgetest.Transport) bool {
			return len(plain.body) > carriedALB
		},
		becomes: redirected,
	},
	{
		name: "a request over 6 MB", on: []edgetest.Transport{edgetest.REST, edgetest.HTTP, edgetest.URLStream, edgetest.RESTStream},
		cause: "An event of Lambda has at most 6 MB of JSON, with the body in base64; larger files go in parts.",
		applies: func(_ row, plain answer, _ edgetest.Transport) bool {
			return plain.sent > 3*edgetest.MaxPayload/4
		},
		becomes: tooLong,
	},
	{
		name: "a request over 1 MB", on: []edgetest.Transport{edgetest.ALB},
		cause:   "A load balancer hands a function at most 1 MB of body; larger files go in parts to the store.",
		applies: func(_ row, plain answer, _ edgetest.Transport) bool { return plain.sent > edgetest.MaxALB },
		becomes: tooLong,
	},
	{
		name: "a field that is there twice", on: []edgetest.Transport{edgetest.HTTP, edgetest.URLStream},
		cause: "Payload format 2.0 joins lines by commas, so that two tokens look like a bad one; only the text of the refusal tells.",
		applies: func(r row, _ answer, _ edgetest.Transport) bool {
			return r.as != nobody && strings.HasPrefix(r.fields, "Authorization:")
		},
		becomes: func(_ *world, _ row, plain, got answer) answer {
			if memberOf(got.body, "code") != memberOf(plain.body, "code") || memberOf(got.body, "detail") == memberOf(plain.body, "detail") {
				return plain.with("Missing", "another text under the same code")
			}
			plain.body = got.body
			return plain
		},
	},
	{
		name: "a path that does not survive", on: []edgetest.Transport{edgetest.HTTP},
		cause:   "An HTTP API decodes the path twice over, cuts it at a question mark that was escaped, and has it in JSON, which is UTF-8; files have ids.",
		applies: func(r row, _ answer, _ edgetest.Transport) bool { return survivor(r) != r.request },
		becomes: func(w *world, r row, _, _ answer) answer {
			r.request = survivor(r)
			a := w.plainly(r)
			if a.method == http.MethodHead {
				return a.with("Content-Length", "0")
			}
			return a
		},
	},
}

// with returns the answer with another field; an empty value removes it.
func (a answer) with(name, value string) answer {
	a.header = a.header.Clone()
	a.header.Set(name, value)
	if value == "" {
		a.header.Del(name)
	}
	return a
}

// redirected wants a redirect, behind which the store has the same bytes.
func redirected(w *world, r row, plain, got answer) answer {
	w.t.Helper()
	if got.status != http.StatusTemporaryRedirect || got.header.Get("Sluice-Delivery") != "redirect; reason=transport" {
		return plain.with("Missing", "a redirect by reason of the transport")
	}
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, got.location, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if value, ok := strings.CutPrefix(r.fields, "Range: "); ok {
		request.Header.Set("Range", value)
	}
	if at := read(w.t, w.plain(), request); at.status != plain.status || at.body != plain.body {
		w.t.Errorf("%s: behind the redirect are %d and %d bytes, want %d and %d", r.name, at.status, len(at.body), plain.status, len(plain.body))
	}
	return got
}

// tooLong wants AWS's own refusal. The plain server then takes the request, so
// that the rows below find what it leaves.
func tooLong(w *world, r row, plain, got answer) answer {
	w.t.Helper()
	w.plainly(r)
	if got.status != http.StatusRequestEntityTooLarge || got.cause == "" {
		return plain.with("Missing", "the refusal of AWS")
	}
	return got
}

// survivor is what an HTTP API leaves of a row's request.
func survivor(r row) string {
	method, target, _ := strings.Cut(r.request, " ")
	path, query, _ := strings.Cut(target, "?")
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return r.request
	}
	again, err := url.PathUnescape(decoded)
	if err != nil {
		again = decoded
	}
	left, _, _ := strings.Cut(strings.ToValidUTF8(again, "\ufffd"), "?")
	if left == decoded {
		return r.request
	}
	escaped := fmt.Sprintf("%s %s", method, (&url.URL{Path: left}).EscapedPath())
	if query != "" {
		escaped += "?" + query
	}
	return escaped
}

// wanted is what a transport must answer where net/http answers plain, and the
// names of the differences that made it so.
func wanted(w *world, t edgetest.Transport, r row, plain, got answer) (answer, []string) {
	w.t.Helper()
	var names []string
	for _, d := range differences {
		if slices.Contains(d.on, t) && d.applies(r, plain, t) {
			plain = d.becomes(w, r, plain, got)
			names = append(names, d.name)
		}
	}
	return plain, names
}
