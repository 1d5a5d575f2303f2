package upload

import (
	"context"
	"net/url"
	"strings"
	"time"

	"sluice/shared/auth"
	"sluice/shared/blob"
	"sluice/shared/catalog"
	"sluice/shared/fault"
)

// ImportRequest asks for the objects under a source to be registered.
type ImportRequest struct {
	Source string // s3://bucket/folder, within where the blobs are
	Owner  string // a user id
	Path   string // the folder that they are put into; empty: none
	By     string // a user id
	DryRun bool   // only count
}

// BeginImport begins an import, which goes on beside requests, on this server
// or another one. It fails with Unprocessable "import_unsupported" where the
// store does not list what it has, and with Unprocessable "import_elsewhere"
// for a source that is not where this deployment keeps its blobs.
func (s *Service) BeginImport(ctx context.Context, r ImportRequest) (catalog.Import, error) {
	if !s.Blobs.Lists() {
		return catalog.Import{}, fault.New(fault.Unprocessable, "import_unsupported", "The store does not list its objects: there is nothing to import.")
	}
	prefix, err := s.importPrefix(r.Source)
	if err != nil {
		return catalog.Import{}, err
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

// importPrefix returns what the keys of a source begin with. A source is a
// folder, with or without the slash at its end.
func (s *Service) importPrefix(source string) (string, error) {
	u, err := url.Parse(source)
	if err != nil || u.Scheme == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", fault.InvalidField("source", "A source is a URL such as s3://bucket/folder/.")
	}
	path := strings.TrimPrefix(u.Path, "/")
	if path != "" && !strings.HasSuffix(path, "/") {
		path += "/"
	}
	prefix, within := strings.CutPrefix(path, strings.TrimPrefix(s.Root.Path, "/"))
	if u.Scheme != s.Root.Scheme || u.Host != s.Root.Host || !within {
		f := fault.Newf(fault.Unprocessable, "import_elsewhere", "A source lies where this server keeps its files: in %s.", s.rootURL())
		f.Field = "source"
		return "", f
	}
	if len(prefix) > blob.MaxKey {
		return "", fault.InvalidField("source", "No object's key begins so.")
	}
	return prefix, nil
}

func (s *Service) rootURL() string {
	return (&url.URL{Scheme: s.Root.Scheme, Host: s.Root.Host, Path: s.Root.Path}).String()
}

// ImportSource is the inverse of what BeginImport makes of a source.
func (s *Service) ImportSource(i catalog.Import) string {
	u := url.URL{Scheme: s.Root.Scheme, Host: s.Root.Host, Path: "/" + strings.TrimPrefix(s.Root.Path, "/") + i.Prefix}
	return u.String()
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
