package delivery

import (
	"context"
	"errors"
	"sync"
	"time"

	"sluice/shared/catalog"
	"sluice/shared/socket"
)

// ErrRevoked is why a delivery was ended when Options.Allowed refused it.
var ErrRevoked = errors.New("no longer allowed")

// watch bounds the time of a delivery, by a look every so often. Progress is
// what counts: a client that takes nothing for the stall time is dropped, one
// that takes anything is kept, however slow. What the client's system
// acknowledges is progress, and so is each piece that the connection took.
//
// It also ends a delivery that is no longer allowed. It does both by the
// connection's write deadline, so that nobody but the system waits.
type watch struct {
	ctx     context.Context
	conn    connection
	socket  *socket.Socket // under conn; nil: only what conn took counts
	stall   time.Duration
	allowed func(context.Context) error // nil: always

	mu           sync.Mutex
	timer        *time.Timer // of the next look; nil after the end
	until        time.Time   // when the client is dropped, as far as is known
	acknowledged uint64      // bytes
	asked        time.Time   // when allowed was
	refused      error       // what it said
	panicked     any
}

// newWatch begins to watch. end must follow.
func newWatch(ctx context.Context, conn connection, stall time.Duration, allowed func(context.Context) error) *watch {
	w := &watch{ctx: ctx, conn: conn, socket: socket.Of(ctx), stall: stall, allowed: allowed, asked: time.Now()}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(w.every(), w.look)
	return w
}

// every is the time between two looks: a client is dropped at most so much
// sooner than it could be.
func (w *watch) every() time.Duration { return min(w.stall/8, catalog.MaxAge) }

// end returns when no look is under way and none will be. What allowed
// panicked with goes on here, where it is recovered from.
func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Stop()
	w.timer = nil
	if w.panicked != nil {
		panic(w.panicked)
	}
}

// renew gives the connection the stall time anew, or tells why it gets none.
func (w *watch) renew() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refused != nil {
		return w.refused
	}
	w.until = time.Now().Add(w.stall)
	return w.conn.expire(w.until)
}

// extend gives a client more time that has made progress since the last look:
// the stall time from then on, since nobody knows when it was. So a client is
// gone within the stall time from its last byte.
func (w *watch) extend() {
	if until := time.Now().Add(w.stall - w.every()); until.After(w.until) {
		w.until = until
		_ = w.conn.expire(until) // it fails where the connection is closed
	}
}

// explain returns why a delivery ended with err.
func (w *watch) explain(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil && w.refused != nil {
		return w.refused
	}
	return err
}

func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer == nil {
		return
	}
	if w.refused = w.ask(); w.refused != nil {
		_ = w.conn.expire(time.Unix(1, 0)) // an edge without a connection asks renew
		return
	}
	if w.socket != nil {
		if n := w.socket.Acknowledged(); n != w.acknowledged {
			w.acknowledged = n
			w.extend()
		}
	}
	w.timer.Reset(w.every())
}

// ask asks allowed, every catalog.MaxAge.
func (w *watch) ask() (refused error) {
	if w.allowed == nil || time.Since(w.asked) < catalog.MaxAge {
		return nil
	}
	defer func() {
		if w.panicked = recover(); w.panicked != nil {
			refused = ErrRevoked
		}
	}()
	w.asked = time.Now()
	if err := w.allowed(w.ctx); err != nil {
		return errors.Join(ErrRevoked, err)
	}
	return nil
}
