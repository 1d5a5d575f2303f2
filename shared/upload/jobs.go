package upload

import (
	"context"
	"sync"
)

// jobsAtOnce bounds how many uploads are read at a time.
const jobsAtOnce = 2

// jobs are what goes on beside requests, one for each upload or version at
// most. The zero value has none.
type jobs struct {
	mu      sync.Mutex
	running map[string]chan struct{} // by upload; closed at the end
	failed  map[string]error         // why the last job of an upload did; nil while one runs
	places  chan struct{}
	group   sync.WaitGroup
	ctx     context.Context // that of the jobs, not of a call
	cancel  context.CancelFunc
	stopped bool
}

// start runs the job of an upload unless it runs already, and returns what is
// closed at its end. After stop it runs nothing. atOnce, the same at every call,
// bounds how many run at a time.
func (j *jobs) start(id string, atOnce int, run func(context.Context) error) <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	if done, ok := j.running[id]; ok {
		return done
	}
	done := make(chan struct{})
	if j.stopped {
		close(done)
		return done
	}
	if j.running == nil {
		j.running, j.failed, j.places = map[string]chan struct{}{}, map[string]error{}, make(chan struct{}, atOnce)
		j.ctx, j.cancel = context.WithCancel(context.Background())
	}
	j.running[id] = done
	delete(j.failed, id)
	j.group.Go(func() {
		var err error
		defer func() { j.end(id, done, err) }()
		select {
		case j.places <- struct{}{}:
			defer func() { <-j.places }()
			err = run(j.ctx)
		case <-j.ctx.Done():
		}
	})
	return done
}

func (j *jobs) end(id string, done chan struct{}, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.running, id)
	if err != nil {
		j.failed[id] = err
	}
	close(done)
}

// failure returns why the last job of an upload failed, or nil.
func (j *jobs) failure(id string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.failed[id]
}

// stop cancels every job and waits for the last.
func (j *jobs) stop() {
	j.mu.Lock()
	j.stopped = true
	if j.cancel != nil {
		j.cancel()
	}
	j.mu.Unlock()
	j.group.Wait()
}
