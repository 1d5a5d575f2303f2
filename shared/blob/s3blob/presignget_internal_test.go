package s3blob

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"pgregory.net/rapid"

	"sluice/shared/blob"
)

// The SDK's signer is the oracle: every URL is the one that it makes.
func TestURLsAreThoseOfTheSDK(t *testing.T) {
	sdk := v4.NewSigner(func(s *v4.SignerOptions) { s.DisableURIPathEscaping = true })
	ours := &querySigner{}
	rapid.Check(t, func(t *rapid.T) {
		base := &url.URL{
			Scheme: rapid.SampledFrom([]string{"http", "https"}).Draw(t, "scheme"),
			Host:   rapid.SampledFrom([]string{"b.s3.amazonaws.com", "127.0.0.1:9000", "a.example:80", "a.example:443", "[::1]:9000"}).Draw(t, "host"),
			Path:   rapid.SampledFrom([]string{"", "/bucket", "/a b/bucket"}).Draw(t, "path"),
		}
		name := rapid.OneOf(rapid.StringN(1, 40, -1), rapid.StringMatching(`[a-z/ +%?&=.~_-]{1,40}`)).Draw(t, "key")
		p := blob.Presign{
			Method:             rapid.SampledFrom([]string{http.MethodGet, http.MethodHead}).Draw(t, "method"),
			ContentType:        rapid.SampledFrom([]string{"", "text/html; charset=utf-8", "a/b+c"}).Draw(t, "type"),
			ContentDisposition: rapid.SampledFrom([]string{"", `attachment; filename="a b.txt"; filename*=UTF-8''%C3%A9`, "~*+/"}).Draw(t, "disposition"),
		}
		secret := rapid.SampledFrom([]string{"secret", "another"}).Draw(t, "secret")
		c := aws.Credentials{ // the SDK keeps a key by its id
			AccessKeyID: "id of " + secret, SecretAccessKey: secret, SessionToken: rapid.SampledFrom([]string{"", "to/ken+=="}).Draw(t, "token"),
		}
		region := rapid.SampledFrom([]string{"us-east-1", "eu-central-1"}).Draw(t, "region")
		life := time.Duration(rapid.IntRange(1, 900).Draw(t, "life")) * time.Second
		now := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "now"), 0)

		d := Driver{}
		query := url.Values{"X-Amz-Expires": {digits(int64(life / time.Second))}}
		for field, value := range map[string]string{"response-content-type": p.ContentType, "response-content-disposition": p.ContentDisposition} {
			if value != "" {
				query.Set(field, value)
			}
		}
		u := d.at(base, name, query)
		req := &http.Request{Method: p.Method, URL: u, Host: u.Host, Header: http.Header{}}
		want, _, err := sdk.PresignHTTP(t.Context(), c, req, unsigned, "s3", region, now)
		if err != nil {
			t.Fatal(err)
		}
		if got := ours.sign(base, name, region, c, p, life, now); got != want {
			t.Errorf("signed\n%s\nwant\n%s", got, want)
		}
	})
}

func BenchmarkPresign(b *testing.B) {
	d, err := New(aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String("https://store.example.com"),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "key", SecretAccessKey: "secret"}, nil
		}),
	}, Options{Bucket: "bucket", PathStyle: true})
	if err != nil {
		b.Fatal(err)
	}
	p := blob.Presign{Method: http.MethodGet, Key: "owner/version", Lifetime: time.Minute, ContentType: "text/plain", ContentDisposition: `inline; filename="a.txt"`}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Presign(b.Context(), p); err != nil {
			b.Fatal(err)
		}
	}
}
