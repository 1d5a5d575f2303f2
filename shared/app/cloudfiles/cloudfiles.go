// Package cloudfiles composes a function that moves bytes: what cloudrecords has,
// and blobs in S3 and a queue of jobs beside it. Like that it asks nothing before
// the first request.
package cloudfiles

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"sluice/shared/api"
	"sluice/shared/app/amazon"
	"sluice/shared/app/cloudrecords"
	"sluice/shared/app/compose"
	"sluice/shared/app/s3bucket"
	"sluice/shared/blob"
	"sluice/shared/config"
)

// Open returns the Deps of a function that c describes, and what closes its
// stores. It issues no tokens. The caller sets Stopping and BaseURL.
func Open(ctx context.Context, c config.Config, log *slog.Logger) (api.Deps, func() error, error) {
	parts, err := cloudrecords.Parts(c, log, false)
	if err != nil {
		return api.Deps{}, nil, err
	}
	bucket, err := openBucket(c)
	if err != nil {
		return api.Deps{}, nil, fmt.Errorf("%s: %w", config.Env("blob"), err)
	}
	parts.Blobs = bucket
	if c.Queue != nil {
		cfg, err := amazon.Config(c.AWS)
		if err != nil {
			return api.Deps{}, nil, err
		}
		parts.Queue = amazon.NewQueue(c.AWS, cfg, c.Queue)
	}
	deps, err := compose.Deps(ctx, c, parts.Parts)
	if err != nil {
		return api.Deps{}, nil, err
	}
	return deps, func() error {
		return errors.Join(deps.Uploads.Close(), bucket.Bucket.Close(), parts.Close())
	}, nil
}

// openBucket opens the bucket that SLUICE_BLOB names.
func openBucket(c config.Config) (*compose.Blobs, error) {
	if c.Blob.Scheme != "s3" {
		return nil, errors.New("want s3://bucket in a function")
	}
	cfg, err := amazon.Config(c.AWS)
	if err != nil {
		return nil, err
	}
	if region := c.Blob.Query().Get("region"); region != "" {
		cfg.Region = region
	}
	b, err := s3bucket.New(amazon.At(cfg, c.AWS.Endpoint("S3")), c.Blob)
	if err != nil {
		return nil, err
	}
	driver, err := b.Open()
	if err != nil {
		return nil, err
	}
	return &compose.Blobs{Bucket: blob.NewBucket(driver), Public: b.Public()}, nil
}
