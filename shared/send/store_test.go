package send_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/localstack/stores"
	"sluice/shared/app/local/localtest"
	"sluice/shared/config"
	"sluice/shared/send"
)

// storeRig is a server on MinIO, whose clients send parts to MinIO past a
// network with faults.
type storeRig struct {
	*localtest.Client

	t       *testing.T
	faults  *stores.Toxiproxy
	options send.Options
}

func newStoreRig(t *testing.T) *storeRig {
	t.Helper()
	store, onMinIO := localtest.MinIO(t)
	faults := stores.NewToxiproxy(t)
	line := "http://" + faults.Proxy("line", strings.TrimPrefix(store.Endpoint, "http://"))
	site := localtest.Start(t, onMinIO, func(c *config.Config) {
		query := c.Blob.Query()
		query.Set("public_endpoint", line)
		c.Blob = &url.URL{Scheme: c.Blob.Scheme, Host: c.Blob.Host, Path: c.Blob.Path, RawQuery: query.Encode()}
		c.UploadParts = "store"
	})
	r := &storeRig{Client: site.Admin(), t: t, faults: faults}
	r.options = send.Options{
		Server: site.URL, Records: t.TempDir(), Token: func(context.Context) (string, error) { return r.Token, nil },
	}
	return r
}

// send sends a file by a client of its own, which may be interrupted.
func (r *storeRig) send(ctx context.Context, request send.Request, watch func(*send.Transfer)) (send.Result, error) {
	r.t.Helper()
	c, err := send.New(r.options)
	must(r.t, err)
	defer c.Close()
	t := c.Start(ctx, request)
	if watch != nil {
		watch(t)
	}
	return t.Wait()
}

// want wants the server to have a content, none of which passed through it.
func (r *storeRig) want(path, sum string) {
	r.t.Helper()
	a := r.Do(http.MethodGet, "/api/files?prefix="+path, nil).Want(r.t, http.StatusOK)
	if !strings.Contains(string(a.Body), sum) {
		r.t.Errorf("the server has %s, want SHA-256 %s", a, sum)
	}
	for _, line := range r.Site.Log.Lines(r.t) {
		if line["operation"] == "putPart" {
			r.t.Error("a part passed through the server")
		}
	}
}

func randomFile(t *testing.T, size int) (path, sum string) {
	t.Helper()
	content := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{3}).Read(content) // never fails
	path = filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(path, content, 0o600))
	return path, hexSum(content)
}

func TestPartsGoStraightToTheStore(t *testing.T) {
	r := newStoreRig(t)
	const size = 5*partSize + 12345
	path, sum := randomFile(t, size)

	_, err := r.send(t.Context(), send.Request{File: path, Path: "plain"}, nil)
	must(t, err)
	r.want("plain", sum)
	content, err := os.ReadFile(path)
	must(t, err)
	_, err = r.send(t.Context(), send.Request{Reader: reader(content), Path: "stream"}, nil)
	must(t, err)
	r.want("stream", sum)

	// What an interrupted run has sent is not sent again.
	r.options.MaxConnections, r.options.LimitRate = 1, 16<<20
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err = r.send(ctx, send.Request{File: path, Path: "resumed"}, func(f *send.Transfer) {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for f.Progress().Bytes < 2*partSize+partSize/2 {
			<-tick.C
		}
		cancel()
	})
	if err == nil {
		t.Fatal("an upload that was interrupted ended well")
	}
	r.options.LimitRate = 0
	result, err := r.send(t.Context(), send.Request{File: path, Path: "resumed"}, nil)
	if err != nil || result.Resumed < 2*partSize || result.Resumed+result.Sent != size {
		t.Errorf("the second run: %+v, %v; want two parts resumed", result, err)
	}
	r.want("resumed", sum)
}

// Whatever the line to the store does, what arrives is whole.
func TestUploadsOutliveTheLineToTheStore(t *testing.T) {
	r := newStoreRig(t)
	const size = 4*partSize + 12345
	path, sum := randomFile(t, size)
	for name, faults := range map[string][]stores.Toxic{
		"half-of-connections-reset": {{Type: "reset_peer", Stream: "upstream", Toxicity: .5, Attributes: map[string]any{"timeout": 0}}},
		"a-third-cut-after-5-MiB":   {{Type: "limit_data", Stream: "upstream", Toxicity: 1. / 3, Attributes: map[string]any{"bytes": 5 << 20}}},
		"a-third-without-an-answer": {{Type: "limit_data", Stream: "downstream", Toxicity: 1. / 3, Attributes: map[string]any{"bytes": 0}}},
		"late-and-cut": {
			{Type: "latency", Stream: "downstream", Toxicity: 1, Attributes: map[string]any{"latency": 100}},
			{Type: "limit_data", Stream: "upstream", Toxicity: .3, Attributes: map[string]any{"bytes": 1 << 20}},
		},
	} {
		for _, fault := range faults {
			r.faults.Add("line", fault)
		}
		result, err := r.send(t.Context(), send.Request{File: path, Path: name}, nil)
		if err != nil || result.Sent != size {
			t.Errorf("%s: %+v, %v", name, result, err)
		}
		r.want(name, sum)
		r.faults.Heal()
	}
}
