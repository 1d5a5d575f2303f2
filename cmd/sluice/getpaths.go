package main

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"sluice/shared/contract"
	"sluice/shared/contract/client"
	"sluice/shared/digest"
	"sluice/shared/disposition"
	"sluice/shared/fault"
	"sluice/shared/fetch"
)

// download is one file to fetch.
type download struct {
	fetch.Request

	folder string // in which the file is, under the one of -o; with slashes
}

// shown is the file's name with that of its folder; "" where it has none yet.
func (d download) shown(name string) string {
	if name == "" {
		return ""
	}
	return path.Join(d.folder, name)
}

// isURL reports an argument that says by itself where a file is.
func isURL(given string) bool { return strings.Contains(given, "://") }

// fromServer returns the downloads that a path on the server means: that of a
// file, or of all that is in a folder.
func (s getSettings) fromServer(ctx context.Context, a *accounts, given string, header http.Header, sum digest.Set) ([]download, error) {
	if err := checkPath(given); err != nil || given == "" {
		return nil, mistake("%q is neither a path on the server, such as reports/2026/a.bin, nor a URL.", given)
	}
	if a.login == nil {
		return nil, fault.Newf(fault.Unauthenticated, "logged_out",
			"%q has no http:// or https:// before it, so it is a path on %s, and nobody is logged in there: run sluice login.", given, a.server)
	}
	r := &remote{accounts: a, owner: s.owner}
	var downloads []download
	err := r.call(ctx, func(c *client.Client) error {
		files, above, err := r.filesAt(ctx, c, given)
		for _, f := range files {
			d, err := a.download(ctx, f, strings.TrimPrefix(f.Path, above), header, sum)
			if err != nil {
				return err
			}
			downloads = append(downloads, d)
		}
		return err
	})
	return downloads, err
}

// filesAt returns the file at a path, or what is in the folder of that name, and
// what comes before the names of these: with a slash at its end a folder's own
// name too, as `sluice put` has it.
func (r *remote) filesAt(ctx context.Context, c *client.Client, given string) (files []contract.File, above string, err error) {
	above, _ = path.Split(strings.TrimSuffix(given, "/"))
	prefix := given
	if !strings.HasSuffix(given, "/") {
		f, err := r.file(ctx, c, given)
		if !fault.Is(err, fault.NotFound, "file_not_found") {
			return []contract.File{f}, above, err
		}
		prefix += "/"
	} else {
		above = given
	}
	const page = 1000
	params := r.listParams(prefix, page)
	err = eachPage(func(cursor *string) (string, error) {
		params.Cursor = cursor
		list, err := client.Decode[contract.FileList](c.ListFiles(ctx, &params))
		files = append(files, list.Files...)
		return list.NextCursor, err
	})
	if err == nil && len(files) == 0 {
		err = fault.Newf(fault.NotFound, "file_not_found", "There is neither a file nor a folder %q at %s. A URL begins with http:// or https://.", given, r.accounts.server)
	}
	return files, above, err
}

// download returns that of a file of the server, under a name with slashes. The
// names are a stranger's, so each segment is made one that no system takes for
// something else.
func (a *accounts) download(ctx context.Context, f contract.File, name string, header http.Header, sum digest.Set) (download, error) {
	segments := strings.Split(name, "/")
	for i, s := range segments {
		segments[i] = disposition.Name(s)
	}
	d := download{folder: path.Join(segments[:len(segments)-1]...), Request: fetch.Request{
		Name: segments[len(segments)-1], Content: fetch.Content{Digest: sum},
		Sources: []fetch.Source{{URL: a.server + "/api/files/" + url.PathEscape(f.ID) + "/content", Header: header}},
	}}
	server := fetch.Server{URL: a.server, HTTP: a.http, Token: a.token}
	return d, server.DescribeFile(ctx, &d.Request, f)
}

// place says where a download goes: into its folder under dir, which is made. No
// symbolic link there leads out of dir.
func (d *download) place(dir string) error {
	if d.Dir = filepath.Join(dir, filepath.FromSlash(d.folder)); d.folder == "" {
		return nil
	}
	root, err := os.OpenRoot(dir)
	if err == nil {
		defer root.Close()
		err = root.MkdirAll(filepath.FromSlash(d.folder), 0o777) // as the umask has it
	}
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "usage", "A folder for the files cannot be made.")
	}
	return nil
}

// distinct returns an error where two files of one command would be one: names
// that differ on the server may not differ here.
func distinct(downloads []download) error {
	taken := map[string]bool{}
	for _, d := range downloads {
		if name := d.shown(d.Name); name != "" {
			if taken[name] {
				return fault.Newf(fault.Conflict, "file_exists", "Two of the files would be %q here.", name)
			}
			taken[name] = true
		}
	}
	return nil
}
