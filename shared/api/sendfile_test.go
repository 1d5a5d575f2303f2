package api_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"

	"sluice/shared/api"
	"sluice/shared/app/local/localtest"
	"sluice/shared/edge"
)

// copies notes what the connections of a server are given to copy from.
type copies struct {
	mu      sync.Mutex
	sources []string
}

// copied is an edge's writer that notes it.
type copied struct {
	http.ResponseWriter
	*copies
}

func (c copied) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c copied) ReadFrom(r io.Reader) (int64, error) {
	source := fmt.Sprintf("%T", r)
	if limited, ok := r.(*io.LimitedReader); ok {
		source += fmt.Sprintf(" over %T", limited.R)
	}
	c.mu.Lock()
	c.sources = append(c.sources, source)
	c.mu.Unlock()
	return c.ResponseWriter.(io.ReaderFrom).ReadFrom(r)
}

// Through the whole app a large file reaches net/http as what a *net.TCPConn
// copies in the kernel: an *io.LimitedReader over an *os.File.
func TestAFileIsCopiedInTheKernel(t *testing.T) {
	site := localtest.Start(t)
	c := site.Admin()
	content := large()[:4<<20]
	upload(t, c, content)

	// A second server of the same apps, with the note between.
	ln, err := edge.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var noted copies
	app := api.All(site.App.Deps)
	server := &edge.Server{Log: slog.New(slog.DiscardHandler), Stall: site.Config.Stall, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		app.ServeHTTP(copied{w, &noted}, r)
	})}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, ln) }()
	for fields, want := range map[string][]byte{"": content, "Range: bytes=1000-3000000": content[1000:3000001]} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+ln.Addr().String()+"/file/admin/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+c.Token)
		for pair := range slices.Chunk((sample{}).header(fields), 2) {
			r.Header.Set(pair[0], pair[1])
		}
		a, err := c.HTTP.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(a.Body)
		_ = a.Body.Close()
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("with %q: %d bytes, %v, want %d", fields, len(got), err, len(want))
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if len(noted.sources) == 0 || slices.ContainsFunc(noted.sources, func(s string) bool { return s != "*io.LimitedReader over *os.File" }) {
		t.Errorf("the connection copied from %q, want each time from an *io.LimitedReader over an *os.File", noted.sources)
	}
}
