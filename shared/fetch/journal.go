package fetch

import (
	"encoding/hex"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// saveBytes is how much may come, and saveEvery how much time may pass,
	// until the record says so.
	saveBytes = 16 << 20
	saveEvery = 500 * time.Millisecond
	// syncEvery is how much time a crash of the whole system may cost.
	syncEvery = 5 * time.Second
)

// journal keeps the record of a transfer. A nil one keeps none. It is safe for
// concurrent use.
type journal struct {
	t     *Transfer
	saved atomic.Int64 // what was kept when a save was last asked for
	due   chan struct{}

	mu     sync.Mutex
	synced spans
	lost   spans // forgotten since the running sync began
}

func newJournal(t *Transfer, synced spans) *journal {
	return &journal{t: t, synced: synced, due: make(chan struct{}, 1)}
}

// wrote is told how many bytes were kept so far.
func (j *journal) wrote(kept int64) {
	if j == nil {
		return
	}
	before := j.saved.Load()
	if kept-before < saveBytes || !j.saved.CompareAndSwap(before, kept) {
		return
	}
	select {
	case j.due <- struct{}{}:
	default: // one is due already
	}
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
		case <-j.due:
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
}

// save writes the record as it is now.
func (j *journal) save() error {
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
		Written: written, Synced: synced, Boot: bootID(),
	}
	if t.checker != nil {
		r.Verified = t.checker.right()
	}
	return r.save(t.dir, recordOf(t.result.Name))
}

func hexOf(sum []byte) string { return hex.EncodeToString(sum) }
