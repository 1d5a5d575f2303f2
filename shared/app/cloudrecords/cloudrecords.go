// Package cloudrecords composes a function that moves no bytes: its records are
// in DynamoDB, its keys with Amazon. It links no S3 and no store on a disk, and
// asks nothing before the first request: the time until a function can take one
// is the user's.
package cloudrecords

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"sluice/shared/api"
	"sluice/shared/app/amazon"
	"sluice/shared/app/compose"
	"sluice/shared/config"
	"sluice/shared/keys"
	"sluice/shared/observe"
)

// Open returns the Deps of a function that c describes, and what closes its
// stores. They have no Uploads, Delivery, Recorder and Janitor. The caller sets
// Stopping and BaseURL.
func Open(ctx context.Context, c config.Config, log *slog.Logger) (api.Deps, func() error, error) {
	parts, err := Parts(c, log, true)
	if err != nil {
		return api.Deps{}, nil, err
	}
	deps, err := compose.Deps(ctx, c, parts.Parts)
	if err != nil {
		return api.Deps{}, nil, err
	}
	return deps, parts.Close, nil
}

// Opened are the parts of a function without blobs, and what closes them.
type Opened struct {
	compose.Parts
	Close func() error
}

// Parts opens what a function needs that moves no bytes. issues tells that it
// issues tokens, for which it must read the key that signs them.
func Parts(c config.Config, log *slog.Logger, issues bool) (Opened, error) {
	if c.Table.Scheme != "dynamodb" {
		return Opened{}, fmt.Errorf("%s: want dynamodb://table in a function", config.Env("table"))
	}
	cfg, err := amazon.Config(c.AWS)
	if err != nil {
		return Opened{}, err
	}
	if region := c.Table.Query().Get("region"); region != "" {
		cfg.Region = region
	}
	tables := amazon.NewTables(amazon.At(cfg, c.AWS.Endpoint("DYNAMODB")), c.Table)
	domain, hot := tables.OpenLate()
	p := compose.Parts{
		Records: compose.Records{Domain: domain, Hot: hot, Made: true},
		Metrics: observe.Uncounted{}, Log: log, Clock: time.Now,
	}
	o := keys.Options{Authority: compose.Authority(), Clock: p.Clock, Log: log, Issues: issues}
	if p.Keys, err = openKeys(c, o); err != nil {
		return Opened{}, fmt.Errorf("%s: %w", config.Env("keys"), err)
	}
	return Opened{p, tables.Store.Close}, nil
}

// openKeys opens the keys. A file is for trying a function out beside a server:
// it must be there.
func openKeys(c config.Config, o keys.Options) (keys.Rings, error) {
	if c.Keys.Scheme == "file" {
		return keys.FollowFile(c.Keys.Path, o)
	}
	cfg, err := amazon.Config(c.AWS)
	if err != nil {
		return keys.Rings{}, err
	}
	store, name, err := amazon.Keys(c.AWS, cfg, c.Keys)
	if err != nil {
		return keys.Rings{}, err
	}
	return keys.Follow(store, name, o)
}
