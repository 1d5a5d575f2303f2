package send_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	ft "sluice/shared/fetch/fetchtest"
	"sluice/shared/send"
)

// The token goes to the server alone: not to another host or port that it
// redirects to, and not along with a part, whose URL is enough.
func TestTheTokenGoesNowhereElse(t *testing.T) {
	for _, c := range []struct {
		name, other, operation string
		size                   int
	}{
		{"a file, to another host", "b.test", put, 1000},
		{"a file, to another port", "s.test:8080", put, 1000},
		{"an upload, to another host", "b.test", begin, large},
		{"a part, to another host", "b.test", part, large},
		{"a completion, to another port", "s.test:8080", complete, large},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				r := newRig(t)
				r.behind(on(c.operation, always(to(307, "http://"+c.other+"{path}"))))
				asked := ft.Always(func(w http.ResponseWriter, q *http.Request) { r.server.ServeHTTP(w, q) })
				address := c.other
				if !strings.Contains(address, ":") {
					address += ":80"
				}
				r.serve(address, asked)
				path, content := r.file("f", c.size, 1)
				_, err := r.send(send.Request{File: path, Path: "f"})
				want := "unauthenticated"
				if c.operation == part {
					want = "" // it needs none
				}
				r.want("sent", "f", content, err, want)
				if len(asked.Asked()) == 0 {
					t.Error("the other place was not asked")
				}
				for _, q := range asked.Asked() {
					if q.Header.Get("Authorization") != "" || q.Header.Get("Cookie") != "" {
						t.Errorf("%s %s has credentials", q.Method, q.URL.Path)
					}
				}
			})
		})
	}
}

func TestPartsAreSentAsNobody(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		r.behind(on(part, through(1, func(good http.Handler, w http.ResponseWriter, q *http.Request) {
			if q.Header.Get("Authorization") != "" {
				t.Error("a part carries the token")
			}
			good.ServeHTTP(w, q)
		})))
		path, content := r.file("f", large, 1)
		_, err := r.send(send.Request{File: path, Path: "f"})
		r.want("sent", "f", content, err, "")
	})
}

// gauge tells how many requests are under way, and the most that were.
type gauge struct {
	mu        sync.Mutex
	now, most int
}

func (g *gauge) add(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now += n
	g.most = max(g.most, g.now)
}

func (g *gauge) before(good http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		g.add(1)
		defer g.add(-1)
		<-time.After(time.Second)
		good.ServeHTTP(w, q)
	})
}

func TestConnections(t *testing.T) {
	for _, c := range []struct {
		name   string
		parts  int
		most   int
		refuse before
		want   int
	}{
		{"one", 2, 1, nil, 1},
		{"four at first", 4, 8, nil, 4},
		{"they grow", 15, 6, nil, 6},
		{"they are halved where it is too much", 4, 8, firstFew(4, ft.Status(429)), 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				r := newRig(t)
				var g gauge
				r.behind(on(part, func(good http.Handler) http.Handler {
					if good = g.before(good); c.refuse != nil {
						good = c.refuse(good)
					}
					return good
				}))
				r.options.MaxConnections = c.most
				path, content := r.file("f", c.parts*partSize, 1)
				_, err := r.send(send.Request{File: path, Path: "f"})
				r.want("sent", "f", content, err, "")
				if g.most != c.want {
					t.Errorf("%d parts were under way at once, want %d", g.most, c.want)
				}
			})
		})
	}
}

// What a server asks for is waited, and no more than a retry beside.
func TestRetryAfter(t *testing.T) {
	for name, fields := range map[string][]string{
		"seconds": {"Retry-After", "60"},
		"a date":  {"Date", "Sat, 01 Jan 2000 00:00:00 GMT", "Retry-After", "Sat, 01 Jan 2000 00:01:00 GMT"},
	} {
		inBubble(t, func(t *testing.T) {
			r := newRig(t)
			r.behind(on(put, once(ft.Status(503, fields...))))
			path, content := r.file("f", 1000, 1)
			began := time.Now()
			_, err := r.send(send.Request{File: path, Path: "f"})
			r.want(name, "f", content, err, "")
			if took := time.Since(began); took < time.Minute || took > time.Minute+5*time.Second {
				t.Errorf("%s: it took %s, want a minute", name, took)
			}
		})
	}
}

func TestLimitRate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const rate, size = 1 << 20, partSize + 12345
		r := newRig(t)
		r.behind(nil)
		r.options.LimitRate = rate
		path, content := r.file("f", size, 1)
		began := time.Now()
		_, err := r.send(send.Request{File: path, Path: "f"})
		r.want("sent", "f", content, err, "")
		if took, want := time.Since(began), time.Duration(size)*time.Second/rate; took < want-want/10 || took > want+want/10 {
			t.Errorf("%d bytes took %s, want about %s", size, took, want)
		}
	})
}

// A stream that breaks off leaves nothing behind, and no upload that takes room.
func TestAStreamThatBreaksOffIsAborted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		r.behind(nil)
		broken := errors.New("the pipe broke")
		_, content := r.file("f", 3*partSize, 1)
		_, err := r.send(send.Request{Reader: io.MultiReader(reader(content), failing{broken}), Path: "f"})
		if !errors.Is(err, broken) || r.stored("f").ID != "" {
			t.Errorf("the outcome is %v, and %+v is there", err, r.stored("f"))
		}
		var profile struct{ Used struct{ Bytes int64 } }
		r.ask(http.MethodGet, "/api/profile", nil, &profile)
		if profile.Used.Bytes != 0 {
			t.Errorf("%d bytes are still taken", profile.Used.Bytes)
		}
	})
}

// A stream that stands still does not keep anybody.
func TestAStreamThatStandsStillCanBeLeft(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		r.behind(nil)
		from, into := io.Pipe()
		defer into.Close()
		c, err := send.New(r.options)
		must(t, err)
		defer c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := c.Start(ctx, send.Request{Reader: from, Path: "f"}).Wait(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it ends with %v, want the context's error", err)
		}
	})
}

// failing fails after a while.
type failing struct{ err error }

// Read implements io.Reader.
func (f failing) Read([]byte) (int, error) {
	<-time.After(time.Minute)
	return 0, f.err
}

// A context that ends stops a transfer at once, whatever it waits for.
func TestAContextEndsIt(t *testing.T) {
	for name, wait := range map[string]before{
		"an answer": on(part, always(ft.Silent)),
		"a retry":   on(part, always(ft.Status(503, "Retry-After", "500"))),
		"the end":   on(complete, always(says(202, "application/json", `{}`))),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				r := newRig(t)
				r.behind(wait)
				path, _ := r.file("f", large, 1)
				c, err := send.New(r.options)
				must(t, err)
				defer c.Close()
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				began := time.Now()
				if _, err := c.Start(ctx, send.Request{File: path, Path: "f"}).Wait(); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("it ends with %v, want the context's error", err)
				}
				if took := time.Since(began); took > 11*time.Second {
					t.Errorf("it ended after %s, want 10s", took)
				}
			})
		})
	}
}
