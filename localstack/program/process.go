package program

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// Place is where a program runs.
type Place struct {
	Port int    // of Host
	Dir  string // of its data; it is there already
	Log  string // file that its output is added to

	// Hold, where not nil, is a file that the process keeps open as long as it
	// lives. It then outlives the caller and the caller's terminal.
	Hold *os.File
}

// Endpoint returns the URL of the store.
func (p Place) Endpoint() string {
	return "http://" + net.JoinHostPort(Host, strconv.Itoa(p.Port))
}

// Process is a program that was started.
type Process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has
}

// Start starts the program and returns at once; Ready waits for it. Unless
// at.Hold is set the process dies with the caller (on Linux, however that ends).
func Start(p Program, at Place) (*Process, error) {
	path, err := Find(p.Name)
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(at.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()                                                   // the process has its own copy
	cmd := exec.Command(path, p.args(strconv.Itoa(at.Port), at.Dir)...) //nolint:noctx // Kill and Stop end it
	cmd.Dir, cmd.Stdout, cmd.Stderr = at.Dir, log, log
	// Nothing of the caller's environment may reach it but where programs are.
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + at.Dir}, p.env...)
	cmd.SysProcAttr = attributes(at.Hold != nil)
	if at.Hold != nil {
		cmd.ExtraFiles = []*os.File{at.Hold}
	}
	process := &Process{cmd: cmd, ended: make(chan struct{})}
	return process, process.start()
}

// start starts the process on a thread that lives as long as it does: Linux
// tells a child of the end of the thread that made it, not of the process.
func (p *Process) start() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = p.cmd.Wait() // ProcessState tells
		close(p.ended)
	}()
	return <-started
}

// Pid returns the process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Ended reports whether the process has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// Ready waits until the program at a place answers, and fails where the process
// or ctx ends before.
func (p *Process) Ready(ctx context.Context, program Program, at Place) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !Answers(ctx, program, at) || p.Ended() {
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended before it was ready: %s", program.Name, p.cmd.ProcessState)
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w", program.Name, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

// Answers asks once whether the program at a place is ready.
func Answers(ctx context.Context, program Program, at Place) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at.Endpoint()+program.Health, http.NoBody)
	if err != nil {
		return false
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(r)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode < http.StatusInternalServerError
}

// Kill ends the process as a crash would, and waits for its end.
func (p *Process) Kill() error { return p.end(syscall.SIGKILL) }

// Stop asks the process to end, and waits until it has.
func (p *Process) Stop() error { return p.end(syscall.SIGTERM) }

func (p *Process) end(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.ended
	return nil
}
