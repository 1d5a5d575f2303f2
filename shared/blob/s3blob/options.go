package s3blob

import (
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// The defaults of Options.
const (
	DefaultPartSize = 8 << 20
	DefaultStall    = 20 * time.Second
	DefaultIdle     = 2 * time.Second
	DefaultPatience = 30 * time.Second
	DefaultRetry    = 5 * time.Second
)

// Options are the settings of a store. Only Bucket must be given.
type Options struct {
	Bucket string

	// Prefix is put before every key, as it is: "blobs/", say.
	Prefix string

	// PathStyle puts the bucket into the path, as most stores but Amazon's want
	// it. Else it is in the host's name.
	PathStyle bool

	// PublicEndpoint is the address for which URLs are presigned, where the
	// world reaches the store by another than we do: https://files.example.com.
	PublicEndpoint string

	// Encryption is what the store is asked to encrypt new objects with.
	Encryption Encryption

	// PartSize is the size in bytes of the parts in which a Writer sends what
	// does not fit into one, and half of what it holds in memory. S3's least is
	// 5 MiB. Parts of very large blobs are larger, since there are 10,000 at
	// most.
	PartSize int64

	// PartDigests has the store keep a SHA-256 of every part of an upload, for
	// which ListParts returns it. A part that comes without one is given one as
	// it passes; a presigned part needs its own. Amazon's store takes a presigned
	// part with a digest only so, and versitygw takes a part that broke off for
	// whole otherwise.
	PartDigests bool

	// ReadAhead opens several connections for one reader.
	ReadAhead ReadAhead

	// Stall is how long a connection may bring no byte before it is given up.
	Stall time.Duration

	// Idle is how long a reader holds a connection that it does not read from.
	Idle time.Duration

	// Patience is how long a reader tries to go on without getting a byte.
	Patience time.Duration

	// Retry is how long a call is tried again where the store does not answer,
	// or asks for it: Open too, since somebody waits for its answer.
	Retry time.Duration

	// Gaps are what the store lacks.
	Gaps Gaps

	// Transport, where not nil, takes the place of the driver's own, which
	// holds as many connections as are asked for. The driver does not close it.
	Transport http.RoundTripper

	// Clock tells the time of signatures. nil means time.Now.
	Clock func() time.Time
}

// Encryption is what a store is asked to encrypt new objects with. The zero
// value asks for nothing: the bucket's own setting holds.
type Encryption struct {
	Algorithm types.ServerSideEncryption // "", AES256 or aws:kms
	KeyID     string                     // of aws:kms; empty for the account's own
}

// ReadAhead is how a reader of a long range fetches several blocks at a time,
// for one fast client on slow connections to the store. It holds Connections
// times Block bytes in memory. The zero value reads over one connection.
type ReadAhead struct {
	Connections int
	Block       int64 // bytes
}

// wanted reports whether a range is long enough to be fetched in blocks.
func (a ReadAhead) wanted(length int64) bool {
	return a.Connections > 1 && a.Block > 0 && length > a.Block
}

// Gaps are what a store lacks of S3.
type Gaps struct {
	// PathKeys tells that keys are paths of files: the driver refuses those
	// with empty, "." or ".." segments, with segments over 255 bytes, with
	// control characters, and others that are no names of files.
	PathKeys bool

	// Conditions tells that the store ignores or refuses If-None-Match on
	// writing. The driver then asks for the key just before it commits: of two
	// writers that commit a key at the same moment both may be told that they
	// did. A presigned PUT replaces what is there.
	Conditions bool
}

func (o *Options) setDefaults() {
	if o.PartSize <= 0 {
		o.PartSize = DefaultPartSize
	}
	for _, d := range []struct {
		set   *time.Duration
		value time.Duration
	}{{&o.Stall, DefaultStall}, {&o.Idle, DefaultIdle}, {&o.Patience, DefaultPatience}, {&o.Retry, DefaultRetry}} {
		if *d.set <= 0 {
			*d.set = d.value
		}
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
}
