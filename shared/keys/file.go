package keys

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"sluice/shared/fault"
)

// maxFile is the largest key file that is read, in bytes.
const maxFile = 1 << 20

// The permissions that a key file must not give: any at all to others than its
// owner, as with ssh's keys. Its group may read it where root or we own it: that
// is how Kubernetes mounts a secret for a pod that has an fsGroup.
const (
	others    fs.FileMode = 0o077
	groupRead fs.FileMode = 0o040
)

// LoadOrCreate returns the keys in the file at path. Where there is none it
// makes one with a new key in each ring, in a folder that must exist. Several
// processes may do so at once: all end with the same keys.
//
// A file that cannot be used is an Invalid fault "bad_keys" of one line, which
// names the file, the field and what is wrong, and no secret.
func LoadOrCreate(path string) (Set, error) {
	set, err := load(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = create(path, newDocument(time.Now()))
		if err == nil || errors.Is(err, fs.ErrExist) {
			set, err = load(path)
		}
	}
	if err != nil {
		return Set{}, badFile(path, err)
	}
	return set, nil
}

// Load is LoadOrCreate for a file that must be there.
func Load(path string) (Set, error) {
	set, err := load(path)
	if err != nil {
		return Set{}, badFile(path, err)
	}
	return set, nil
}

// RotateFile makes a new key in each ring of the file at path, which signs from now
// on; the old ones go on verifying. The file is replaced durably and all at once, by
// one with its mode and owner; where path is a symbolic link, what it leads to is.
// Two at once may lose the keys of one. It fails as Load does.
func RotateFile(path string, now time.Time) error {
	if err := rotate(path, now); err != nil {
		return badFile(path, err)
	}
	return nil
}

func rotate(path string, now time.Time) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return withoutPath(err)
	}
	text, info, err := readFile(path)
	if err != nil {
		return err
	}
	if _, err := parse(text); err != nil {
		return err
	}
	var d document
	if err := decode(text, &d); err != nil {
		return err
	}
	d.Token, d.Link = d.Token.with(newRing(now)), d.Link.with(newRing(now))
	return replace(path, d, info)
}

func badFile(path string, err error) error {
	return fault.Wrap(err, fault.Invalid, "bad_keys", fmt.Sprintf("the key file %s cannot be used", path))
}

// load reads the file at path.
func load(path string) (Set, error) {
	text, _, err := readFile(path)
	if err != nil {
		return Set{}, err
	}
	return parse(text)
}

// readFile returns the content of the file at path, if its mode and size are right,
// and what describes the file.
func readFile(path string) ([]byte, fs.FileInfo, error) {
	// Asked before opening, since to open a named pipe is to wait for a writer.
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, withoutPath(err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, errors.New("it is not a regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, withoutPath(err)
	}
	defer file.Close()
	if info, err = file.Stat(); err != nil {
		return nil, nil, withoutPath(err)
	}
	if err := checkMode(info); err != nil {
		return nil, nil, err
	}
	if info.Size() > maxFile {
		return nil, nil, fmt.Errorf("it has %d bytes, more than %d", info.Size(), maxFile)
	}
	text, err := io.ReadAll(file)
	return text, info, withoutPath(err)
}

func checkMode(info fs.FileInfo) error {
	switch mode := info.Mode().Perm(); {
	case mode&others&^groupRead != 0:
		return fmt.Errorf("its mode %#o lets others at it: run chmod 600", mode)
	case mode&groupRead != 0 && !trustedOwner(info):
		return fmt.Errorf("its mode %#o lets its group read it, and its owner is neither root nor who runs this: run chmod 600", mode)
	}
	return nil
}

// create writes the document to a new file at path, durably and all at once:
// beside it first, then linked to its name. Unlike a rename, a link fails with
// fs.ErrExist where another process was first.
func create(path string, d document) error {
	return place(path, d, func(*os.File) error { return nil }, os.Link)
}

// replace writes the document to a file in place of the one at path, which info
// describes, with its mode and owner.
func replace(path string, d document, info fs.FileInfo) error {
	return place(path, d, func(f *os.File) error {
		if err := ownAs(f, info); err != nil {
			return err
		}
		return f.Chmod(info.Mode().Perm())
	}, os.Rename)
}

// place writes the document to a file beside path, prepares that, and puts it
// there, durably.
func place(path string, d document, prepare func(*os.File) error, put func(from, to string) error) error {
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return errors.New("the new keys could not be written as JSON")
	}
	dir := filepath.Dir(path)
	beside, err := os.CreateTemp(dir, ".new-keys-*") // with mode 0600
	if err != nil {
		return withoutPath(err)
	}
	defer os.Remove(beside.Name()) // where it was renamed, it is not there
	defer beside.Close()
	if _, err := beside.Write(append(text, '\n')); err != nil {
		return withoutPath(err)
	}
	if err := prepare(beside); err != nil {
		return withoutPath(err)
	}
	if err := beside.Sync(); err != nil {
		return withoutPath(err)
	}
	if err := put(beside.Name(), path); err != nil {
		return withoutPath(err)
	}
	return syncDir(dir)
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return withoutPath(err)
	}
	defer folder.Close()
	return withoutPath(folder.Sync())
}

// withoutPath drops the path that package os puts into its errors: LoadOrCreate
// names the file once.
func withoutPath(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	if link, ok := errors.AsType[*os.LinkError](err); ok {
		return link.Err
	}
	return err
}
