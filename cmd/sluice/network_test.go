package main_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/localstack/stores"
)

// The names of the proxies: what is behind them.
const (
	blobStore   = "blobs"
	recordStore = "records"
)

// firstSize is that of a file which each network has.
const firstSize = 5

// network is a server whose stores are behind a network with faults.
type network struct {
	*process

	faults   *stores.Toxiproxy
	blobs    *stores.S3
	settings []string
	password string
	token    string
	calm     load
}

// load is what a server holds.
type load struct{ goroutines, descriptors float64 }

// startNetwork starts a server on MinIO and dynoxide, each behind a proxy.
func startNetwork(t *testing.T) *network {
	t.Helper()
	return startNetworkBehind(t, func(proxy string) string { return proxy })
}

// startNetworkBehind is startNetwork with something before each proxy: front is
// given its address and returns the one to use instead.
func startNetworkBehind(t *testing.T, front func(proxy string) string) *network {
	t.Helper()
	n := &network{faults: stores.NewToxiproxy(t), blobs: stores.MinIO(t)}
	records, data := stores.Dynoxide(t), filepath.Join(t.TempDir(), "data")
	n.settings = append(onStores(n.blobs, records), patient,
		"AWS_ENDPOINT_URL_S3=http://"+front(n.faults.Proxy(blobStore, strings.TrimPrefix(n.blobs.Endpoint, "http://"))),
		"AWS_ENDPOINT_URL_DYNAMODB=http://"+front(n.faults.Proxy(recordStore, strings.TrimPrefix(records.Endpoint, "http://"))),
		"SLUICE_METRICS_ADDR=127.0.0.1:0")
	n.password = shownPassword(t, adminInit(t, n.settings, "--data="+data))
	n.process = start(t, data, n.settings...)
	n.token = n.Login(n.password)
	n.put("first", firstSize) // what is made once is made now
	n.Get(n.token, "first")
	n.alone()
	n.calm = n.load()
	return n
}

// alone ends all connections of the server but that to its metrics.
func (n *network) alone() {
	n.faults.Enable(blobStore, false)
	n.faults.Enable(recordStore, false)
	client.CloseIdleConnections()
	n.faults.Heal()
}

func (n *network) load() load {
	now := n.metrics()
	return load{now["go_goroutines"], now["process_open_fds"]}
}

// wantCalm wants the server to hold no more than before the faults.
func (n *network) wantCalm() {
	n.t.Helper()
	var now load
	defer func() {
		if n.t.Failed() {
			n.t.Logf("the server holds %+v, and held %+v before", now, n.calm)
		}
	}()
	eventually(n.t, "the end of what the faults have left", func() bool {
		n.alone()
		now = n.load()
		return now.goroutines <= n.calm.goroutines && now.descriptors <= n.calm.descriptors
	})
}

// put uploads noise as a file of the admin and returns it.
func (n *network) put(path string, size int) []byte {
	n.t.Helper()
	content := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(size), byte(len(path)), path[0]}).Read(content) // never fails
	r := n.Ask(http.MethodPut, "/file/admin/"+path, n.token, bytes.NewReader(content))
	if body := n.end(r); r.StatusCode != http.StatusCreated {
		n.t.Fatalf("PUT %s = %s %s, want 201", path, r.Status, body)
	}
	return content
}

// end reads an answer to its end, so that its connection is free.
func (n *network) end(r *http.Response) string {
	n.t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		n.t.Errorf("the answer %s: %v", r.Status, err)
	}
	_ = r.Body.Close()
	return string(body)
}

// download begins to read a file of the admin.
func (n *network) download(path string) io.ReadCloser {
	n.t.Helper()
	r := n.Ask(http.MethodGet, "/file/admin/"+path, n.token, nil)
	if r.StatusCode != http.StatusOK {
		n.t.Fatalf("GET %s = %s, want 200", path, r.Status)
	}
	return r.Body
}

// cut ends the connections to a store, which then can be made again.
func (n *network) cut(store string) {
	n.t.Helper()
	n.faults.Enable(store, false)
	n.faults.Enable(store, true)
}

// rounds returns how often a test does a thing: few times, or as often as
// SLUICE_FULL asks for.
func rounds(few, full int) int {
	if os.Getenv("SLUICE_FULL") != "" {
		return full
	}
	return few
}

// slow is a connection of so many kB/s.
func slow(rate int) stores.Toxic {
	return stores.Toxic{Type: "bandwidth", Stream: "downstream", Toxicity: 1, Attributes: map[string]any{"rate": rate}}
}

// short is a connection that ends after so many bytes.
func short(bytes int) stores.Toxic {
	return stores.Toxic{Type: "limit_data", Stream: "downstream", Toxicity: 1, Attributes: map[string]any{"bytes": bytes}}
}

// broken resets a share of the connections at their first byte. With it in the
// way the others end by a reset too, not by the end of the stream.
func broken(share float64) stores.Toxic {
	return stores.Toxic{Type: "reset_peer", Stream: "upstream", Toxicity: share, Attributes: map[string]any{"timeout": 0}}
}

// late is a connection whose bytes come later.
func late(by time.Duration) stores.Toxic {
	return stores.Toxic{Type: "latency", Stream: "downstream", Toxicity: 1, Attributes: map[string]any{"latency": by.Milliseconds()}}
}

// wantRest reads to the end and wants that to be all there is.
func wantRest(t *testing.T, r io.ReadCloser, want []byte) {
	t.Helper()
	got, err := io.ReadAll(r)
	_ = r.Close()
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes came of %d, or others: %v", len(got), len(want), err)
	}
}

// readSome reads the first n bytes.
func readSome(t *testing.T, r io.Reader, n int) []byte {
	t.Helper()
	got := make([]byte, n)
	if _, err := io.ReadFull(r, got); err != nil {
		t.Fatal(err)
	}
	return got
}
