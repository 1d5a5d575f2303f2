package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sluice/shared/api"
	"sluice/shared/app/local/localtest"
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
