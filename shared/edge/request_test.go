package edge_test

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"sluice/shared/edge"
)

func decodedQuery(t testing.TB, query string) map[string][]string {
	t.Helper()
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func rawQuery(query string) map[string][]string {
	values := map[string][]string{}
	for pair := range strings.SplitSeq(query, "&") {
		if name, value, _ := strings.Cut(pair, "="); pair != "" {
			values[name] = append(values[name], value)
		}
	}
	return values
}

// unescape decodes a path twice over, as an HTTP API does.
func unescape(t testing.TB, path string) string {
	t.Helper()
	for range 2 {
		decoded, err := url.PathUnescape(path)
		if err != nil {
			t.Fatal(err)
		}
		path = decoded
	}
	return path
}

// seen is what an app gets to see of a request.
type seen struct {
	method, path, escaped, host, remote, body string
	query                                     url.Values
	header                                    http.Header
	length                                    int64
	uri                                       string
}

// see returns what the app sees of an event.
func see(t testing.TB, transport edge.Transport, event json.RawMessage) seen {
	t.Helper()
	var got seen
	invoke(t, function(transport, func(_ http.ResponseWriter, r *http.Request) { got = look(t, r) }), event)
	return got
}

func look(t testing.TB, r *http.Request) seen {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	return seen{
		method: r.Method, path: r.URL.Path, escaped: r.URL.EscapedPath(), host: r.Host, remote: r.RemoteAddr, body: string(body),
		query: r.URL.Query(), header: r.Header, length: r.ContentLength, uri: r.RequestURI,
	}
}

func TestAPathIsWhatTheClientSent(t *testing.T) {
	for _, c := range []struct {
		sent string
		http string // what an HTTP API leaves of it; empty: the same
	}{
		{sent: "/"},
		{sent: "/api/files/01JABCDEFGHJKMNPQRSTVWXYZ0/content"},
		{sent: "/l/AbC-_09~.x/name.bin"},
		{sent: "/file/a/space%20and%2Bplus+plus"},
		{sent: "/file/a/%CE%BB-%E4%B8%96%E7%95%8C-%F0%9F%8C%8A"},
		{sent: "/file/a/hash%23question%3Fsemicolon%3B"},
		{sent: "/file/a/%3C%22%5E%60%7C%5C%7D%3E"},
		{sent: "/file/a/control%01%7F"},
		{sent: "/file/a//double/./dot"},
		{sent: "/file/a/slash%2Fin", http: "/file/a/slash/in"}, // decodes it
		{sent: "/file/a/percent%2541", http: "/file/a/percentA"},
		{sent: "/file/a/percent%252541", http: "/file/a/percent%41"}, // which is no escape any more
	} {
		for _, transport := range transports() {
			q := question{path: c.sent}
			want, err := url.PathUnescape(c.sent)
			if err != nil {
				t.Fatal(err)
			}
			wantEscaped := c.sent
			if transport == edge.HTTP {
				want = cmp.Or(c.http, want)
				wantEscaped = (&url.URL{Path: want}).EscapedPath()
			}
			got := see(t, transport, q.event(t, transport))
			if got.path != want || got.escaped != wantEscaped || got.uri != wantEscaped {
				t.Errorf("%s: %s is %q, escaped %s, of target %s; want %q, %s", transport, c.sent, got.path, got.escaped, got.uri, want, wantEscaped)
			}
		}
	}
}

// What could not have been in a path is escaped, also where the platform says
// that it was: nothing of a path becomes a query, a fragment or a host.
func TestAPathIsEscapedAgain(t *testing.T) {
	for _, c := range [][2]string{
		{"/a b", "/a%20b"},
		{"/a?b=c", "/a%3Fb=c"},
		{"/a#b", "/a%23b"},
		{"/100%", "/100%25"},
		{"/100%zz", "/100%25zz"},
		{"/λ", "/%CE%BB"},
		{"//evil.example/x", "//evil.example/x"},
		{"/\x00\x7f", "/%00%7F"},
		{"/@evil.example:80", "/@evil.example:80"},
	} {
		for _, transport := range []edge.Transport{edge.REST, edge.ALB, edge.URLStream, edge.HTTP, edge.RESTStream} {
			event := map[string]any{"httpMethod": "GET", "path": c[0], "rawPath": c[0], "requestContext": map[string]any{"http": map[string]any{"method": "GET"}}}
			text, err := json.Marshal(event)
			if err != nil {
				t.Fatal(err)
			}
			if got := see(t, transport, text); got.escaped != c[1] || len(got.query) > 0 {
				t.Errorf("%s: %q is read as %s with the query %v, want %s without one", transport, c[0], got.escaped, got.query, c[1])
			}
		}
	}
}

func TestAnHTTPAPIsStageIsNoPartOfThePath(t *testing.T) {
	for path, want := range map[string]string{"/prod/api/files": "/api/files", "/production": "/production", "/prod/": "/", "/api/prod/x": "/api/prod/x"} {
		event := `{"rawPath":"` + path + `","requestContext":{"stage":"prod","http":{"method":"GET"}}}`
		if got := see(t, edge.HTTP, json.RawMessage(event)); got.path != want {
			t.Errorf("%s of stage prod is %s, want %s", path, got.path, want)
		}
	}
}

func TestAQueryIsWhatTheClientSent(t *testing.T) {
	for _, query := range []string{
		"", "a=1", "a=1&a=2&a=3", "b=&c=x%20y&d=x+y&e=x%2By", "q=%3F%26%3D%23%25", "redirect=https%3A%2F%2Fexample.com%2Fa%2Fb", "%CE%BB=%E4%B8%96",
	} {
		for _, transport := range transports() {
			got := see(t, transport, question{path: "/x", query: query}.event(t, transport))
			want, err := url.ParseQuery(query)
			if err != nil {
				t.Fatal(err)
			}
			if !maps.EqualFunc(got.query, want, slices.Equal) {
				t.Errorf("%s: ?%s is read as %v, want %v", transport, query, got.query, want)
			}
		}
	}
}

// A load balancer that takes one value for each name sends other maps.
func TestALoadBalancerWithSingleValues(t *testing.T) {
	event := `{"httpMethod":"GET","path":"/x","headers":{"host":"files.example","x-a":"1","x-forwarded-for":"192.0.2.7"},"queryStringParameters":{"q":"a%2Bb"}}`
	f := function(edge.ALB, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-A") != "1" || r.URL.Query().Get("q") != "a+b" || r.RemoteAddr != "192.0.2.7:0" {
			t.Errorf("the app sees %v from %s, %s", r.Header, r.RemoteAddr, r.URL.RawQuery)
		}
		w.Header()["X-B"] = []string{"1", "2"}
		w.Header()["Set-Cookie"] = []string{"a=1", "b=2"}
	})
	got := invoke(t, f, json.RawMessage(event))
	if got.header.Get("X-B") != "1, 2" || got.header.Get("Set-Cookie") != "b=2" {
		t.Errorf("the answer's header is %v, want X-B: 1, 2 and the last cookie", got.header)
	}
}

// The library splits fields of an HTTP API at commas, which breaks dates, lists
// of ETags and of ranges.
func TestFieldsAreVerbatim(t *testing.T) {
	fields := map[string][]string{
		"if-none-match":     {`"a", "b,c", W/"d"`},
		"if-range":          {"Wed, 21 Oct 2026 07:28:00 GMT"},
		"if-modified-since": {"Wed, 21 Oct 2026 07:28:00 GMT"},
		"range":             {"bytes=0-1, 4-5,-7"},
		"accept":            {"text/html, */*;q=0.1"},
		"authorization":     {"Bearer a.b-c_d"},
		"repr-digest":       {"sha-256=:4REjxQ4yrqUVicfSKYNO/cF9zNj5ANbzgDZt3/h3Qxo=:"},
		"user-agent":        {"curl/8.7.1 (a, b)"},
		"x-empty":           {""},
	}
	for _, transport := range transports() {
		got := see(t, transport, question{path: "/", header: fields}.event(t, transport))
		for name, want := range fields {
			if lines := got.header.Values(name); !slices.Equal(lines, want) {
				t.Errorf("%s: %s is %q, want %q", transport, name, lines, want)
			}
		}
		if got.host != "files.example" || got.header.Get("Host") != "" {
			t.Errorf("%s: the host is %q, and the field %q; want files.example, and none", transport, got.host, got.header.Get("Host"))
		}
	}
}

// Repeated lines stay lines where the event has them; payload format 2.0 has one
// for each name, which means the same (RFC 9110 §5.3).
func TestRepeatedFields(t *testing.T) {
	for _, transport := range transports() {
		got := see(t, transport, question{path: "/", header: map[string][]string{"x-probe": {"first", "second"}}}.event(t, transport))
		want := []string{"first", "second"}
		if transport == edge.HTTP || transport == edge.URLStream {
			want = []string{"first,second"}
		}
		if lines := got.header.Values("X-Probe"); !slices.Equal(lines, want) {
			t.Errorf("%s: X-Probe is %q, want %q", transport, lines, want)
		}
	}
}

func TestSeveralCookiesAreOneField(t *testing.T) {
	for _, transport := range transports() {
		got := see(t, transport, question{path: "/", cookie: []string{"session=abc=123", `theme="a b"`}}.event(t, transport))
		if lines := got.header.Values("Cookie"); !slices.Equal(lines, []string{`session=abc=123; theme="a b"`}) {
			t.Errorf("%s: Cookie is %q, want both in one line", transport, lines)
		}
	}
}

// The library's Proxy hands the gateway's context on in fields that a client can
// send too.
func TestNoFieldForgesTheGatewaysContext(t *testing.T) {
	forged := map[string][]string{
		"x-golambdaproxy-apigw-context":   {`{"identity":{"sourceIp":"198.51.100.1"}}`},
		"X-GoLambdaProxy-ApiGw-StageVars": {`{}`},
		"X-GOLAMBDAPROXY-ALB-CONTEXT":     {`{}`},
		"transfer-encoding":               {"chunked"},
	}
	for _, transport := range transports() {
		got := see(t, transport, question{path: "/", header: forged}.event(t, transport))
		for name := range forged {
			if got.header.Get(name) != "" {
				t.Errorf("%s: %s reaches the app", transport, name)
			}
		}
	}
}

// The client's address comes from the event's context, with a port so that Gin
// can read it; X-Forwarded-For counts where a proxy is trusted, and only there.
func TestTheClientsAddress(t *testing.T) {
	for _, c := range []struct {
		forwarded string
		trusted   []string
		want      string
	}{
		{"192.0.2.7", nil, "192.0.2.7"},
		{"203.0.113.9, 192.0.2.7", nil, "192.0.2.7"},
		{"203.0.113.9,192.0.2.7:443", nil, "192.0.2.7"},
		{"203.0.113.9, 192.0.2.7", []string{"192.0.2.0/24"}, "203.0.113.9"},
		{"198.51.100.1, 203.0.113.9, 192.0.2.7", []string{"192.0.2.0/24"}, "203.0.113.9"},
	} {
		for _, transport := range transports() {
			gin.SetMode(gin.ReleaseMode)
			app := gin.New()
			if err := app.SetTrustedProxies(c.trusted); err != nil {
				t.Fatal(err)
			}
			var got string
			app.GET("/", func(c *gin.Context) { got = c.ClientIP() })
			q := question{path: "/", header: map[string][]string{"x-forwarded-for": {c.forwarded}}}
			invoke(t, &edge.Function{Transport: transport, App: app, Log: slog.New(slog.DiscardHandler)}, q.event(t, transport))
			if got != c.want {
				t.Errorf("%s: X-Forwarded-For: %s with %v trusted: the client is %q, want %s", transport, c.forwarded, c.trusted, got, c.want)
			}
		}
	}
}

func TestAnAddressOfIPv6(t *testing.T) {
	for transport, event := range map[edge.Transport]string{
		edge.REST: `{"httpMethod":"GET","path":"/","requestContext":{"identity":{"sourceIp":"2001:db8::7"}}}`,
		edge.HTTP: `{"rawPath":"/","requestContext":{"http":{"method":"GET","sourceIp":"2001:db8::7"}}}`,
		edge.ALB:  `{"httpMethod":"GET","path":"/","headers":{"x-forwarded-for":"203.0.113.9, [2001:db8::7]:4711"}}`,
	} {
		if got := see(t, transport, json.RawMessage(event)); got.remote != "[2001:db8::7]:0" {
			t.Errorf("%s: the peer is %q, want [2001:db8::7]:0", transport, got.remote)
		}
	}
}

func TestBodiesArriveAsTheyWere(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for name, body := range map[string][]byte{"no bytes": {}, "all bytes": all, "NULs": make([]byte, 1000), "half a rune": []byte("λ")[:1], "4 MiB": make([]byte, 4<<20)} {
		for _, transport := range transports() {
			if len(body) > 1<<20 && transport != edge.REST && transport != edge.URLStream {
				continue // the same again, and long
			}
			got := see(t, transport, question{method: http.MethodPut, path: "/", body: body}.event(t, transport))
			if got.body != string(body) || got.length != int64(len(body)) || got.method != http.MethodPut {
				t.Errorf("%s: %s: %s of %d bytes, announced %d; want PUT of %d, the same", transport, name, got.method, len(got.body), got.length, len(body))
			}
		}
	}
	text := `{"httpMethod":"POST","path":"/","body":"{\"a\":\"\u0001λ\"}"}`
	if got := see(t, edge.REST, json.RawMessage(text)); got.body != "{\"a\":\"\x01λ\"}" {
		t.Errorf("a body of text is %q", got.body)
	}
}

// The context of a request ends before the invocation's does: what follows it
// needs time too.
func TestARequestEndsBeforeItsInvocation(t *testing.T) {
	for _, transport := range transports() {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		f := function(transport, func(_ http.ResponseWriter, r *http.Request) {
			outer, _ := ctx.Deadline()
			if inner, ok := r.Context().Deadline(); !ok || outer.Sub(inner) != time.Second {
				t.Errorf("%s: the request has until %s of %s, want a second less", transport, inner, outer)
			}
		})
		answer, err := f.Invoke(ctx, question{path: "/"}.event(t, transport))
		if err != nil {
			t.Fatal(err)
		}
		decode(t, answer)
	}
}

// FuzzRead holds that no event makes the edge panic, and that what it makes a
// request of is one.
func FuzzRead(f *testing.F) {
	for _, transport := range transports() {
		f.Add(string(transport), []byte(question{path: "/a%20b/%CE%BB", query: "a=1&b=%20", cookie: []string{"a=b"}, body: []byte("x")}.event(f, transport)))
		f.Add(string(transport), []byte(`{"httpMethod":"GET","path":"/%","rawPath":"//","requestContext":{"http":{"method":"HEAD"},"domainName":"%zz"}}`))
	}
	f.Fuzz(func(t *testing.T, transport string, event []byte) {
		var got *http.Request
		app := func(_ http.ResponseWriter, r *http.Request) { got = r }
		answer, err := function(edge.Transport(transport), app).Invoke(t.Context(), event)
		if err != nil {
			return
		}
		decode(t, answer)
		if got == nil || !strings.HasPrefix(got.URL.Path, "/") || got.URL.Host != "" || got.URL.Fragment != "" {
			t.Fatalf("%s: %s is read as %+v", transport, event, got)
		}
		line := httptest.NewRequest(http.MethodGet, "http://x", nil)
		if line.URL, err = url.ParseRequestURI(got.RequestURI); err != nil || line.URL.Path != got.URL.Path {
			t.Fatalf("%s: the target %q of %s, %v; want one that is read as %q", transport, got.RequestURI, event, err, got.URL.Path)
		}
	})
}
