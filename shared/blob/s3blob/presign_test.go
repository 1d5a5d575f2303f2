package s3blob_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"sluice/localstack/stores"
	"sluice/shared/blob"
	"sluice/shared/blob/s3blob"
)

// presigned returns the URL of a GET of "a key" by a driver that no store is
// behind.
func presigned(t *testing.T, cfg aws.Config, o s3blob.Options) (*url.URL, blob.Presigned) {
	t.Helper()
	d, err := s3blob.New(cfg, o)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	signed, err := blob.NewBucket(d).Presign(t.Context(), blob.Presign{Method: http.MethodGet, Key: "a key", Lifetime: blob.MaxPresign})
	if err != nil {
		t.Fatalf("Presign: %v", err)
	}
	u, err := url.Parse(signed.URL.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	return u, signed
}

func TestURLsAreOfTheStyleAndTheEndpointAskedFor(t *testing.T) {
	t.Parallel()
	static := credentials.NewStaticCredentialsProvider("id", "secret", "")
	for _, c := range []struct {
		region, endpoint string
		options          s3blob.Options
		want             string
	}{
		{"eu-central-1", "", s3blob.Options{}, "https://bucket.s3.eu-central-1.amazonaws.com/a%20key"},
		{"eu-central-1", "", s3blob.Options{PathStyle: true}, "https://s3.eu-central-1.amazonaws.com/bucket/a%20key"},
		{"cn-north-1", "", s3blob.Options{}, "https://bucket.s3.cn-north-1.amazonaws.com.cn/a%20key"},
		{"us-east-1", "http://minio:9000", s3blob.Options{PathStyle: true}, "http://minio:9000/bucket/a%20key"},
		{"us-east-1", "http://minio:9000/", s3blob.Options{PathStyle: true}, "http://minio:9000/bucket/a%20key"},
		{"us-east-1", "http://minio:9000", s3blob.Options{}, "http://bucket.minio:9000/a%20key"},
		{"us-east-1", "http://minio:9000", s3blob.Options{Prefix: "p/ä+"}, "http://bucket.minio:9000/p/%C3%A4%2Ba%20key"},
		{"us-east-1", "http://minio:9000", s3blob.Options{PathStyle: true, PublicEndpoint: "https://files.example.com"}, "https://files.example.com/bucket/a%20key"},
		{"us-east-1", "http://minio:9000", s3blob.Options{PublicEndpoint: "https://example.com"}, "https://bucket.example.com/a%20key"},
	} {
		cfg := aws.Config{Region: c.region, Credentials: static}
		if c.endpoint != "" {
			cfg.BaseEndpoint = &c.endpoint
		}
		c.options.Bucket = "bucket"
		u, _ := presigned(t, cfg, c.options)
		if got, _, _ := strings.Cut(u.String(), "?"); got != c.want {
			t.Errorf("at %q, %+v: %s, want %s", c.endpoint, c.options, got, c.want)
		}
		if signed := u.Query().Get("X-Amz-SignedHeaders"); signed != "host" {
			t.Errorf("%s: signed are %q, want host alone, so that Range and If-Match are free", c.want, signed)
		}
	}
}

// expiring are credentials that end at a time.
type expiring time.Time

func (e expiring) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{
		AccessKeyID: "id", SecretAccessKey: "secret", SessionToken: "a token", CanExpire: true, Expires: time.Time(e),
	}, nil
}

func TestAURLEndsWithTheCredentialThatSignedIt(t *testing.T) {
	t.Parallel()
	now := time.Now() // the cache of credentials knows no other clock
	for left, want := range map[time.Duration]time.Duration{
		time.Hour:                      blob.MaxPresign,
		10*time.Minute + time.Second/2: 10 * time.Minute,
	} {
		u, signed := presigned(t, aws.Config{Region: "us-east-1", Credentials: expiring(now.Add(left))},
			s3blob.Options{Bucket: "bucket", Clock: func() time.Time { return now }})
		if got := u.Query().Get("X-Amz-Expires"); got != fmt.Sprint(want.Seconds()) || !signed.Expires.Equal(now.Add(want)) {
			t.Errorf("a credential with %v left: the URL lives %s s, until %v; want %v", left, got, signed.Expires, want)
		}
		if u.Query().Get("X-Amz-Security-Token") != "a token" {
			t.Errorf("the URL has no session token")
		}
	}
	d, err := s3blob.New(aws.Config{Region: "us-east-1", Credentials: expiring(now)}, s3blob.Options{Bucket: "bucket"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := blob.NewBucket(d).Presign(t.Context(), blob.Presign{Method: http.MethodGet, Key: "key", Lifetime: time.Minute}); err == nil {
		t.Error("an expired credential signed a URL")
	}
}

// A store is reached by one name from here and by another from the world, with
// the bucket in the host.
func TestAPublicEndpointWithTheBucketInTheHost(t *testing.T) {
	t.Parallel()
	store := stores.MinIO(t)
	name := makeBucket(t, store)
	data := noise(11, 1000)
	putObject(t, store, name, "key", data)
	at, err := url.Parse(store.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, at.Host) // whatever resolves .localhost
	}}
	t.Cleanup(transport.CloseIdleConnections)
	endpoint := "http://localhost:" + at.Port()
	cfg := config(store)
	cfg.BaseEndpoint = &endpoint
	d, err := s3blob.New(cfg, s3blob.Options{Bucket: name, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	b := blob.NewBucket(d)
	got, err := io.ReadAll(opened(t.Context(), t, b, len(data)))
	wantWhole(t, got, data, err)
	if err := b.Ping(t.Context()); err != nil {
		t.Errorf("Ping: %v", err)
	}

	public := bucket(t, store, s3blob.Options{Bucket: name, PathStyle: true, PublicEndpoint: endpoint})
	signed, err := public.Presign(t.Context(), blob.Presign{Method: http.MethodGet, Key: "key", Lifetime: time.Minute})
	if err != nil || !strings.HasPrefix(signed.URL.Reveal(), endpoint+"/"+name+"/key?") {
		t.Fatalf("Presign: %v, or not for the public endpoint", err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, signed.URL.Reveal(), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err = io.ReadAll(resp.Body)
	wantWhole(t, got, data, err)
}

func TestEncryptionIsAskedForByEveryNewObject(t *testing.T) {
	t.Parallel()
	store := stores.Versitygw(t) // which ignores it
	asked := (&recorder{}).over(t)
	b := bucket(t, store, s3blob.Options{
		Encryption: s3blob.Encryption{Algorithm: "aws:kms", KeyID: "a key"}, PartSize: 5 << 20, Transport: asked,
	})
	for key, size := range map[string]int{"small": 10, "large": 6 << 20} {
		if _, err := write(t, b, key, noise(12, size)); err != nil {
			t.Fatal(err)
		}
	}
	begun := 0
	for _, req := range append(asked.requests(http.MethodPut), asked.requests(http.MethodPost)...) {
		if req.URL.Query().Has("uploadId") {
			continue // a part has its upload's
		}
		begun++
		if got, id := req.Header.Get("X-Amz-Server-Side-Encryption"), req.Header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"); got != "aws:kms" || id != "a key" {
			t.Errorf("%s %s asks for encryption %q under key %q", req.Method, req.URL.Path, got, id)
		}
	}
	if begun != 2 {
		t.Errorf("%d objects were begun, want 2", begun)
	}
	signed, err := b.Presign(t.Context(), blob.Presign{Method: http.MethodPut, Key: "new", Lifetime: time.Minute})
	if err != nil || signed.Header.Get("X-Amz-Server-Side-Encryption") != "aws:kms" {
		t.Errorf("Presign of a PUT: %v, %v, want the encryption in its header", signed.Header, err)
	}
}

func TestADriverIsNotMadeOfHalf(t *testing.T) {
	t.Parallel()
	static, other := credentials.NewStaticCredentialsProvider("id", "secret", ""), "ftp://minio"
	for what, c := range map[string]struct {
		cfg    aws.Config
		bucket string
	}{
		"no bucket":      {aws.Config{Region: "us-east-1", Credentials: static}, ""},
		"no region":      {aws.Config{Credentials: static}, "bucket"},
		"no credentials": {aws.Config{Region: "us-east-1"}, "bucket"},
		"another scheme": {aws.Config{Region: "us-east-1", Credentials: static, BaseEndpoint: &other}, "bucket"},
	} {
		if _, err := s3blob.New(c.cfg, s3blob.Options{Bucket: c.bucket}); err == nil {
			t.Errorf("New with %s: no error", what)
		}
	}
}
