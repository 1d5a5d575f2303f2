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
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/shared/api"
	"sluice/shared/app/local/localtest"
	"sluice/shared/contract/contracttest"
	"sluice/shared/edge"
	"sluice/shared/edge/edgetest"
)

//go:generate go test -run TestEvents -update .

var update = flag.Bool("update", false, "write the events in /events anew")

type recordedRequest struct {
	operation string
	request   string
	fields    string
	body      string
	want      int
}

// recorded are the requests of which /events has the events, one for each
// operation and a preflight, and what a server answers that has ada's file public.txt, and
// nothing that an id names.
var recorded = []recordedRequest{
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
	{"refreshToken", "POST /api/token/refresh", "Content-Type: application/json", `{"refresh_token":"ended"}`, 401},
	{"logout", "POST /api/logout", "Content-Type: application/json", `{"refresh_token":"ended"}`, 401},
	{"updateProfile", "PATCH /api/profile", "Content-Type: application/json | Authorization: Bearer expired", `{"display_name":"Åda"}`, 401},
	{"createUser", "POST /api/users", "Content-Type: application/json | Authorization: Bearer expired", `{"username":"eve","password":"a password for tests","role":"user"}`, 401},
	{"getUser", "GET /api/users/01J9Z0Q8R7XN5S3V2T1W4Y6Z8A", "Authorization: Bearer expired", "", 401},
	{"updateUser", "PATCH /api/users/01J9Z0Q8R7XN5S3V2T1W4Y6Z8A", "Content-Type: application/json | Authorization: Bearer expired", `{"disabled":true}`, 401},
	{"deleteUser", "DELETE /api/users/01J9Z0Q8R7XN5S3V2T1W4Y6Z8A", "Authorization: Bearer expired", "", 401},
	{"deleteFileByPath", "DELETE /file/ada/bytes.bin", "Authorization: Bearer expired", "", 401},
	{"getFileInfo", "GET /api/files/01J9Z0Q8R7XN5S3V2T1W4Y6Z8A", "Authorization: Bearer expired", "", 401},
	{"updateFile", "PATCH /api/files/01J9Z0Q8R7XN5S3V2T1W4Y6Z8A", "Content-Type: application/json | Authorization: Bearer expired", `{"path":"moved/größe.bin"}`, 401},
	{"deleteFile", "DELETE /api/files/01J9Z0Q8R7XN5S3V2T1W4Y6Z8A", `Authorization: Bearer expired | If-Match: "a"`, "", 401},
	{"headFileContent", "HEAD /api/files/01J9Z0Q8R7XN5S3V2T1W4Y6Z8A/content", "", "", 401},
	{"getManifest", "GET /api/files/01J9Z0Q8R7XN5S3V2T1W4Y6Z8A/manifest?format=metalink", "Authorization: Bearer expired", "", 401},
	{"listVersions", "GET /api/files/01J9Z0Q8R7XN5S3V2T1W4Y6Z8A/versions", "Authorization: Bearer expired", "", 401},
	{"restoreFile", "POST /api/files/01J9Z0Q8R7XN5S3V2T1W4Y6Z8A/restore", "Content-Type: application/json | Authorization: Bearer expired", `{"version_id":"01J9Z0Q8R7XN5S3V2T1W4Y6Z8A"}`, 401},
	{"undeleteFile", "POST /api/files/01J9Z0Q8R7XN5S3V2T1W4Y6Z8A/undelete", "Authorization: Bearer expired", "", 401},
	{"createLink", "POST /api/files/01J9Z0Q8R7XN5S3V2T1W4Y6Z8A/link", "Content-Type: application/json | Authorization: Bearer expired", `{"expires_in":3600}`, 401},
	{"revokeLink", "DELETE /api/files/01J9Z0Q8R7XN5S3V2T1W4Y6Z8A/links/01J9Z0Q8R7XN5S3V2T1W4Y6Z8A", "Authorization: Bearer expired", "", 401},
	{"headLink", "HEAD /l/none/a", "", "", 403},
	{"getUpload", "GET /api/uploads/01J9Z0Q8R7XN5S3V2T1W4Y6Z8A", "Authorization: Bearer expired", "", 401},
	{"abortUpload", "DELETE /api/uploads/01J9Z0Q8R7XN5S3V2T1W4Y6Z8A", "Authorization: Bearer expired", "", 401},
	{"issueParts", "POST /api/uploads/01J9Z0Q8R7XN5S3V2T1W4Y6Z8A/parts", "Content-Type: application/json | Authorization: Bearer expired", `{"parts":[{"number":1}]}`, 401},
	{"completeUpload", "POST /api/uploads/01J9Z0Q8R7XN5S3V2T1W4Y6Z8A/complete", "Authorization: Bearer expired", "", 401},
	{"describeTus", "OPTIONS /api/tus", "", "", 204},
	{"getTusUpload", "HEAD /api/tus/01J9Z0Q8R7XN5S3V2T1W4Y6Z8A", "Tus-Resumable: 1.0.0 | Authorization: Bearer expired", "", 401},
	{"appendToTusUpload", "PATCH /api/tus/01J9Z0Q8R7XN5S3V2T1W4Y6Z8A", "Tus-Resumable: 1.0.0 | Upload-Offset: 0 | Content-Type: application/offset+octet-stream | Authorization: Bearer expired", "a piece", 401},
	{"terminateTusUpload", "DELETE /api/tus/01J9Z0Q8R7XN5S3V2T1W4Y6Z8A", "Tus-Resumable: 1.0.0 | Authorization: Bearer expired", "", 401},
	{"overrideTusMethod", "POST /api/tus/01J9Z0Q8R7XN5S3V2T1W4Y6Z8A", "Tus-Resumable: 1.0.0 | X-HTTP-Method-Override: DELETE | Authorization: Bearer expired", "", 401},
	{"listSessions", "GET /api/sessions", "Authorization: Bearer expired", "", 401},
	{"getSession", "GET /api/sessions/01J9Z0Q8R7XN5S3V2T1W4Y6Z8A", "Authorization: Bearer expired", "", 401},
	{"deleteSession", "DELETE /api/sessions/01J9Z0Q8R7XN5S3V2T1W4Y6Z8A", "Authorization: Bearer expired", "", 401},
	{"renewSession", "POST /api/sessions/01J9Z0Q8R7XN5S3V2T1W4Y6Z8A/renew", "Authorization: Bearer expired", "", 401},
	{"headSource", "HEAD /s/none/a", "", "", 403},
	{"getUsage", "GET /api/usage?from=2026-01-01", "Authorization: Bearer expired", "", 401},
	{"createImport", "POST /api/imports", "Content-Type: application/json | Authorization: Bearer expired", `{"source":"s3://files/videos","owner":"ada"}`, 401},
	{"getImport", "GET /api/imports/01J9Z0Q8R7XN5S3V2T1W4Y6Z8A", "Authorization: Bearer expired", "", 401},
	{"stopImport", "DELETE /api/imports/01J9Z0Q8R7XN5S3V2T1W4Y6Z8A", "Authorization: Bearer expired", "", 401},
	{"receiveEvents", "POST /api/events/s3", "Content-Type: application/json | Authorization: Bearer expired", `{"Records":[]}`, 401},
	{"readyz", "GET /readyz", "", "", 200},
	{"getOpenapi", "GET /openapi.json", "", "", 200},
}

// TestEveryOperationIsRecorded holds the list to the contract.
func TestEveryOperationIsRecorded(t *testing.T) {
	t.Parallel()
	for _, o := range contracttest.New(t).Operations() {
		if !slices.ContainsFunc(recorded, func(x recordedRequest) bool { return x.operation == o.ID }) {
			t.Errorf("no event of %s is recorded", o)
		}
	}
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

// The log of a function names the trace that AWS makes of a request.
func TestTheLogNamesTheTraceOfAnEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, transport := range edgetest.Transports() {
		w.through(transport, inProcess(w, transport))
		a := w.ask(row{name: "it lives", request: "GET /healthz"})
		const want = "1-5e6722a7-cc56aaee46db7ae02d4da47e"
		if got := w.site.Log.RequestLine(t, a.header.Get("X-Request-Id"))["trace_id"]; got != want {
			t.Errorf("by %s the log names the trace %v, want %s", transport, got, want)
		}
	}
}
