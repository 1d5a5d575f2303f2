// Package setup makes what a deployment needs before it serves: tables, bucket,
// the keys and the first admin. All of it may be done again: what is so already
// is left alone. A server never does it by itself but on the embedded stores.
package setup

import (
	"context"
	"fmt"

	"sluice/shared/app/cloud"
	"sluice/shared/app/local"
	"sluice/shared/config"
	"sluice/shared/table/dynamotable"
)

// Options are what is asked for beyond the settings of the server.
type Options struct {
	Tables dynamotable.Settings
	Policy []string // presets; none: the bucket gets one only where it has none
}

// Step is one thing that was looked at.
type Step struct {
	What    string   // such as "table sluice"
	Changes []string // such as "made"; none: it was so already
	Note    string   // what is to be known of it, such as what the store cannot do
}

// Run makes what is missing and reports each step once it is done. The password
// is not empty where this call has made the first admin.
func Run(ctx context.Context, c config.Config, o Options, report func(Step)) (password string, err error) {
	if c.Table.Scheme == "dynamodb" {
		if err := tables(ctx, c, o, report); err != nil {
			return "", fmt.Errorf("%s: %w", config.Env("table"), err)
		}
	}
	if c.Blob.Scheme == "s3" {
		if err := bucket(ctx, c, o, report); err != nil {
			return "", fmt.Errorf("%s: %w", config.Env("blob"), err)
		}
	}
	made, err := local.EnsureKeys(ctx, c)
	if err != nil {
		return "", err
	}
	password, err = local.EnsureAdmin(ctx, c)
	if err != nil {
		return "", err
	}
	rings := Step{What: "keys", Note: "they are there"}
	if len(made) > 0 {
		rings = Step{What: "keys", Changes: []string{"made"}}
	}
	report(rings)
	admin := Step{What: "user admin", Note: "there are users"}
	if password != "" {
		admin = Step{What: "user admin", Changes: []string{"made"}}
	}
	report(admin)
	return password, nil
}

// tables makes the tables of records.
func tables(ctx context.Context, c config.Config, o Options, report func(Step)) error {
	t, err := cloud.OpenTables(ctx, c.Table)
	if err != nil {
		return err
	}
	defer t.Store.Close()
	for _, name := range t.Names() {
		step := Step{What: "table " + name}
		step.Changes, err = t.Store.Create(ctx, name, o.Tables)
		if o.Tables.Recovery && is(err, "UnknownOperationException") {
			var more []string
			more, err = t.Store.Create(ctx, name, dynamotable.Settings{Protected: o.Tables.Protected})
			step.Changes, step.Note = append(step.Changes, more...), "this store has no point-in-time recovery"
		}
		if len(step.Changes) > 0 || err == nil {
			report(step)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bucket makes the bucket of blobs.
func bucket(ctx context.Context, c config.Config, o Options, report func(Step)) error {
	b, err := OpenBucket(ctx, c)
	if err != nil {
		return err
	}
	for _, step := range []func(context.Context) (Step, error){
		b.make, b.expireUploads, b.allowOrigins,
		func(ctx context.Context) (Step, error) { return b.protect(ctx, o.Policy) },
	} {
		done, err := step(ctx)
		if err != nil {
			return err
		}
		report(done)
	}
	return nil
}
