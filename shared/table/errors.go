package table

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/shared/fault"
)

// ConditionError tells that a test did not hold, and so nothing was written.
// Find it with errors.As.
type ConditionError struct {
	Failed int // index of the op whose test failed, 0 for Apply; -1 if the store does not tell
}

// Error returns a sentence for a log.
func (e *ConditionError) Error() string {
	if e.Failed < 0 {
		return "table: a condition did not hold"
	}
	return fmt.Sprintf("table: the condition of op %d did not hold", e.Failed)
}

// translate turns a driver's error into the one that callers see.
func (t *Table) translate(ctx context.Context, err error) error {
	switch t.driver.ErrorCode(err) {
	case ConditionFailed:
		return &ConditionError{Failed: t.driver.Failed(err)}
	case Contended, Throttled:
		return fault.Wrap(err, fault.Unavailable, "table_busy", "The record store is busy.").
			WithRetryAfter(time.Second)
	case Full:
		return fault.Wrap(err, fault.InsufficientStorage, "no_space", "The record store has no room.")
	case Canceled:
		return canceled(ctx, err)
	case Unanswered:
		return fault.Wrap(err, fault.Unavailable, "table_unanswered", "The record store did not answer.").
			WithRetryAfter(time.Second)
	default:
		return failed(err)
	}
}

// canceled returns the error of a call whose context ended. A driver's own
// error may hide the context's.
func canceled(ctx context.Context, err error) error {
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		err = errors.Join(ended, err)
	}
	return fault.Wrap(err, fault.Unavailable, "canceled", "The request ended before the record store answered.")
}

func failed(err error) error {
	return fault.Wrap(err, fault.Internal, "table_failed", "The record store failed.")
}

// misuse returns the error of a programmer's mistake. It names no values:
// keys and attributes may hold secrets.
func misuse(format string, args ...any) error {
	return fault.Newf(fault.Internal, "table_misuse", format, args...)
}
