// Package janitor removes what is due: blobs of uploads that were never
// published, versions that were replaced, deleted and expired files, expired
// records.
package janitor

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"sluice/shared/blob"
	"sluice/shared/catalog"
)

// batch is how many removals one round does at most, so that a long backlog
// does not hold up a stop; the next round goes on.
const batch = 1000

// Of all servers one sweeps at a time: who holds the lease. It outlasts the
// removal of any one blob, and one that a crash left behind runs out soon.
const (
	leaseName = "janitor"
	leaseLife = time.Minute
)

// Janitor sweeps now and then.
type Janitor struct {
	Catalog *catalog.Catalog
	Blobs   *blob.Bucket
	Records func(ctx context.Context) (removed int, err error) // removes expired records; nil: the store does it
	Resume  func(context.Context) error                        // goes on with jobs that were left lying; nil: nobody asks for that
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

// Sweep does one round, unless another server does, and returns how many
// removals it did. Where the lease is lost on the way, it ends before the next
// removal.
func (j *Janitor) Sweep(ctx context.Context) int {
	lease, err := j.Catalog.Lease(ctx, leaseName, leaseLife)
	if err != nil {
		j.failed(ctx, err)
		return 0
	}
	if lease == nil {
		return 0
	}
	removed, err := j.Catalog.Sweep(ctx, batch, lease.Keep, j.Blobs.Discard)
	if j.Records != nil && ctx.Err() == nil {
		n, recordsErr := j.Records(ctx)
		removed += n
		err = errors.Join(err, recordsErr)
	}
	j.failed(ctx, errors.Join(err, lease.Release(context.WithoutCancel(ctx))))
	if removed > 0 {
		j.Log.InfoContext(ctx, "sweep", "removed", removed)
	}
	return removed
}

// failed logs an error that is not that of a stop.
func (j *Janitor) failed(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		j.Log.ErrorContext(ctx, "sweep", "error", err)
	}
}
