package delivery_test

import (
	"net/http"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/shared/delivery"
	"sluice/shared/socket"
)

// unsent is how many bytes a request's socket may hold unsent.
func unsent(t *testing.T, r *http.Request) int {
	t.Helper()
	raw, err := socket.Of(r.Context()).SyscallConn()
	if err != nil {
		t.Error(err)
		return 0
	}
	n := 0
	if err := raw.Control(func(fd uintptr) {
		n, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT)
	}); err != nil {
		t.Error(err)
	}
	if err != nil {
		t.Error(err)
	}
	return n
}

// told tells of each piece that is written.
type told struct {
	http.ResponseWriter
	piece func(size int)
}

func (w told) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w told) Write(p []byte) (int, error) {
	w.piece(len(p))
	return w.ResponseWriter.Write(p)
}

// What is sent in large pieces may wait in the socket as such, and only then:
// a slow client seems stalled while what waits for it drains.
func TestTheSocketOfAFastClientHoldsALargePiece(t *testing.T) {
	b, _ := inMemory(t)
	f := keep(t, b, noise(16<<20))
	s := service(b, 10*time.Second)
	large := make(chan int, 1)
	addr := serveBy(t, s.Stall, func(w http.ResponseWriter, r *http.Request) {
		many := 0
		through := told{w, func(size int) {
			want := socket.Unsent
			if size > smallPiece {
				many++
				want = largePiece
			}
			if got := unsent(t, r); got != want {
				t.Errorf("a piece of %d bytes is written to a socket that holds %d unsent, want %d", size, got, want)
			}
		}}
		if _, err := s.Serve(through, r, f, delivery.Options{}); err != nil {
			t.Error(err)
		}
		if got := unsent(t, r); got != socket.Unsent {
			t.Errorf("after a download the socket holds %d unsent, want %d", got, socket.Unsent)
		}
		large <- many
	})
	for deadline := time.Now().Add(time.Minute); ; { // on a busy machine no client is fast
		if _, err := read(get(t, addr, "")); err != nil {
			t.Fatal(err)
		}
		if <-large > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("no large piece was sent for a minute")
		}
	}
}
