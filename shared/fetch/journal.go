package fetch

import (
	"encoding/hex"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// savesOf is how many records a file gets: a kill costs about so much of
	// it, however fast the line is. A record costs some 30 µs.
	savesOf   = 1024
	leastSave = 256 << 10
	mostSave  = 8 << 20
	// saveEvery is how much time may pass until the record says what came.
	saveEvery = 500 * time.Millisecond
	// syncEvery is how much time a crash of the whole system may cost.
	syncEvery = 5 * time.Second
)

// journal keeps the record of a transfer. A nil one keeps none. It is safe for
// concurrent use.
type journal struct {
	t     *Transfer
	every int64        // how much may come until the record says so, in bytes
	boot  string       // see bootID
	saved atomic.Int64 // how much had been kept when the last save began that has ended

	mu     sync.Mutex
	synced spans
	lost   spans // forgotten since the running sync began

	writing sync.Mutex // held by who writes to file
	file    *os.File   // the records; nil before the first
}

func newJournal(t *Transfer, synced spans) *journal {
	return &journal{t: t, every: min(max(t.size/savesOf, leastSave), mostSave), boot: t.client.boot(), synced: synced}
}

// wrote is told how many bytes were kept so far. Whoever brings them over the
// mark saves the record, and the others wait where that takes its time: what a
// kill may cost stays bounded however slow the disk is.
func (j *journal) wrote(kept int64) error {
	if j == nil {
		return nil
	}
	behind := kept - j.saved.Load()
	switch {
	case behind < j.every:
		return nil
	case behind < 2*j.every:
		if !j.writing.TryLock() {
			return nil // somebody is at it
		}
	default:
		j.writing.Lock()
	}
	defer j.writing.Unlock()
	if kept-j.saved.Load() < j.every {
		return nil
	}
	return j.add()
}

// begin saves the first record, which takes the time of a sync, before much has
// come. What comes with the first answer needs none.
func (j *journal) begin() error {
	if j == nil || !j.t.plan.larger(firstPiece) {
		return nil
	}
	return j.save()
}

// run saves the record from time to time, and syncs the file now and then.
func (j *journal) run(stop <-chan struct{}) error {
	if j == nil {
		return nil
	}
	var beside sync.WaitGroup
	defer beside.Wait()
	beside.Go(func() { j.runSync(stop) })
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for at := int64(-1); ; {
		select {
		case <-stop:
			return nil
		case <-tick.C:
		}
		kept := j.t.kept.Load()
		if kept == at {
			continue
		}
		at = kept
		if err := j.save(); err != nil {
			return err
		}
	}
}

// runSync brings what was written to the disk.
func (j *journal) runSync(stop <-chan struct{}) {
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		j.mu.Lock()
		j.lost = nil
		j.mu.Unlock()
		written := j.t.plan.written()
		if j.t.part.Sync() != nil {
			return // the writing of it fails too, and says so
		}
		j.mu.Lock()
		j.synced = written.removeAll(j.lost)
		j.mu.Unlock()
		if j.replace() != nil {
			return // the next record fails too, and says so
		}
	}
}

// forget is told of bytes that were wrong: those that come in their place are
// not on the disk yet.
func (j *journal) forget(s span) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.synced, j.lost = j.synced.remove(s), j.lost.add(s)
	j.saved.Store(0) // what was kept is less now
}

// save adds the record as it is now.
func (j *journal) save() error {
	j.writing.Lock()
	defer j.writing.Unlock()
	return j.add()
}

// add is save for who holds writing.
func (j *journal) add() error {
	kept := j.t.kept.Load()
	if j.file == nil {
		if err := j.put(); err != nil {
			return err
		}
	} else if err := j.now().add(j.file); err != nil {
		return err
	}
	j.saved.Store(kept)
	return nil
}

// replace puts the record, on the disk, in the place of all that were added.
// Others can be added meanwhile: the sync takes its time.
func (j *journal) replace() error {
	name := recordOf(j.t.result.Name)
	file, err := j.now().write(j.t.dir.Root, name)
	if err != nil {
		return err
	}
	j.writing.Lock()
	defer j.writing.Unlock()
	if err := j.now().add(file); err != nil {
		return errors.Join(err, file.Close())
	}
	return j.swap(file)
}

// put makes the first file of records. j.writing is held.
func (j *journal) put() error {
	file, err := j.now().write(j.t.dir.Root, recordOf(j.t.result.Name))
	if err != nil {
		return err
	}
	j.t.part.recorded = true
	return j.swap(file)
}

// swap gives a file of records its name. j.writing is held.
func (j *journal) swap(file *os.File) error {
	name := recordOf(j.t.result.Name)
	if err := j.t.dir.Rename(newOf(name), name); err != nil {
		return errors.Join(err, file.Close())
	}
	old := j.file
	if j.file = file; old != nil {
		return old.Close()
	}
	return nil
}

// end saves the record for the last time.
func (j *journal) end() error {
	if j == nil {
		return nil
	}
	return errors.Join(j.save(), j.close())
}

func (j *journal) close() error {
	if j == nil || j.file == nil {
		return nil
	}
	return j.file.Close()
}

// now is the record of what there is.
func (j *journal) now() record {
	t := j.t
	written := t.plan.written()
	j.mu.Lock()
	j.synced = j.synced.intersect(written)
	synced := j.synced
	j.mu.Unlock()
	p := t.sources[0].known()
	for _, s := range t.sources {
		if s.known().strong() {
			p = s.known()
			break
		}
	}
	r := record{
		Source: t.identity(), Size: t.size, ETag: p.ETag, LastModified: p.LastModified, SHA256: t.sha256(),
		Written: written, Synced: synced, Boot: j.boot,
	}
	if t.checker != nil {
		r.Verified = t.checker.right()
	}
	return r
}

func hexOf(sum []byte) string { return hex.EncodeToString(sum) }
