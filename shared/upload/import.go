package upload

import (
	"context"
	"time"

	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/fault"
)

// ImportRequest asks for the objects under a source to be registered.
type ImportRequest struct {
	Source string // s3://bucket/folder, within where the blobs are or one of Service.Sources
	Owner  string // a user id
	Path   string // the folder that they are put into; empty: none
	By     string // a user id
	DryRun bool   // only count
}

// BeginImport begins an import, which goes on beside requests, on this server
// or another one. It fails with Unprocessable "import_unsupported" where the
// store does not list what it has, and with Unprocessable "import_elsewhere"
// for a source that is neither where this deployment keeps its blobs nor under
// one of Service.Sources.
func (s *Service) BeginImport(ctx context.Context, r ImportRequest) (catalog.Import, error) {
	prefix, err := s.importPrefix(r.Source)
	if err != nil {
		return catalog.Import{}, err
	}
	bucket, _, err := s.Beside.At(s.Blobs, prefix)
	if err != nil {
		return catalog.Import{}, err
	}
	if !bucket.Lists() {
		return catalog.Import{}, fault.New(fault.Unprocessable, "import_unsupported", "The store does not list its objects: there is nothing to import.")
	}
	i := catalog.Import{ID: auth.NewID(s.Clock()), Owner: r.Owner, Prefix: prefix, By: r.By, DryRun: r.DryRun}
	if r.Path != "" {
		if err := CheckPath("path", r.Path); err != nil {
			return i, err
		}
		i.Path = r.Path + "/"
	}
	if i, err = s.Catalog.CreateImport(ctx, i); err != nil {
		return i, err
	}
	s.WatchImport(i)
	return i, nil
}

// WatchImport sees to it that an import that runs does: by a job of this
// process, which a crash ends and the next WatchImport, or another server, goes
// on with. While another server has it this one stands by. The channel is
// closed when the job ends, for now or for good. With a Queue the job is sent
// there.
func (s *Service) WatchImport(i catalog.Import) <-chan struct{} {
	if s.Queue != nil {
		return s.ask(Job{Name: ImportJob, ID: i.ID})
	}
	return s.imports.start(i.ID, importsAtOnce, func(ctx context.Context) error {
		err := s.standBy(ctx, i.ID)
		if err != nil && ctx.Err() == nil {
			s.Log.ErrorContext(ctx, "import", "import_id", i.ID, "error", err)
		}
		return err
	})
}

// importsAtOnce bounds how many imports a server runs, or stands by, at a time.
const importsAtOnce = 100

// Of all servers one works on an import: who holds the lease. It outlasts a
// page by far, and one that a crash left behind runs out soon.
const (
	importLease     = 30 * time.Second
	importLeaseName = "import#"
)

// standBy works on an import while no other server does, until it has ended.
func (s *Service) standBy(ctx context.Context, id string) error {
	for {
		i, err := s.Catalog.Import(ctx, id)
		if fault.Is(err, fault.NotFound, "") || err == nil && i.State != catalog.ImportRunning {
			return nil
		}
		done := false
		if err == nil {
			done, err = s.under(ctx, importLeaseName+id, importLease, func(lease *catalog.Lease) error { return s.importAll(ctx, i, lease) })
		}
		if done && err == nil {
			return nil
		}
		if err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "import goes on later", "import_id", id, "error", err)
		}
		if err := wait(ctx, importLease/10); err != nil {
			return err
		}
	}
}

// wait waits for a time, or until ctx ends, whose error it then returns.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
