package edgetest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"time"
)

// initTimeout is how long a process may take to its first poll
// (docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html).
const initTimeout = 10 * time.Second

// running is a process at work, with a Runtime API of its own, so that a late
// word of a killed one is not taken for its successor's.
type running struct {
	command *exec.Cmd
	api     *runtimeAPI
	server  *http.Server
	kill    context.CancelFunc
	gone    chan struct{} // closed once the process has ended
	err     error         // how; to be read once gone
	took    time.Duration // from its start to its first poll
}

// run starts a process and waits for its first poll. ctx bounds the wait alone.
func run(ctx context.Context, p Process) (*running, error) {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("the Runtime API cannot listen: %w", err)
	}
	r := &running{api: newRuntimeAPI(), gone: make(chan struct{})}
	r.server = &http.Server{ReadHeaderTimeout: initTimeout, Handler: r.api.handler()}
	go func() { _ = r.server.Serve(ln) }() // until it is closed
	life, kill := context.WithCancel(context.WithoutCancel(ctx))
	r.kill = kill
	r.command = exec.CommandContext(life, p.Path)
	r.command.Env = append(lambdaEnv(ln.Addr().String()), p.Env...)
	r.command.Stdout, r.command.Stderr = p.Log, p.Log
	r.command.WaitDelay = time.Second
	began := time.Now()
	if err := r.command.Start(); err != nil {
		kill()
		_ = r.server.Close()
		return nil, fmt.Errorf("the function cannot be started: %w", err)
	}
	go func() {
		defer close(r.gone)
		r.err = r.command.Wait()
	}()
	if err := r.await(ctx); err != nil {
		_ = r.close() // it says the same
		return nil, err
	}
	r.took = time.Since(began)
	return r, nil
}

// lambdaEnv is what Lambda itself sets
// (docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html).
func lambdaEnv(api string) []string {
	return []string{
		"AWS_LAMBDA_RUNTIME_API=" + api, "AWS_LAMBDA_FUNCTION_NAME=sluice", "AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512", "AWS_LAMBDA_INITIALIZATION_TYPE=on-demand", "AWS_EXECUTION_ENV=AWS_Lambda_provided.al2023",
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/sluice", "AWS_LAMBDA_LOG_STREAM_NAME=test", "AWS_REGION=eu-central-1",
		"LAMBDA_TASK_ROOT=/var/task", "LAMBDA_RUNTIME_DIR=/var/runtime", "_HANDLER=bootstrap", "TZ=:UTC", "LANG=en_US.UTF-8",
	}
}

// await waits for the first poll.
func (r *running) await(ctx context.Context) error {
	timeout := time.NewTimer(initTimeout)
	defer timeout.Stop()
	select {
	case <-r.api.polled:
		return nil
	case err := <-r.api.failed:
		return err
	case <-r.gone:
		return &FunctionError{"Runtime.ExitError", fmt.Sprintf("The process ended before its first poll: %v.", r.err)}
	case <-timeout.C:
		return &FunctionError{"Sandbox.Timedout", "The process did not poll in time."}
	case <-ctx.Done():
		return ctx.Err()
	}
}

// attend hands an event to the process and returns when it is done with it,
// which it says by its next poll. It is killed where that takes too long.
func (r *running) attend(i *invocation, most time.Duration) {
	timeout := time.NewTimer(most)
	defer timeout.Stop()
	next, done, polled := r.api.next, i.done, (<-chan struct{})(nil)
	for {
		select {
		case next <- i:
			next = nil
		case <-done:
			done, polled = nil, r.api.polled
		case <-polled:
			return
		case <-r.gone:
			i.settle(outcome{err: &FunctionError{"Runtime.ExitError", fmt.Sprintf("The process ended: %v.", r.err)}})
			_ = r.close() // that it has ended is told
			return
		case <-timeout.C:
			i.settle(outcome{err: &FunctionError{"Sandbox.Timedout", fmt.Sprintf("Task timed out after %.2f seconds", most.Seconds())}})
			_ = r.close() // that it was killed is no news
			return
		}
	}
}

func (r *running) ended() bool {
	select {
	case <-r.gone:
		return true
	default:
		return false
	}
}

// close kills the process and ends its Runtime API.
func (r *running) close() error {
	r.kill()
	<-r.gone
	if err := r.server.Close(); err != nil {
		return fmt.Errorf("the Runtime API cannot be closed: %w", err)
	}
	return nil
}
