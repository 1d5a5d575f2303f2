package manifest

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The packed form is a byte for its kind, size and chunk size as big-endian
// numbers, the whole's digest and the chunks'.
const (
	packed     = 1
	headerSize = 1 + 8 + 8 + DigestSize
)

// Pack returns m in the packed form. m must pass Check.
func (m Manifest) Pack() []byte {
	b := make([]byte, 0, headerSize+len(m.Digests))
	b = append(b, packed)
	b = binary.BigEndian.AppendUint64(b, uint64(m.Size))
	b = binary.BigEndian.AppendUint64(b, uint64(m.ChunkSize))
	b = append(b, m.SHA256...)
	return append(b, m.Digests...)
}

// Unpack is the inverse of Pack. It takes nothing that Pack does not make of a
// manifest that passes Check. The Manifest shares b.
func Unpack(b []byte) (Manifest, error) {
	if len(b) < headerSize {
		return Manifest{}, errors.New("manifest: too short")
	}
	if b[0] != packed {
		return Manifest{}, fmt.Errorf("manifest: kind %d is not known", b[0])
	}
	m := Manifest{
		Size:      int64(binary.BigEndian.Uint64(b[1:])),
		ChunkSize: int64(binary.BigEndian.Uint64(b[9:])),
		SHA256:    b[17:headerSize],
		Digests:   b[headerSize:],
	}
	if err := m.Check(); err != nil {
		return Manifest{}, err
	}
	return m, nil
}
