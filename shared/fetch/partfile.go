package fetch

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
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

// partFile is an unfinished file, beside which its record may be.
type partFile struct {
	*os.File

	dir      *folder
	name     string // under which it will appear
	found    int64  // how long it was when it was opened, in bytes
	recorded bool   // a record lies beside it
	ragged   bool   // its length has to be set at the end
}

// openPart opens name's unfinished file in dir, and makes it if there is none.
// It is locked until it is closed.
func openPart(dir *folder, name string) (*partFile, error) {
	const mode = 0o666 // as the umask has it
	part := partOf(name)
	file, err := dir.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		if info, err := dir.Lstat(part); err == nil && !info.Mode().IsRegular() {
			return nil, notRegular(part)
		}
		file, err = dir.OpenFile(part, os.O_RDWR|os.O_CREATE, mode)
	}
	if err != nil {
		return nil, diskFault(err)
	}
	info, err := own(dir.Root, file, part)
	if err != nil {
		_ = file.Close() // nothing was written
		return nil, err
	}
	return &partFile{File: file, dir: dir, name: name, found: info.Size()}, nil
}

// own takes an unfinished file for this process alone. Whoever had it before
// may have given it its name just before that: it is theirs then.
func own(dir *os.Root, file *os.File, part string) (fs.FileInfo, error) {
	inUse := fault.Newf(fault.Conflict, "in_use", "Another download writes %s.", part)
	if filelock.Try(file) != nil {
		return nil, inUse
	}
	info, err := file.Stat()
	if err != nil {
		return nil, diskFault(err)
	}
	if named, err := dir.Lstat(part); err != nil || !os.SameFile(info, named) {
		return nil, inUse
	}
	return info, nil
}

// reserve makes the file size bytes long, with room for all of them. One that
// comes in one go gets its room as it is written.
func (p *partFile) reserve(size int64, inOneGo bool) error {
	if p.found > size { // from an earlier try
		if err := p.Truncate(size); err != nil {
			return diskFault(err)
		}
	}
	if size == 0 || inOneGo {
		return nil
	}
	return diskFault(allocate(p.File, size))
}

// empty drops what was there, of a file whose size is not known.
func (p *partFile) empty() error {
	p.ragged = true
	return diskFault(p.Truncate(0))
}

// publish gives the file its name, once all of it, size bytes, is on the disk.
func (p *partFile) publish(size int64, overwrite bool) error {
	if p.ragged {
		if err := p.Truncate(size); err != nil {
			return diskFault(err)
		}
	}
	if err := p.Sync(); err != nil {
		return diskFault(err)
	}
	if err := p.appear(overwrite); err != nil {
		return err
	}
	if err := p.removeRecord(); err != nil {
		return diskFault(err)
	}
	return diskFault(p.dir.settle.do())
}

// removeRecord removes the record, if one lies beside the file.
func (p *partFile) removeRecord() error {
	if !p.recorded {
		return nil
	}
	p.recorded = false
	return removeIfThere(p.dir.Root, recordOf(p.name))
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
	return errors.Join(p.Truncate(0), p.removeRecord(), removeIfThere(p.dir.Root, partOf(p.name)))
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
