// Package limit is the port for limits that servers share: now token buckets,
// by which logins are throttled.
//
// A bucket is one number, the time at which it will be full again (the generic
// cell rate algorithm's theoretical arrival time, ITU-T I.371). Rate holds the
// arithmetic, once; a driver keeps the number under its key, changes it in one
// atomic step, and may forget it from that time on. Every driver passes
// package limittest.
package limit

import (
	"context"
	"net/netip"
	"time"

	"sluice/shared/fault"
)

// MaxKey is the longest key, in bytes.
const MaxKey = 256

// MaxFill is the longest that an empty bucket may take to be full again.
const MaxFill = 366 * 24 * time.Hour

// Rate is how much a bucket holds and how fast it refills.
type Rate struct {
	Burst int           // tokens in a full bucket
	Per   time.Duration // time in which one token comes back
}

// Limiter is the port. Methods are safe for concurrent use.
type Limiter interface {
	// Take takes n tokens out of the bucket of that key, all or none. A bucket
	// that was never named is full. wait is 0 where they were taken; else none
	// was, and wait is the time until n would be there if nobody else took any.
	// A key belongs with one rate; where the rate changes, a bucket never
	// counts as more than empty.
	//
	// A call that Check refuses is an Internal fault "bad_limit", an ended
	// context Unavailable "canceled".
	Take(ctx context.Context, key string, rate Rate, n int) (wait time.Duration, err error)

	// Return puts n tokens back that Take took, for what should not have
	// counted after all. A full bucket stays full. It fails as Take does.
	Return(ctx context.Context, key string, rate Rate, n int) error
}

// Check returns an error for arguments of Take that make no sense: a key that
// is empty or over MaxKey bytes, a rate that is not positive or takes over
// MaxFill to refill, or a number of tokens below 1 or over the burst. All are
// mistakes of the program, not of a user.
func Check(key string, rate Rate, n int) error {
	switch {
	case key == "" || len(key) > MaxKey:
		return badLimit("a key of %d bytes", len(key))
	case rate.Burst < 1 || rate.Per < 1 || rate.Per > MaxFill/time.Duration(rate.Burst):
		return badLimit("a burst of %d, one per %v", rate.Burst, rate.Per)
	case n < 1 || n > rate.Burst:
		return badLimit("%d tokens out of a bucket of %d", n, rate.Burst)
	}
	return nil
}

func badLimit(format string, args ...any) error {
	return fault.Newf(fault.Internal, "bad_limit", "A limit cannot have "+format+".", args...)
}

// Spend is the arithmetic of Take, for drivers. fullAt is the time at which
// the bucket will be full, or any past time, the zero time too, where it is.
// It returns the new fullAt and a wait of 0, or the old one and the wait.
// A fullAt further ahead than an empty bucket's, as after the clock was set
// back, counts as empty.
func (r Rate) Spend(fullAt, now time.Time, n int) (next time.Time, wait time.Duration) {
	empty := now.Add(time.Duration(r.Burst) * r.Per)
	if fullAt.Before(now) {
		fullAt = now
	}
	if fullAt.After(empty) {
		fullAt = empty
	}
	next = fullAt.Add(time.Duration(n) * r.Per)
	if next.After(empty) {
		return fullAt, next.Sub(empty)
	}
	return next, 0
}

// AddressKey returns the key for a client's address: an IPv4 address as it is,
// IPv6 by its /64, which is what one subscriber is given at least (RFC 6177).
// An IPv4 address in IPv6 form is IPv4; a zone is dropped. The zero Addr gives
// "unknown".
func AddressKey(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	switch {
	case !addr.IsValid():
		return "unknown"
	case addr.Is4():
		return addr.String()
	default:
		return netip.PrefixFrom(addr, 64).Masked().String()
	}
}
