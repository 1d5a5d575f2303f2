// Package s3blob keeps blobs as objects of an S3 bucket: Amazon's, MinIO's, or
// that of any store that speaks S3.
//
// A key is the object's key, behind Options.Prefix: objects that were there
// before can be read as they are. The object's entity tag is the blob's.
//
// # Reading
//
// The byte path is net/http with the SDK's signer, and not the SDK's stack of
// middleware: it costs less than half the CPU time, and it is simple to see
// when a connection is held and when it is let go. A reader asks for exactly
// its range, pinned by If-Match to the entity tag that it was opened under, or
// else to the first one it saw. When its connection breaks or stands still it
// asks again from the next byte on, under the same pin, for as long as
// Options.Patience lasts without a byte: who reads notices nothing but time. A
// store that ignores If-Match is caught by the entity tag of its answer. Bytes
// of two objects are never mixed.
//
// A store may hold megabytes for every answer that is not taken. So a reader
// that is not read from for Options.Idle gives its connection back. When it is
// read from again it asks for small pieces, which the system's socket buffers
// can hold and for which the store need not wait; they grow as they are taken.
//
// # Writing
//
// A new blob is one PUT where it fits into Options.PartSize, else a multipart
// upload; both carry If-None-Match, so that a taken key is refused by the store
// itself, and the SHA-256 of what they carry, so that the store refuses what
// was damaged on the way. A writer holds two parts in memory at most: one that
// fills, one on its way. Each blob it makes is marked by a random number in its
// metadata: when an answer was lost, and the PUT that is sent again finds the
// key taken, the mark tells whether that was our own doing.
//
// # Keys
//
// Stores that keep objects as files (MinIO, versitygw) cannot keep every key:
// "a//b" may be "a/b" to them. Gaps.PathKeys declares that. The driver then
// refuses such keys itself, before a store can take one for another.
package s3blob

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"sluice/shared/blob"
)

var (
	_ blob.Driver      = (*Driver)(nil)
	_ blob.Multiparter = (*Driver)(nil)
	_ blob.Presigner   = (*Driver)(nil)
	_ blob.Lister      = (*Driver)(nil)
)

// Driver is a blob.Driver over a bucket.
type Driver struct {
	options     Options
	region      string
	credentials aws.CredentialsProvider
	base        *url.URL // of the bucket, as we reach it
	public      *url.URL // of the bucket, as the world does
	signer      *v4.Signer
	queries     querySigner
	transport   http.RoundTripper
	control     *s3.Client
	buffers     buffers
	close       func()
}

// New returns the driver over the bucket that o names. Of cfg it takes Region
// and Credentials, which must be there, BaseEndpoint (nil for Amazon's) and the
// checksum modes. It does not ask the store anything: Ping does.
//
// The checksum modes are those of the control calls. Elsewhere than at Amazon
// they are WhenRequired, whatever cfg says: other stores refuse the trailers
// that the SDK adds otherwise.
func New(cfg aws.Config, o Options) (*Driver, error) {
	o.setDefaults()
	switch {
	case o.Bucket == "":
		return nil, errors.New("s3blob: no bucket is named")
	case cfg.Region == "":
		return nil, errors.New("s3blob: no region is named")
	case cfg.Credentials == nil:
		return nil, errors.New("s3blob: there are no credentials")
	}
	base, err := address(cfg, o, aws.ToString(cfg.BaseEndpoint))
	if err != nil {
		return nil, err
	}
	public := base
	if o.PublicEndpoint != "" {
		if public, err = address(cfg, o, o.PublicEndpoint); err != nil {
			return nil, err
		}
	}
	d := &Driver{
		options: o, region: cfg.Region, credentials: aws.NewCredentialsCache(cfg.Credentials), base: base, public: public,
		signer: v4.NewSigner(func(s *v4.SignerOptions) {
			s.DisableURIPathEscaping = true // S3 signs the path as it is sent
			s.DisableHeaderHoisting = true
		}),
	}
	d.transport, d.close = transport(o)
	d.control = d.client(cfg)
	return d, nil
}

// Stat implements blob.Driver.
func (d *Driver) Stat(ctx context.Context, key string) (blob.Attrs, error) {
	attrs, _, err := d.head(ctx, key, "")
	return attrs, err
}

// Delete implements blob.Driver.
func (d *Driver) Delete(ctx context.Context, key string) error {
	if d.refuses(key) {
		return nil // nothing can be there
	}
	err := d.again(ctx, d.options.Retry, func(ctx context.Context) error {
		_, err := d.control.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &d.options.Bucket, Key: d.object(key)})
		return err
	})
	if code(err) == blob.NotFound {
		return nil
	}
	return err
}

// Ping implements blob.Driver: it asks for the bucket, once.
func (d *Driver) Ping(ctx context.Context) error {
	return within(ctx, d.options.Stall, func(ctx context.Context) error {
		_, err := d.control.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &d.options.Bucket})
		return err
	})
}

// Multipart implements blob.Driver.
func (d *Driver) Multipart() blob.Multiparter { return d }

// Presigner implements blob.Driver.
func (d *Driver) Presigner() blob.Presigner { return d }

// Lister implements blob.Driver.
func (d *Driver) Lister() blob.Lister { return d }

// ErrorCode implements blob.Driver.
func (d *Driver) ErrorCode(err error) blob.Code { return code(err) }

// Close implements blob.Driver: it closes the connections that are idle.
// Readers that are open close theirs.
func (d *Driver) Close() error {
	d.close()
	return nil
}

// Open implements blob.Driver.
func (d *Driver) Open(ctx context.Context, key string, offset, length int64, pin string) (io.ReadCloser, error) {
	if d.refuses(key) {
		return nil, errNotFound
	}
	if length == 0 {
		if _, _, err := d.head(ctx, key, pin); err != nil {
			return nil, err
		}
		return http.NoBody, nil
	}
	if d.options.ReadAhead.wanted(length) {
		return d.openAhead(ctx, key, offset, length, pin)
	}
	return d.open(ctx, key, offset, length, pin)
}
