package conformance_test

import (
	"net/http"
	"strings"
	"testing"

	"sluice/shared/app/local/localtest"
	"sluice/shared/config"
	"sluice/shared/fetch/conformance"
)

// TestOurOwnServer wants every check to pass, from the disk, from a store, and by
// redirects to the store.
func TestOurOwnServer(t *testing.T) {
	_, onMinIO := localtest.MinIO(t)
	deliver := func(how string) func(*config.Config) {
		return func(c *config.Config) { c.Delivery = how }
	}
	for _, c := range []struct {
		name  string
		edits []func(*config.Config)
	}{
		{"from the disk", nil},
		{"from MinIO", []func(*config.Config){onMinIO, deliver("stream")}},
		{"by redirects to MinIO", []func(*config.Config){onMinIO, deliver("redirect")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := localtest.Start(t, c.edits...)
			admin := s.Admin()
			file := admin.Put("/file/admin/a.bin", strings.Repeat("content ", 1000), "Content-Type", "text/plain").Want(t, http.StatusCreated)
			token := http.Header{"Authorization": {"Bearer " + admin.Token}}
			all, err := conformance.Run(t.Context(), s.URL+"/api/files/"+file.Field(t, "id")+"/content", conformance.Options{Header: token})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range all {
				if f.Outcome == conformance.Fails || f.Outcome == conformance.Warning {
					t.Errorf("%s: %s %s: %s", c.name, f.Check, f.Outcome, f.Detail)
				}
			}
		})
	}
}
