package fetch

import (
	"net/url"
	"time"
)

const (
	leastPiece = 4 << 20
	mostPiece  = 32 << 20
)

// allocate makes room for the file, and takes over what an earlier run left.
func (t *Transfer) allocate(first *call) error {
	if t.request.Output != nil {
		t.begin(first, nil, nil)
		return nil
	}
	if t.request.Name == "" {
		asked, err := url.Parse(t.request.Sources[0].URL)
		if err != nil {
			return err
		}
		name := nameOf(first.answer.header, asked)
		if err := t.takeName(name); err != nil || t.result.Already {
			return err
		}
	}
	var err error
	if t.part, err = openPart(t.dir, t.result.Name); err != nil {
		return err
	}
	if err := t.prepare(first); err != nil {
		_ = t.part.Close() // nothing was written
		return err
	}
	return nil
}

// takeOver returns what of an earlier run can be used: all that is there if it
// is of the same content, nothing if there was none, and else a fault.
func (t *Transfer) takeOver(first *call, earlier record) (spans, error) {
	there := earlier.there()
	if len(there) == 0 || t.size == unknownSize || t.part.found < there[len(there)-1].End { // somebody cut it
		return nil, nil
	}
	p := first.answer.pin
	same := earlier.Size == t.size
	switch sum := t.sha256(); {
	case sum != "" && earlier.SHA256 != "":
		same = same && sum == earlier.SHA256
	case earlier.ETag != "":
		same = same && p.ETag == earlier.ETag && earlier.Source == t.identity()
	case earlier.LastModified != "":
		same = same && p.LastModified == earlier.LastModified && earlier.Source == t.identity()
	default:
		same = false
	}
	if !same {
		return nil, changed()
	}
	return there, nil
}

// prepare opens the file for what will be written to it.
func (t *Transfer) prepare(first *call) error {
	earlier, err := t.earlier()
	if err != nil {
		return err
	}
	there, err := t.takeOver(first, earlier)
	if err != nil {
		return err
	}
	if len(there) == 0 {
		earlier = record{}
		if err := t.part.removeRecord(); err != nil {
			return diskFault(err)
		}
	}
	if t.size != unknownSize {
		err = t.part.reserve(t.size, first.answer.inOneGo(t.size))
	} else {
		err = t.part.empty()
	}
	if err != nil {
		return err
	}
	var verified spans
	if t.content.chunked() {
		verified = earlier.Verified.intersect(there)
		t.checker = newChecker(t.content, t.part, &t.client.buffers, there, verified)
		wrong, err := t.checker.finishAll()
		if err != nil {
			return diskFault(err)
		}
		for _, s := range wrong {
			there = there.remove(s)
		}
	}
	t.begin(first, there, earlier.Synced.intersect(there))
	return nil
}

// begin makes the plan, and claims for the first answer what it holds.
func (t *Transfer) begin(first *call, there, synced spans) {
	a := first.answer
	plan := newPlan(t.size, t.content.ChunkSize, t.pieceSize(), there)
	if t.request.Output != nil {
		t.stream = newStream(t.request.Output, plan.setWindow)
		plan.piece, plan.window = streamPiece, streamWindow
		if t.content.chunked() {
			t.stream.chunk = &chunksInOrder{content: t.content}
		}
		if t.wantsWhole() {
			t.stream.whole = newWhole(t.content.Digest)
		}
	}
	t.mu.Lock()
	t.plan, t.resumed = plan, there.bytes()
	t.mu.Unlock()
	if gaps := there.gaps(span{0, plan.end()}); len(gaps) > 0 {
		want := gaps[0].overlap(a.bytes)
		if want.length() > 0 {
			t.firstClaim = plan.add(want, first.source, time.Now())
		}
	}
	if t.size != unknownSize && !t.fragile && t.part != nil {
		t.journal = newJournal(t, synced)
	}
}

// pieceSize is what one request asks for: large enough that a request costs
// nothing beside it, small enough that all connections get some.
func (t *Transfer) pieceSize() int64 {
	if t.size == unknownSize {
		return mostPiece
	}
	return min(max(t.size/int64(4*t.client.options.MaxConnections), leastPiece, t.content.ChunkSize), max(mostPiece, t.content.ChunkSize))
}

// sha256 is the digest of the whole in a record's words; "" if it is unknown.
func (t *Transfer) sha256() string { return hexOf(t.content.Digest.SHA256) }
