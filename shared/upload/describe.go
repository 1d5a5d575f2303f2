package upload

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"sluice/shared/blob"
	"sluice/shared/catalog"
	"sluice/shared/fault"
	"sluice/shared/manifest"
)

// One server at a time reads a blob for its manifest: who holds the lease. It
// lasts longer than it takes to read what is read between two looks at it.
const (
	describeLease = "manifest"
	leaseLife     = 5 * time.Minute
)

// After so many bytes it is asked whether to go on, and after so many it is noted how
// far the reading is.
const (
	keepEvery = 32 << 20
	saveEvery = 16 << 30
)

// Describe sees to it that a version without a manifest gets one: a job reads
// its blob once, from where the last one ended, which may have been another
// server's. One version is read at a time over all servers; while it is
// another's turn nothing is done: ask again. With a Queue the job is sent there.
// The channel is closed when the job ends, for now or for good, or was sent.
func (s *Service) Describe(f catalog.File) <-chan struct{} {
	if s.Queue != nil {
		return s.ask(Job{Name: DescribeJob, ID: f.ID, Version: f.Version.ID})
	}
	return s.descriptions.start(f.Version.ID, jobsAtOnce, func(ctx context.Context) error {
		_, err := s.under(ctx, describeLease, leaseLife, func(lease *catalog.Lease) error { return s.describe(ctx, f, lease) })
		if err != nil && ctx.Err() == nil {
			s.Log.ErrorContext(ctx, "describe", "file_id", f.ID, "version_id", f.Version.ID, "error", err)
		}
		return err
	})
}

// describe makes the manifest of a version, or notes that its blob was replaced.
func (s *Service) describe(ctx context.Context, f catalog.File, lease *catalog.Lease) error {
	err := s.readManifest(ctx, f, lease)
	if fault.Is(err, fault.PreconditionFailed, "blob_changed") {
		return s.Catalog.MarkChanged(ctx, f)
	}
	return err
}

func (s *Service) readManifest(ctx context.Context, f catalog.File, lease *catalog.Lease) error {
	if _, err := s.Catalog.Manifest(ctx, f.Version); !fault.Is(err, fault.NotFound, "no_manifest") {
		return err // it was done before
	}
	sums, read, err := s.resumed(ctx, f.Version)
	if err != nil {
		return err
	}
	bucket, key, err := s.Beside.At(s.Blobs, f.Version.Key)
	if err != nil {
		return err
	}
	r, err := bucket.Open(ctx, key, read, f.Version.Size-read, f.Version.StoreETag)
	if err != nil {
		return err
	}
	err = s.hash(ctx, f.Version, sums, r, read, lease.Keep)
	if err := errors.Join(err, r.Close()); err != nil {
		return err
	}
	m, _ := sums.Manifest() // of a known size every manifest is complete
	if sum := f.Version.Verified(); sum != nil && !bytes.Equal(sum, m.SHA256) {
		return s.Catalog.PutHashing(ctx, f.Version, catalog.Hashing{Read: f.Version.Size, Damaged: true})
	}
	err = s.Catalog.KeepManifest(ctx, f.ID, f.Version, m)
	if fault.Is(err, fault.NotFound, "") {
		return nil // it was removed meanwhile
	}
	return err
}

// resumed returns the hasher of what was read before. What cannot be gone on
// with is begun anew.
func (s *Service) resumed(ctx context.Context, v catalog.Version) (sums *manifest.Hasher, read int64, err error) {
	h, err := s.Catalog.Hashing(ctx, v)
	if err != nil {
		return nil, 0, err
	}
	if sums, read, err := manifest.Resume(v.Size, h.Saved); err == nil {
		return sums, read, nil
	}
	return manifest.NewHasher(v.Size), 0, nil
}

// hash reads r to its end, chunk by chunk. Where it fails it notes how far it
// was when keep, which is asked now and then, last let it go on.
func (s *Service) hash(
	ctx context.Context, v catalog.Version, sums *manifest.Hasher, r *blob.Reader, read int64, keep func(context.Context) error,
) error {
	chunk, buf := manifest.ChunkSize(v.Size), make([]byte, bufferSize)
	var last catalog.Hashing
	sinceKept, sinceSaved := int64(keepEvery), int64(0)
	for read < v.Size {
		if sinceKept >= keepEvery {
			err := keep(ctx)
			if err == nil {
				last.Read = read
				last.Saved, err = sums.Save()
			}
			if err == nil && sinceSaved >= saveEvery {
				err, sinceSaved = s.Catalog.PutHashing(ctx, v, last), 0
			}
			if err != nil {
				return err
			}
			sinceKept = 0
		}
		n, err := io.CopyBuffer(sums, readsOnly{io.LimitReader(r, chunk)}, buf)
		if err == nil && n < min(chunk, v.Size-read) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return errors.Join(err, s.Catalog.PutHashing(context.WithoutCancel(ctx), v, last))
		}
		read, sinceKept, sinceSaved = read+n, sinceKept+n, sinceSaved+n
	}
	return nil
}
