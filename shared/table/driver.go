package table

import (
	"context"
	"time"
)

// Driver is one implementation of the port. It may assume that Table has
// checked every argument. Methods are safe for concurrent use. now is the
// time against which expiry is judged; the driver never asks a clock itself.
// Reads are strongly consistent. A driver keeps none of the memory that it is
// given, and what it returns is the caller's to change.
type Driver interface {
	// GetMany returns the items found, in any order. It may return expired
	// ones; Table filters them. There are at most MaxGet keys, all different.
	GetMany(ctx context.Context, keys []Key) ([]Item, error)

	// Query returns up to q.Limit items. It may return expired ones, or stop
	// early with More set; Table filters them and asks again. A page with More
	// holds at least one item.
	Query(ctx context.Context, q Query) (Page, error)

	// Apply does one Put, Update or Delete. It returns the item as it stands
	// after a Put or an Update. An Update that would make the item larger than
	// MaxItem fails and changes nothing.
	Apply(ctx context.Context, now time.Time, op Op) (Item, error)

	// Transact does all ops or none. No two name the same key.
	Transact(ctx context.Context, now time.Time, ops []Op) error

	// Ping asks the store whether it answers.
	Ping(ctx context.Context) error

	// ErrorCode classifies an error that a method returned.
	ErrorCode(err error) Code

	// Failed returns which op's condition failed, given an error whose code
	// is ConditionFailed, or -1 where the store does not tell.
	Failed(err error) int

	// Close releases the store. No call follows it.
	Close() error
}

// Code classifies a driver's error.
type Code uint8

// The codes.
const (
	Unknown         Code = iota // anything else
	ConditionFailed             // a Test did not hold; nothing was written
	Contended                   // another transaction was in the way; the same call may pass
	Throttled                   // the store asks to slow down
	Full                        // the store has no room
	Canceled                    // the context ended; a write may have been done or not
	Unanswered                  // the store did not answer; a write may have been done or not
)
