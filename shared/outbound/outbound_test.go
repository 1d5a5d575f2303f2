package outbound_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"sluice/shared/fault"
	"sluice/shared/outbound"
)

func parse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestOriginIsSchemeHostAndPort(t *testing.T) {
	for _, c := range []struct{ url, want string }{
		{"http://example.com/a?b#c", "http://example.com:80"},
		{"https://example.com", "https://example.com:443"},
		{"https://EXAMPLE.com:443/", "https://example.com:443"},
		{"http://example.com:443/", "http://example.com:443"},
		{"http://ada:secret@example.com/", "http://example.com:80"},
		{"http://[2001:DB8::1]:8080/", "http://[2001:db8::1]:8080"},
	} {
		if got := outbound.Origin(parse(t, c.url)); got != c.want {
			t.Errorf("the origin of %s = %s, want %s", c.url, got, c.want)
		}
	}
}

func TestARedirectLeadsByHTTP(t *testing.T) {
	const refused = ""
	for _, c := range []struct{ name, from, location, want string }{
		{"to a path", "https://a.example/x/y", "/z?q", "https://a.example/z?q"},
		{"to a path beside it", "https://a.example/x/y", "z", "https://a.example/x/z"},
		{"to another host", "https://a.example/x", "https://b.example:8443/z", "https://b.example:8443/z"},
		{"to HTTPS", "http://a.example/x", "https://a.example/x", "https://a.example/x"},
		{"with a password and a fragment", "http://a.example/x", "http://ada:secret@b.example/#f", "http://b.example/"},
		{"from HTTPS to HTTP", "https://a.example/x", "http://a.example/x", refused},
		{"to a file of the machine", "http://a.example/x", "file:///etc/passwd", refused},
		{"to no host", "http://a.example/x", "http:///x", refused},
		{"to nowhere", "http://a.example/x", "", refused},
		{"to what is no URL", "http://a.example/x", "http://[::1", refused},
	} {
		t.Run(c.name, func(t *testing.T) {
			next, err := outbound.Redirect(parse(t, c.from), c.location)
			switch {
			case c.want == refused:
				if !fault.Is(err, fault.Upstream, "bad_redirect") {
					t.Errorf("got %v and %v, want the fault bad_redirect", next, err)
				}
			case err != nil || next.String() != c.want:
				t.Errorf("got %v and %v, want %s", next, err, c.want)
			}
		})
	}
}

func TestRetryAfterIsSecondsOrADate(t *testing.T) {
	const now = "Sun, 06 Nov 1994 08:49:37 GMT"
	for _, c := range []struct {
		field, date string
		want        time.Duration
	}{
		{"7", now, 7 * time.Second},
		{"0", now, 0},
		{"Sun, 06 Nov 1994 08:50:07 GMT", now, 30 * time.Second},
		{"Sunday, 06-Nov-94 08:50:07 GMT", now, 30 * time.Second},
		{"Sun, 06 Nov 1994 08:49:07 GMT", now, 0},
		{"Sun, 06 Nov 1994 08:50:07 GMT", "", 0},
		{"99999999999999999999999", now, (1<<31 - 1) * time.Second},
		{"4294967296", now, (1<<31 - 1) * time.Second},
		{"", now, 0},
		{"+7", now, 0},
		{"-7", now, 0},
		{"7.5", now, 0},
		{"soon", now, 0},
	} {
		h := http.Header{"Retry-After": {c.field}, "Date": {c.date}}
		if got := outbound.RetryAfter(h); got != c.want {
			t.Errorf("Retry-After %q at %q = %s, want %s", c.field, c.date, got, c.want)
		}
	}
}

func TestASettingThatIsNotMadeHasItsDefault(t *testing.T) {
	for _, c := range []struct{ setting, want int }{{0, 9}, {-1, 9}, {3, 3}} {
		if got := outbound.Or(c.setting, 9); got != c.want {
			t.Errorf("Or(%d, 9) = %d, want %d", c.setting, got, c.want)
		}
	}
	if got := outbound.Or("", "sluice"); got != "sluice" {
		t.Errorf(`Or("", "sluice") = %q`, got)
	}
}

func TestAnErrorLosesItsURL(t *testing.T) {
	cause := errors.New("connection refused")
	err := fmt.Errorf("asking: %w", &url.Error{Op: "Get", URL: "http://example.com/?signature=secret", Err: cause})
	if got := outbound.WithoutURL(err); !errors.Is(got, cause) || got.Error() != cause.Error() {
		t.Errorf("got %v, want %v", got, cause)
	}
	if got := outbound.WithoutURL(cause); !errors.Is(got, cause) {
		t.Errorf("an error without a URL became %v", got)
	}
}

func TestATransportDecodesNothingAndFollowsNothing(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked := r.Header.Get("Accept-Encoding"); asked != "" {
			t.Errorf("it asked for the encoding %q by itself", asked)
		}
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}))
	defer server.Close()
	transport := outbound.Transport(outbound.Settings{Connections: 1, Patience: time.Minute})
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(httptest.NewRequest(http.MethodGet, server.URL, http.NoBody))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusFound {
		t.Errorf("got %s, want 302", resp.Status)
	}
}

func TestATransportSpeaksHTTP2OnlyWhereAskedTo(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	for _, c := range []struct {
		http2 bool
		want  int
	}{{false, 1}, {true, 2}} {
		trusted := server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		trusted.NextProtos = nil
		transport := outbound.Transport(outbound.Settings{TLS: trusted, Connections: 1, Patience: time.Minute, HTTP2: c.http2})
		resp, err := transport.RoundTrip(httptest.NewRequest(http.MethodGet, server.URL, http.NoBody))
		if err != nil {
			t.Fatal(err)
		}
		if resp.ProtoMajor != c.want {
			t.Errorf("with HTTP2 %t it spoke %s", c.http2, resp.Proto)
		}
		_ = resp.Body.Close()
		transport.CloseIdleConnections()
	}
}

func TestATransportConnectsAsItIsTold(t *testing.T) {
	told := errors.New("no line")
	transport := outbound.Transport(outbound.Settings{Dial: func(_ context.Context, _, _ string) (net.Conn, error) { return nil, told }})
	resp, err := transport.RoundTrip(httptest.NewRequest(http.MethodGet, "http://192.0.2.1/", http.NoBody))
	if !errors.Is(err, told) {
		t.Errorf("got %v and %v, want what Dial said", resp, err)
	}
}
