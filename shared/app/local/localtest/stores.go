package localtest

import (
	"net/url"
	"testing"

	"sluice/localstack/stores"
	"sluice/shared/app/setup"
	"sluice/shared/config"
)

// MinIO starts a MinIO, and returns it with an edit that has a Site keep its
// blobs there and send clients there. AWS's own settings are those of the test's
// environment, so the test cannot be parallel.
func MinIO(t testing.TB) (*stores.S3, func(*config.Config)) {
	t.Helper()
	s := stores.MinIO(t)
	aws(t, "S3", s.Endpoint, s.Region, s.AccessKey, s.SecretKey)
	query := url.Values{"public_endpoint": {s.Endpoint}, "gaps": {"path_keys"}}
	return s, func(c *config.Config) {
		c.Blob = &url.URL{Scheme: "s3", Host: "sluice", Path: "/blobs/", RawQuery: query.Encode()}
	}
}

// Versitygw starts a versitygw, and has AWS's own settings name it. No blobs are
// kept there: it is for what others have in it.
func Versitygw(t testing.TB) *stores.S3 {
	t.Helper()
	s := stores.Versitygw(t)
	aws(t, "S3", s.Endpoint, s.Region, s.AccessKey, s.SecretKey)
	return s
}

// Dynoxide starts a DynamoDB emulator, and returns an edit that has a Site keep
// its records there. As with MinIO, the test cannot be parallel.
func Dynoxide(t testing.TB) func(*config.Config) {
	t.Helper()
	s := stores.Dynoxide(t)
	aws(t, "DYNAMODB", s.Endpoint, s.Region, s.AccessKey, s.SecretKey)
	return func(c *config.Config) { c.Table = &url.URL{Scheme: "dynamodb", Host: "sluice"} }
}

// aws sets AWS's own settings for the test.
func aws(t testing.TB, service, endpoint, region, key, secret string) {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_REGION": region, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret,
		"AWS_ENDPOINT_URL_" + service: endpoint, "AWS_CONFIG_FILE": "/nonexistent",
	} {
		t.Setenv(name, value)
	}
}

// prepare makes the bucket and the tables where the stores are not on the disk.
func prepare(t testing.TB, c config.Config) {
	t.Helper()
	if c.Blob.Scheme == "file" && c.Table.Scheme == "bolt" {
		return
	}
	c.AdminPassword = config.NewSecret(Password)
	if _, err := setup.Run(t.Context(), c, setup.Options{}, func(setup.Step) {}); err != nil {
		t.Fatalf("set the stores up: %v", err)
	}
}
