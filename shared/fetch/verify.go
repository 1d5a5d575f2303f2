package fetch

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"io"
	"slices"
	"sync"

	"sluice/shared/digest"
	"sluice/shared/fault"
)

// Content is what is known of a file before any of it is fetched. The zero
// value knows nothing.
type Content struct {
	Size      int64      // in bytes; 0: unknown
	Digest    digest.Set // of the whole
	ChunkSize int64      // in bytes, of every chunk but the last; 0: there are none
	Chunks    []byte     // the SHA-256 of every chunk, 32 bytes each, in order; needs Size
}

func (c Content) chunked() bool { return c.ChunkSize > 0 && len(c.Chunks) > 0 }

// verifiable reports whether a wrong content would be found out.
func (c Content) verifiable() bool {
	return c.chunked() || c.Digest.SHA256 != nil || c.Digest.SHA512 != nil
}

// Check returns nil, or a fault if the chunks do not fit the size.
func (c Content) Check() error {
	if !c.chunked() {
		return nil
	}
	if count := (c.Size-1)/c.ChunkSize + 1; c.Size <= 0 || int64(len(c.Chunks)) != count*sha256.Size {
		return fault.New(fault.Upstream, "bad_manifest", "The list of the file's chunks does not fit its size.")
	}
	return nil
}

func mismatch() *fault.Error {
	return fault.New(fault.Unprocessable, "digest_mismatch", "What was fetched is not what its digest says.")
}

// checker verifies chunks as they come, in whatever order. It is safe for
// concurrent use.
type checker struct {
	content Content
	file    io.ReaderAt
	buffers *buffers

	mu       sync.Mutex
	had      spans // what was there when it began
	open     map[int64]*chunk
	verified spans
	blamed   map[int64][]*source // who sent what was wrong, by chunk
}

// chunk is one that is not verified yet.
type chunk struct {
	mu   sync.Mutex
	span span
	left int64 // bytes that are not there
	hash hash.Hash
	at   int64 // up to where hash has read
	from []*source
}

func newChecker(c Content, file io.ReaderAt, b *buffers, had, verified spans) *checker {
	return &checker{content: c, file: file, buffers: b, had: had, verified: verified, open: map[int64]*chunk{}, blamed: map[int64][]*source{}}
}

func (c *checker) span(i int64) span {
	return span{i * c.content.ChunkSize, min((i+1)*c.content.ChunkSize, c.content.Size)}
}

func (c *checker) chunk(i int64) *chunk {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[i] == nil {
		s := c.span(i)
		c.open[i] = &chunk{span: s, left: s.length() - c.had.intersect(spans{s}).bytes()}
	}
	return c.open[i]
}

// wrote is told of bytes that are in the file now, and returns the chunks that
// they completed. No byte is told twice, unless it was forgotten.
func (c *checker) wrote(src *source, at int64, got bite) (complete []int64) {
	// What comes after the last chunk is of none; the size will tell.
	for end := min(at+got.length, c.content.Size); at < end; {
		i := at / c.content.ChunkSize
		ch := c.chunk(i)
		n := min(end, ch.span.End) - at
		if ch.wrote(src, at, got.first(n)) {
			complete = append(complete, i)
		}
		at, got = at+n, got.after(n)
	}
	return complete
}

func (ch *chunk) wrote(src *source, at int64, got bite) bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.hash == nil && at == ch.span.Start {
		ch.hash, ch.at = sha256.New(), at
	}
	if ch.hash != nil && ch.at == at && got.memory != nil {
		_, _ = ch.hash.Write(got.memory) // never fails
		ch.at += got.length
	}
	if len(ch.from) == 0 || ch.from[len(ch.from)-1] != src {
		ch.from = append(ch.from, src)
	}
	ch.left -= got.length
	return ch.left == 0
}

// finish verifies a chunk whose bytes are all there. What passed by out of
// order, or by way of a pipe, it reads back. Who sent a wrong one is returned.
func (c *checker) finish(i int64) (right bool, blamed []*source, err error) {
	ch := c.chunk(i)
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.hash == nil {
		ch.hash, ch.at = sha256.New(), ch.span.Start
	}
	if err := c.readBack(ch.hash, span{ch.at, ch.span.End}); err != nil {
		return false, nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if bytes.Equal(ch.hash.Sum(nil), c.content.Chunks[i*sha256.Size:(i+1)*sha256.Size]) {
		delete(c.open, i)
		delete(c.blamed, i)
		c.verified = c.verified.add(ch.span)
		return true, nil, nil
	}
	c.blamed[i] = append(c.blamed[i], ch.from...)
	blamed = ch.from
	ch.hash, ch.from, ch.left = nil, nil, ch.span.length()
	return false, blamed, nil
}

// finishAll verifies the chunks that were whole when it began. It returns
// those that are wrong.
func (c *checker) finishAll() (wrong spans, err error) {
	for _, s := range c.had.removeAll(c.verified) {
		for i := s.Start / c.content.ChunkSize; i*c.content.ChunkSize < s.End; i++ {
			if !c.had.contains(c.span(i)) {
				continue
			}
			right, _, err := c.finish(i)
			if err != nil {
				return nil, err
			}
			if !right {
				wrong = wrong.add(c.span(i))
			}
		}
	}
	return wrong, nil
}

// sentWrong reports whether a source sent bytes of a span wrong before.
func (c *checker) sentWrong(s span, src *source) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.blamed) == 0 {
		return false
	}
	for i := s.Start / c.content.ChunkSize; i*c.content.ChunkSize < s.End; i++ {
		if slices.Contains(c.blamed[i], src) {
			return true
		}
	}
	return false
}

func (c *checker) right() spans {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.verified
}

// readBack feeds part of the file to a hash.
func (c *checker) readBack(h hash.Hash, s span) error {
	if s.length() <= 0 {
		return nil
	}
	buf := c.buffers.take()
	defer c.buffers.give(buf)
	_, err := io.CopyBuffer(onlyWriter{h}, io.NewSectionReader(c.file, s.Start, s.length()), buf.memory)
	return err
}

// onlyWriter hides what else a writer can do, so that CopyBuffer uses the
// buffer it is given.
type onlyWriter struct{ io.Writer }

// whole verifies the digest of a content that passes in order.
type whole struct {
	want   digest.Set
	at     int64 // up to where it has read
	sha256 hash.Hash
	sha512 hash.Hash
}

func newWhole(want digest.Set) *whole {
	w := &whole{want: want}
	if want.SHA256 != nil {
		w.sha256 = sha256.New()
	} else if want.SHA512 != nil {
		w.sha512 = sha512.New()
	}
	return w
}

// Write implements io.Writer.
func (w *whole) Write(p []byte) (int, error) {
	if w.sha256 != nil {
		_, _ = w.sha256.Write(p) // never fails
	}
	if w.sha512 != nil {
		_, _ = w.sha512.Write(p) // never fails
	}
	w.at += int64(len(p))
	return len(p), nil
}

// follow reads a file up to where it is there.
func (w *whole) follow(file io.ReaderAt, to int64) error {
	if to <= w.at {
		return nil
	}
	buf := make([]byte, min(to-w.at, bufferSize))
	_, err := io.CopyBuffer(onlyWriter{w}, io.NewSectionReader(file, w.at, to-w.at), buf)
	return err
}

// right reports whether all that passed has the digest wanted.
func (w *whole) right() bool {
	return (w.sha256 == nil || bytes.Equal(w.sha256.Sum(nil), w.want.SHA256)) &&
		(w.sha512 == nil || bytes.Equal(w.sha512.Sum(nil), w.want.SHA512))
}
