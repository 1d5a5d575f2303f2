package delivery

import (
	"net"
	"net/http"
	"testing"
	"time"

	"sluice/shared/socket"
)

// deadline is an answer that notes when its writes are to end.
type deadline struct {
	http.ResponseWriter

	at time.Time
}

func (d *deadline) SetWriteDeadline(at time.Time) error {
	d.at = at
	return nil
}

// connected returns a socket and its peer.
func connected(t *testing.T) (*socket.Socket, net.Conn) {
	t.Helper()
	inner, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := &socket.Listener{Listener: inner}
	defer ln.Close()
	peer, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = peer.Close()
		_ = conn.Close()
	})
	return conn.(*socket.Socket), peer
}

// A client is dropped when the stall time has passed since it took a byte, and
// not a look later; and never sooner.
func TestAClientIsDroppedWithinTheStallTime(t *testing.T) {
	const stall = time.Hour // in which no look comes by itself
	s, peer := connected(t)
	d := &deadline{}
	w := newWatch(socket.With(t.Context(), s), connection{d, http.NewResponseController(d)}, stall, nil)
	defer w.end()
	if err := w.renew(); err != nil {
		t.Fatal(err)
	}
	renewed := d.at
	w.look()
	if !d.at.Equal(renewed) {
		t.Errorf("without progress the end went from %v to %v, want it to stay", renewed, d.at)
	}
	began := time.Now()
	if _, err := s.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := peer.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	w.look()
	if d.at.Before(began.Add(stall-w.every())) || d.at.Before(renewed) || d.at.After(time.Now().Add(stall)) {
		t.Errorf("after progress the end is %v, want %v at most, and no sooner than before (%v)", d.at, time.Now().Add(stall), renewed)
	}
	// Progress that is seen only now may be as old as the look before: the time
	// from then on is what the client gets.
	d.at, w.until = time.Time{}, time.Time{}
	w.acknowledged = 0
	w.look()
	if latest := time.Now().Add(stall - w.every()); d.at.IsZero() || d.at.After(latest) {
		t.Errorf("after progress of an unknown time the end is %v, want %v at most", d.at, latest)
	}
}
