package delivery_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sluice/shared/delivery"
)

// taker is an edge on which each write takes as long as takes says.
type taker struct {
	header http.Header
	takes  func(piece int)
}

func (w taker) Header() http.Header { return w.header }
func (w taker) WriteHeader(int)     {}

func (w taker) Write(p []byte) (int, error) {
	w.takes(len(p))
	return len(p), nil
}

const (
	smallPiece = 32 << 10
	largePiece = 1 << 20
)

// A piece is held for as long as a client takes for it: only who is fast gets
// large ones.
func TestOnlyAFastClientIsSentLargePieces(t *testing.T) {
	const size = 16 << 20
	b, _ := inMemory(t)
	f := keep(t, b, noise(size))
	for _, x := range []struct {
		name  string
		takes func(sent int) time.Duration
		first int // bytes before the first large piece
		small int // bytes in small pieces
	}{
		{"fast", func(int) time.Duration { return 10 * time.Millisecond }, 4 << 20, 4 << 20},
		{"slow", func(int) time.Duration { return 200 * time.Millisecond }, size, size},
		{"fast, but for one piece", func(sent int) time.Duration {
			if sent == 8<<20 {
				return 200 * time.Millisecond
			}
			return 10 * time.Millisecond
		}, 4 << 20, 8 << 20},
	} {
		synctest.Test(t, func(t *testing.T) {
			sent, small, first := 0, 0, size
			w := taker{http.Header{}, func(piece int) {
				if piece > smallPiece {
					first = min(first, sent)
				} else {
					small += piece
				}
				if piece > largePiece {
					t.Errorf("%s: a piece of %d bytes, want at most %d", x.name, piece, largePiece)
				}
				<-time.After(x.takes(sent))
				sent += piece
			}}
			outcome, err := service(b, time.Minute).Serve(w, httptest.NewRequest(http.MethodGet, "/", http.NoBody), f, delivery.Options{})
			if err != nil || !outcome.Complete || sent != size {
				t.Fatalf("%s: %+v, %v, %d bytes, want all %d", x.name, outcome, err, sent, size)
			}
			if first != x.first || small != x.small {
				t.Errorf("%s: the first large piece came after %d bytes, and %d in small ones, want %d and %d", x.name, first, small, x.first, x.small)
			}
		})
	}
}

// Clients that were fast may stop all at once. Those who get no large piece get
// small ones.
func TestFewHoldLargePieces(t *testing.T) {
	const most, clients = 64, 70
	b, _ := inMemory(t)
	f := keep(t, b, noise(6<<20))
	synctest.Test(t, func(t *testing.T) {
		s := service(b, time.Minute)
		stopped, ended := make(chan struct{}), make(chan error, clients)
		held := make([]bool, clients)
		for i := range clients {
			w := taker{http.Header{}, func(piece int) {
				if piece > smallPiece {
					held[i] = true
					<-stopped
				}
			}}
			go func() {
				_, err := s.Serve(w, httptest.NewRequest(http.MethodGet, "/", http.NoBody), f, delivery.Options{})
				ended <- err
			}()
		}
		synctest.Wait()
		holders := len(slices.DeleteFunc(slices.Clone(held), func(h bool) bool { return !h }))
		if holders != most || len(ended) != clients-most {
			t.Errorf("%d of %d clients hold a large piece, and %d have ended, want %d and %d", holders, clients, len(ended), most, clients-most)
		}
		close(stopped)
		for range clients {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
}
