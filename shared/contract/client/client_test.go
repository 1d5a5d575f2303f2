package client_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"sluice/shared/contract"
	"sluice/shared/contract/client"
	"sluice/shared/fault"
)

// serve starts a server and returns a client of it.
func serve(t *testing.T, handler http.HandlerFunc, options ...client.ClientOption) *client.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c, err := client.New(server.URL, options...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAPathArrivesAsItIs(t *testing.T) {
	var path, raw string
	c := serve(t, func(_ http.ResponseWriter, r *http.Request) { path, raw = r.URL.Path, r.RequestURI })
	for _, sample := range []struct{ path, uri string }{
		{"a.txt", "/file/ada/a.txt"},
		{"a/b/c.txt", "/file/ada/a/b/c.txt"},
		{"a b", "/file/ada/a%20b"},
		{"100%/50%2F", "/file/ada/100%25/50%252F"},
		{"what?#", "/file/ada/what%3F%23"},
		{"a+b&c=d;e,f:g@h$i", "/file/ada/a+b&c=d%3Be%2Cf:g@h$i"},
		{"naïve/日本語.pdf", "/file/ada/na%C3%AFve/%E6%97%A5%E6%9C%AC%E8%AA%9E.pdf"},
		{`back\slash"quote`, "/file/ada/back%5Cslash%22quote"},
		{"a/../b", "/file/ada/a/../b"},
		{"a//b", "/file/ada/a//b"},
	} {
		if err := client.Done(c.GetFile(t.Context(), "ada", sample.path, nil)); err != nil {
			t.Fatal(err)
		}
		if path != "/file/ada/"+sample.path || raw != sample.uri {
			t.Errorf("%q arrives as %q from %q, want %q", sample.path, path, raw, sample.uri)
		}
	}
}

func TestAnIDKeepsItsSlash(t *testing.T) {
	var uri string
	c := serve(t, func(_ http.ResponseWriter, r *http.Request) { uri = r.RequestURI })
	if err := client.Done(c.GetFileInfo(t.Context(), "a/b")); err != nil {
		t.Fatal(err)
	}
	if uri != "/api/files/a%2Fb" {
		t.Errorf("the id a/b arrives in %s", uri)
	}
}

func TestTheBaseURLMayHaveAPath(t *testing.T) {
	var uri string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { uri = r.RequestURI }))
	t.Cleanup(server.Close)
	c, err := client.New(server.URL + "/file/sluice")
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Done(c.GetFile(t.Context(), "ada", "a/b", nil)); err != nil {
		t.Fatal(err)
	}
	if uri != "/file/sluice/file/ada/a/b" {
		t.Errorf("a/b arrives at %s", uri)
	}
}

func TestARequestCarriesWhatItIsGiven(t *testing.T) {
	var got *http.Request
	var body string
	c := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, body = r, string(b)
	}, client.WithRequestEditorFn(client.Bearer("t0ken")))
	etag, owner := `"1"`, "ada"
	if err := client.Done(c.PutFileWithBody(t.Context(), "ada", "a", &contract.PutFileParams{IfMatch: &etag}, "text/plain", strings.NewReader("hi"))); err != nil {
		t.Fatal(err)
	}
	if got.Header.Get("If-Match") != etag || got.Header.Get("Content-Type") != "text/plain" || body != "hi" {
		t.Errorf("the upload arrives with %v and %q", got.Header, body)
	}
	if got.Header.Get("Authorization") != "Bearer t0ken" {
		t.Errorf("Authorization is %q", got.Header.Get("Authorization"))
	}
	if err := client.Done(c.ListFiles(t.Context(), &contract.ListFilesParams{Owner: &owner})); err != nil {
		t.Fatal(err)
	}
	if got.URL.RawQuery != "owner=ada" {
		t.Errorf("the query is %q: what is nil must not be sent", got.URL.RawQuery)
	}
}

func TestDecodeReturnsTheValue(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if string(body) != `{"password":"secret","username":"ada"}` {
			t.Errorf("the login is %s", body)
		}
		_, _ = io.WriteString(w, `{"access_token":"a","refresh_token":"r","token_type":"Bearer","expires_in":900,"later":1}`)
	})
	tokens, err := client.Decode[contract.Tokens](c.Login(t.Context(), contract.LoginRequest{Username: "ada", Password: "secret"}))
	want := contract.Tokens{AccessToken: "a", RefreshToken: "r", TokenType: "Bearer", ExpiresIn: 900}
	if err != nil || tokens != want {
		t.Errorf("got %+v, %v; want %+v", tokens, err, want)
	}
}

func TestAnErrorBecomesAFault(t *testing.T) {
	const problem = `{"type":"about:blank","title":"T","status":409,"detail":"D.","code":"c","field":"f","request_id":"R"}`
	for _, c := range []struct {
		name, contentType, body, retryAfter string
		status                              int
		want                                fault.Error
		cause                               string
	}{
		{"a problem", "application/problem+json", problem, "", 409, fault.Error{Kind: fault.Conflict, Code: "c", Message: "D.", Field: "f"}, "the server's log has it as request R"},
		{"with a charset", "application/problem+json; charset=utf-8", problem, "", 409, fault.Error{Kind: fault.Conflict, Code: "c", Message: "D.", Field: "f"}, "the server's log has it as request R"},
		{"a wait", "application/problem+json", `{"code":"c","detail":"D."}`, "7", 429, fault.Error{Kind: fault.TooManyRequests, Code: "c", Message: "D.", RetryAfter: 7 * time.Second}, ""},
		{"a date to wait for", "text/html", "", "Sun, 06 Nov 1994 08:49:37 GMT", 503, fault.Error{Kind: fault.Unavailable, Code: "unexpected_answer", Message: "The server answered 503 Service Unavailable."}, ""},
		{"a proxy's page", "text/html", "<h1>502</h1>", "", 502, fault.Error{Kind: fault.Upstream, Code: "unexpected_answer", Message: "The server answered 502 Bad Gateway."}, ""},
		{"a problem without a code", "application/problem+json", `{}`, "", 400, fault.Error{Kind: fault.Invalid, Code: "unexpected_answer", Message: "The server answered 400 Bad Request."}, ""},
		{"a broken problem", "application/problem+json", `{"code":"c"`, "", 500, fault.Error{Kind: fault.Internal, Code: "unexpected_answer", Message: "The server answered 500 Internal Server Error."}, "unexpected EOF"},
		{"a status of later", "", "", "", 418, fault.Error{Kind: fault.Invalid, Code: "unexpected_answer", Message: "The server answered 418 I'm a teapot."}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			api := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", c.contentType)
				if c.retryAfter != "" {
					w.Header().Set("Retry-After", c.retryAfter)
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			_, err := client.Decode[contract.Profile](api.GetProfile(t.Context()))
			var got *fault.Error
			if !errors.As(err, &got) {
				t.Fatalf("got %v, want a fault", err)
			}
			cause := ""
			if got.Err != nil {
				cause = got.Err.Error()
			}
			bare := *got
			bare.Err = nil
			if !reflect.DeepEqual(bare, c.want) || cause != c.cause {
				t.Errorf("got %+v because of %q, want %+v because of %q", bare, cause, c.want, c.cause)
			}
		})
	}
}

func TestEveryStatusHasItsKind(t *testing.T) {
	for status, want := range map[int]fault.Kind{
		400: fault.Invalid, 401: fault.Unauthenticated, 403: fault.Forbidden, 404: fault.NotFound,
		405: fault.MethodNotAllowed, 408: fault.Timeout, 409: fault.Conflict, 412: fault.PreconditionFailed,
		413: fault.TooLarge, 415: fault.UnsupportedMedia, 416: fault.RangeNotSatisfiable, 422: fault.Unprocessable,
		429: fault.TooManyRequests, 500: fault.Internal, 502: fault.Upstream, 503: fault.Unavailable, 507: fault.InsufficientStorage,
	} {
		resp := &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody}
		if _, err := client.Check(resp, nil); fault.KindOf(err) != want || err == nil {
			t.Errorf("%d is kind %d, want %d: %v", status, fault.KindOf(err), want, err)
		}
	}
}

func TestNoAnswerIsAFault(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	c, err := client.New(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Decode[contract.Health](c.Healthz(t.Context()))
	if !fault.Is(err, fault.Unavailable, "no_answer") {
		t.Errorf("got %v, want no_answer", err)
	}
}

func TestAnotherAnswerIsAFault(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<html>welcome to the hotel</html>")
	})
	_, err := client.Decode[contract.Health](c.Healthz(t.Context()))
	if !fault.Is(err, fault.Upstream, "unexpected_answer") {
		t.Errorf("got %v, want unexpected_answer", err)
	}
}

func TestCheckLeavesTheBodyToTheCaller(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "bytes") })
	resp, err := client.Check(c.GetFile(t.Context(), "ada", "a", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); string(body) != "bytes" || err != nil {
		t.Errorf("the body is %q, %v", body, err)
	}
}
