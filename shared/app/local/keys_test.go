package local_test

import (
	"net/http"
	"net/url"
	"testing"

	"sluice/shared/app/amazon/amazontest"
	"sluice/shared/app/local"
	"sluice/shared/app/local/localtest"
	"sluice/shared/config"
)

// A server whose keys are elsewhere lives without them, says so, and works as soon
// as they are there.
func TestAServerWaitsForItsKeys(t *testing.T) {
	aws := amazontest.Start(t)
	for name, value := range aws.Environment() {
		t.Setenv(name, value)
	}
	t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	s := localtest.Start(t, func(c *config.Config) {
		c.Keys = &url.URL{Scheme: "secretsmanager", Opaque: "sluice"}
		read, err := config.Load(nil, func(name string) string { return aws.Environment()[name] })
		if err != nil {
			t.Fatal(err)
		}
		c.AWS = read.AWS
	})
	anybody := s.Anonymous()
	anybody.Do(http.MethodGet, "/healthz", nil).Want(t, http.StatusOK)
	for range 2 {
		a := anybody.Do(http.MethodGet, "/api/profile", nil).Want(t, http.StatusServiceUnavailable)
		if a.Code() != "keys_unavailable" || a.Header.Get("Retry-After") != "1" {
			t.Errorf("without keys: %s, Retry-After %q; want keys_unavailable, 1", a, a.Header.Get("Retry-After"))
		}
	}
	if made, err := local.EnsureKeys(t.Context(), s.Config); err != nil || len(made) != 2 {
		t.Fatalf("make the keys: %q, %v; want two documents", made, err)
	}
	s.Admin().Put("/file/admin/a", "content")
	aws.Away(true) // what has keys goes on
	s.Admin().Do(http.MethodGet, "/file/admin/a", nil).Want(t, http.StatusOK)
}
