package upload

import (
	"context"
	"net/url"
	"strings"

	"sluice/shared/blob"
	"sluice/shared/catalog"
	"sluice/shared/fault"
)

// importPrefix returns what the keys of a source begin with, or the references
// to them where it is in a bucket beside ours. A source is a folder, with or
// without the slash at its end.
func (s *Service) importPrefix(source string) (string, error) {
	u, err := url.Parse(source)
	if err != nil || u.Scheme == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", fault.InvalidField("source", "A source is a URL such as s3://bucket/folder/.")
	}
	path := strings.TrimPrefix(u.Path, "/")
	if path != "" && !strings.HasSuffix(path, "/") {
		path += "/"
	}
	prefix, within := s.named(u.Scheme, u.Host, path)
	if !within {
		f := fault.Newf(fault.Unprocessable, "import_elsewhere", "A source lies in one of these: %s.", strings.Join(s.roots(), ", "))
		f.Field = "source"
		return "", f
	}
	if _, key := blob.Dereference(prefix); len(key) > blob.MaxKey {
		return "", fault.InvalidField("source", "No object's key begins so.")
	}
	return prefix, nil
}

// named returns how we name what a bucket has under a key: by its key where it
// is among our blobs, by a reference where it is under one of the sources. It
// reports whether it is either.
func (s *Service) named(scheme, bucket, key string) (string, bool) {
	if ours, within := strings.CutPrefix(key, folder(s.Root)); within && scheme == s.Root.Scheme && bucket == s.Root.Host {
		taken, _ := blob.Dereference(ours)
		return ours, taken == "" // else it could not be told from a reference
	}
	for _, source := range s.Sources {
		if scheme == source.Scheme && bucket == source.Host && strings.HasPrefix(key, folder(source)) {
			return bucketURL(source) + "/" + key, true
		}
	}
	return "", false
}

func bucketURL(u *url.URL) string { return u.Scheme + "://" + u.Host }

// folder is what the keys under a URL begin with.
func folder(u *url.URL) string { return strings.TrimPrefix(u.Path, "/") }

// roots are where a source may lie.
func (s *Service) roots() []string {
	var roots []string
	for _, u := range append([]*url.URL{s.Root}, s.Sources...) {
		roots = append(roots, (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String())
	}
	return roots
}

// ImportSource is the inverse of what BeginImport makes of a source.
func (s *Service) ImportSource(i catalog.Import) string {
	bucket, key := blob.Dereference(i.Prefix)
	if bucket == "" {
		return (&url.URL{Scheme: s.Root.Scheme, Host: s.Root.Host, Path: "/" + folder(s.Root) + key}).String()
	}
	return bucket + (&url.URL{Path: "/" + key}).String()
}

// covers reports whether an object is one of an import: by its key or by a
// reference, as the import's are.
func covers(i catalog.Import, name string) bool {
	of, _ := blob.Dereference(i.Prefix)
	in, _ := blob.Dereference(name)
	return of == in && strings.HasPrefix(name, i.Prefix)
}

// list returns the objects of an import that follow its cursor, named as it
// names them.
func (s *Service) list(ctx context.Context, i catalog.Import) (objects []blob.Object, more bool, err error) {
	bucket, prefix, err := s.Beside.At(s.Blobs, i.Prefix)
	if err != nil {
		return nil, false, err
	}
	at := strings.TrimSuffix(i.Prefix, prefix) // of a reference, what stands before the key
	objects, more, err = bucket.List(ctx, prefix, strings.TrimPrefix(i.Cursor, at), importPage)
	for n := range objects {
		objects[n].Key = at + objects[n].Key
	}
	return objects, more, err
}

// stat describes an object that an import names.
func (s *Service) stat(ctx context.Context, name string) (blob.Attrs, error) {
	bucket, key, err := s.Beside.At(s.Blobs, name)
	if err != nil {
		return blob.Attrs{}, err
	}
	return bucket.Stat(ctx, key)
}
