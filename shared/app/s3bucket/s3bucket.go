// Package s3bucket reads what a URL says of a bucket: s3://bucket/prefix/ with
// options. It links S3.
package s3bucket

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"sluice/shared/blob/s3blob"
)

// Bucket is an S3 bucket: how it is reached, and how it is used.
type Bucket struct {
	Config  aws.Config // BaseEndpoint is that of S3; nil: Amazon's
	Options s3blob.Options
}

// readAheadBlock is how many bytes each connection of a reader that reads ahead
// holds, and maxReadAhead how many connections it may have.
const (
	readAheadBlock = 8 << 20
	maxReadAhead   = 16
)

// New returns the bucket that a URL names: s3://bucket/prefix/?options.
// docs/operations.md describes the options. cfg says who asks, and where; its
// BaseEndpoint is that of S3. The store is not asked.
func New(cfg aws.Config, u *url.URL) (Bucket, error) {
	b := Bucket{Config: cfg, Options: s3blob.Options{Bucket: u.Host, Prefix: strings.TrimPrefix(u.Path, "/")}}
	b.Options.PathStyle = !b.Amazon()
	for name, values := range u.Query() {
		if err := b.set(name, values[0]); err != nil {
			return Bucket{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	if e := b.Options.Encryption; e.KeyID != "" && e.Algorithm != types.ServerSideEncryptionAwsKms {
		return Bucket{}, fmt.Errorf("kms_key: want encryption=%s with it", types.ServerSideEncryptionAwsKms)
	}
	return b, nil
}

// set sets what one option of the URL asks for.
func (b *Bucket) set(option, value string) error {
	o := &b.Options
	switch option {
	case "path_style":
		return setBool(&o.PathStyle, value)
	case "part_digests":
		return setBool(&o.PartDigests, value)
	case "public_endpoint":
		at, err := url.Parse(value)
		if err != nil || (at.Scheme != "http" && at.Scheme != "https") || at.Host == "" || at.User != nil || at.RawQuery != "" || at.Fragment != "" {
			return errors.New("want an http or https URL such as https://files.example.com")
		}
		o.PublicEndpoint = value
	case "encryption":
		o.Encryption.Algorithm = types.ServerSideEncryption(value)
		if value != string(types.ServerSideEncryptionAes256) && value != string(types.ServerSideEncryptionAwsKms) {
			return fmt.Errorf("%q is not one of: %s, %s", value, types.ServerSideEncryptionAes256, types.ServerSideEncryptionAwsKms)
		}
	case "kms_key":
		o.Encryption.KeyID = value
	case "read_ahead":
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > maxReadAhead {
			return fmt.Errorf("%q is not a number from 0 to %d", value, maxReadAhead)
		}
		o.ReadAhead = s3blob.ReadAhead{Connections: n, Block: readAheadBlock}
	case "gaps":
		return setGaps(&o.Gaps, value)
	}
	return nil
}

func setBool(to *bool, value string) (err error) {
	if *to, err = strconv.ParseBool(value); err != nil {
		return fmt.Errorf("%q is not true or false", value)
	}
	return nil
}

func setGaps(to *s3blob.Gaps, value string) error {
	for gap := range strings.SplitSeq(value, ",") {
		switch gap {
		case "path_keys":
			to.PathKeys = true
		case "conditions":
			to.Conditions = true
		default:
			return fmt.Errorf("%q is not one of: path_keys, conditions", gap)
		}
	}
	return nil
}

// Amazon reports whether the store is Amazon's own.
func (b Bucket) Amazon() bool {
	if b.Config.BaseEndpoint == nil {
		return true
	}
	u, err := url.Parse(*b.Config.BaseEndpoint)
	if err != nil {
		return false
	}
	host := u.Hostname()
	return strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn")
}

// Public reports whether clients reach the store too, at the address for which
// URLs are presigned: it is Amazon's, or a public endpoint was named.
func (b Bucket) Public() bool { return b.Amazon() || b.Options.PublicEndpoint != "" }

// Open returns the driver over the bucket.
func (b Bucket) Open() (*s3blob.Driver, error) { return s3blob.New(b.Config, b.Options) }

// Client returns a client for what is asked of the bucket itself.
func (b Bucket) Client() *s3.Client {
	return s3.NewFromConfig(b.Config, func(o *s3.Options) {
		o.UsePathStyle = b.Options.PathStyle
		// Other stores refuse the trailers that the SDK adds otherwise.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})
}
