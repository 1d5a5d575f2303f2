package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sluice/localstack/program"
)

// gentle is how long a store may take to end after SIGTERM before it is killed.
const gentle = 20 * time.Second

// service is a store that runs in the background. The process holds a lock on
// the file of its id for as long as it lives, so that a file which a crash or a
// reboot left behind names nobody.
type service struct {
	program program.Program
	port    int
	dir     string // of all services
}

func (s service) data() string     { return filepath.Join(s.dir, s.program.Name) }
func (s service) log() string      { return filepath.Join(s.dir, s.program.Name+".log") }
func (s service) pidFile() string  { return filepath.Join(s.dir, s.program.Name+".pid") }
func (s service) endpoint() string { return program.Place{Port: s.port}.Endpoint() }

// up starts the store where it does not run, waits until it is ready, and says
// which of the two it was.
func (s service) up(ctx context.Context) (string, error) {
	if err := os.MkdirAll(s.data(), 0o700); err != nil {
		return "", err
	}
	lock, err := s.lock()
	if err != nil {
		return "", err
	}
	place := program.Place{Port: s.port, Dir: s.data(), Log: s.log(), Hold: lock}
	if lock == nil {
		return "ran already", s.wait(ctx, place)
	}
	defer lock.Close() // the process has its own copy
	if err := s.portFree(ctx); err != nil {
		return "", err
	}
	process, err := program.Start(s.program, place)
	if err != nil {
		return "", err
	}
	if err := writePid(lock, process.Pid()); err != nil {
		return "", errors.Join(err, process.Kill())
	}
	if err := process.Ready(ctx, s.program, place); err != nil {
		return "", errors.Join(fmt.Errorf("%w; its log is %s", err, s.log()), process.Kill())
	}
	return "started", nil
}

// down stops the store and reports whether it ran.
func (s service) down(ctx context.Context) (bool, error) {
	if _, err := os.Stat(s.dir); errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	lock, err := s.lock()
	if err != nil {
		return false, err
	}
	if lock != nil {
		return false, lock.Close()
	}
	text, err := os.ReadFile(s.pidFile())
	if err != nil {
		return false, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return false, fmt.Errorf("%s holds no process id: %w", s.pidFile(), err)
	}
	return true, s.end(ctx, pid)
}

// end asks a process to end, and kills it where it does not.
func (s service) end(ctx context.Context, pid int) error {
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", s.program.Name, err)
	}
	late := time.After(gentle)
	for {
		lock, err := s.lock()
		if err != nil {
			return err
		}
		if lock != nil {
			return lock.Close()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-late:
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended just now
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// lock returns the locked file of the process id, or nil where the store runs
// and holds the lock.
func (s service) lock() (*os.File, error) {
	f, err := os.OpenFile(s.pidFile(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, nil //nolint:nilnil // no lock is an answer
	}
	return nil, err
}

// portFree fails where another program has the port.
func (s service) portFree(ctx context.Context) error {
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, "tcp", strings.TrimPrefix(s.endpoint(), "http://"))
	if err != nil {
		return nil //nolint:nilerr // nobody answers: the port is free
	}
	_ = c.Close()
	return fmt.Errorf("port %d, which %s needs, is taken by another program", s.port, s.program.Name)
}

// wait waits for a store that another call has started.
func (s service) wait(ctx context.Context, at program.Place) error {
	for !program.Answers(ctx, s.program, at) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s runs and is not ready; its log is %s: %w", s.program.Name, s.log(), ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

func writePid(f *os.File, pid int) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := fmt.Fprintln(f, pid)
	return err
}
