package edgetest_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sluice/shared/edge"
	"sluice/shared/edge/edgetest"
)

// echo answers what came, with its body and several fields of one name.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	h := r.Header.Clone()
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Amzn-Trace-Id", "Accept-Encoding", "Content-Length", "Cookie"} {
		h.Del(name)
	}
	came := map[string]any{
		"method": r.Method, "path": r.URL.Path, "query": r.URL.Query(), "host": r.Host, "cookies": strings.Join(r.Header.Values("Cookie"), "; "),
		"length": r.ContentLength, "body": hex.EncodeToString(body),
	}
	for name, values := range h {
		came[name] = strings.ReplaceAll(strings.Join(values, ","), ", ", ",")
	}
	if _, _, err := net.SplitHostPort(r.RemoteAddr); err != nil {
		came["address"] = r.RemoteAddr
	}
	text, err := json.Marshal(came)
	if err != nil {
		panic(err)
	}
	w.Header()["Set-Cookie"] = []string{"a=b, c; Path=/", "d=e; Expires=Wed, 01 Jan 2031 00:00:00 GMT"}
	w.Header()["Vary"] = []string{"Origin", "Range"}
	w.Header().Set("X-Came", string(text))
	w.Header().Set("Content-Type", "text/plain")
	_, _ = w.Write(body)
}

// sent is a request of any kind.
type sent struct {
	method, path string
	query        url.Values
	header       http.Header
	body         []byte
}

func anyRequest(t *rapid.T) sent {
	text := rapid.StringMatching(`[ -~é日😀]{0,12}`)
	value := rapid.StringMatching(`[!-~é日]([ -~é日]{0,12}[!-~é日])?`)
	s := sent{
		method: rapid.SampledFrom([]string{"GET", "PUT", "POST", "PATCH", "DELETE"}).Draw(t, "method"),
		path:   "/" + strings.Join(rapid.SliceOfN(text, 0, 4).Draw(t, "path"), "/"),
		query:  url.Values{}, header: http.Header{}, body: rapid.SliceOf(rapid.Byte()).Draw(t, "body"),
	}
	for _, name := range rapid.SliceOfN(text, 0, 3).Draw(t, "names") {
		s.query[name] = rapid.SliceOfN(text, 1, 3).Draw(t, "values")
	}
	for _, name := range rapid.SliceOfN(rapid.SampledFrom([]string{"If-None-Match", "Range", "X-Some", "Content-Type", "Accept"}), 0, 4).Draw(t, "fields") {
		s.header[name] = rapid.SliceOfN(value, 1, 3).Draw(t, "lines")
	}
	if cookies := rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,3}=[a-z0-9]{0,5}`), 0, 3).Draw(t, "cookies"); len(cookies) > 0 {
		s.header["Cookie"] = []string{strings.Join(cookies, "; ")}
	}
	s.header.Set("User-Agent", "test")
	return s
}

// TestWhateverIsSentComes sends requests of any kind by every transport, and
// wants what a plain server gets and its client sees.
func TestWhateverIsSentComes(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(echo))
	defer server.Close()
	clients := map[edgetest.Transport]http.RoundTripper{}
	for _, transport := range edgetest.Transports() {
		function := &edge.Function{Transport: edge.Transport(transport), App: http.HandlerFunc(echo), Log: slog.New(slog.DiscardHandler)}
		clients[transport] = &edgetest.Gateway{Transport: transport, Function: handler{function}}
	}
	clients["alb, one value a field"] = &edgetest.Gateway{
		Transport: edgetest.ALB, SingleHeaders: true, Function: clients[edgetest.ALB].(*edgetest.Gateway).Function,
	}
	rapid.Check(t, func(rt *rapid.T) {
		s := anyRequest(rt)
		want := s.by(rt, server.Client().Transport, server.URL)
		for transport, client := range clients {
			if transport == edgetest.HTTP && strings.ContainsAny(s.path, "?%") {
				continue // a difference that the table names
			}
			if transport == "alb, one value a field" && s.repeats() {
				continue // it is what the setting means
			}
			wanted := want
			if transport == "alb, one value a field" {
				wanted.cookies = wanted.cookies[1:]
			}
			if got := s.by(rt, client, server.URL); fmt.Sprint(got) != fmt.Sprint(wanted) {
				rt.Errorf("by %s:\n got %v\nwant %v", transport, got, wanted)
			}
		}
	})
}

// repeats reports whether a name stands there twice.
func (s sent) repeats() bool {
	for _, values := range []map[string][]string{s.query, s.header} {
		for _, all := range values {
			if len(all) > 1 {
				return true
			}
		}
	}
	return false
}

// echoed is what came back.
type echoed struct {
	status  int
	came    string
	cookies []string
	vary    string
	body    string
}

func (s sent) by(t *rapid.T, client http.RoundTripper, base string) echoed {
	target := base + escapePath(s.path)
	if len(s.query) > 0 {
		target += "?" + s.query.Encode()
	}
	request, err := http.NewRequestWithContext(t.Context(), s.method, target, strings.NewReader(string(s.body)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = s.header.Clone()
	response, err := client.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return echoed{
		response.StatusCode, response.Header.Get("X-Came") + response.Header.Get(edgetest.CauseHeader), slices.Clone(response.Header.Values("Set-Cookie")),
		strings.Join(response.Header.Values("Vary"), ", "), string(body),
	}
}
