package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"sluice/shared/fault"
)

// outgoing is one file to send, or what is not sent and why.
type outgoing struct {
	local   string // its name here; "": standard input
	path    string // on the server
	follow  bool   // local may be a symbolic link
	skipped string // why it is left out
	err     error  // why it cannot be sent
}

// plan returns the files that arguments mean: sources, and behind the first a
// path on the server.
func plan(args []string, follow bool) ([]outgoing, error) {
	sources, to, named := args, "", len(args) > 1
	if named {
		sources, to = args[:len(args)-1], args[len(args)-1]
	}
	if to == "/" || to == "./" {
		to, named = "", false // the topmost folder
	}
	folder := to == "" || strings.HasSuffix(to, "/")
	if err := checkPath(to); err != nil {
		return nil, err
	}
	t := tree{follow: follow, taken: map[string]bool{}}
	for _, source := range sources {
		if source == "-" {
			if !named || folder || len(sources) > 1 {
				return nil, mistake("Say under which path standard input goes, such as: sluice put - backups/today.tar.")
			}
			return []outgoing{{path: to}}, nil
		}
		info, err := os.Stat(source) // a link that is named is meant
		switch {
		case err != nil:
			t.add(outgoing{path: to + clean(filepath.Base(source)), err: fault.Wrap(err, fault.Invalid, "unreadable", "The file cannot be read.")})
		case info.IsDir():
			if !folder {
				return nil, mistake("%s is a folder: the path on the server must be one too, and end in a slash.", source)
			}
			t.walk(source, to+prefixOf(source), []fs.FileInfo{info})
		case !folder && len(sources) > 1:
			return nil, mistake("Several files go to a folder: the last argument must end in a slash.")
		case !folder:
			t.add(outgoing{local: source, path: to, follow: true})
		default:
			t.add(outgoing{local: source, path: to + clean(filepath.Base(source)), follow: true})
		}
	}
	if len(t.files) == 0 {
		return nil, nothing(sources)
	}
	return t.files, nil
}

// checkPath refuses what would not be a path in a URL; the rest is the server's
// to refuse.
func checkPath(to string) error {
	for segment := range strings.SplitSeq(strings.TrimSuffix(to, "/"), "/") {
		if to != "" && (segment == "" || segment == "." || segment == "..") {
			return mistake("%q is no path on the server: it has a segment %q.", to, segment)
		}
	}
	return nil
}

// prefixOf is the folder on the server in which a folder's files are: none where
// its contents are meant.
func prefixOf(source string) string {
	base := filepath.Base(source)
	if os.IsPathSeparator(source[len(source)-1]) || base == "." || base == ".." {
		return ""
	}
	return clean(base) + "/"
}

// tree gathers what is in folders.
type tree struct {
	follow bool
	files  []outgoing
	taken  map[string]bool // paths on the server
}

// add adds a file, unless another one has its path: names that differ here may
// not differ there.
func (t *tree) add(f outgoing) {
	if f.skipped == "" && f.err == nil {
		if t.taken[f.path] {
			f.err = fault.Newf(fault.Conflict, "file_exists", "Another file of this command goes to %q.", f.path)
		}
		t.taken[f.path] = true
	}
	t.files = append(t.files, f)
}

// walk adds the files of a folder, in the order of their names. above are the
// folder and those that it is in, so that a link to one of them is noticed.
func (t *tree) walk(local, to string, above []fs.FileInfo) {
	entries, err := os.ReadDir(local)
	if err != nil {
		t.add(outgoing{path: to, err: fault.Wrap(err, fault.Invalid, "unreadable", "The folder cannot be read.")})
	}
	look := os.Lstat
	if t.follow {
		look = os.Stat
	}
	for _, entry := range entries {
		f := outgoing{local: filepath.Join(local, entry.Name()), path: to + clean(entry.Name()), follow: t.follow}
		info, err := look(f.local)
		switch {
		case err != nil:
			f.err = fault.Wrap(err, fault.Invalid, "unreadable", "The file cannot be read.")
		case info.IsDir() && inside(info, above):
			f.skipped = "It is skipped: it leads back to a folder that it is in."
		case info.IsDir():
			t.walk(f.local, f.path+"/", append(slices.Clip(above), info))
			continue
		case info.Mode()&fs.ModeSymlink != 0:
			f.skipped = "It is skipped: it is a symbolic link. -L follows it."
		case !info.Mode().IsRegular():
			f.skipped = "It is skipped: it is no regular file."
		}
		t.add(f)
	}
}

func inside(folder fs.FileInfo, above []fs.FileInfo) bool {
	for _, a := range above {
		if os.SameFile(folder, a) {
			return true
		}
	}
	return false
}

// clean is a name as the server takes it: what is no UTF-8, and what would
// command a terminal, becomes an underscore.
func clean(name string) string {
	if !utf8.ValidString(name) {
		name = strings.ToValidUTF8(name, "_")
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '_'
		}
		return r
	}, name)
}
