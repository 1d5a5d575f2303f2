package s3blob

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"sluice/shared/blob"
	"sluice/shared/config"
)

// errNoLifetime is the error of a credential that is about to expire.
var errNoLifetime = errors.New("s3blob: the credential expires before a URL that it signs could be used")

// Presign implements blob.Presigner.
func (d *Driver) Presign(ctx context.Context, p blob.Presign) (blob.Presigned, error) {
	if d.refuses(p.Key) {
		return blob.Presigned{}, errRefused
	}
	credentials, err := d.credentials.Retrieve(ctx)
	if err != nil {
		return blob.Presigned{}, fmt.Errorf("s3blob: no credentials: %w", err)
	}
	now, lifetime := d.options.Clock(), p.Lifetime
	if credentials.CanExpire {
		lifetime = min(lifetime, credentials.Expires.Sub(now))
	}
	lifetime = lifetime.Truncate(time.Second)
	if lifetime <= 0 {
		return blob.Presigned{}, errNoLifetime
	}
	if p.Method != http.MethodPut {
		signed := d.queries.sign(d.public, d.name(p.Key), d.region, credentials, p, lifetime, now)
		return blob.Presigned{Method: p.Method, URL: config.NewSecret(signed), Expires: now.Add(lifetime)}, nil
	}
	query := url.Values{}
	if p.Upload != "" {
		query = partQuery(p.Upload, p.Part)
	}
	query.Set("X-Amz-Expires", digits(int64(lifetime/time.Second)))
	header := d.presignedHeader(p)
	u := d.at(d.public, p.Key, query)
	req := (&http.Request{Method: p.Method, URL: u, Host: u.Host, Header: header.Clone()}).WithContext(ctx)
	signed, _, err := d.signer.PresignHTTP(ctx, credentials, req, unsigned, "s3", d.region, now)
	if err != nil {
		return blob.Presigned{}, fmt.Errorf("s3blob: a URL cannot be presigned: %w", err)
	}
	return blob.Presigned{Method: p.Method, URL: config.NewSecret(signed), Header: header, Expires: now.Add(lifetime)}, nil
}

// PartDigests implements blob.Presigner.
func (d *Driver) PartDigests() bool { return d.options.PartDigests }

// presignedHeader returns what a PUT must be sent with. The body is held to
// its digest by a checksum: the digest that a signature may hold does the same
// at Amazon's and MinIO's, but versitygw takes none in a presigned URL.
func (d *Driver) presignedHeader(p blob.Presign) http.Header {
	header := http.Header{}
	if p.Upload == "" {
		header = d.newObject()
	}
	if p.SHA256 != nil {
		header.Set(checksumHeader, base64.StdEncoding.EncodeToString(p.SHA256))
	}
	return header
}
