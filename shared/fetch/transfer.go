package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"sluice/shared/fault"
	"sluice/shared/outbound"
)

// Transfer is one file on its way. It is safe for concurrent use.
type Transfer struct {
	client  *Client
	request Request
	ended   chan struct{}
	err     error
	result  Result

	sources []*source
	dir     *folder   // nil for a stream
	part    *partFile // nil for a stream
	stream  *stream   // nil for a file
	checker *checker  // nil without chunks
	journal *journal  // nil where nothing can be resumed
	fragile bool      // nothing tells contents apart: all must come from one answer
	kept    atomic.Int64
	latency atomic.Int64 // of the last answer, in nanoseconds
	tooMany atomic.Bool  // a server asked for fewer connections
	surplus atomic.Int64 // how many connections are to end with their spans

	choosing   sync.Mutex // held while a connection's source is chosen
	firstClaim *claim     // of the answer to the first request; nil: it has nothing that is lacking

	mu      sync.Mutex
	state   State
	content Content
	size    int64
	plan    *plan
	resumed int64
}

// Wait waits for the end.
func (t *Transfer) Wait() (Result, error) {
	<-t.ended
	return t.result, t.err
}

// Ended is closed when the transfer has ended.
func (t *Transfer) Ended() <-chan struct{} { return t.ended }

// Progress returns how far the transfer is.
func (t *Transfer) Progress() Progress {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := Progress{State: t.state, Name: t.result.Name, Size: t.size, Resumed: t.resumed}
	if t.plan != nil {
		p.Bytes, p.Connections = t.plan.written().bytes(), t.plan.open()
	}
	for _, s := range t.sources {
		s.mu.Lock()
		p.Sources = append(p.Sources, SourceProgress{Host: s.name, Connections: s.open, Bytes: s.bytes, Rate: s.meter.rate})
		s.mu.Unlock()
	}
	return p
}

func (t *Transfer) enter(s State) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state = s
}

func (t *Transfer) setName(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.result.Name = name
}

// run goes through the states.
func (t *Transfer) run(ctx context.Context) (err error) {
	if err := t.open(); err != nil {
		return err
	}
	if t.dir != nil {
		defer t.client.folders.close(t.request.Dir, t.dir)
	}
	var earlier record
	if t.dir != nil && t.request.Name != "" {
		if err := t.takeName(t.request.Name); err != nil || t.result.Already {
			return err
		}
		if earlier, err = t.earlier(); err != nil {
			return err
		}
	}
	t.enter(Probing)
	first, err := t.probe(ctx, earlier)
	if err != nil {
		return err
	}
	defer first.end()
	t.enter(Allocating)
	if err := t.allocate(first); err != nil || t.result.Already {
		return err
	}
	if t.part != nil {
		defer t.part.Close()
	}
	return t.finish(t.fetchAndVerify(ctx, first))
}

// open reads the request.
func (t *Transfer) open() error {
	if len(t.request.Sources) == 0 {
		return fault.InvalidField("url", "Nothing says where to fetch from.")
	}
	if err := t.content.Check(); err != nil {
		return err
	}
	var sources []*source
	for _, given := range t.request.Sources {
		s, err := newSource(given, &t.client.hosts)
		if err != nil {
			return err
		}
		sources = append(sources, s)
	}
	t.mu.Lock()
	t.sources = sources
	t.mu.Unlock()
	if t.request.Output != nil {
		return nil
	}
	var err error
	t.dir, err = t.client.folders.open(t.request.Dir)
	return diskFault(err)
}

// takeName decides on a name, if a file may appear under it.
func (t *Transfer) takeName(name string) (err error) {
	t.setName(name)
	t.result.Already, err = checkFree(t.dir.Root, name, t.request.Overwrite)
	return err
}

// earlier is what an earlier run left of the file: before it is opened a guess,
// since another process may be at it, and what holds from then on.
func (t *Transfer) earlier() (record, error) {
	r, found, err := loadRecord(t.dir.Root, recordOf(t.result.Name))
	if t.part != nil {
		t.part.recorded = found
	}
	if t.request.Restart {
		return record{}, err
	}
	return r, err
}

// identity is what a record says of the source: URLs can be secrets, and their
// queries signatures that change.
func (t *Transfer) identity() string {
	name := t.request.Identity
	if name == "" {
		u, err := url.Parse(t.request.Sources[0].URL)
		if err == nil {
			name = outbound.Origin(u) + u.EscapedPath()
		}
	}
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

// finish takes over what came of fetching: it names the file, or keeps what is
// there for the next run.
func (t *Transfer) finish(err error) error {
	if t.part == nil {
		return err
	}
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Code == "digest_mismatch" {
		return errors.Join(err, diskFault(t.journal.close()), diskFault(t.part.discard()))
	}
	if err != nil {
		if t.journal == nil {
			return errors.Join(err, diskFault(t.part.discard()))
		}
		return errors.Join(err, diskFault(t.journal.end()))
	}
	if err := t.journal.close(); err != nil {
		return diskFault(err)
	}
	t.enter(Publishing)
	return t.part.publish(t.size, t.request.Overwrite)
}

// fetchAndVerify fetches all that is not there. A small file comes with the
// first answer, and nothing is set up beside that.
func (t *Transfer) fetchAndVerify(ctx context.Context, first *call) error {
	t.enter(Fetching)
	follower := t.newFollower()
	if t.part != nil && first.answer.inOneGo(t.size) {
		if err := t.serveFirst(ctx, first); err != nil {
			return err
		}
	}
	if t.part == nil || !t.plan.whole() {
		if err := t.fetchBeside(ctx, first, follower); err != nil {
			return err
		}
	}
	t.result.Size, t.result.Fetched, t.result.Resumed = t.size, t.kept.Load(), t.resumed
	return t.verify(follower)
}

// fetchBeside fetches, and has what came recorded, followed and written out
// beside that.
func (t *Transfer) fetchBeside(ctx context.Context, first *call, follower *follower) error {
	if err := t.journal.begin(); err != nil {
		return diskFault(err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var beside sync.WaitGroup
	defer beside.Wait()
	stop := make(chan struct{})
	stopOnce := sync.OnceFunc(func() { close(stop) })
	defer stopOnce()
	beside.Go(func() {
		if err := t.journal.run(stop); err != nil {
			cancel(diskFault(err))
		}
	})
	beside.Go(func() {
		if err := follower.run(stop); err != nil {
			cancel(diskFault(err))
		}
	})
	if t.stream != nil {
		beside.Go(func() {
			if err := t.stream.run(ctx); err != nil {
				cancel(err)
			}
		})
	}
	err := t.fetch(ctx, first)
	if err != nil {
		cancel(err)
	}
	stopOnce()
	t.enter(Verifying)
	beside.Wait()
	if err == nil {
		err = context.Cause(ctx)
	}
	return err
}

// verify checks the digest of the whole, where there is one to check.
func (t *Transfer) verify(f *follower) error {
	w := f.whole
	if t.stream != nil {
		w = t.stream.whole
	}
	if t.content.Size > 0 && t.size != t.content.Size {
		return mismatch()
	}
	switch {
	case w != nil:
		if f.whole != nil {
			if err := w.follow(t.part, t.size); err != nil {
				return diskFault(err)
			}
		}
		if !w.right() {
			return mismatch()
		}
		t.result.Verified = "sha-512"
		if w.sha256 != nil {
			t.result.Verified = "sha-256"
		}
	case t.content.chunked():
		t.result.Verified = "chunks"
	}
	return nil
}

// follower reads a file behind those who write it, for the digest of the whole.
type follower struct {
	whole *whole       // nil: nothing to do
	safe  func() int64 // up to where nothing will be taken back
	file  *partFile
}

func (t *Transfer) newFollower() *follower {
	f := &follower{file: t.part}
	if t.part == nil || !t.wantsWhole() {
		return f
	}
	f.whole = newWhole(t.content.Digest)
	f.safe = func() int64 { return t.plan.written().frontier() }
	if t.checker != nil {
		f.safe = func() int64 { return t.checker.right().frontier() }
	}
	return f
}

// wantsWhole reports whether the digest of the whole tells more than those of
// the chunks did.
func (t *Transfer) wantsWhole() bool {
	d := t.content.Digest
	if d.SHA256 == nil && d.SHA512 == nil {
		return false
	}
	asked := t.request.Content.Digest
	return !t.content.chunked() || asked.SHA256 != nil || asked.SHA512 != nil
}

const followEvery = 100 * time.Millisecond

func (f *follower) run(stop <-chan struct{}) error {
	if f.whole == nil {
		return nil
	}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return nil
		case <-tick.C:
			if err := f.whole.follow(f.file, f.safe()); err != nil {
				return err
			}
		}
	}
}
