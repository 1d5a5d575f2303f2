package fetch

import (
	"cmp"
	"os"
	"runtime"
	"sync"
)

// folder is where files appear. No name and no symbolic link leads out of it.
// All transfers of a client to one folder share it.
type folder struct {
	*os.Root

	settle *together // makes renames in it last
	itself *os.File  // for settle alone; nil before the first time
	users  int       // folders.mu is held
}

// folders are those that a client's transfers are to. It is safe for concurrent
// use.
type folders struct {
	mu sync.Mutex
	by map[string]*folder // by path, as it was given
}

// open returns the folder of a path, "" being the current one. close must follow.
func (f *folders) open(path string) (*folder, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if d := f.by[path]; d != nil {
		d.users++
		return d, nil
	}
	root, err := os.OpenRoot(cmp.Or(path, "."))
	if err != nil {
		return nil, err
	}
	d := &folder{Root: root, users: 1}
	d.settle = newTogether(d.sync)
	f.by[path] = d
	return d, nil
}

// close gives a folder back that open returned for a path.
func (f *folders) close(path string, d *folder) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if d.users--; d.users == 0 {
		delete(f.by, path)
		_ = d.Close() // nothing was written to it
		if d.itself != nil {
			_ = d.itself.Close() // it was synced
		}
	}
}

func (d *folder) sync() error {
	if runtime.GOOS == "windows" {
		return nil // it cannot be asked for
	}
	if d.itself == nil {
		var err error
		if d.itself, err = d.Open("."); err != nil {
			return err
		}
	}
	return d.itself.Sync()
}
