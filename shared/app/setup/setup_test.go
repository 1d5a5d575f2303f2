// The tests here make deployments on real stores: MinIO and versitygw, dynoxide
// and DynamoDB Local.
package setup_test

import (
	"context"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"sluice/localstack/stores"
	"sluice/shared/app/cloud"
	"sluice/shared/app/setup"
	"sluice/shared/config"
	"sluice/shared/table/dynamotable"
)

// deployment returns the settings of a server on stores, and AWS's own settings
// in the environment of the test.
func deployment(t *testing.T, blobs *stores.S3, records *stores.DynamoDB) config.Config {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_REGION": blobs.Region, "AWS_ACCESS_KEY_ID": blobs.AccessKey, "AWS_SECRET_ACCESS_KEY": blobs.SecretKey,
		"AWS_ENDPOINT_URL_S3": blobs.Endpoint, "AWS_ENDPOINT_URL_DYNAMODB": records.Endpoint, "AWS_CONFIG_FILE": "/nonexistent",
	} {
		t.Setenv(name, value)
	}
	settings := map[string]string{
		"SLUICE_DATA": filepath.Join(t.TempDir(), "data"), "SLUICE_BLOB": "s3://files/some/prefix/", "SLUICE_TABLE": "dynamodb://records",
	}
	c, err := config.Load(nil, func(name string) string { return settings[name] })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// run runs the setup and returns what it reported, as one line for each step.
func run(t *testing.T, c config.Config, o setup.Options) (lines []string, password string) {
	t.Helper()
	password, err := setup.Run(t.Context(), c, o, func(s setup.Step) {
		lines = append(lines, s.What+": "+strings.Join(s.Changes, "; "))
	})
	if err != nil {
		t.Fatalf("setup: %v; it had done %q", err, lines)
	}
	return lines, password
}

func TestSetupMakesWhatLacksAndThenNothing(t *testing.T) {
	const expiry, mark = "expiry by ttl switched on", "marked as format 1"
	cases := []struct {
		name    string
		blobs   func(testing.TB) *stores.S3
		records func(testing.TB) *stores.DynamoDB
		cors    string // what the store can do beyond a bucket
	}{
		{"MinIO and dynoxide", stores.MinIO, stores.Dynoxide, ""},
		{"versitygw and DynamoDB Local", stores.Versitygw, stores.DynamoDBLocal, "pages of every origin may use presigned URLs"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			settings := deployment(t, c.blobs(t), c.records(t))
			want := []string{
				"table records: made; " + expiry + "; " + mark, "table records-hot: made; " + expiry + "; " + mark,
				"bucket files: made", "bucket files, lifecycle: ", "bucket files, CORS: " + c.cors, "bucket files, policy: ", "keys: made", "user admin: made",
			}
			if got, password := run(t, settings, setup.Options{}); !slices.Equal(got, want) || len(password) < 20 {
				t.Errorf("the first setup did\n%q and gave a password of %d characters, want\n%q and one", got, len(password), want)
			}
			want = []string{
				"table records: ", "table records-hot: ",
				"bucket files: ", "bucket files, lifecycle: ", "bucket files, CORS: ", "bucket files, policy: ", "keys: ", "user admin: ",
			}
			if got, password := run(t, settings, setup.Options{}); !slices.Equal(got, want) || password != "" {
				t.Errorf("the second setup did\n%q and gave the password %q, want no change\n%q and none", got, password, want)
			}
			// Neither emulator has point-in-time recovery: asking for it is no error.
			o := setup.Options{Tables: dynamotable.Settings{Recovery: true, Protected: true}, Policy: []string{"tls-only"}}
			want[0] += "protected from deletion"
			want[1] += "protected from deletion"
			want[5] += "tls-only"
			if got, _ := run(t, settings, o); !slices.Equal(got, want) {
				t.Errorf("a setup that asks for more did\n%q, want\n%q", got, want)
			}
		})
	}
}

// A page that was redirected to the store has the origin null, and wants to see
// the headers that tell it which bytes of which version it got.
func TestPagesMayReadRangesFromTheStore(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *stores.S3{"MinIO": stores.MinIO, "versitygw": stores.Versitygw} {
		t.Run(name, func(t *testing.T) {
			blobs := start(t)
			c := deployment(t, blobs, stores.Dynoxide(t))
			run(t, c, setup.Options{Policy: []string{"public-read:some/prefix/"}})
			put(t, c, "some/prefix/a")
			r := get(t, blobs.Endpoint+"/files/some/prefix/a")
			exposed := strings.ToLower(strings.Join(r.Header.Values("Access-Control-Expose-Headers"), ","))
			for _, header := range []string{"etag", "content-range", "accept-ranges", "content-disposition"} {
				if !strings.Contains(exposed, header) && exposed != "*" {
					t.Errorf("a page may not see %s: Access-Control-Expose-Headers is %q", header, exposed)
				}
			}
			if got := r.Header.Get("Access-Control-Allow-Origin"); r.StatusCode != http.StatusPartialContent || got != "*" && got != "null" {
				t.Errorf("a range for a page = %s, Access-Control-Allow-Origin %q; want 206 and * or null", r.Status, got)
			}
		})
	}
}

func TestPoliciesDoWhatTheySay(t *testing.T) {
	const public, other = "/files/images/a", "/files/documents/a"
	cases := []struct {
		presets               []string
		publicRead, otherRead int // the statuses that anybody gets, without TLS
	}{
		{[]string{"private"}, 403, 403},
		{[]string{"public-read:images/"}, 206, 403},
		{[]string{"public-read:images/", "public-read:documents/"}, 206, 206},
		{[]string{"tls-only"}, 403, 403},
		{[]string{"tls-only", "public-read:images/"}, 403, 403},
	}
	for name, start := range map[string]func(testing.TB) *stores.S3{"MinIO": stores.MinIO, "versitygw": stores.Versitygw} {
		t.Run(name, func(t *testing.T) {
			blobs := start(t)
			c := deployment(t, blobs, stores.Dynoxide(t))
			run(t, c, setup.Options{})
			put(t, c, "images/a")
			put(t, c, "documents/a")
			b, err := setup.OpenBucket(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range cases {
				first, err := b.SetPolicy(t.Context(), p.presets...)
				if err != nil {
					t.Fatalf("set %q: %v", p.presets, err)
				}
				if again, err := b.SetPolicy(t.Context(), p.presets...); err != nil || again {
					t.Errorf("set %q again: changed %v, %v; want no change (the first time it was %v)", p.presets, again, err, first)
				}
				if got := get(t, blobs.Endpoint+public).StatusCode; got != p.publicRead {
					t.Errorf("under %q anybody gets %d for %s, want %d", p.presets, got, public, p.publicRead)
				}
				if got := get(t, blobs.Endpoint+other).StatusCode; got != p.otherRead {
					t.Errorf("under %q anybody gets %d for %s, want %d", p.presets, got, other, p.otherRead)
				}
			}
		})
	}
}

func TestPresetsThatAreNone(t *testing.T) {
	c, err := config.Load(nil, func(name string) string {
		return map[string]string{"SLUICE_BLOB": "s3://files?region=eu-central-1"}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := setup.OpenBucket(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, presets := range [][]string{{"public"}, {"public-read"}, {"public-read:"}, {"public-read:a*"}, {"private", "tls-only"}, {""}} {
		if got, err := b.PolicyOf(presets...); err == nil {
			t.Errorf("PolicyOf(%q) = %s, want an error", presets, got)
		}
	}
}

// put puts three bytes into the bucket.
func put(t *testing.T, c config.Config, key string) {
	t.Helper()
	b, err := cloud.NewBucket(context.Background(), c.Blob)
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Client().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &b.Options.Bucket, Key: &key, Body: strings.NewReader("abc")})
	if err != nil {
		t.Fatal(err)
	}
}

// get asks for a range as a page does that was redirected, without credentials.
func get(t *testing.T, url string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Origin", "null")
	r.Header.Set("Range", "bytes=0-1")
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response
}
