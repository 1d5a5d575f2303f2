package edgetest

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"
)

// Process is how to run a compiled function.
type Process struct {
	Path    string        // the bootstrap
	Env     []string      // NAME=value; what Lambda sets is added, and nothing of this process is
	Timeout time.Duration // of an invocation; zero: 30 s
	Log     io.Writer     // what the process prints; nil: nowhere
}

const defaultTimeout = 30 * time.Second

// Sandbox runs a function as Lambda does: one process, one event at a time,
// killed at the deadline, and begun anew for the next event where it has ended.
// It is a Function, safe for concurrent use: events wait for each other.
type Sandbox struct {
	process Process
	turn    chan struct{} // holds one while an event is under way
	running *running
	count   int
}

// Start runs a function and waits until it asks for its first event. Close the
// Sandbox.
func Start(ctx context.Context, p Process) (*Sandbox, error) {
	if p.Timeout == 0 {
		p.Timeout = defaultTimeout
	}
	s := &Sandbox{process: p, turn: make(chan struct{}, 1)}
	var err error
	s.running, err = run(ctx, p)
	return s, err
}

// Invoke implements Function. An answer that is not streamed is whole when it
// returns. That ctx ends does not stop the function, as a client that hangs up
// does not.
func (s *Sandbox) Invoke(ctx context.Context, event []byte, streams bool) (*Answer, error) {
	if len(event) > MaxPayload {
		return nil, &FunctionError{"RequestEntityTooLarge", "The event is longer than 6 MB."}
	}
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s.running.ended() {
		again, err := run(ctx, s.process)
		if err != nil {
			<-s.turn
			return nil, err
		}
		s.running = again
	}
	s.count++
	i := &invocation{
		id: fmt.Sprintf("8476a536-e9f4-11e8-9739-%012d", s.count), event: event, streams: streams,
		deadline: time.Now().Add(s.process.Timeout), answered: make(chan outcome, 1), done: make(chan struct{}),
	}
	go func() {
		s.running.attend(i, s.process.Timeout)
		<-s.turn
	}()
	select {
	case o := <-i.answered:
		return o.answer, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// FirstPoll is how long the process took from its start to its first poll of
// the Runtime API.
func (s *Sandbox) FirstPoll() time.Duration { return s.running.took }

// Process is the process that runs, until the next event finds it ended.
func (s *Sandbox) Process() *os.Process { return s.running.command.Process }

// Close kills the process, after the event under way.
func (s *Sandbox) Close() error {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	return s.running.close()
}
