package blob

import (
	"context"
	"crypto/sha256"
	"net/http"
	"time"

	"sluice/shared/config"
	"sluice/shared/fault"
)

// MaxPresign is the longest that a presigned URL lives.
const MaxPresign = 15 * time.Minute

// Presign asks for a URL by which one request reaches the store without us.
type Presign struct {
	// Method is GET or HEAD of the blob, or PUT of a new one. A URL is good for
	// its own method alone: a HEAD needs one of its own.
	Method string

	Key string

	// Lifetime is how long the URL is good: above 0, at most MaxPresign. It
	// ends earlier where the credential that signs it does.
	Lifetime time.Duration

	// ContentType and ContentDisposition, where not empty, are the headers of
	// the store's answer to a GET or HEAD, whatever the blob was stored with.
	ContentType        string
	ContentDisposition string

	// Upload and Part make a PUT one of a part of that upload.
	Upload string
	Part   int

	// SHA256, where not nil, is the digest to which the store holds the body of
	// a PUT. Of a part some stores require it: see Bucket.PartDigests.
	SHA256 []byte
}

// Presigned is a request that anybody who knows it may send to the store.
type Presigned struct {
	Method string

	// URL is as good as the blob itself until it expires: it prints as *** and
	// must not be logged.
	URL config.Secret

	// Header holds what a PUT must be sent with, since it is signed too: a new
	// blob has If-None-Match, so that it replaces none. It is empty for GET and
	// HEAD, of which Range and If-Match are the sender's to choose.
	Header http.Header

	Expires time.Time
}

// Presigner makes URLs by which others reach the store.
type Presigner interface {
	// Presign signs the request that p describes, for the address by which
	// the world knows the store. It does not ask whether the blob is there.
	Presign(ctx context.Context, p Presign) (Presigned, error)

	// PartDigests reports whether a URL for a part is only made with its
	// SHA-256, since the store keeps those of all parts.
	PartDigests() bool
}

// Presigns reports whether the store can be reached by presigned URLs.
func (b *Bucket) Presigns() bool { return b.driver.Presigner() != nil }

// PartDigests reports whether a URL for a part is only made with its SHA-256.
// The store then keeps those of all parts, and ListParts returns them.
func (b *Bucket) PartDigests() bool {
	signer := b.driver.Presigner()
	return signer != nil && signer.PartDigests()
}

// Presign makes a URL by which one request reaches the store without us. It
// fails with presign_unsupported where the store has none. It does not ask
// whether the blob is there.
func (b *Bucket) Presign(ctx context.Context, p Presign) (Presigned, error) {
	if err := ready(ctx, p.Key); err != nil {
		return Presigned{}, err
	}
	if err := p.check(); err != nil {
		return Presigned{}, err
	}
	signer := b.driver.Presigner()
	if signer == nil {
		return Presigned{}, fault.New(fault.Unprocessable, "presign_unsupported", "The store cannot be reached by presigned URLs.")
	}
	if p.Upload != "" && p.SHA256 == nil && signer.PartDigests() {
		return Presigned{}, fault.InvalidField("sha256", "The store takes no part without its SHA-256.")
	}
	signed, err := signer.Presign(ctx, p)
	if err != nil {
		return Presigned{}, b.wrap(ctx, err)
	}
	return signed, nil
}

// check returns why there is no such request, else nil.
func (p Presign) check() error {
	put := p.Method == http.MethodPut
	switch {
	case !put && p.Method != http.MethodGet && p.Method != http.MethodHead:
		return fault.InvalidField("method", "A URL is presigned for GET, HEAD or PUT.")
	case p.Lifetime <= 0 || p.Lifetime > MaxPresign:
		return fault.InvalidField("lifetime", "A presigned URL lives at most %v.", MaxPresign)
	case put && (p.ContentType != "" || p.ContentDisposition != ""):
		return fault.InvalidField("method", "Only the answer to a GET or HEAD has headers to choose.")
	case !put && (p.Upload != "" || p.SHA256 != nil):
		return fault.InvalidField("method", "Only a PUT is of a part, or has a digest.")
	case (p.Upload == "") != (p.Part == 0) || p.Part < 0:
		return fault.InvalidField("part", "A part has a number from 1 on, and an upload.")
	case p.SHA256 != nil && len(p.SHA256) != sha256.Size:
		return fault.InvalidField("sha256", "A SHA-256 has %d bytes.", sha256.Size)
	}
	return nil
}
