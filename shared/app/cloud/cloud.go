// Package cloud opens the stores of a cloud by their URLs: S3 and its kin for
// blobs, DynamoDB for records. Where they are and who asks is told by AWS's own
// settings, such as AWS_REGION, AWS_PROFILE, AWS_ACCESS_KEY_ID,
// AWS_ENDPOINT_URL_S3, and by the roles of a machine or a container.
package cloud

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"
)

// errNoRegion is the error of a URL that no setting gives a region.
var errNoRegion = errors.New("there is no region: set AWS_REGION, or add ?region=… to the URL")

// load reads AWS's own settings. An option region of the URL wins over them.
func load(ctx context.Context, u *url.URL) (aws.Config, error) {
	// What fails is returned; the SDK's own lines would stand among ours.
	options := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{})}
	if region := u.Query().Get("region"); region != "" {
		options = append(options, config.WithRegion(region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	switch {
	case err != nil:
		return aws.Config{}, fmt.Errorf("AWS's settings cannot be read: %w", err)
	case cfg.Region == "":
		return aws.Config{}, errNoRegion
	}
	return cfg, nil
}
