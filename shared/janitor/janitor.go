// Package janitor removes what is due: blobs of uploads that were never
// published, versions that were replaced, deleted and expired files, expired
// records.
package janitor

import (
	"context"
	"log/slog"
	"time"

	"sluice/shared/blob"
	"sluice/shared/catalog"
)

// batch is how many removals one round does at most, so that a long backlog
// does not hold up a stop.
const batch = 1000

// Janitor sweeps now and then.
type Janitor struct {
	Catalog *catalog.Catalog
	Blobs   *blob.Bucket
	Records func(ctx context.Context) (removed int, err error) // removes expired records; nil: the store does it
	Log     *slog.Logger
	Every   time.Duration
}

// Run sweeps at once and then every so often, until ctx ends. What fails is
// logged and tried again in the next round.
func (j *Janitor) Run(ctx context.Context) {
	tick := time.NewTicker(j.Every)
	defer tick.Stop()
	for {
		j.Sweep(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Sweep does one round and returns how many removals it did.
func (j *Janitor) Sweep(ctx context.Context) int {
	removed, err := j.Catalog.Sweep(ctx, batch, j.Blobs.Discard)
	if j.Records != nil && ctx.Err() == nil {
		n, recordsErr := j.Records(ctx)
		removed += n
		if err == nil {
			err = recordsErr
		}
	}
	if err != nil && ctx.Err() == nil {
		j.Log.ErrorContext(ctx, "sweep", "error", err)
	}
	if removed > 0 {
		j.Log.InfoContext(ctx, "sweep", "removed", removed)
	}
	return removed
}
