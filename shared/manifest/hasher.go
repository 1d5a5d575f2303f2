package manifest

import (
	"crypto/sha256"
	"hash"
	"sync"
)

// parallel is the least write of which the whole's and the chunk's digest are
// computed at the same time: less is done before the other goroutine begins.
const parallel = 64 << 10

// Hasher computes a manifest as bytes pass through Write. It is not safe for
// concurrent use.
//
// The first chunk costs nothing: up to its end the whole's digest is its own.
// From there on every byte is hashed twice.
type Hasher struct {
	chunkSize int64
	size      int64
	whole     hash.Hash
	chunk     hash.Hash // of the chunk at hand, the first excepted
	digests   []byte
	over      bool // there are more chunks than a manifest takes
}

// NewHasher returns a Hasher for a content of size bytes, or -1 where that is
// not known. Then chunks have MinChunk bytes, and of a content with more than
// MaxChunks of those only the whole's digest is computed.
func NewHasher(size int64) *Hasher {
	return &Hasher{chunkSize: ChunkSize(size), whole: sha256.New(), chunk: sha256.New()}
}

// Write implements io.Writer; it never fails.
func (h *Hasher) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 {
		n := int(min(int64(len(p)), h.chunkSize-h.size%h.chunkSize))
		h.add(p[:n])
		p = p[n:]
	}
	return written, nil
}

// add takes a piece that lies within one chunk.
func (h *Hasher) add(p []byte) {
	first := h.size < h.chunkSize
	switch {
	case first || h.over:
		h.whole.Write(p)
	case len(p) < parallel:
		h.whole.Write(p)
		h.chunk.Write(p)
	default:
		var both sync.WaitGroup
		both.Go(func() { h.chunk.Write(p) })
		h.whole.Write(p)
		both.Wait()
	}
	if h.size += int64(len(p)); h.size%h.chunkSize == 0 {
		h.end(first)
	}
}

// end closes the chunk at hand.
func (h *Hasher) end(first bool) {
	if len(h.digests) == MaxChunks*DigestSize {
		h.over, h.digests = true, nil
	}
	switch {
	case h.over:
	case first:
		h.digests = h.whole.Sum(h.digests)
	default:
		h.digests = h.chunk.Sum(h.digests)
		h.chunk.Reset()
	}
}

// SHA256 returns the digest of what was written so far.
func (h *Hasher) SHA256() []byte { return h.whole.Sum(nil) }

// Manifest ends the content and describes it; complete is false where it has
// too many chunks to be described in one pass. Nothing is written afterwards.
func (h *Hasher) Manifest() (m Manifest, complete bool) {
	if h.size%h.chunkSize != 0 {
		h.end(h.size < h.chunkSize)
	}
	return Manifest{Size: h.size, SHA256: h.SHA256(), ChunkSize: h.chunkSize, Digests: h.digests}, !h.over
}
