package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sluice/shared/api"
	"sluice/shared/app/local/localtest"
	"sluice/shared/blob"
	"sluice/shared/blob/blobtest"
	"sluice/shared/catalog"
	"sluice/shared/delivery"
)

// discard is a connection that takes everything.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// BenchmarkSmallFile is what the app itself costs for a small file, without
// the connection.
func BenchmarkSmallFile(b *testing.B) {
	site := localtest.Start(b)
	admin := site.Admin()
	admin.Put("/file/admin/small.bin", strings.Repeat("x", 4096))
	engine := api.All(site.App.Deps)
	r := httptest.NewRequest(http.MethodGet, "/file/admin/small.bin", nil)
	r.Header.Set("Authorization", "Bearer "+admin.Token)
	b.ReportAllocs()
	for b.Loop() {
		engine.ServeHTTP(discard{http.Header{}}, r)
	}
}

// BenchmarkRedirect is what the app itself costs to send a client to the store.
func BenchmarkRedirect(b *testing.B) {
	site := localtest.Start(b)
	admin := site.Admin()
	admin.Put("/file/admin/small.bin", strings.Repeat("x", 4096))
	deps := site.App.Deps
	made := signer(b, "https://store.example.com", "us-east-1", "key", "secret", time.Now)
	deps.Delivery = &delivery.Service{
		Blobs:  blob.NewBucket(signed{blobtest.NewMemory(), made}),
		Policy: delivery.Policy{Mode: catalog.DeliverRedirect}, Clock: time.Now, Stall: time.Minute,
	}
	engine := api.All(deps)
	r := httptest.NewRequest(http.MethodGet, "/file/admin/small.bin", nil)
	r.Header.Set("Authorization", "Bearer "+admin.Token)
	b.ReportAllocs()
	for b.Loop() {
		engine.ServeHTTP(discard{http.Header{}}, r)
	}
}
