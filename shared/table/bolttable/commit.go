package bolttable

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync/atomic"

	bolt "go.etcd.io/bbolt"
)

// The bounds of one transaction. The last job may pass the second one.
const (
	maxBatch      = 1024    // jobs
	maxBatchBytes = 8 << 20 // bytes of keys and values written
)

// yields is how often the committer lets other goroutines run before it takes
// the queue to be empty. Writers who were just answered come back with their
// next write then: with 64 of them a transaction holds 47 jobs, not 31. A lone
// writer loses nothing that can be measured.
const yields = 2

var (
	errClosed  = errors.New("the record file is closed")
	errNothing = errors.New("nothing to commit")
)

// plan looks at a bucket, nil if nothing was ever written to it, and returns
// what to write. It does not change anything. It may be called again if the
// transaction has to be repeated.
type plan func(b *bolt.Bucket) ([]write, error)

// write is one change of a bucket. A nil value removes the key.
type write struct {
	key   []byte
	value []byte
}

// job is one caller's write. Either the committer begins it or the caller
// gives it up, whoever comes first.
type job struct {
	bucket []byte
	plan   plan
	taken  atomic.Bool
	answer chan error // has room for the one answer
}

// take reports whether the caller of take is the first.
func (j *job) take() bool { return j.taken.CompareAndSwap(false, true) }

// submit does one write and returns when it is on the disk. If ctx ends before
// the write has begun it is not done; after that submit waits for the outcome.
func (s *Store) submit(ctx context.Context, bucket []byte, p plan) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j := &job{bucket: bucket, plan: p, answer: make(chan error, 1)}
	select {
	case s.jobs <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return errClosed
	}
	select {
	case err := <-j.answer:
		return err
	case <-ctx.Done():
		if j.take() {
			return ctx.Err()
		}
	case <-s.stopped:
		if j.take() {
			return errClosed
		}
	}
	return <-j.answer
}

// commitAll is the committer. It ends when the store closes.
func (s *Store) commitAll() {
	defer close(s.stopped)
	for {
		select {
		case first := <-s.jobs:
			for batch := s.gather(first); len(batch) > 0; {
				batch = s.commit(batch)
			}
		case <-s.closing:
			return
		}
	}
}

// gather returns first and the jobs that have queued up behind it, without
// those that their callers gave up.
func (s *Store) gather(first *job) []*job {
	batch := []*job{first}
	for idle := 0; idle < yields && len(batch) < maxBatch; {
		select {
		case j := <-s.jobs:
			batch = append(batch, j)
			idle = 0
		default:
			runtime.Gosched()
			idle++
		}
	}
	return slices.DeleteFunc(batch, func(j *job) bool { return !j.take() })
}

// commit does as many jobs as fit one transaction, answers them once they are
// on the disk, and returns the others. A job that fails in the middle of its
// writes is answered and taken out, and the others are to be done again. Where
// the transaction itself fails, all jobs fail with it.
func (s *Store) commit(batch []*job) []*job {
	outcomes, err := s.transact(batch)
	if spoilt, ok := errors.AsType[*spoiltError](err); ok {
		batch[spoilt.index].answer <- err
		return slices.Delete(batch, spoilt.index, spoilt.index+1)
	}
	if err != nil {
		for _, j := range batch {
			j.answer <- err
		}
		return nil
	}
	for i, outcome := range outcomes {
		batch[i].answer <- outcome
	}
	return batch[len(outcomes):]
}

// transact does as many jobs as fit in one transaction. outcomes holds one
// error, or nil, for each job done; they count only if err is nil.
func (s *Store) transact(batch []*job) (outcomes []error, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = panicked(cause)
		}
	}()
	err = s.db.Update(func(tx *bolt.Tx) error {
		written := 0
		for i, j := range batch {
			if written >= maxBatchBytes {
				break
			}
			writes, err := j.propose(tx)
			outcomes = append(outcomes, err)
			if err != nil {
				continue
			}
			n, err := perform(tx, j.bucket, writes)
			if err != nil {
				return &spoiltError{index: i, cause: err}
			}
			written += n
		}
		if written == 0 {
			return errNothing // spares the fsync
		}
		return nil
	})
	if errors.Is(err, errNothing) {
		err = nil
	}
	return outcomes, err
}

// propose calls the job's plan. A panic in it is the job's own failure.
func (j *job) propose(tx *bolt.Tx) (writes []write, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			writes, err = nil, panicked(cause)
		}
	}()
	return j.plan(tx.Bucket(j.bucket))
}

// perform writes to a bucket and returns how many bytes.
func perform(tx *bolt.Tx, bucket []byte, writes []write) (written int, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = panicked(cause)
		}
	}()
	if len(writes) == 0 {
		return 0, nil
	}
	b, err := tx.CreateBucketIfNotExists(bucket)
	if err != nil {
		return 0, err
	}
	for _, w := range writes {
		if w.value == nil {
			err = b.Delete(w.key)
		} else {
			err = b.Put(w.key, w.value)
		}
		if err != nil {
			return written, err
		}
		written += len(w.key) + len(w.value)
	}
	return written, nil
}

// spoiltError tells which job left a transaction half written.
type spoiltError struct {
	index int
	cause error
}

func (e *spoiltError) Error() string { return e.cause.Error() }
func (e *spoiltError) Unwrap() error { return e.cause }

func panicked(cause any) error {
	return fmt.Errorf("panic in a write to the record file: %v\n%s", cause, debug.Stack())
}
