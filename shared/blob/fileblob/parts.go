//go:build unix

package fileblob

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sync"
)

// The files of an upload in its directory.
const (
	slotsName   = "data"  // each part at its offset
	wholeName   = "whole" // what data is called once no part may change
	journalName = "parts" // the header, then one line for each part kept
)

// header is the first line of a journal.
type header struct {
	ID       string `json:"id"`
	PartSize int64  `json:"part_size"`
}

// entry is a line of a journal: a part that is durable. Of two with one number
// the later holds.
type entry struct {
	Number int    `json:"number"`
	Size   int64  `json:"size"`
	SHA256 []byte `json:"sha256"`
	Spool  string `json:"spool,omitempty"` // the file that has it; "": data, at its offset
}

// parts is one upload as this process knows it. What it knows is in the
// journal; the rest says who is writing.
type parts struct {
	root *os.Root
	dir  string
	header

	finish sync.Mutex // held by who ends the upload

	// slots is held shared for each write to data, and alone to close: what
	// data became must never change.
	slots  sync.RWMutex
	closed bool // for good; also under mu

	mu   sync.Mutex
	kept map[int]entry
	busy map[int]bool // slots being written
}

// uploads are the uploads that were used since the start.
type uploads struct {
	mu   sync.Mutex
	open map[string]*parts // by directory
}

func newUploads() *uploads { return &uploads{open: map[string]*parts{}} }

// get returns the upload in dir with that id, or errNotFound.
func (u *uploads) get(root *os.Root, dir, id string) (*parts, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	p := u.open[dir]
	if p == nil {
		var err error
		if p, err = loadParts(root, dir); err != nil {
			return nil, absent(err)
		}
		u.open[dir] = p
	}
	if p.ID != id {
		return nil, fmt.Errorf("%w: another upload has the key", errNotFound)
	}
	return p, nil
}

// forget drops what is known of the upload in dir, and keeps its writers from
// touching its data again.
func (u *uploads) forget(dir string) {
	u.mu.Lock()
	p := u.open[dir]
	delete(u.open, dir)
	u.mu.Unlock()
	if p != nil {
		p.close()
	}
}

// close stops every writer of the upload. Who goes on with it after that loads
// it afresh.
func (p *parts) close() {
	p.slots.Lock()
	defer p.slots.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
}

func (p *parts) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// errEnded is what a writer meets whose upload was completed or aborted.
func errEnded() error { return fmt.Errorf("%w: it has ended", errNotFound) }

// createParts makes the files of an upload. The journal comes last: without it
// there is no upload.
func createParts(root *os.Root, dir string, partSize int64) (string, error) {
	if err := root.Mkdir(dir, 0o700); err != nil {
		if errors.Is(err, fs.ErrExist) {
			err = fmt.Errorf("%w: %w", errExists, err)
		}
		return "", err
	}
	h := header{ID: rand.Text(), PartSize: partSize}
	line, err := json.Marshal(h)
	if err != nil {
		return "", err
	}
	if err := writeDurably(root, path.Join(dir, slotsName), nil); err != nil {
		return "", err
	}
	if err := writeDurably(root, path.Join(dir, journalName), append(line, '\n')); err != nil {
		return "", err
	}
	return h.ID, errors.Join(syncDir(root, dir), syncDir(root, path.Dir(dir)))
}

func writeDurably(root *os.Root, name string, data []byte) error {
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Sync(), file.Close())
}

// loadParts reads a journal. A last line that a crash cut short was never
// acknowledged, and goes.
func loadParts(root *os.Root, dir string) (*parts, error) {
	file, err := root.OpenFile(path.Join(dir, journalName), os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	p := &parts{root: root, dir: dir, kept: map[int]entry{}, busy: map[int]bool{}}
	lines, good := bufio.NewReader(file), int64(0)
	for first := true; ; first = false {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return p, file.Truncate(good)
		}
		if err != nil {
			return nil, err
		}
		if err := p.take(line, first); err != nil {
			return nil, fmt.Errorf("fileblob: %s: %w", path.Join(dir, journalName), err)
		}
		good += int64(len(line))
	}
}

func (p *parts) take(line []byte, first bool) error {
	if first {
		return json.Unmarshal(line, &p.header)
	}
	var e entry
	if err := json.Unmarshal(line, &e); err != nil {
		return err
	}
	p.kept[e.Number] = e
	return nil
}

// record makes e the part of its number, and removes what it replaced.
func (p *parts) record(e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errEnded()
	}
	if err := p.append(append(line, '\n')); err != nil {
		return err
	}
	was := p.kept[e.Number]
	p.kept[e.Number] = e
	if was.Spool != "" {
		_ = p.root.Remove(path.Join(p.dir, was.Spool)) // else it goes with the directory
	}
	return nil
}

// append adds a line to the journal, durably, or leaves it as it was.
func (p *parts) append(line []byte) error {
	file, err := p.root.OpenFile(path.Join(p.dir, journalName), os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return absent(err)
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	_, err = file.Write(line)
	if err = errors.Join(err, file.Sync()); err != nil {
		err = errors.Join(err, file.Truncate(info.Size()))
	}
	return errors.Join(err, file.Close())
}

// part returns the entry of that number, if there is one.
func (p *parts) part(number int) (entry, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.kept[number]
	return e, ok
}

// claimSlot reports whether the caller may write the part to its place in
// data: nobody else does, and no part that was acknowledged is there.
func (p *parts) claimSlot(number int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, taken := p.kept[number]
	if taken || p.busy[number] {
		return false
	}
	p.busy[number] = true
	return true
}

func (p *parts) releaseSlot(number int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.busy, number)
}
