package stores

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"

	"sluice/localstack/program"
)

// Toxiproxy is a network with faults. Endpoint is its own API's.
type Toxiproxy struct{ *Server }

// NewToxiproxy starts toxiproxy.
func NewToxiproxy(t testing.TB) *Toxiproxy {
	t.Helper()
	return &Toxiproxy{start(t, program.Toxiproxy())}
}

// Toxic is a fault of a proxy's connections.
type Toxic struct {
	Type       string         `json:"type"`     // such as "latency", "reset_peer", "limit_data", "bandwidth"
	Stream     string         `json:"stream"`   // "downstream", to the client, or "upstream"
	Toxicity   float64        `json:"toxicity"` // the share of connections that have it, from 0 to 1
	Attributes map[string]any `json:"attributes"`
}

// Proxy makes a proxy before upstream, a host:port, and returns the host:port
// that it listens on.
func (x *Toxiproxy) Proxy(name, upstream string) (listen string) {
	x.t.Helper()
	var made struct{ Listen string }
	x.post("/proxies", map[string]any{"name": name, "listen": program.Host + ":0", "upstream": upstream, "enabled": true}, &made)
	return made.Listen
}

// Enable lets connections through, or refuses new ones and ends those there are.
func (x *Toxiproxy) Enable(name string, enabled bool) {
	x.t.Helper()
	x.post("/proxies/"+name, map[string]any{"enabled": enabled}, &struct{}{})
}

// Add gives a proxy a fault.
func (x *Toxiproxy) Add(name string, fault Toxic) {
	x.t.Helper()
	x.post("/proxies/"+name+"/toxics", fault, &struct{}{})
}

// Heal enables all proxies and takes all faults away.
func (x *Toxiproxy) Heal() {
	x.t.Helper()
	x.post("/reset", struct{}{}, nil)
}

// post sends a request to the API and reads the answer.
func (x *Toxiproxy) post(path string, body, into any) {
	x.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		x.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(x.t.Context(), http.MethodPost, x.Endpoint+path, bytes.NewReader(text))
	if err != nil {
		x.t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(r)
	if err != nil {
		x.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusMultipleChoices {
		x.t.Fatalf("toxiproxy answers POST %s with %s", path, response.Status)
	}
	if into != nil {
		if err := json.NewDecoder(response.Body).Decode(into); err != nil {
			x.t.Fatal(err)
		}
	}
}
