package upload

import (
	"context"
	"net/http"
	"time"

	"sluice/shared/blob"
	"sluice/shared/catalog"
)

// minLife is the least time for which a URL of the store is issued.
const minLife = 10 * time.Second

// PartURL returns a request by which a part of an open upload goes straight to
// the store, until the end given at most. sum is the SHA-256 to which the store
// holds the part, or nil. ok is false where the part must come through us: the
// policy or the store wants that, or the time is short.
func (s *Service) PartURL(ctx context.Context, m catalog.Multipart, number int, sum []byte, end time.Time) (signed blob.Presigned, ok bool, err error) {
	life := min(blob.MaxPresign, end.Sub(s.Clock()))
	if !s.Policy.Direct || !s.Blobs.Presigns() || life < minLife {
		return blob.Presigned{}, false, nil
	}
	if sum == nil && s.Blobs.PartDigests() {
		return blob.Presigned{}, false, nil // what passes through us is hashed here
	}
	signed, err = s.Blobs.Presign(ctx, blob.Presign{
		Method: http.MethodPut, Key: m.Key(), Lifetime: life, Upload: m.Store, Part: number, SHA256: sum,
	})
	return signed, err == nil, err
}
