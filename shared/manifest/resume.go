package manifest

import (
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
)

// Save returns what Resume needs to go on behind the bytes written so far,
// which must be whole chunks: at most as long as a packed manifest and a few
// hundred bytes more.
func (h *Hasher) Save() ([]byte, error) {
	if h.size%h.chunkSize != 0 || h.over {
		return nil, errors.New("manifest: only what ends with a chunk can be saved")
	}
	whole, ok := h.whole.(encoding.BinaryMarshaler)
	if !ok {
		return nil, errors.New("manifest: this hash cannot be saved")
	}
	state, err := whole.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	b := binary.BigEndian.AppendUint64(nil, uint64(h.size))
	b = binary.BigEndian.AppendUint16(b, uint16(len(state)))
	return append(append(b, state...), h.digests...), nil
}

// Resume returns a Hasher for a content of size bytes of which another one has
// seen the first read bytes, and saved what it knew.
func Resume(size int64, saved []byte) (h *Hasher, read int64, err error) {
	const head = 8 + 2
	h = NewHasher(size)
	if len(saved) < head {
		return nil, 0, errors.New("manifest: too short")
	}
	read = int64(binary.BigEndian.Uint64(saved))
	length := int(binary.BigEndian.Uint16(saved[8:]))
	rest := saved[head:]
	switch {
	case read < 0 || read > size || read%h.chunkSize != 0:
		return nil, 0, fmt.Errorf("manifest: %d bytes read of %d", read, size)
	case len(rest) < length || int64(len(rest)-length) != read/h.chunkSize*DigestSize:
		return nil, 0, errors.New("manifest: not as many digests as chunks")
	}
	whole, ok := h.whole.(encoding.BinaryUnmarshaler)
	if !ok {
		return nil, 0, errors.New("manifest: this hash cannot be resumed")
	}
	if err := whole.UnmarshalBinary(rest[:length]); err != nil {
		return nil, 0, fmt.Errorf("manifest: %w", err)
	}
	h.size, h.digests = read, append([]byte{}, rest[length:]...)
	return h, read, nil
}
