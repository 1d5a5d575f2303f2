package manifest

// NewHasherOf returns a Hasher of small chunks, for what would take too long
// with real ones.
func NewHasherOf(chunkSize int64) *Hasher {
	h := NewHasher(-1)
	h.chunkSize = chunkSize
	return h
}
