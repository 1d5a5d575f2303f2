package delivery

import (
	"context"
	"errors"
	"net/http"
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
	control *http.ResponseController
	ctx     context.Context
	socket  *socket.Socket // nil: only what the connection took counts
	stall   time.Duration
	allowed func(context.Context) error // nil: always

	mu           sync.Mutex
	timer        *time.Timer // of the next look; nil unless it has begun
	acknowledged uint64      // bytes
	asked        time.Time   // when allowed was
	refused      error       // what it said
	panicked     any
}

func newWatch(control *http.ResponseController, ctx context.Context, stall time.Duration, allowed func(context.Context) error) *watch {
	return &watch{control: control, ctx: ctx, socket: socket.Of(ctx), stall: stall, allowed: allowed}
}

// every is the time between two looks: a client is dropped at most so much
// later than it should be.
func (w *watch) every() time.Duration { return min(w.stall/8, catalog.MaxAge) }

// begin begins to look. end must follow.
func (w *watch) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = time.Now()
	w.timer = time.AfterFunc(w.every(), w.look)
}

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
	return w.expire(time.Now().Add(w.stall))
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
		_ = w.expire(time.Unix(1, 0)) // an edge without a connection asks renew
		return
	}
	if w.socket != nil {
		if n := w.socket.Acknowledged(); n != w.acknowledged {
			w.acknowledged = n
			_ = w.expire(time.Now().Add(w.stall)) // it fails where the connection is closed
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

// expire sets when the connection's writes end.
func (w *watch) expire(at time.Time) error {
	err := w.control.SetWriteDeadline(at)
	if errors.Is(err, http.ErrNotSupported) {
		return nil // an edge without a connection, such as a buffered Lambda
	}
	return err
}
