package edgetest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/shared/edge/edgetest"
)

// The rows send whole requests. What clients and platforms break is here.

// announcing says in an event that a body of five bytes has ten.
type announcing struct {
	edgetest.Function

	said bool // the transport passes a Content-Length on
}

// Invoke implements edgetest.Function.
func (a *announcing) Invoke(ctx context.Context, event []byte, streams bool) (*edgetest.Answer, error) {
	text := strings.NewReplacer(`"content-length":"5"`, `"content-length":"10"`, `"content-length":["5"]`, `"content-length":["10"]`).Replace(string(event))
	a.said = text != string(event)
	return a.Function.Invoke(ctx, []byte(text), streams)
}

// A body that is shorter than its Content-Length is refused, and nothing of it is
// kept, by whatever way it came. A gateway calls no function for a client that hung
// up, so that this is of bodies that were changed on the way.
func TestABodyThatIsCutIsRefusedAlike(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(w.site.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "PUT /file/ada/cut HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 10\r\n\r\nhello", w.tokens[ada])
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	plain, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Body.Close()
	text, err := io.ReadAll(plain.Body)
	const code = "body_cut"
	if plain.StatusCode != http.StatusBadRequest || memberOf(string(text), "code") != code || err != nil {
		t.Fatalf("a plain server answers %s %s, %v; want 400 %s", plain.Status, text, err, code)
	}
	for _, transport := range edgetest.Transports() {
		through := &announcing{Function: inProcess(w, transport)}
		w.through(transport, through)
		got := w.ask(row{name: "a body that is cut", as: ada, request: "PUT /file/ada/cut", body: "hello"})
		switch carries := transport != edgetest.REST && transport != edgetest.RESTStream; {
		case through.said != carries:
			t.Errorf("%s passes a Content-Length on: %v, want %v", transport, through.said, carries)
		case !carries: // REST APIs tell no length, so this cannot be seen there
			w.plainly(row{name: "away with it", as: ada, request: "DELETE /file/ada/cut"})
		case got.status != http.StatusBadRequest || memberOf(got.body, "code") != code:
			t.Errorf("%s answers %s, want 400 %s", transport, got, code)
		}
		if kept := w.plainly(row{name: "nothing is kept", as: ada, request: "GET /file/ada/cut"}); kept.status != http.StatusNotFound {
			t.Errorf("%s: of a body that is cut is kept %s, want 404", transport, kept)
		}
	}
}

// stalled is a body of which the end does not come.
type stalled struct {
	io.Reader
	ctx context.Context
}

func (s stalled) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err == io.EOF {
		<-s.ctx.Done()
		return n, s.ctx.Err()
	}
	return n, err
}

// A plain server answers 408 to a body that stops coming, which package api tests.
// Behind a gateway this cannot be: it calls a function when it has the whole body,
// and gives the client up by itself.
func TestABodyThatStallsIsNoFunctions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, transport := range edgetest.Transports() {
		w.through(transport, never{t})
		ctx, hangUp := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer hangUp()
		r := w.request(row{name: "a body that stalls", as: ada, request: "PUT /file/ada/stalled"}).WithContext(ctx)
		r.Body = io.NopCloser(stalled{strings.NewReader("hello"), ctx})
		if response, err := w.client.Do(r); err == nil || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s answers %v, %v; want that it waits until the client goes", transport, response, err)
		}
	}
}

// never is a function that is not to be called.
type never struct{ t *testing.T }

// Invoke implements edgetest.Function.
func (n never) Invoke(context.Context, []byte, bool) (*edgetest.Answer, error) {
	n.t.Error("the function is called, want it not to be")
	return nil, &edgetest.FunctionError{}
}

// An event that is none, or not of the transport, is an error of the function, for
// which the platform answers; the process goes on.
func TestAnEventThatIsNoneEndsNothing(t *testing.T) {
	t.Parallel()
	built := build(t, "download")
	for _, transport := range edgetest.Transports() {
		sandbox, err := edgetest.Start(t.Context(), edgetest.Process{
			Path: filepath.Join(built, "download", "bootstrap"), Log: logged{t}, Env: []string{
				"SLUICE_TRANSPORT=" + string(transport), "SLUICE_PUBLIC_URL=https://example.com", "SLUICE_TABLE=dynamodb://sluice", "SLUICE_BLOB=s3://sluice",
				"SLUICE_KEYS=ssm:/sluice", "AWS_ACCESS_KEY_ID=key", "AWS_SECRET_ACCESS_KEY=secret", "AWS_ENDPOINT_URL=http://127.0.0.1:1",
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		process := sandbox.Process().Pid
		for _, event := range []string{
			`{}`, `[]`, `"text"`, `1`, `null`, `{"Records":[{"eventSource":"aws:sqs","body":"{}"}]}`, `{"httpMethod":"GET"}`, `not JSON`,
			`{"httpMethod":"PUT","path":"/","isBase64Encoded":true,"body":"not base64"}`,
			`{"rawPath":"/","isBase64Encoded":true,"body":"not base64","requestContext":{"http":{"method":"PUT"}}}`,
		} {
			answer, err := sandbox.Invoke(t.Context(), []byte(event), transport.Streams())
			if failure, ok := errors.AsType[*edgetest.FunctionError](err); !ok || failure.Type == "Runtime.ExitError" {
				t.Errorf("%s answers %s with %v, %v; want an error, and no end", transport, event, answer, err)
			}
		}
		response, body, err := get(t, &http.Client{Transport: &edgetest.Gateway{Transport: transport, Function: sandbox}}, "/healthz")
		if err != nil || response.StatusCode != http.StatusOK || sandbox.Process().Pid != process {
			t.Errorf("%s after that: %s %q, %v by process %d; want 200 by %d", transport, response.Status, body, err, sandbox.Process().Pid, process)
		}
		if err := sandbox.Close(); err != nil {
			t.Error(err)
		}
	}
}
