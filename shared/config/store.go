package config

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// store is a kind of store that a URL can name.
type store struct {
	scheme  string
	want    string   // how its URLs look
	options []string // that may follow after ?, each once
	fits    func(*url.URL) bool
}

// blobStores, tableStores and keyStores are the stores that can be set. What
// they do with their options is shared/app/cloud's to say.
func blobStores() []store {
	return []store{onDisk("file"), {
		"s3", "s3://bucket, s3://bucket/prefix/, or with options such as ?public_endpoint=https://files.example.com",
		[]string{"region", "path_style", "public_endpoint", "encryption", "kms_key", "part_digests", "read_ahead", "gaps"},
		func(u *url.URL) bool { return named(u) && (u.Path == "" || strings.HasPrefix(u.Path, "/")) },
	}}
}

// importStore is what imports may be of beside the blob store.
func importStore() store {
	return store{
		"s3", "s3://bucket or s3://bucket/folder/, or with options such as ?region=eu-central-1", []string{"region", "path_style"},
		func(u *url.URL) bool {
			return u.Scheme == "s3" && named(u) && (u.Path == "" || strings.HasPrefix(u.Path, "/"))
		},
	}
}

// parseImportBuckets takes a list of buckets and of folders in them.
func parseImportBuckets(to *[]*url.URL, v string) error {
	for i, item := range list(v) {
		u, err := url.Parse(item)
		if err != nil {
			u = &url.URL{} // the parser's error repeats the value, which may hold a password
		}
		if err := importStore().check(u); err != nil {
			return fmt.Errorf("entry %d: %w", i+1, err)
		}
		if folder := strings.Trim(u.Path, "/"); folder != "" {
			u.Path, u.RawPath = "/"+folder+"/", ""
		} else {
			u.Path = ""
		}
		*to = append(*to, u)
	}
	return nil
}

// checkImportBuckets refuses what holds our own blobs, which are no one else's
// objects, and a bucket that is named twice, each time to be reached otherwise.
func (c *Config) checkImportBuckets() error {
	options := map[string]string{}
	for i, u := range c.ImportBuckets {
		if u.Scheme == c.Blob.Scheme && u.Host == c.Blob.Host && overlap(strings.TrimPrefix(u.Path, "/"), strings.TrimPrefix(c.Blob.Path, "/")) {
			return fmt.Errorf("entry %d holds the files of this server, or lies among them: %s says where they are", i+1, Env("blob"))
		}
		if before, twice := options[u.Host]; twice && before != u.RawQuery {
			return fmt.Errorf("entry %d names a bucket again, with other options", i+1)
		}
		options[u.Host] = u.RawQuery
	}
	return nil
}

// overlap reports whether one of two beginnings of keys begins with the other.
func overlap(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }

func tableStores() []store {
	return []store{onDisk("bolt"), {
		"dynamodb", "dynamodb://table, or with options such as ?hot=table-for-hot-records",
		[]string{"region", "hot"},
		func(u *url.URL) bool { return named(u) && u.Path == "" },
	}}
}

func keyStores() []store {
	return []store{
		onDisk("file"),
		{"ssm", "ssm:/path", nil, func(u *url.URL) bool {
			return u.Host == "" && u.Opaque == "" && len(u.Path) > 1 && plain(strings.TrimPrefix(u.Path, "/"), "._-/")
		}},
		{"secretsmanager", "secretsmanager:name", nil, func(u *url.URL) bool {
			return u.Host == "" && u.Path == "" && plain(u.Opaque, "/_+=.@-")
		}},
	}
}

// named reports whether a URL names its store by its host.
func named(u *url.URL) bool { return u.Host != "" && u.Port() == "" }

// plain reports whether a name has ASCII letters, digits and others of these
// only, and no slash at either end.
func plain(name, others string) bool {
	wrong := func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune(others, c)
	}
	return name != "" && !strings.ContainsFunc(name, wrong) && strings.Trim(name, "/") == name && !strings.Contains(name, "//")
}

// onDisk is a store under an absolute path. A relative one is refused, since two
// programs in different folders would mean different files.
func onDisk(scheme string) store {
	return store{scheme: scheme, want: scheme + ":///absolute/path", fits: func(u *url.URL) bool {
		return u.Host == "" && filepath.IsAbs(u.Path) && u.RawQuery == ""
	}}
}

// parseStore takes the URL of one of the stores.
func parseStore(to **url.URL, v string, stores []store) error {
	if v == "" {
		return nil
	}
	u, err := url.Parse(v)
	if err != nil {
		return errors.New("not a URL") // the parser's error repeats the value, which may hold a password
	}
	var schemes []string
	for _, s := range stores {
		if u.Scheme == s.scheme {
			*to = u
			return s.check(u)
		}
		schemes = append(schemes, s.scheme)
	}
	return fmt.Errorf("scheme %q is not one of: %s", u.Scheme, strings.Join(schemes, ", "))
}

// check returns why u names no store of this kind.
func (s store) check(u *url.URL) error {
	if !s.fits(u) || u.User != nil || u.Fragment != "" {
		return fmt.Errorf("want %s", s.want)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return fmt.Errorf("want %s", s.want)
	}
	for name, values := range query {
		if !slices.Contains(s.options, name) { // not quoted: it may be a password
			if len(s.options) == 0 {
				return fmt.Errorf("want %s", s.want)
			}
			return fmt.Errorf("there is an option that is not one of: %s", strings.Join(s.options, ", "))
		}
		if len(values) > 1 {
			return fmt.Errorf("the option %s stands there more than once", name)
		}
	}
	return nil
}
