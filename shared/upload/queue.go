package upload

import (
	"context"
	"errors"
	"time"

	"sluice/shared/catalog"
	"sluice/shared/fault"
)

// Queue takes jobs that are run elsewhere, by Service.Run. A job may be lost, run
// twice, and run out of order. Send is safe for concurrent use.
type Queue interface {
	// Send has j run, not before so long from now.
	Send(ctx context.Context, j Job, after time.Duration) error
}

// Job is a message of a Queue.
type Job struct {
	Name    JobName `json:"job"`
	ID      string  `json:"id"`                // of the upload, the file or the import
	Version string  `json:"version,omitempty"` // of the file
}

// JobName says what a job does.
type JobName string

// The jobs.
const (
	VerifyJob   JobName = "verify"   // an upload that is complete
	DescribeJob JobName = "describe" // a version without a manifest
	ImportJob   JobName = "import"   // the objects that are there
)

// askAgain is how long a job that was sent is not sent again, whoever asks for
// it, and askTime how long the sending may take.
const (
	askAgain = 5 * time.Minute
	askTime  = 10 * time.Second
)

// ask sends a job to the queue, unless it was asked for a moment ago. What comes
// of it the records tell: whoever waits asks them, and then asks again, so that
// no job is lost for long. The channel that it returns is closed.
func (s *Service) ask(j Job) <-chan struct{} {
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	s.send(ctx, j, false)
	done := make(chan struct{})
	close(done)
	return done
}

// send sends a job that was not asked for a moment ago, or always. What fails is
// logged: whoever asks next tries again.
func (s *Service) send(ctx context.Context, j Job, always bool) {
	lease, err := s.Catalog.Lease(ctx, "job#"+string(j.Name)+"#"+j.ID+"#"+j.Version, askAgain)
	if err == nil && (lease != nil || always) {
		err = s.Queue.Send(ctx, j, 0)
	}
	if err == nil {
		return
	}
	if lease != nil {
		err = errors.Join(err, lease.Release(ctx))
	}
	s.Log.ErrorContext(ctx, "ask for a job", "job", string(j.Name), "id", j.ID, "error", err)
}

// What is verified within its request though there is a queue: so many bytes, for
// so long.
const (
	smallUpload = 64 << 20
	smallTime   = 8 * time.Second
)

// verifyNow verifies an upload at once where that is quick, and else has the queue
// do so. It returns why it was not done.
func (s *Service) verifyNow(ctx context.Context, m catalog.Multipart) error {
	if m.Size >= 0 && m.Size <= smallUpload || s.Policy.Claim {
		limited, cancel := context.WithTimeout(ctx, smallTime)
		err := s.verify(limited, m, alone)
		cancel()
		if err == nil || fault.KindOf(err) == fault.InsufficientStorage {
			return err
		}
		s.Log.WarnContext(ctx, "verify later", "upload_id", m.ID, "error", err)
	}
	s.send(ctx, Job{Name: VerifyJob, ID: m.ID}, true) // it may have been verified a moment ago, and opened again
	return nil
}

// endTime is how long before the end of its time a job stops, to note how far it
// is, and turnAgain after which a job is tried again whose turn it is not.
const (
	endTime   = 10 * time.Second
	turnAgain = time.Minute
)

// Run runs a job of the queue. What it does not come to the end of before ctx's
// deadline it notes and sends to the queue again. Run twice, or late, or both at
// once, a job does what it would have done once. An error tells that the job is to
// be run again.
func (s *Service) Run(ctx context.Context, j Job) error {
	work, cancel := ctx, context.CancelFunc(func() {})
	if end, ok := ctx.Deadline(); ok {
		work, cancel = context.WithDeadline(ctx, end.Add(-endTime))
	}
	defer cancel()
	done, err := s.work(work, j)
	switch {
	case err != nil && work.Err() != nil && ctx.Err() == nil:
		return s.Queue.Send(ctx, j, 0)
	case err == nil && !done:
		return s.Queue.Send(ctx, j, turnAgain)
	}
	return err
}

// work does a job, and reports whether its turn had come.
func (s *Service) work(ctx context.Context, j Job) (done bool, err error) {
	switch j.Name {
	case VerifyJob:
		m, err := s.Catalog.Multipart(ctx, j.ID)
		if err != nil || m.State != catalog.UploadVerifying {
			return true, unlessGone(err)
		}
		return s.under(ctx, "verify#"+j.ID, leaseLife, func(lease *catalog.Lease) error { return s.verify(ctx, m, lease.Keep) })
	case DescribeJob:
		f, err := s.Catalog.File(ctx, j.ID)
		if err == nil {
			f, err = s.Catalog.At(ctx, f, j.Version)
		}
		if err != nil {
			return true, unlessGone(err)
		}
		return s.under(ctx, describeLease+"#"+j.Version, leaseLife, func(lease *catalog.Lease) error { return s.describe(ctx, f, lease) })
	case ImportJob:
		i, err := s.Catalog.Import(ctx, j.ID)
		if err != nil || i.State != catalog.ImportRunning {
			return true, unlessGone(err)
		}
		return s.under(ctx, importLeaseName+j.ID, importLease, func(lease *catalog.Lease) error { return s.importAll(ctx, i, lease) })
	}
	return true, fault.InvalidField("job", "There is no such job.")
}

// under works while no other server does, and reports whether it has.
func (s *Service) under(ctx context.Context, name string, life time.Duration, work func(*catalog.Lease) error) (bool, error) {
	lease, err := s.Catalog.Lease(ctx, name, life)
	if err != nil || lease == nil {
		return false, err
	}
	return true, errors.Join(work(lease), lease.Release(context.WithoutCancel(ctx)))
}

// unlessGone takes it for success that what a job is about is gone.
func unlessGone(err error) error {
	if fault.Is(err, fault.NotFound, "") {
		return nil
	}
	return err
}
