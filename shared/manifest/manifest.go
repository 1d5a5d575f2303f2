// Package manifest describes a content by the SHA-256 of the whole and of
// every chunk of it, so that a client that fetched a piece can tell whether it
// is right without the rest.
//
// All chunks have the same size but the last, which may be shorter. The size
// follows from the content's (ChunkSize).
package manifest

import (
	"crypto/sha256"
	"fmt"
)

const (
	// MinChunk is the least chunk size, in bytes.
	MinChunk = 8 << 20
	// MaxChunks is the most chunks of one content.
	MaxChunks = 1 << 16
	// DigestSize is the length of a digest in packed form, in bytes.
	DigestSize = sha256.Size
)

// Manifest describes one content. The packed digests make it 2 MiB at most.
type Manifest struct {
	Size      int64  // of the content, in bytes
	SHA256    []byte // of the content
	ChunkSize int64  // in bytes
	Digests   []byte // the SHA-256 of every chunk, 32 bytes each, in order
}

// Chunk is one piece of a content.
type Chunk struct {
	Offset int64
	Length int64
	SHA256 []byte // 32 bytes
}

// ChunkSize returns the chunk size of a content of size bytes: MinChunk,
// doubled until MaxChunks suffice.
func ChunkSize(size int64) int64 {
	chunk := int64(MinChunk)
	for Count(size, chunk) > MaxChunks {
		chunk *= 2
	}
	return chunk
}

// Count returns how many chunks of chunkSize bytes a content of size bytes
// has; an empty one has none.
func Count(size, chunkSize int64) int64 {
	if size <= 0 {
		return 0
	}
	return (size-1)/chunkSize + 1
}

// Single returns the manifest of a content of at most MinChunk bytes, which
// follows from its digest.
func Single(size int64, sha256 []byte) Manifest {
	m := Manifest{Size: size, SHA256: sha256, ChunkSize: MinChunk}
	if size > 0 {
		m.Digests = sha256
	}
	return m
}

// Check returns nil if m can describe a content, and what is wrong otherwise.
func (m Manifest) Check() error {
	switch {
	case m.Size < 0:
		return fmt.Errorf("manifest: a size of %d bytes", m.Size)
	case len(m.SHA256) != DigestSize:
		return fmt.Errorf("manifest: a digest of %d bytes", len(m.SHA256))
	case m.ChunkSize != ChunkSize(m.Size):
		return fmt.Errorf("manifest: chunks of %d bytes in a content of %d", m.ChunkSize, m.Size)
	}
	if count := Count(m.Size, m.ChunkSize); int64(len(m.Digests)) != count*DigestSize {
		return fmt.Errorf("manifest: %d bytes of digests for %d chunks", len(m.Digests), count)
	}
	return nil
}

// Chunks returns every chunk, in order. m must pass Check.
func (m Manifest) Chunks() []Chunk {
	chunks := make([]Chunk, Count(m.Size, m.ChunkSize))
	for i := range chunks {
		offset := int64(i) * m.ChunkSize
		chunks[i] = Chunk{
			Offset: offset,
			Length: min(m.ChunkSize, m.Size-offset),
			SHA256: m.Digests[i*DigestSize : (i+1)*DigestSize],
		}
	}
	return chunks
}
