package upload_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/shared/catalog"
	"sluice/shared/fault"
	"sluice/shared/upload"
)

// queue keeps what is sent to it until it is run.
type queue struct {
	mu   sync.Mutex
	sent []message
}

type message struct {
	upload.Job
	After time.Duration
}

func (q *queue) Send(_ context.Context, j upload.Job, after time.Duration) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sent = append(q.sent, message{j, after})
	return nil
}

// want takes what was sent, and wants it to be these.
func (q *queue) want(t *testing.T, when string, want ...message) {
	t.Helper()
	q.mu.Lock()
	defer q.mu.Unlock()
	same := len(q.sent) == len(want)
	for i := range q.sent {
		same = same && q.sent[i] == want[i]
	}
	if !same {
		t.Errorf("%s the queue was sent %+v, want %+v", when, q.sent, want)
	}
	q.sent = nil
}

// openQueued is open with a queue.
func openQueued(t *testing.T) (*service, *queue) {
	t.Helper()
	s, q := open(t), &queue{}
	s.Queue = q
	return s, q
}

// state wants an upload to be in a state.
func (s *service) wantState(when string, m catalog.Multipart, want catalog.UploadState, problem string) {
	s.t.Helper()
	if got, err := s.Catalog.Multipart(s.t.Context(), m.ID); err != nil || got.State != want || got.Problem != problem {
		s.t.Errorf("%s the upload is %q with the problem %q, %v; want %q, %q", when, got.State, got.Problem, err, want, problem)
	}
}

// queued completes an upload of unknown size, which is for the queue.
func (s *service) queued() catalog.Multipart {
	s.t.Helper()
	m := s.begin(-1, nil)
	if err := s.put(m, 1, []byte("abc")); err != nil {
		s.t.Fatal(err)
	}
	m, err := s.Complete(s.t.Context(), m)
	if err != nil || m.State != catalog.UploadVerifying {
		s.t.Fatalf("the completion of an upload for the queue: %q, %v; want verifying", m.State, err)
	}
	return m
}

func TestASmallUploadIsVerifiedWithinItsRequest(t *testing.T) {
	s, q := openQueued(t)
	m := s.begin(3, nil)
	if err := s.put(m, 1, []byte("abc")); err != nil {
		t.Fatal(err)
	}
	if m, err := s.Complete(t.Context(), m); err != nil || m.State != catalog.UploadComplete {
		t.Errorf("the completion: %q, %v; want complete", m.State, err)
	}
	q.want(t, "by a small upload")
}

func TestAJobIsSentOnceAndMayRunTwice(t *testing.T) {
	s, q := openQueued(t)
	m := s.queued()
	job := upload.Job{Name: upload.VerifyJob, ID: m.ID}
	for range 3 {
		<-s.Watch(m) // as whoever polls does
	}
	q.want(t, "by a completion and three who ask for it", message{job, 0})
	for range 2 {
		if err := s.Run(t.Context(), job); err != nil {
			t.Errorf("the job: %v", err)
		}
		s.wantState("after the job", m, catalog.UploadComplete, "")
	}
	q.want(t, "by a job that comes to its end")
	s.wantUsed("after the job", 3, 1)
}

func TestJobsThatRunAtOnceMakeOneFile(t *testing.T) {
	s, q := openQueued(t)
	m := s.queued()
	job := upload.Job{Name: upload.VerifyJob, ID: m.ID}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if err := s.Run(t.Context(), job); err != nil {
				t.Errorf("the job: %v", err)
			}
		})
	}
	group.Wait()
	s.wantState("after the jobs", m, catalog.UploadComplete, "")
	s.wantUsed("after the jobs", 3, 1)
	for _, sent := range q.sent[1:] {
		if sent != (message{job, time.Minute}) {
			t.Errorf("a job whose turn it was not sent %+v, want itself for later", sent)
		}
	}
}

// A job that is out of time comes again, and does then what it would have done.
func TestAJobOutOfTimeGoesOnInItsNext(t *testing.T) {
	s, q := openQueued(t)
	m := s.queued()
	job := upload.Job{Name: upload.VerifyJob, ID: m.ID}
	q.want(t, "by the completion", message{job, 0})
	short, cancel := context.WithTimeout(t.Context(), 5*time.Second) // less than what is kept for the end
	defer cancel()
	if err := s.Run(short, job); err != nil {
		t.Errorf("a job without time: %v", err)
	}
	q.want(t, "by a job without time", message{job, 0})
	s.wantState("after a job without time", m, catalog.UploadVerifying, "")
	long, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	if err := s.Run(long, job); err != nil {
		t.Errorf("the job: %v", err)
	}
	s.wantState("after the job", m, catalog.UploadComplete, "")
}

func TestAJobWhoseTurnItIsNotComesLater(t *testing.T) {
	s, q := openQueued(t)
	m := s.queued()
	job := upload.Job{Name: upload.VerifyJob, ID: m.ID}
	q.want(t, "by the completion", message{job, 0})
	lease, err := s.Catalog.Lease(t.Context(), "verify#"+m.ID, time.Minute)
	if err != nil || lease == nil {
		t.Fatalf("the lease: %v, %v", lease, err)
	}
	if err := s.Run(t.Context(), job); err != nil {
		t.Errorf("the job: %v", err)
	}
	q.want(t, "while another has the lease", message{job, time.Minute})
	s.wantState("while another has the lease", m, catalog.UploadVerifying, "")
}

func TestJobsOfWhatIsGoneAreDone(t *testing.T) {
	s, q := openQueued(t)
	const id = "01HZZZZZZZZZZZZZZZZZZZZZZZ"
	for _, name := range []upload.JobName{upload.VerifyJob, upload.DescribeJob, upload.ImportJob} {
		if err := s.Run(t.Context(), upload.Job{Name: name, ID: id, Version: id}); err != nil {
			t.Errorf("%s of what is gone: %v, want none", name, err)
		}
	}
	wantFault(t, "a job of no known name", s.Run(t.Context(), upload.Job{Name: "sweep", ID: id}), fault.Invalid, "invalid_field")
	q.want(t, "by jobs of what is gone")
}

// What a crash left is asked for again.
func TestResumeSendsWhatWasBeingVerified(t *testing.T) {
	s, q := openQueued(t)
	m := s.begin(3, nil)
	if _, err := s.Catalog.Verify(t.Context(), m.ID); err != nil { // and here it ended
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	q.want(t, "by two that resume", message{upload.Job{Name: upload.VerifyJob, ID: m.ID}, 0})
}

// An upload that its owner has no room for has failed, with or without a queue,
// and nothing of it is kept.
func TestAnUploadOverTheQuotaFailsForGood(t *testing.T) {
	s := open(t)
	two := int64(2)
	if _, err := s.Catalog.UpdateUser(t.Context(), s.owner, func(u *catalog.User) error { u.Quota.Bytes = &two; return nil }); err != nil {
		t.Fatal(err)
	}
	m := s.begin(-1, nil)
	if err := s.put(m, 1, []byte("abc")); err != nil {
		t.Fatal(err)
	}
	for range 2 { // it stays so
		_, err := s.complete(m)
		wantFault(t, "an upload over the quota", err, fault.InsufficientStorage, "quota_exceeded")
		s.wantState("after that", m, catalog.UploadFailed, "quota_exceeded")
	}
	s.wantUsed("after that", 0, 0)
	_, err := s.Blobs.Stat(t.Context(), m.Key())
	wantFault(t, "its blob", err, fault.NotFound, "blob_not_found")
}

// So has one whose parts the store has lost for good.
func TestAnUploadWhosePartsAreGoneFailsForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which looks several times before it believes it
		s := open(t)
		m := s.begin(3, nil)
		if err := s.put(m, 1, []byte("abc")); err != nil {
			t.Fatal(err)
		}
		if err := s.Blobs.Discard(t.Context(), m.Key()); err != nil {
			t.Fatal(err)
		}
		_, err := s.complete(m)
		wantFault(t, "an upload whose parts are gone", err, fault.Unprocessable, "parts_missing")
		s.wantState("after that", m, catalog.UploadFailed, "parts_missing")
		s.wantUsed("after that", 0, 0)
	})
}
