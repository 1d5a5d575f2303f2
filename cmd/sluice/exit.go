package main

import (
	"context"
	"errors"

	"sluice/shared/fault"
)

// exitError ends the program with a code of its own.
type exitError struct {
	code int
	err  error
}

// Error implements error.
func (e exitError) Error() string { return e.err.Error() }

// Unwrap returns what went wrong.
func (e exitError) Unwrap() error { return e.err }

// The exit codes that have a meaning; `sluice get --help` lists them.
const (
	exitOther       = 1
	exitUsage       = 2
	exitUnreachable = 3
	exitRefused     = 4
	exitNotFound    = 5
	exitChanged     = 6
	exitWrong       = 7
	exitUntrusted   = 8
	exitExists      = 9
	exitNoRoom      = 10
	exitInterrupted = 130
)

// exitCode is the one map from what went wrong to an exit code.
func exitCode(err error) int {
	if e, ok := errors.AsType[exitError](err); ok {
		return e.code
	}
	return exitOther
}

// withExitCode gives an error the code of its kind; nil stays nil.
func withExitCode(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return exitError{exitInterrupted, fault.New(fault.Unavailable, "interrupted", "Interrupted. Run the same command again to go on.")}
	}
	code, known := map[fault.Kind]int{
		fault.Invalid:             exitUsage,
		fault.Unavailable:         exitUnreachable,
		fault.Timeout:             exitUnreachable,
		fault.TooManyRequests:     exitUnreachable,
		fault.Unauthenticated:     exitRefused,
		fault.Forbidden:           exitRefused,
		fault.NotFound:            exitNotFound,
		fault.PreconditionFailed:  exitChanged,
		fault.Unprocessable:       exitWrong,
		fault.Upstream:            exitUntrusted,
		fault.Conflict:            exitExists,
		fault.InsufficientStorage: exitNoRoom,
	}[fault.KindOf(err)]
	if !known {
		code = exitOther
	}
	return exitError{code, err}
}
