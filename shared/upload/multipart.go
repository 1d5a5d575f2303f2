package upload

import (
	"context"
	"errors"
	"io"

	"sluice/shared/auth"
	"sluice/shared/blob"
	"sluice/shared/catalog"
	"sluice/shared/fault"
	"sluice/shared/manifest"
)

// The limits of an upload in parts. Counts and sizes of parts are S3's; the
// size is a multiple of the manifest's chunks too.
const (
	MaxParts        = 10_000
	MaxPartSize     = 5 << 30
	DefaultPartSize = 64 << 20
)

// MaxSize is the size of the largest upload in parts, in bytes.
const MaxSize int64 = MaxParts * MaxPartSize

// Multipart is an upload in parts to begin.
type Multipart struct {
	Owner       string // a user id
	Path        string // checked by CheckPath
	By          string // the id of the user who begins it
	ContentType string
	Size        int64             // announced; -1 where unknown
	SHA256      []byte            // announced, or nil
	PartSize    int64             // 0: we choose
	Condition   catalog.Condition // on the file at the path, now and when it is published
	InSequence  bool              // the bytes come in their order, by Append; the size is known then
	Metadata    string            // of one in sequence: what its client sent along
	Once        catalog.Once      // the request that begins it
}

// Begin starts an upload in parts, which may take a week. Where the same request
// has begun one before, that one is returned as it is now, and again is true.
func (s *Service) Begin(ctx context.Context, b Multipart) (m catalog.Multipart, again bool, err error) {
	if b.Once.Key == "" {
		m, err = s.begin(ctx, b)
		return m, false, err
	}
	done, err := s.Catalog.AwaitTurn(ctx, b.Once) // the first may be under way, and have the room that is left
	if err != nil {
		return catalog.Multipart{}, false, err
	}
	defer done()
	if m, again, err = s.Catalog.Begun(ctx, b.Once); again || err != nil {
		return m, again, err
	}
	m, err = s.begin(ctx, b)
	return m, false, err
}

func (s *Service) begin(ctx context.Context, b Multipart) (catalog.Multipart, error) {
	partSize, err := choosePartSize(b)
	if err != nil {
		return catalog.Multipart{}, err
	}
	if err := s.checkCondition(ctx, b.Owner, b.Path, b.Condition); err != nil {
		return catalog.Multipart{}, err
	}
	now := s.Clock()
	u := catalog.Upload{ID: auth.NewID(now), Owner: b.Owner, Path: b.Path, ExpiresAt: now.Add(lifetime), Parted: true}
	if u.Taken, err = s.toTake(ctx, b.Owner, b.Path, b.Size); err != nil {
		return catalog.Multipart{}, err
	}
	if err := s.Catalog.BeginUpload(ctx, u); err != nil {
		return catalog.Multipart{}, err
	}
	m := catalog.Multipart{
		Upload: u, By: b.By, ContentType: b.ContentType, Size: b.Size, SHA256: b.SHA256, PartSize: partSize,
		Condition: b.Condition,
	}
	if b.InSequence {
		m.Sequence = &catalog.Sequence{Metadata: b.Metadata}
	}
	m.Store, err = s.Blobs.CreateMultipart(ctx, u.Key(), partSize)
	if err == nil {
		m, err = s.Catalog.CreateMultipart(ctx, m, b.Once)
	}
	if err != nil || m.ID != u.ID { // another server was faster with the same request
		s.discard(context.WithoutCancel(ctx), u)
	}
	return m, err
}

// choosePartSize returns the size of the parts of an upload. Where they come in
// sequence they are as small as they may be: what is behind the last one is
// stored twice.
func choosePartSize(b Multipart) (int64, error) {
	size, asked := b.Size, b.PartSize
	if size > MaxSize {
		return 0, fault.InvalidField("size", "A file has at most %d bytes.", MaxSize)
	}
	chunk := manifest.ChunkSize(max(size, 0))
	if asked == 0 {
		asked = chunk
		if !b.InSequence {
			asked = max(DefaultPartSize, chunk)
		}
		for size > MaxParts*asked {
			asked = min(2*asked, MaxPartSize)
		}
		return asked, nil
	}
	switch {
	case asked < chunk || asked%chunk != 0 || asked > MaxPartSize:
		return 0, fault.InvalidField("part_size", "A part size is a multiple of %d bytes, and at most %d.", chunk, int64(MaxPartSize))
	case size > MaxParts*asked:
		return 0, fault.InvalidField("part_size", "Parts of this size would be over %d.", MaxParts)
	}
	return asked, nil
}

// PartCount returns how many parts the upload has, or 0 where its size is
// unknown. An empty file has one, which is empty.
func PartCount(m catalog.Multipart) int {
	if m.Size < 0 {
		return 0
	}
	return int(max(1, (m.Size+m.PartSize-1)/m.PartSize))
}

// CheckNumber returns nil for the number of a part that the upload can have.
func CheckNumber(m catalog.Multipart, number int) error {
	most := MaxParts
	if count := PartCount(m); count > 0 {
		most = count
	}
	if number < 1 || number > most {
		return fault.InvalidField("number", "The parts of this upload have numbers from 1 to %d.", most)
	}
	return nil
}

// PutPart keeps the size bytes of body as a part of an open upload, in place of
// a former one of that number. sum is the SHA-256 that they must have, or nil.
// Nothing is kept of a part that is cut (Invalid "body_cut"), of another size
// than the upload gives it, or of another digest.
func (s *Service) PutPart(ctx context.Context, m catalog.Multipart, number int, body io.Reader, size int64, sum []byte) (blob.Part, error) {
	if m.State != catalog.UploadOpen {
		return blob.Part{}, m.NotOpen()
	}
	if err := CheckNumber(m, number); err != nil {
		return blob.Part{}, err
	}
	if err := checkPartSize(m, number, size); err != nil {
		return blob.Part{}, err
	}
	part, err := s.Blobs.PutPart(ctx, m.Key(), m.Store, number, cutReader{body}, size, sum)
	if fault.Is(err, fault.NotFound, "blob_not_found") {
		err = fault.New(fault.Conflict, "upload_not_open", "The upload has ended.")
	}
	return part, err
}

// cutReader makes what breaks a body off a fault.
type cutReader struct{ io.Reader }

func (c cutReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = cut(err)
	}
	return n, err
}

func checkPartSize(m catalog.Multipart, number int, size int64) error {
	want := m.PartSize
	if count := PartCount(m); number == count {
		want = m.Size - int64(count-1)*m.PartSize
	}
	if size > want || m.Size >= 0 && size < want {
		return fault.Newf(fault.Unprocessable, "blob_size_mismatch", "Part %d has %d bytes, not %d.", number, want, size)
	}
	return nil
}

// Parts returns the parts that have arrived, by number; none of an upload that
// is no longer open.
func (s *Service) Parts(ctx context.Context, m catalog.Multipart) ([]blob.Part, error) {
	if m.State != catalog.UploadOpen {
		return nil, nil
	}
	parts, err := s.Blobs.ListParts(ctx, m.Key(), m.Store)
	if fault.Is(err, fault.NotFound, "blob_not_found") {
		return nil, nil // it ended meanwhile
	}
	return parts, err
}

// checkParts returns nil if the parts are all that the upload needs.
func checkParts(m catalog.Multipart, parts []blob.Part) error {
	count := max(PartCount(m), len(parts), 1)
	for i := range count {
		if i == len(parts) || parts[i].Number != i+1 {
			return incomplete("Part %d has not arrived.", i+1)
		}
		if i < count-1 && parts[i].Size != m.PartSize {
			return incomplete("Part %d has %d bytes, and only the last may have other than %d.", i+1, parts[i].Size, m.PartSize)
		}
		if checkPartSize(m, i+1, parts[i].Size) != nil { // the store takes a part of any size
			return incomplete("Part %d has %d bytes, which is not its size in this upload.", i+1, parts[i].Size)
		}
	}
	return nil
}

func incomplete(format string, args ...any) error {
	return fault.Newf(fault.Unprocessable, "parts_missing", format, args...)
}

// Abort gives an upload up and removes its parts. Against a completion exactly
// one wins. To abort twice is no error.
func (s *Service) Abort(ctx context.Context, m catalog.Multipart) error {
	if m.State == catalog.UploadAborted {
		return nil
	}
	if err := s.Catalog.EndMultipart(ctx, m.ID, catalog.UploadAborted, ""); err != nil {
		return err
	}
	s.dropAll(context.WithoutCancel(ctx), m)
	return nil
}

// Expect checks that parts of these numbers can come. An upload of unknown size
// takes room for them of its owner's quota.
func (s *Service) Expect(ctx context.Context, m catalog.Multipart, numbers []int) error {
	if m.Sequence != nil {
		return fault.New(fault.Conflict, "upload_in_sequence", "The upload takes its bytes in their order, by tus.")
	}
	last := 0
	for _, number := range numbers {
		if err := CheckNumber(m, number); err != nil {
			return err
		}
		last = max(last, number)
	}
	if m.Size >= 0 {
		return nil
	}
	return s.Catalog.Reserve(ctx, m.Upload, int64(last)*m.PartSize)
}
