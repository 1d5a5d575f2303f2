// Package cloud opens the stores of a cloud by their URLs, for a server: S3 and
// its kin for blobs, DynamoDB for records, and where keys may be. Where they are
// and who asks is told by AWS's own settings, such as AWS_REGION, AWS_PROFILE,
// AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL_S3, and by the roles of a machine or a
// container.
package cloud

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"

	"sluice/shared/app/amazon"
	"sluice/shared/app/s3bucket"
	"sluice/shared/config"
	"sluice/shared/keys"
	"sluice/shared/upload"
)

// errNoRegion is the error of a URL that no setting gives a region.
var errNoRegion = errors.New("there is no region: set AWS_REGION, or add ?region=… to the URL")

// load reads AWS's own settings. An option region of the URL wins over them.
func load(ctx context.Context, u *url.URL) (aws.Config, error) {
	// What fails is returned; the SDK's own lines would stand among ours.
	options := []func(*awsconfig.LoadOptions) error{awsconfig.WithLogger(logging.Nop{})}
	if region := u.Query().Get("region"); region != "" {
		options = append(options, awsconfig.WithRegion(region))
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx, options...)
	switch {
	case err != nil:
		return aws.Config{}, fmt.Errorf("AWS's settings cannot be read: %w", err)
	case cfg.Region == "":
		return aws.Config{}, errNoRegion
	}
	return cfg, nil
}

// NewBucket returns the bucket that a URL names. The store is not asked.
func NewBucket(ctx context.Context, u *url.URL) (s3bucket.Bucket, error) {
	cfg, err := load(ctx, u)
	if err != nil {
		return s3bucket.Bucket{}, err
	}
	cfg.BaseEndpoint = s3.NewFromConfig(cfg).Options().BaseEndpoint // it knows AWS_ENDPOINT_URL_S3
	return s3bucket.New(cfg, u)
}

// OpenTables returns the tables that a URL names. The caller closes the Store,
// which is not asked.
func OpenTables(ctx context.Context, u *url.URL) (amazon.Tables, error) {
	cfg, err := load(ctx, u)
	if err != nil {
		return amazon.Tables{}, err
	}
	return amazon.NewTables(cfg, u), nil
}

// OpenKeys returns the store of the keys and the name that they have there.
func OpenKeys(ctx context.Context, c config.Config) (keys.Store, string, error) {
	var cfg aws.Config
	if c.Keys.Scheme != "file" { // which is refused without AWS's settings too
		var err error
		if cfg, err = load(ctx, c.Keys); err != nil {
			return nil, "", err
		}
	}
	return amazon.Keys(c.AWS, cfg, c.Keys)
}

// OpenQueue returns the queue of jobs, nil where there is none.
func OpenQueue(ctx context.Context, c config.Config) (upload.Queue, error) {
	if c.Queue == nil {
		return nil, nil
	}
	cfg, err := load(ctx, c.Queue)
	if err != nil {
		return nil, err
	}
	return amazon.NewQueue(c.AWS, cfg, c.Queue), nil
}
