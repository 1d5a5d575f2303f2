package edge_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/shared/edge"
)

func streamedTransports() []edge.Transport { return []edge.Transport{edge.URLStream, edge.RESTStream} }

// begin invokes a function that streams and reads the prelude.
func begin(ctx context.Context, t testing.TB, f *edge.Function, q question) io.ReadCloser {
	t.Helper()
	answer, err := f.Invoke(ctx, q.event(t, f.Transport))
	if err != nil {
		t.Fatal(err)
	}
	body := answer.(io.ReadCloser)
	for nuls := 0; nuls < 8; {
		b := make([]byte, 1)
		if _, err := io.ReadFull(body, b); err != nil {
			t.Fatalf("the prelude ends with %v", err)
		}
		if nuls++; b[0] != 0 {
			nuls = 0
		}
	}
	return body
}

// read reads n bytes.
func read(t testing.TB, r io.Reader, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What was written is there to read before more is, flushed or not; and the
// head as soon as it is flushed.
func TestAStreamFlows(t *testing.T) {
	for _, transport := range streamedTransports() {
		next := make(chan struct{})
		body := begin(t.Context(), t, function(transport, func(w http.ResponseWriter, _ *http.Request) {
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Errorf("%s: Flush: %v", transport, err)
			}
			for _, piece := range []string{"one", "two", "six"} {
				<-next
				fmt.Fprint(w, piece)
			}
		}), question{path: "/"})
		for _, want := range []string{"one", "two", "six"} {
			next <- struct{}{}
			if got := read(t, body, 3); got != want {
				t.Errorf("%s: %q, want %q", transport, got, want)
			}
		}
		if rest, err := io.ReadAll(body); len(rest) != 0 || err != nil {
			t.Errorf("%s: behind the end are %q, %v", transport, rest, err)
		}
		if err := body.Close(); err != nil {
			t.Error(err)
		}
	}
}

// lambdaurl ends the stream cleanly when a handler fails in its midst, and a
// panic there kills the process. Here the reader gets an error, of which the
// runtime makes trailers.
func TestABrokenStreamIsNeverEndedCleanly(t *testing.T) {
	for name, app := range map[string]http.HandlerFunc{
		"aborted": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "half")
			panic(http.ErrAbortHandler)
		},
		"panicked": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "half")
			panic("a bug")
		},
		"shorter than announced": answering(200, "half", "Content-Length", "5"),
	} {
		for _, transport := range streamedTransports() {
			var log bytes.Buffer
			f := &edge.Function{Transport: transport, App: app, Log: slog.New(slog.NewTextHandler(&log, nil))}
			got := invoke(t, f, question{path: "/"}.event(t, transport))
			var broken *edge.BrokenError
			if got.status != 200 || got.body != "half" || !errors.As(got.err, &broken) || strings.Contains(got.err.Error(), "bug") {
				t.Errorf("%s: %s: %d %q, %v; want what was written, and a BrokenError without the reason for a panic", transport, name, got.status, got.body, got.err)
			}
			if logged := strings.Contains(log.String(), "a bug"); logged != (name == "panicked") {
				t.Errorf("%s: %s: the log says %s", transport, name, &log)
			}
		}
	}
}

// endless writes until it cannot, and tells why.
func endless(failed chan<- error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 1000)); err != nil {
				failed <- errors.Join(err, r.Context().Err())
				panic(http.ErrAbortHandler)
			}
		}
	}
}

// The runtime closes what it could not send. The app is told, and has ended when
// Close returns, since nothing of an invocation may run into the next one.
func TestACallerThatIsGoneEndsTheApp(t *testing.T) {
	for _, transport := range streamedTransports() {
		failed, after := make(chan error, 1), false
		f := function(transport, endless(failed))
		f.After = func(ctx context.Context) error {
			after = ctx.Err() == nil
			return nil
		}
		body := begin(t.Context(), t, f, question{path: "/"})
		read(t, body, 2500)
		if err := body.Close(); err != nil {
			t.Errorf("%s: Close: %v", transport, err)
		}
		select {
		case err := <-failed:
			if !strings.Contains(err.Error(), "the caller is gone") {
				t.Errorf("%s: the app's Write fails with %v, want it to say that the caller is gone", transport, err)
			}
		default:
			t.Fatalf("%s: Close returned while the app was writing", transport)
		}
		if !after {
			t.Errorf("%s: Close returned before After, or After came too late", transport)
		}
	}
}

// Who waits for something else than the caller hears it by the context.
func TestACallerThatIsGoneEndsWhatTheAppWaitsFor(t *testing.T) {
	for _, transport := range streamedTransports() {
		body := begin(t.Context(), t, function(transport, func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}), question{path: "/"})
		if err := body.Close(); err != nil {
			t.Error(err)
		}
	}
}

// pause lets time pass in the bubble of a synctest.
func pause(d time.Duration) { <-time.After(d) }

// A second before Lambda would kill it a stream breaks off, so that the client
// knows and counts are written; whether the app writes, waits for a reader that
// stands still, or for something else.
func TestAStreamStopsInTime(t *testing.T) {
	for _, transport := range streamedTransports() {
		for name, c := range map[string]struct {
			app  http.HandlerFunc
			read func(io.Reader) error
		}{
			"a reader that goes on": {endless(make(chan error, 1)), func(r io.Reader) error {
				for {
					pause(time.Millisecond)
					if _, err := r.Read(make([]byte, 1000)); err != nil {
						return err
					}
				}
			}},
			"a reader that stands still": {endless(make(chan error, 1)), func(r io.Reader) error {
				pause(29*time.Second + time.Millisecond)
				_, err := io.Copy(io.Discard, r)
				return err
			}},
			"an app that waits": {func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprint(w, "x")
				<-r.Context().Done()
				panic(http.ErrAbortHandler)
			}, func(r io.Reader) error {
				_, err := io.Copy(io.Discard, r)
				return err
			}},
		} {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				body := begin(ctx, t, function(transport, c.app), question{path: "/"})
				err := c.read(body)
				var broken *edge.BrokenError
				if took := time.Since(start); !errors.As(err, &broken) || !strings.Contains(err.Error(), "the invocation's time is over") || took < 29*time.Second || took > 29*time.Second+5*time.Millisecond {
					t.Errorf("%s: %s: %v after %s; want the time to be over after 29 s", transport, name, err, took)
				}
				if err := body.Close(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// An answer that had not begun when its time was over may still say so, whole.
func TestAStreamThatHasNotBegunSaysThatItIsLate(t *testing.T) {
	for _, transport := range streamedTransports() {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			answer, err := function(transport, func(w http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
				synctest.Wait()
				w.WriteHeader(http.StatusServiceUnavailable)
				fmt.Fprint(w, "late")
			}).Invoke(ctx, question{path: "/"}.event(t, transport))
			if err != nil {
				t.Fatal(err)
			}
			if got := decode(t, answer); got.status != http.StatusServiceUnavailable || got.body != "late" || got.err != nil {
				t.Errorf("%s: %d %q, %v; want 503 late", transport, got.status, got.body, got.err)
			}
		})
	}
}

// The deadline of a write is that of a connection: a reader that takes nothing
// is dropped, unless it is given more time.
func TestAWriteDeadline(t *testing.T) {
	for _, transport := range streamedTransports() {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			done := make(chan struct{})
			body := begin(t.Context(), t, function(transport, func(w http.ResponseWriter, _ *http.Request) {
				defer close(done)
				control := http.NewResponseController(w)
				deadline := func(at time.Time) {
					if err := control.SetWriteDeadline(at); err != nil {
						t.Errorf("SetWriteDeadline: %v", err)
					}
				}
				deadline(start.Add(-time.Second))
				fmt.Fprint(w, "") // nothing to wait for
				if _, err := w.Write([]byte("late")); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("a Write after its deadline: %v, want os.ErrDeadlineExceeded", err)
				}
				deadline(start.Add(time.Second))
				pause(2 * time.Second) // no Write waits
				deadline(time.Time{})
				if _, err := w.Write([]byte("first")); err != nil {
					t.Errorf("a Write without a deadline: %v", err)
				}
				deadline(start.Add(20 * time.Second))
				time.AfterFunc(15*time.Second, func() { deadline(start.Add(40 * time.Second)) })
				_, err := w.Write([]byte("second"))
				if took := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || took != 40*time.Second {
					t.Errorf("a Write that nobody reads: %v after %s; want os.ErrDeadlineExceeded after the 40 s it was given at last", err, took)
				}
				deadline(start.Add(time.Hour))
				if _, err := w.Write([]byte("third")); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("a Write after one that was cut: %v, want os.ErrDeadlineExceeded", err)
				}
				panic(http.ErrAbortHandler)
			}), question{path: "/"})
			if got := read(t, body, 5); got != "first" {
				t.Errorf("%q, want first", got)
			}
			<-done
			if rest, err := io.ReadAll(body); len(rest) > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("then %q, %v; want os.ErrDeadlineExceeded", rest, err)
			}
			if err := body.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// The platform takes 16 KiB of head.
func TestALargeHeadIsAClear500(t *testing.T) {
	for _, transport := range streamedTransports() {
		for size, want := range map[int]int{15 << 10: 200, 16 << 10: 500, 1 << 20: 500} {
			got := invoke(t, function(transport, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-Large", strings.Repeat("x", size))
				fmt.Fprint(w, "body")
				if _, err := fmt.Fprint(w, "body"); (err != nil) != (want == 500) {
					t.Errorf("%s: writing on behind a head of %d bytes: %v", transport, size, err)
				}
			}), question{path: "/"}.event(t, transport))
			if got.status != want || got.err != nil {
				t.Errorf("%s: a head of %d bytes is %d, %v; want %d", transport, size, got.status, got.err, want)
			}
			if want == 500 {
				if code := problemCode(t, got); code != "internal" {
					t.Errorf("%s: a head of %d bytes is %s, want internal", transport, size, code)
				}
			}
		}
	}
}

func TestLargeBodiesStreamWhole(t *testing.T) {
	for _, transport := range streamedTransports() {
		const piece, pieces = 1<<16 + 1, 200
		var want bytes.Buffer
		app := func(w http.ResponseWriter, _ *http.Request) {
			for n := range pieces {
				bytes := bytes.Repeat([]byte{byte(n)}, piece)
				want.Write(bytes)
				if _, err := w.Write(bytes); err != nil {
					t.Error(err)
				}
			}
		}
		got := ask1(t, transport, app, http.MethodGet)
		if got.body != want.String() || got.err != nil {
			t.Errorf("%s: %d bytes, %v; want the %d that were written", transport, len(got.body), got.err, want.Len())
		}
	}
}

func BenchmarkStream(b *testing.B) {
	piece := make([]byte, 64<<10)
	b.SetBytes(64 << 20)
	event := question{path: "/"}.event(b, edge.URLStream)
	f := function(edge.URLStream, func(w http.ResponseWriter, _ *http.Request) {
		for range 1 << 10 {
			w.Write(piece)
		}
	})
	for b.Loop() {
		answer, err := f.Invoke(b.Context(), event)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, answer.(io.Reader), make([]byte, 32<<10)); err != nil || n < 64<<20 {
			b.Fatal(n, err)
		}
		answer.(io.Closer).Close()
	}
}
