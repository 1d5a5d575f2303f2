package fetch

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"strings"

	"sluice/shared/fault"
	"sluice/shared/filelock"
)

// partOf and recordOf name what lies beside a file that is not whole.
func partOf(name string) string   { return stem(name) + ".part" }
func recordOf(name string) string { return stem(name) + ".part.state" }

// longestStem leaves room for what is added to a name, in bytes.
const longestStem = 230

// stem is a name, or what stands for one that is too long to add to.
func stem(name string) string {
	if len(name) <= longestStem {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return strings.ToValidUTF8(name[:longestStem-20], "") + "-" + hex.EncodeToString(sum[:8])
}

// partFile is an unfinished file, beside which its record is. Its folder is an
// os.Root: no name and no symbolic link leads out of it.
type partFile struct {
	*os.File

	dir  *os.Root
	name string // under which it will appear
}

// openPart opens name's unfinished file in dir, and makes it if there is none.
// It is locked until it is closed.
func openPart(dir *os.Root, name string) (*partFile, error) {
	part := partOf(name)
	if info, err := dir.Lstat(part); err == nil && !info.Mode().IsRegular() {
		return nil, notRegular(part)
	}
	file, err := dir.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o666) // as the umask has it
	if err != nil {
		return nil, diskFault(err)
	}
	if err := filelock.Try(file); err != nil {
		_ = file.Close()
		return nil, fault.Newf(fault.Conflict, "in_use", "Another download writes %s.", part)
	}
	return &partFile{File: file, dir: dir, name: name}, nil
}

// reserve makes the file size bytes long, with room for all of them.
func (p *partFile) reserve(size int64) error {
	info, err := p.Stat()
	if err != nil {
		return diskFault(err)
	}
	if info.Size() > size { // from an earlier try
		if err := p.Truncate(size); err != nil {
			return diskFault(err)
		}
	}
	if size == 0 {
		return nil
	}
	return diskFault(allocate(p.File, size))
}

// publish gives the file its name, once all of it is on the disk.
func (p *partFile) publish(overwrite bool) error {
	if err := p.Sync(); err != nil {
		return diskFault(err)
	}
	if err := p.appear(overwrite); err != nil {
		return err
	}
	if err := removeIfThere(p.dir, recordOf(p.name)); err != nil {
		return diskFault(err)
	}
	return diskFault(syncFolder(p.dir))
}

// appear moves the file to its name. Without overwrite it takes no name that
// there is already, even one that came a moment ago.
func (p *partFile) appear(overwrite bool) error {
	part := partOf(p.name)
	if overwrite {
		return diskFault(p.dir.Rename(part, p.name))
	}
	err := p.dir.Link(part, p.name)
	switch {
	case err == nil:
		return diskFault(p.dir.Remove(part))
	case errors.Is(err, fs.ErrExist):
		return exists(p.name)
	}
	// A file system without hard links.
	if _, err := p.dir.Lstat(p.name); !errors.Is(err, fs.ErrNotExist) {
		return exists(p.name)
	}
	return diskFault(p.dir.Rename(part, p.name))
}

// discard removes what was fetched, and the record of it.
func (p *partFile) discard() error {
	return errors.Join(p.Truncate(0), removeIfThere(p.dir, recordOf(p.name)), removeIfThere(p.dir, partOf(p.name)))
}

// checkFree returns a fault if a file may not appear under name. A name that a
// process gave to its file just before it died is taken back from the
// unfinished one: done is then true.
func checkFree(dir *os.Root, name string, overwrite bool) (done bool, err error) {
	info, err := dir.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, diskFault(err)
	}
	if mode := info.Mode(); !mode.IsRegular() && mode&fs.ModeSymlink == 0 {
		return false, notRegular(name)
	}
	if part, err := dir.Lstat(partOf(name)); err == nil && os.SameFile(info, part) {
		err := errors.Join(dir.Remove(partOf(name)), removeIfThere(dir, recordOf(name)))
		return true, diskFault(err)
	}
	if overwrite {
		return false, nil
	}
	return false, exists(name)
}

func exists(name string) error {
	return fault.Newf(fault.Conflict, "file_exists", "%s exists already; -f replaces it.", name)
}

func notRegular(name string) error {
	return fault.Newf(fault.Conflict, "not_a_file", "%s is not a regular file; nothing is written through it.", name)
}

func removeIfThere(dir *os.Root, name string) error {
	if err := dir.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// syncFolder makes renames in a folder last.
func syncFolder(dir *os.Root) error {
	if runtime.GOOS == "windows" {
		return nil // it cannot be asked for
	}
	folder, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

// diskFault words what the file system refused; nil stays nil.
func diskFault(err error) error {
	switch {
	case err == nil:
		return nil
	case noRoom(err):
		return fault.Wrap(err, fault.InsufficientStorage, "no_space", "There is no room for the file. What was fetched is kept: make room and run the command again.")
	}
	return fault.Wrap(err, fault.Internal, "file_failed", "The file cannot be written.")
}
