package fileblob

// DefaultReserve is what a store leaves free unless told otherwise: 64 MiB.
const DefaultReserve = 64 << 20

// Options are the settings of a store. The zero value holds the defaults.
type Options struct {
	// Reserve is how many bytes of the file system are never used. 0 means
	// DefaultReserve; a negative number means none.
	Reserve int64
}
