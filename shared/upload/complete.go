package upload

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"time"

	"sluice/shared/blob"
	"sluice/shared/catalog"
	"sluice/shared/fault"
	"sluice/shared/manifest"
)

// patience is how long Complete waits for an upload to be verified before it
// answers that it is being verified.
const patience = 2 * time.Second

// Complete ends an upload: it makes its parts one blob, reads that once to
// verify it (unless Policy.Claim), and publishes it. Where this takes long the upload is returned as
// verifying, and the work goes on: ask again, here or by Watch. Whoever asks
// of an upload that is complete gets it as it is.
//
// It fails with Unprocessable "parts_missing" while parts are missing, which
// leaves the upload open, with Unprocessable "digest_mismatch" where the bytes
// are not what was announced, which ends it, with Conflict "upload_not_open" for
// an upload that was aborted, with InsufficientStorage "quota_exceeded" where its
// owner has no room for it, which ends it, and with InsufficientStorage "no_space"
// where the store has none, which leaves it to be completed later. Parts that
// the store has lost for good end it with "parts_missing". Where its
// condition does not hold, or whoever began it may no longer write there, it
// fails with PreconditionFailed "precondition_failed" and Forbidden "forbidden":
// that leaves it open, unless things changed while it was being verified.
func (s *Service) Complete(ctx context.Context, m catalog.Multipart) (catalog.Multipart, error) {
	if m.State == catalog.UploadOpen {
		if err := s.checkBegun(ctx, m); err != nil {
			return m, err
		}
		err := s.checkArrived(ctx, m)
		if err != nil && !fault.Is(err, fault.NotFound, "blob_not_found") {
			return m, err
		}
		if m, err = s.Catalog.Verify(ctx, m.ID); err != nil {
			return m, err
		}
	}
	if m.State == catalog.UploadVerifying {
		failed := s.await(ctx, m)
		var err error
		if m, err = s.Catalog.Multipart(ctx, m.ID); err != nil {
			return m, err
		}
		if m.State == catalog.UploadVerifying && fault.KindOf(failed) == fault.InsufficientStorage {
			return m, failed // what is to be done is the operator's
		}
	}
	switch m.State {
	case catalog.UploadFailed:
		return m, failure(m.Problem)
	case catalog.UploadAborted:
		return m, m.NotOpen()
	case catalog.UploadOpen:
		return m, cmp.Or(s.checkArrived(ctx, m), incomplete("The store had not got all parts; complete it again."))
	default:
		return m, nil
	}
}

// await waits for an upload to be verified, as long as a request should, and
// returns why it was not.
func (s *Service) await(ctx context.Context, m catalog.Multipart) error {
	if s.Queue != nil {
		return s.verifyNow(ctx, m)
	}
	select {
	case <-s.Watch(m):
	case <-ctx.Done():
	case <-time.After(patience):
	}
	return s.jobs.failure(m.ID)
}

// checkArrived returns nil if the store has all the parts of an upload.
func (s *Service) checkArrived(ctx context.Context, m catalog.Multipart) error {
	parts, err := s.Blobs.ListParts(ctx, m.Key(), m.Store)
	if err != nil {
		return err
	}
	return checkParts(m, parts)
}

// failure is the error that ended an upload.
func failure(problem string) error {
	switch problem {
	case "digest_mismatch":
		return mismatch()
	case "precondition_failed":
		return fault.New(fault.PreconditionFailed, problem, "The file was not what the condition asks for; nothing was kept.")
	case "quota_exceeded":
		return fault.New(fault.InsufficientStorage, problem, "The quota does not allow this; nothing was kept.")
	case "parts_missing":
		return fault.New(fault.Unprocessable, problem, "The store has lost parts of the upload; nothing was kept.")
	case "forbidden":
		return fault.New(fault.Forbidden, problem, "Who began the upload may no longer write there; nothing was kept.")
	}
	return fault.New(fault.Unprocessable, problem, "The upload is not what was announced; nothing was kept.")
}

// refusal returns the fault of a publication that will never be allowed.
func refusal(err error) (*fault.Error, bool) {
	f, ok := errors.AsType[*fault.Error](err)
	return f, ok && (f.Kind == fault.PreconditionFailed || f.Kind == fault.Forbidden || f.Code == "quota_exceeded")
}

func mismatch() error {
	return fault.New(fault.Unprocessable, "digest_mismatch", "The bytes are not what their digest announced; nothing was kept.")
}

// Watch sees to it that an upload that is being verified is: by a job of this
// process, which a crash ends and the next Watch begins again, or by the Queue.
// The channel is closed when the job ends, for now or for good, or was sent.
func (s *Service) Watch(m catalog.Multipart) <-chan struct{} {
	if s.Queue != nil {
		return s.ask(Job{Name: VerifyJob, ID: m.ID})
	}
	return s.jobs.start(m.ID, jobsAtOnce, func(ctx context.Context) error {
		err := s.verify(ctx, m, alone)
		if err != nil && ctx.Err() == nil {
			s.Log.ErrorContext(ctx, "verify", "upload_id", m.ID, "error", err)
		}
		return err
	})
}

// Resume goes on with what was being verified, and imported, when the server
// ended.
func (s *Service) Resume(ctx context.Context) error {
	const many = 1000
	ids, err := s.Catalog.Verifying(ctx, many)
	if err != nil {
		return err
	}
	for _, id := range ids {
		m, err := s.Catalog.Multipart(ctx, id)
		if err != nil && !fault.Is(err, fault.NotFound, "") {
			return err
		}
		if m.State == catalog.UploadVerifying {
			s.Watch(m)
		}
	}
	imports, err := s.Catalog.Importing(ctx, many)
	for _, id := range imports {
		s.WatchImport(catalog.Import{ID: id})
	}
	return err
}

// Close stops the jobs and waits for them. What they were about goes on at the
// next start.
func (s *Service) Close() error {
	s.jobs.stop()
	s.descriptions.stop()
	s.imports.stop()
	return nil
}

// verify does all that is left to do for an upload that is closed to parts.
// Each step may have been done before. keep is asked now and then whether the
// reading may go on.
func (s *Service) verify(ctx context.Context, m catalog.Multipart, keep func(context.Context) error) error {
	made, err := s.assemble(ctx, m)
	switch {
	case errors.Is(err, errGone):
		return s.giveUp(ctx, m, "parts_missing")
	case fault.Is(err, fault.Unprocessable, "parts_missing"):
		return s.reopen(ctx, m)
	case err != nil:
		return err
	}
	content := catalog.Content{Size: made.Size, ETag: made.ETag, ContentType: m.ContentType, By: m.By}
	if s.Policy.Claim {
		content.SHA256, content.Claimed = m.SHA256, m.SHA256 != nil
		return s.conclude(ctx, m, content)
	}
	sums, err := s.readOnce(ctx, m, made, keep)
	if err != nil {
		return err
	}
	if m.SHA256 != nil && !bytes.Equal(m.SHA256, sums.SHA256()) {
		return s.giveUp(ctx, m, "digest_mismatch")
	}
	found, complete := sums.Manifest()
	if complete {
		if err := s.Catalog.PutManifest(ctx, m.Upload, found); err != nil {
			return ended(err)
		}
	}
	content.SHA256 = sums.SHA256()
	return s.conclude(ctx, m, content)
}

// conclude makes what arrived a version, where its condition holds and whoever
// began it still may.
func (s *Service) conclude(ctx context.Context, m catalog.Multipart, content catalog.Content) error {
	_, _, err := s.publish(ctx, m.Upload, content, m.Condition.Check)
	if f, refused := refusal(err); refused {
		return s.giveUp(ctx, m, f.Code)
	}
	return ended(err)
}

// ended takes it for success that the upload has ended: another server was
// first, or it was aborted. Its record tells.
func ended(err error) error {
	if fault.Is(err, fault.Conflict, "upload_expired") {
		return nil
	}
	return err
}

// reopen lets the parts be sent that the store has not got any more: MinIO
// forgets them where a completion breaks off at the wrong moment. Those of an
// upload in sequence cannot be sent again.
func (s *Service) reopen(ctx context.Context, m catalog.Multipart) error {
	if m.Sequence != nil {
		return s.giveUp(ctx, m, "parts_missing")
	}
	return s.Catalog.Reopen(ctx, m.ID)
}

// A completion that is under way, by another server or the one that was killed,
// may show no parts, and no blob yet. So often is looked again, after a pause
// that is doubled each time, before they count as missing.
const (
	looks     = 6
	firstLook = 100 * time.Millisecond
)

// errGone tells that the store knows neither the upload nor a blob that was made
// of it.
var errGone = errors.New("the store has lost the upload")

// assemble makes the parts one blob and describes it.
func (s *Service) assemble(ctx context.Context, m catalog.Multipart) (blob.Attrs, error) {
	for look := 0; ; {
		made, err := s.assembleOnce(ctx, m)
		switch {
		case fault.Is(err, fault.PreconditionFailed, "blob_changed"):
			continue // a part that was on its way came after the list
		case !fault.Is(err, fault.Unprocessable, "parts_missing") && !errors.Is(err, errGone):
			return made, err
		}
		if look++; look == looks {
			return blob.Attrs{}, err
		}
		if err := wait(ctx, firstLook<<look); err != nil {
			return blob.Attrs{}, err
		}
	}
}

func (s *Service) assembleOnce(ctx context.Context, m catalog.Multipart) (blob.Attrs, error) {
	parts, err := s.Blobs.ListParts(ctx, m.Key(), m.Store)
	if err == nil {
		err = checkParts(m, parts)
	}
	var made blob.Attrs
	if err == nil {
		made, err = s.Blobs.CompleteMultipart(ctx, m.Key(), m.Store, parts)
	}
	switch {
	case fault.Is(err, fault.NotFound, "blob_not_found"):
		made, err = s.Blobs.Stat(ctx, m.Key()) // it was done before
		if fault.Is(err, fault.NotFound, "blob_not_found") {
			err = errGone
		}
		return made, err
	case fault.Is(err, fault.Conflict, "blob_exists"):
		return s.Blobs.Stat(ctx, m.Key()) // it was done before
	case fault.Is(err, fault.Unprocessable, "parts_missing"):
		if made, statErr := s.Blobs.Stat(ctx, m.Key()); statErr == nil {
			return made, nil // it was done before, and the store has not tidied up
		}
	}
	return made, err
}

// alone lets a reading go on for which nobody else waits.
func alone(context.Context) error { return nil }

// readOnce hashes the blob of an upload, from where a reading that broke off
// ended.
func (s *Service) readOnce(ctx context.Context, m catalog.Multipart, made blob.Attrs, keep func(context.Context) error) (*manifest.Hasher, error) {
	v := catalog.Version{ID: m.ID, Key: m.Key(), Size: made.Size}
	sums, read, err := s.resumed(ctx, v)
	if err != nil {
		return nil, err
	}
	r, err := s.Blobs.Open(ctx, v.Key, read, v.Size-read, made.ETag)
	if err != nil {
		return nil, err
	}
	err = s.hash(ctx, v, sums, r, read, keep)
	return sums, errors.Join(err, r.Close())
}

// readsOnly hides every other method, so that a copy is through the buffer and
// a context that ends stops it.
type readsOnly struct{ io.Reader }

// giveUp ends an upload that is not what was announced.
func (s *Service) giveUp(ctx context.Context, m catalog.Multipart, problem string) error {
	err := s.Catalog.EndMultipart(ctx, m.ID, catalog.UploadFailed, problem)
	if fault.Is(err, fault.Conflict, "upload_not_open") {
		return nil
	}
	if err != nil {
		return err
	}
	s.dropAll(ctx, m)
	return nil
}
