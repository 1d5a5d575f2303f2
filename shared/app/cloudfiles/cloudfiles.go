// Package cloudfiles composes a function that moves bytes: what cloudrecords has,
// and blobs in S3 and a queue of jobs beside it. Like that it asks nothing before
// the first request.
package cloudfiles

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"

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
	blobs, err := openBlobs(c)
	if err != nil {
		return api.Deps{}, nil, err
	}
	parts.Blobs = blobs
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
		return errors.Join(deps.Uploads.Close(), blobs.Bucket.Close(), blobs.Beside.Close(), parts.Close())
	}, nil
}

// openBlobs opens the bucket that SLUICE_BLOB names, and those beside it.
func openBlobs(c config.Config) (*compose.Blobs, error) {
	if c.Blob.Scheme != "s3" {
		return nil, fmt.Errorf("%s: want s3://bucket in a function", config.Env("blob"))
	}
	own, driver, err := openBucket(c.AWS, c.Blob)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", config.Env("blob"), err)
	}
	beside, err := compose.OpenBeside(c, func(u *url.URL) (blob.Driver, error) {
		_, driver, err := openBucket(c.AWS, u)
		return driver, err
	})
	return &compose.Blobs{Bucket: blob.NewBucket(driver), Public: own.Public(), Beside: beside}, err
}

// openBucket opens the bucket that a URL names.
func openBucket(settings config.AWS, u *url.URL) (s3bucket.Bucket, blob.Driver, error) {
	cfg, err := amazon.Config(settings)
	if err != nil {
		return s3bucket.Bucket{}, nil, err
	}
	if region := u.Query().Get("region"); region != "" {
		cfg.Region = region
	}
	b, err := s3bucket.New(amazon.At(cfg, settings.Endpoint("S3")), u)
	if err != nil {
		return b, nil, err
	}
	driver, err := b.Open()
	return b, driver, err
}
