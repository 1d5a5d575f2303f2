package link

import (
	"encoding/binary"
	"time"

	"github.com/oklog/ulid/v2"

	"sluice/shared/disposition"
)

// The layout of a payload, all of it of fixed size: the format, three ids, the
// epoch and the expiry in seconds since 1970, big-endian, the disposition, and
// the link's own id.
const (
	format = 1

	fileAt        = 1
	versionAt     = fileAt + idSize
	issuerAt      = versionAt + idSize
	epochAt       = issuerAt + idSize
	expiryAt      = epochAt + 8
	dispositionAt = expiryAt + 8
	idAt          = dispositionAt + 1
	payloadSize   = idAt + idSize

	idSize = len(ulid.ULID{})
)

// dispositions returns the dispositions, each at its number in a payload.
func dispositions() []disposition.Type {
	return []disposition.Type{"", disposition.Inline, disposition.Attachment}
}

// encode returns the payload. Its ids are valid ones: the catalog gave them.
func (l Link) encode() []byte {
	b := make([]byte, 0, payloadSize)
	b = append(b, format)
	for _, id := range []string{l.File, l.Version, l.Issuer} {
		parsed := ulid.MustParseStrict(id)
		b = append(b, parsed[:]...)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(l.Epoch))
	b = binary.BigEndian.AppendUint64(b, uint64(l.ExpiresAt.Unix()))
	for i, d := range dispositions() {
		if d == l.Disposition {
			b = append(b, byte(i))
		}
	}
	id := ulid.MustParseStrict(l.ID)
	return append(b, id[:]...)
}

// decode is the inverse of encode. It reports whether b is a payload.
func decode(b []byte) (Link, bool) {
	if len(b) != payloadSize || b[0] != format || int(b[dispositionAt]) >= len(dispositions()) {
		return Link{}, false
	}
	id := func(at int) string { return ulid.ULID(b[at : at+idSize]).String() }
	return Link{
		ID: id(idAt), File: id(fileAt), Version: id(versionAt), Issuer: id(issuerAt),
		Epoch:       int64(binary.BigEndian.Uint64(b[epochAt:])),
		ExpiresAt:   time.Unix(int64(binary.BigEndian.Uint64(b[expiryAt:])), 0).UTC(),
		Disposition: dispositions()[b[dispositionAt]],
	}, true
}
