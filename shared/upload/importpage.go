package upload

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/shared/blob"
	"sluice/shared/catalog"
	"sluice/shared/fault"
)

// How an import works: page by page, of each several objects at once. After so
// many attempts at a page what still fails of it counts as failed.
const (
	importPage     = 200
	importAtOnce   = 16
	importAttempts = 5
	importProblems = 20 // are kept
)

// importAll works on an import until it has ended or the lease is lost. What
// came of each page is kept with the cursor: a page that a crash cut short is
// done again, and the catalog knows what this import has registered.
func (s *Service) importAll(ctx context.Context, i catalog.Import, lease *catalog.Lease) error {
	attempt := 1
	for i.State == catalog.ImportRunning {
		if err := lease.Keep(ctx); err != nil {
			return err
		}
		objects, more, err := s.list(ctx, i)
		if err != nil {
			return err
		}
		done, err := s.importPage(ctx, i, objects, attempt < importAttempts)
		if fault.Is(err, fault.NotFound, "not_found") { // its owner is gone
			done, err, i.State, i.Problem = pageDone{}, nil, catalog.ImportFailed, "user_gone"
		}
		if err != nil {
			if attempt++; wait(ctx, time.Second) != nil {
				return err
			}
			continue
		}
		attempt = 1
		i.Counts.Add(done.counts)
		i.Problems = append(i.Problems, done.problems[:min(len(done.problems), importProblems-len(i.Problems))]...)
		if len(objects) > 0 {
			i.Cursor = objects[len(objects)-1].Key
		}
		if !more && i.State == catalog.ImportRunning {
			i.State = catalog.ImportDone
		}
		if i, err = s.Catalog.SaveImport(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// pageDone is what came of a page, or of one object.
type pageDone struct {
	counts   catalog.ImportCounts
	problems []catalog.ImportProblem
}

// importPage registers the objects of a page. Where again is set it fails on
// the first thing that may pass, so that the page is tried again.
func (s *Service) importPage(ctx context.Context, i catalog.Import, objects []blob.Object, again bool) (pageDone, error) {
	each := make([]pageDone, len(objects))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(importAtOnce)
	for n, o := range objects {
		if catalog.OwnKey(o.Key) {
			continue // an upload wrote it
		}
		group.Go(func() (err error) {
			each[n], err = s.importOne(ctx, i, o, again)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return pageDone{}, err
	}
	var page pageDone
	for _, one := range each {
		page.counts.Add(one.counts)
		page.problems = append(page.problems, one.problems...)
	}
	return page, nil
}

// importOne registers an object and tells what came of it.
func (s *Service) importOne(ctx context.Context, i catalog.Import, o blob.Object, again bool) (pageDone, error) {
	done := pageDone{counts: catalog.ImportCounts{Seen: 1}}
	if strings.HasSuffix(o.Key, "/") { // it stands for a folder
		done.counts.Skipped = 1
		return done, nil
	}
	outcome, size, err := s.register(ctx, i, o)
	switch {
	case err == nil && (outcome == catalog.RegisteredNew || outcome == catalog.RegisteredAgain):
		done.counts.Registered, done.counts.Bytes = 1, size
		return done, nil
	case err == nil && outcome == catalog.RegisteredBefore:
		done.counts.Unchanged = 1
		return done, nil
	case err == nil:
		err = fault.New(fault.Conflict, "path_taken", "A file of another origin has the path.")
	case ctx.Err() != nil, again && mayPass(err), fault.Is(err, fault.NotFound, "not_found"):
		return done, err
	}
	if skipped(err) {
		done.counts.Skipped = 1
	} else {
		done.counts.Failed = 1
	}
	done.problems = []catalog.ImportProblem{problemOf(o.Key, err)}
	return done, nil
}

// mayPass reports whether what failed may succeed when it is done again.
func mayPass(err error) bool {
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.Upstream, fault.Internal:
		return true
	default:
		return false
	}
}

// skipped reports whether an object is none that can be a file there: nothing
// has failed.
func skipped(err error) bool {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Conflict, fault.NotFound:
		return true
	default:
		return false
	}
}

func problemOf(key string, err error) catalog.ImportProblem {
	p := catalog.ImportProblem{Key: key, Code: "internal", Detail: "Something went wrong on our side."}
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind != fault.Internal {
		p.Code, p.Detail = f.Code, f.Message
	}
	return p
}

// register makes an object of the import a version, as it is in the store now:
// a list, or a notification, may be older than that. One that took the place of
// another is looked at once more, since two of these may have looked at it at
// different times: the last to register it makes it right. Of one that is gone the
// version is marked, and it is looked at again for the same reason.
func (s *Service) register(ctx context.Context, i catalog.Import, o blob.Object) (catalog.Registered, int64, error) {
	object := catalog.Object{
		Owner: i.Owner, Path: i.Path + strings.TrimPrefix(o.Key, i.Prefix), Key: o.Key, Size: o.Size, ETag: o.ETag, By: i.By, Import: i.ID,
	}
	if err := CheckPath("path", object.Path); err != nil {
		return "", 0, err
	}
	if !covers(i, object.Key) {
		return "", 0, fault.New(fault.Invalid, "key_unsupported", "A key of our own bucket cannot begin as a reference to another.")
	}
	outcome, err := s.Catalog.WouldRegister(ctx, object)
	if err != nil || i.DryRun || outcome == catalog.RegisteredNothing || outcome == catalog.RegisteredBefore {
		return outcome, object.Size, err
	}
	for {
		attrs, err := s.stat(ctx, object.Key)
		if gone(err) {
			marked, failed := s.Catalog.MarkGone(ctx, object)
			if failed != nil || !marked {
				return "", 0, cmp.Or(failed, err)
			}
			object.ContentType = "" // what is registered now is marked
			continue
		}
		if err != nil {
			return "", 0, err
		}
		if object.ContentType != "" && attrs.ETag == object.ETag {
			return outcome, object.Size, nil
		}
		object.Size, object.ETag, object.ContentType = attrs.Size, attrs.ETag, importedType(attrs)
		if outcome, err = s.Catalog.Register(ctx, object); err != nil || outcome != catalog.RegisteredAgain {
			return outcome, object.Size, err
		}
	}
}

// gone reports whether an error says that an object is not there.
func gone(err error) bool { return fault.Is(err, fault.NotFound, "blob_not_found") }

func importedType(attrs blob.Attrs) string {
	if CheckContentType("content_type", attrs.ContentType) != nil {
		return "application/octet-stream"
	}
	return attrs.ContentType
}
