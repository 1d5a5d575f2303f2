package edge_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"sluice/shared/api"
	"sluice/shared/app/local/localtest"
	"sluice/shared/config"
	"sluice/shared/edge"
)

// lambda is every app of a site behind a transport, asked as the admin.
type lambda struct {
	t     *testing.T
	f     *edge.Function
	token string
}

func onLambda(t *testing.T, site *localtest.Site, transport edge.Transport, admin *localtest.Client) *lambda {
	t.Helper()
	base := ""
	if transport == edge.ALB {
		base = "https://files.example"
	}
	return &lambda{t, edge.NewFunction(transport, base, site.App.Deps, api.All), admin.Token}
}

func (l *lambda) ask(method, path string, header ...string) reply {
	l.t.Helper()
	q := question{method: method, header: map[string][]string{
		"authorization": {"Bearer " + l.token}, "accept-encoding": {"gzip, br"}, "host": {"evil.example"}, "x-forwarded-host": {"evil.example"},
	}}
	q.path, q.query, _ = strings.Cut(path, "?")
	for i := 0; i < len(header); i += 2 {
		q.header[header[i]] = []string{header[i+1]}
	}
	return invoke(l.t, l.f, q.event(l.t, l.f.Transport))
}

// Nothing is compressed, and redirects and errors have a body: a stream without
// one has been seen to hang.
func TestAnswersThatStreamHaveABodyAndNoCoding(t *testing.T) {
	site := localtest.Start(t)
	admin := site.Admin()
	id := admin.Put("/file/admin/text", strings.Repeat("text ", 10_000), "Content-Type", "text/plain").Field(t, "id")
	for _, transport := range transports() {
		l := onLambda(t, site, transport, admin)
		for path, status := range map[string]int{
			"/api/files/" + id + "/content": 200, "/openapi.json": 200, "/nothing": 404, "/api/files/" + id: 200, "/api/files?bad=1": 400, "/healthz": 200,
		} {
			got := l.ask(http.MethodGet, path)
			if got.status != status || got.body == "" || got.err != nil || got.header.Get("Content-Encoding") != "" {
				t.Errorf("%s: %s = %d with %d bytes in the coding %q, %v; want %d with a body as it is", transport, path, got.status, len(got.body), got.header.Get("Content-Encoding"), got.err, status)
			}
		}
	}
}

// Absolute URLs begin with what the platform calls the API, never with a name
// that the client sent.
func TestALinkBeginsWithTheNameOfTheAPI(t *testing.T) {
	site := localtest.Start(t)
	admin := site.Admin()
	id := admin.Put("/file/admin/a", "content").Field(t, "id")
	for transport, want := range map[edge.Transport]string{
		edge.REST:       "https://abc.execute-api.eu-west-1.amazonaws.com/prod/l/",
		edge.RESTStream: "https://abc.execute-api.eu-west-1.amazonaws.com/prod/l/",
		edge.HTTP:       "https://abc.execute-api.eu-west-1.amazonaws.com/l/",
		edge.URLStream:  "https://abc.lambda-url.eu-west-1.on.aws/l/",
		edge.ALB:        "https://files.example/l/",
	} {
		got := onLambda(t, site, transport, admin).ask(http.MethodPost, "/api/files/"+id+"/link")
		var link struct{ URL string }
		if err := json.Unmarshal([]byte(got.body), &link); err != nil || got.status != http.StatusCreated || !strings.HasPrefix(link.URL, want) {
			t.Errorf("%s: %d %s, %v; want a link that begins with %s", transport, got.status, got.body, err, want)
		}
	}
}

// Where the store cannot be reached by clients, what is too large for a buffered
// transport is refused before it is read; a stream carries it.
func TestALargeFile(t *testing.T) {
	site := localtest.Start(t)
	admin := site.Admin()
	for _, transport := range transports() {
		most := int64(5 << 20)
		if !transport.Streams() {
			most = transport.Most()
		}
		l := onLambda(t, site, transport, admin)
		content := strings.Repeat("\xff\x00", int(most)/2)
		fits := admin.Put("/file/admin/fits-"+string(transport), content).Field(t, "id")
		if got := l.ask(http.MethodGet, "/api/files/"+fits+"/content"); got.status != http.StatusOK || got.body != content || got.err != nil {
			t.Errorf("%s: %d bytes are %d with %d bytes, %v; want all", transport, most, got.status, len(got.body), got.err)
		}
		larger := admin.Put("/file/admin/larger-"+string(transport), content+"x").Field(t, "id")
		got := l.ask(http.MethodGet, "/api/files/"+larger+"/content")
		switch {
		case transport.Streams() && (got.status != http.StatusOK || len(got.body) != len(content)+1):
			t.Errorf("%s: a byte more is %d with %d bytes, want all", transport, got.status, len(got.body))
		case !transport.Streams() && (got.status != http.StatusConflict || problemCode(t, got) != "needs_stream"):
			t.Errorf("%s: a byte more is %d %.100q, want 409 needs_stream", transport, got.status, got.body)
		}
		if got := l.ask(http.MethodHead, "/api/files/"+larger+"/content"); got.status != http.StatusOK || got.body != "" || got.header.Get("X-File-Size") != fmt.Sprint(len(content)+1) {
			t.Errorf("%s: HEAD of a byte more is %d, X-File-Size: %s; want 200 and %d", transport, got.status, got.header.Get("X-File-Size"), len(content)+1)
		}
		if got := l.ask(http.MethodGet, "/api/files/"+larger+"/content", "range", "bytes=-3"); got.status != http.StatusPartialContent || got.body != (content + "x")[len(content)-2:] {
			t.Errorf("%s: the last three bytes are %d %q", transport, got.status, got.body)
		}
	}
}

// Where it can, the client is sent there, whatever was asked for.
func TestALargeFileOfAPublicStoreIsRedirected(t *testing.T) {
	_, onMinIO := localtest.MinIO(t)
	site := localtest.Start(t, onMinIO, func(c *config.Config) { c.Delivery, c.DeliveryChoice = "stream", true })
	admin := site.Admin()
	content := bytes.Repeat([]byte("0123456789abcdef"), 5<<16)
	id := admin.Put("/file/admin/a", string(content)).Field(t, "id")
	for _, transport := range transports() {
		got := onLambda(t, site, transport, admin).ask(http.MethodGet, "/api/files/"+id+"/content?delivery=stream")
		if transport.Streams() {
			if got.status != http.StatusOK || got.body != string(content) {
				t.Errorf("%s: %d with %d bytes, want the file", transport, got.status, len(got.body))
			}
			continue
		}
		if got.status != http.StatusTemporaryRedirect || got.header.Get("Location") == "" || got.body == "" || got.header.Get("Sluice-Delivery") != "redirect; reason=transport" {
			t.Errorf("%s: %d %v, want a redirect with a body, since the transport cannot", transport, got.status, got.header)
		}
	}
}

// A count is in the table when the answer is with the client.
func TestADownloadIsCountedWhenItsAnswerEnds(t *testing.T) {
	site := localtest.Start(t)
	admin := site.Admin()
	for _, transport := range transports() {
		id := admin.Put("/file/admin/"+string(transport), "content").Field(t, "id")
		l := onLambda(t, site, transport, admin)
		l.ask(http.MethodGet, "/api/files/"+id+"/content")
		got := l.ask(http.MethodGet, "/api/audit?file="+id)
		var page struct {
			Downloads []struct {
				Bytes  int `json:"bytes_delivered"`
				Client string
			}
		}
		if err := json.Unmarshal([]byte(got.body), &page); err != nil || len(page.Downloads) != 1 || page.Downloads[0].Bytes != len("content") || page.Downloads[0].Client != "192.0.2.7" {
			t.Errorf("%s: %d %s, %v; want one download of 7 bytes by 192.0.2.7", transport, got.status, got.body, err)
		}
	}
}
