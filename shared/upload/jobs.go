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
	places  chan struct{}
	group   sync.WaitGroup
	ctx     context.Context // that of the jobs, not of a call
	cancel  context.CancelFunc
	stopped bool
}

// start runs the job of an upload unless it runs already, and returns what is
// closed at its end. After stop it runs nothing.
func (j *jobs) start(id string, run func(context.Context)) <-chan struct{} {
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
		j.running, j.places = map[string]chan struct{}{}, make(chan struct{}, jobsAtOnce)
		j.ctx, j.cancel = context.WithCancel(context.Background())
	}
	j.running[id] = done
	j.group.Go(func() {
		defer j.end(id, done)
		select {
		case j.places <- struct{}{}:
			defer func() { <-j.places }()
			run(j.ctx)
		case <-j.ctx.Done():
		}
	})
	return done
}

func (j *jobs) end(id string, done chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.running, id)
	close(done)
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
