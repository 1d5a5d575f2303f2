package edgetest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/shared/api"
	"sluice/shared/app/local/localtest"
	"sluice/shared/edge"
	"sluice/shared/edge/edgetest"
)

//go:generate go test -run TestEvents -update .

var update = flag.Bool("update", false, "write the events in /events anew")

// recorded are the requests of which /events has the events, one for each group
// of routes, and what a server answers that has ada's file public.txt, and
// nothing that an id names.
var recorded = []struct {
	operation string
	request   string
	fields    string
	body      string
	want      int
}{
	{"healthz", "GET /healthz", "", "", 200},
	{"getJwks", "GET /.well-known/jwks.json", "", "", 200},
	{"preflight", "OPTIONS /api/files", "Origin: https://app.example | Access-Control-Request-Method: POST", "", 204},
	{"login", "POST /api/login", "Content-Type: application/json", `{"username":"admin","password":"a password for tests"}`, 200},
	{"getProfile", "GET /api/profile", "Authorization: Bearer expired", "", 401},
	{"listUsers", "GET /api/users?limit=10", "Authorization: Bearer expired", "", 401},
	{"listFiles", "GET /api/files?prefix=a%2Fb&limit=10", "Authorization: Bearer expired", "", 401},
	{"getFile", "GET /file/ada/a%20folder/%C3%B6ffentlich.txt", "Range: bytes=0-0,9-9 | Cookie: a=b; c=d", "", 206},
	{"headFile", "HEAD /file/ada/a%20folder/%C3%B6ffentlich.txt", "", "", 200},
	{"putFile", "PUT /file/ada/bytes.bin", "Content-Type: application/octet-stream", "\x00\xff\x80 bytes", 401},
	{"getFileContent", "GET /api/files/01J9Z0Q8R7XN5S3V2T1W4Y6Z8A/content?disposition=attachment", `If-None-Match: "a", "b"`, "", 401},
	{"createUpload", "POST /api/files", "Content-Type: application/json | Authorization: Bearer expired", `{"path":"größe.bin","size":20000000}`, 401},
	{"putPart", "PUT /api/uploads/01J9Z0Q8R7XN5S3V2T1W4Y6Z8A/parts/1?signature=none", "", "part", 403},
	{"createTusUpload", "POST /api/tus", "Tus-Resumable: 1.0.0 | Upload-Length: 9 | Upload-Metadata: filename YQ==", "", 401},
	{"createSession", "POST /api/files/01J9Z0Q8R7XN5S3V2T1W4Y6Z8A/sessions", "Authorization: Bearer expired", "", 401},
	{"getSource", "GET /s/none/a", "", "", 403},
	{"getLink", "GET /l/none/a", "", "", 403},
	{"listDownloads", "GET /api/audit", "Authorization: Bearer expired", "", 401},
	{"listImports", "GET /api/imports", "Authorization: Bearer expired", "", 401},
}

// TestEvents holds the recorded events to what AWS would make of their requests,
// and has a function of each transport answer them.
func TestEvents(t *testing.T) {
	t.Parallel()
	site := localtest.Start(t, settle)
	site.User("ada", "user")
	put := site.Login("ada", localtest.Password).Put("/file/ada/a%20folder/%C3%B6ffentlich.txt", "0123456789")
	site.Admin().JSON(http.MethodPatch, "/api/files/"+put.Field(t, "id"), map[string]string{"visibility": "public"}).Want(t, http.StatusOK)
	for _, transport := range edgetest.Transports() {
		function := handler{edge.NewFunction(edge.Transport(transport), site.URL, site.App.Deps, api.All)}
		for _, x := range recorded {
			path := filepath.Join("..", "..", "..", "events", string(transport), x.operation+".json")
			event := record(t, transport, x.request, x.fields, x.body)
			if *update {
				write(t, path, event)
			}
			kept, err := os.ReadFile(path)
			if err != nil || !bytes.Equal(kept, event) {
				t.Errorf("%s is not what %s would send (%v); go generate writes it", path, transport, err)
				continue
			}
			method, _, _ := strings.Cut(x.request, " ")
			replay := &edgetest.Gateway{Transport: transport, Function: recordedEvent{function, kept}}
			request, err := http.NewRequestWithContext(t.Context(), method, "https://example.com/", nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := replay.RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != x.want || response.Header.Get("X-Request-Id") == "" && x.want != http.StatusPartialContent && method != http.MethodHead {
				t.Errorf("%s is answered %s %v, want %d", path, response.Status, response.Header, x.want)
			}
			_, _ = io.Copy(io.Discard, response.Body)
			response.Body.Close()
		}
	}
}

// recordedEvent has a function answer one event, whatever was asked.
type recordedEvent struct {
	edgetest.Function
	event []byte
}

// Invoke implements edgetest.Function.
func (r recordedEvent) Invoke(ctx context.Context, _ []byte, streams bool) (*edgetest.Answer, error) {
	return r.Function.Invoke(ctx, r.event, streams)
}

// record makes the event of a request, with ids and times that stay.
func record(t *testing.T, transport edgetest.Transport, request, fields, body string) []byte {
	t.Helper()
	method, path, _ := strings.Cut(request, " ")
	domain := map[edgetest.Transport]string{
		edgetest.ALB: "sluice-1234567890.eu-central-1.elb.amazonaws.com", edgetest.URLStream: "abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-central-1.on.aws",
	}[transport]
	if domain == "" {
		domain = "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com"
	}
	r, err := http.NewRequestWithContext(t.Context(), method, "https://"+domain+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("User-Agent", "curl/8.14.1")
	r.Header.Set("Accept", "*/*")
	for field := range strings.SplitSeq(fields, " | ") {
		if name, value, ok := strings.Cut(field, ": "); ok {
			r.Header.Add(name, value)
		}
	}
	g := &edgetest.Gateway{Transport: transport, Now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }}
	event, err := g.Event(r)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, event, "", "  "); err != nil {
		t.Fatal(err)
	}
	out.WriteByte('\n')
	return out.Bytes()
}

func write(t *testing.T, path string, event []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, event, 0o644); err != nil {
		t.Fatal(err)
	}
}
