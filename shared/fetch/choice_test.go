package fetch_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"sluice/shared/fetch"
	ft "sluice/shared/fetch/fetchtest"
)

// lineWriter is an answer that shares a line with others.
type lineWriter struct {
	http.ResponseWriter
	line *rate.Limiter
	ctx  context.Context
}

// Write implements http.ResponseWriter.
func (w lineWriter) Write(p []byte) (int, error) {
	if err := w.line.WaitN(w.ctx, len(p)); err != nil {
		return 0, err
	}
	return w.ResponseWriter.Write(p)
}

// onLine serves a file to all connections together at so many bytes a second.
func onLine(f ft.File, bytesPerSecond int) http.HandlerFunc {
	line := rate.NewLimiter(rate.Limit(bytesPerSecond), 64<<10)
	return func(w http.ResponseWriter, r *http.Request) {
		f.ServeHTTP(lineWriter{w, line, r.Context()}, r)
	}
}

// TestConnectionsGoWhereEachBringsMost has servers that hold each connection to
// a rate, or all of them together, by the bubble's clock.
func TestConnectionsGoWhereEachBringsMost(t *testing.T) {
	const (
		connections = 16
		size        = 96 << 20
		piece       = 32 << 10 // io.Copy writes so many bytes at once
		every       = 25 * time.Millisecond
		fast        = int(piece * time.Second / every) // bytes a second of a connection
	)
	large := ft.NewFile(9, size)
	each := func(slower time.Duration) http.Handler { return large.Slow(piece, every*slower) }
	for _, c := range []struct {
		name    string
		best    int // bytes a second that can be had
		atLeast float64
		sources []http.Handler
	}{
		{"one", connections * fast, 0.9, []http.Handler{each(1)}},
		{"one that is four times slower, and comes first", connections * fast, 0.86, []http.Handler{each(4), each(1)}},
		{"one that is four times slower, and comes last", connections * fast, 0.86, []http.Handler{each(1), each(4)}},
		{"two that are slower", connections * fast, 0.75, []http.Handler{each(3), each(1), each(8)}},
		{"two that are as fast", connections * fast, 0.9, []http.Handler{each(1), each(1)}},
		{"one whose line is full", 10 * fast, 0.9, []http.Handler{onLine(large, 10*fast)}},
		{"two whose lines are full", 10 * fast, 0.83, []http.Handler{onLine(large, 2*fast), onLine(large, 8*fast)}},
		{"two lines of one rate", 10 * fast, 0.9, []http.Handler{onLine(large, 5*fast), onLine(large, 5*fast)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, c.sources...)
				for i := range r.request.Sources {
					r.request.Sources[i].Priority = 0
				}
				r.request.Content = chunksOf(large, 1<<20)
				r.options.MaxConnections = connections
				client := fetch.New(r.options)
				defer client.Close()
				began := time.Now()
				transfer := client.Start(t.Context(), r.request)
				_, err := transfer.Wait()
				share := float64(size) / float64(c.best) / time.Since(began).Seconds()
				check(t, r.dir, err, large, "")
				if share < c.atLeast {
					t.Errorf("%.2f of what can be had, want %.2f; %+v", share, c.atLeast, transfer.Progress().Sources)
				}
			})
		})
	}
}

func TestConnectionsThatBringNothingEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		large := ft.NewFile(9, 96<<20)
		r := newRig(t, onLine(large, 16<<20))
		client := fetch.New(r.options)
		defer client.Close()
		transfer := client.Start(t.Context(), r.request)
		few, all := 0, 0
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for open := true; open; {
			select {
			case <-tick.C:
				if all++; transfer.Progress().Connections <= 4 {
					few++
				}
			case <-transfer.Ended():
				open = false
			}
		}
		_, err := transfer.Wait()
		check(t, r.dir, err, large, "")
		if few < all/4 {
			t.Errorf("at %d of %d times there were at most 4 connections, want more than a quarter: the line is full with one", few, all)
		}
	})
}
