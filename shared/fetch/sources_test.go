package fetch_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/shared/fault"
	"sluice/shared/fetch"
	ft "sluice/shared/fetch/fetchtest"
)

// chunksOf describes a content by chunks of a size.
func chunksOf(f ft.File, size int64) fetch.Content {
	c := fetch.Content{Size: int64(len(f.Content)), ChunkSize: size}
	for at := int64(0); at < c.Size; at += size {
		sum := sha256.Sum256(f.Content[at:min(at+size, c.Size)])
		c.Chunks = append(c.Chunks, sum[:]...)
	}
	return c
}

// rig fetches from sources on hosts a.test, b.test and so on.
type rig struct {
	network *ft.Network
	dir     string
	request fetch.Request
	options fetch.Options
}

func newRig(t *testing.T, sources ...http.Handler) *rig {
	t.Helper()
	r := &rig{network: ft.NewNetwork(), dir: t.TempDir()}
	r.request = fetch.Request{Dir: r.dir, Name: "file.bin"}
	for i, s := range sources {
		name := fmt.Sprintf("%c.test", 'a'+i)
		r.network.Serve(t, name+":80", s)
		r.request.Sources = append(r.request.Sources, fetch.Source{URL: "http://" + name + "/file.bin", Priority: i})
	}
	r.options.Dial = r.network.Dial
	return r
}

func (r *rig) get(t *testing.T) (fetch.Result, error) {
	t.Helper()
	c := fetch.New(r.options)
	defer c.Close()
	// A transfer that goes round in circles fails by the bubble's clock.
	ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
	defer cancel()
	return c.Start(ctx, r.request).Wait()
}

func TestChunks(t *testing.T) {
	flipped := func(f ft.File) ft.File { // in its first chunk, always
		f.Content = bytes.Clone(f.Content)
		f.Content[1000] ^= 1
		return f
	}
	for _, c := range []struct {
		name    string
		sources []http.Handler
		code    string
	}{
		{"right", []http.Handler{file}, ""},
		{"without any validator", []http.Handler{bare}, ""},
		{"a flipped bit once", []http.Handler{ft.Once(2, file.Flip(7), file)}, ""},
		{"a flipped bit in the first answer", []http.Handler{ft.Once(1, file.Flip(7), file)}, ""},
		{"a flipped bit always", []http.Handler{flipped(file)}, "digest_mismatch"},
		{"a flipped bit always, and another source", []http.Handler{flipped(file), file}, ""},
		{"a flipped bit by both", []http.Handler{flipped(file), flipped(file)}, "digest_mismatch"},
		{"another file, and another source", []http.Handler{other, file}, ""},
		{"another size, and another source", []http.Handler{shorter, file}, ""},
		{"no file, and another source", []http.Handler{ft.Always(ft.Status(404)), file}, ""},
		{"a file that goes, and another source", []http.Handler{ft.From(2, ft.Status(404), file), file}, ""},
		{"a file that changes, and another source", []http.Handler{ft.From(2, other.ServeHTTP, file), file}, ""},
		{"a source that hangs up, and another", []http.Handler{ft.Always(ft.Hangup), file}, ""},
		{"a source that is silent, and another", []http.Handler{ft.From(2, ft.Silent, file), file}, ""},
		{"sources of different ETags", []http.Handler{file, withTag(file, `"other"`), bare}, ""},
		{"twins that differ", []http.Handler{file, twin}, ""},
		{"no ranges, and another source", []http.Handler{ft.Always(file.Whole), file}, ""},
		{"all are lost", []http.Handler{ft.Always(ft.Status(404)), ft.Always(ft.Status(403))}, "unexpected_answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, c.sources...)
				r.request.Content = chunksOf(file, 1<<20)
				result, err := r.get(t)
				check(t, r.dir, err, file, c.code)
				if err == nil && result.Verified != "chunks" {
					t.Errorf("verified by %q, want chunks", result.Verified)
				}
			})
		})
	}
}

func TestABadChunkComesFromAnotherSourceNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := ft.Once(1, file.Flip(7), file)
		r := newRig(t, first, file)
		r.request.Content = chunksOf(file, 1<<20)
		_, err := r.get(t)
		check(t, r.dir, err, file, "")
		for _, asked := range first.Asked()[1:] {
			if strings.HasPrefix(asked.Header.Get("Range"), "bytes=0-") {
				t.Error("the first chunk, which it sent wrong, was asked of the same source again")
			}
		}
	})
}

func TestABadChunkComesFromASlowerSourceToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := file
		bad.Content = bytes.Clone(file.Content)
		bad.Content[1000] ^= 1
		r := newRig(t, bad, ft.Always(file.Slow(32<<10, 100*time.Millisecond)))
		r.request.Content = chunksOf(file, 1<<20)
		_, err := r.get(t)
		check(t, r.dir, err, file, "")
	})
}

func TestResumedChunksAreVerified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, crawling(file))
		r.request.Content = chunksOf(file, 1<<20)
		interrupted(t, r.network, r.request)
		part, err := os.OpenFile(filepath.Join(r.dir, "file.bin.part"), os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := part.WriteAt([]byte("not what came"), 100); err != nil {
			t.Fatal(err)
		}
		if err := part.Close(); err != nil {
			t.Fatal(err)
		}
		again := newRig(t, file)
		again.request.Content, again.request.Dir = r.request.Content, r.dir
		_, err = again.get(t)
		check(t, r.dir, err, file, "")
	})
}

func TestTwoSourcesAreUsedByTheirSpeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, fast := ft.Always(file.Slow(32<<10, 400*time.Millisecond)), ft.Always(file.Slow(32<<10, 20*time.Millisecond))
		r := newRig(t, slow, fast)
		r.request.Content = chunksOf(file, 1<<20)
		began := time.Now()
		c := fetch.New(r.options)
		defer c.Close()
		transfer := c.Start(t.Context(), r.request)
		_, err := transfer.Wait()
		check(t, r.dir, err, file, "")
		sources := transfer.Progress().Sources
		if sources[0].Bytes == 0 || sources[1].Bytes < 3*sources[0].Bytes {
			t.Errorf("the slow source gave %d bytes, the fast one %d", sources[0].Bytes, sources[1].Bytes)
		}
		t.Logf("in %s the slow source gave %d bytes, the fast one %d", time.Since(began), sources[0].Bytes, sources[1].Bytes)
	})
}

func TestASlowConnectionIsStolenFrom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ft.Once(2, file.Slow(1<<10, time.Second), file.Slow(64<<10, 10*time.Millisecond))) // an hour, by itself
		began := time.Now()
		_, err := r.get(t)
		check(t, r.dir, err, file, "")
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("one slow connection took %s", took)
		}
	})
}

func TestFewerConnectionsWhereAServerAsksForThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		open, most := 0, 0
		r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			mu.Lock()
			open++
			tooMany := open > 2
			if !tooMany {
				most = max(most, open)
			}
			mu.Unlock()
			defer func() { mu.Lock(); open--; mu.Unlock() }()
			if tooMany {
				ft.Status(http.StatusTooManyRequests, "Retry-After", "1")(w, req)
				return
			}
			file.Slow(256<<10, 100*time.Millisecond)(w, req)
		}))
		_, err := r.get(t)
		check(t, r.dir, err, file, "")
		if most != 2 {
			t.Errorf("%d connections were used at once, want the 2 that are allowed", most)
		}
	})
}

// heard collects what requests to a server held.
type heard struct {
	mu     sync.Mutex
	fields []http.Header
}

func (h *heard) by(next http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.fields = append(h.fields, r.Header.Clone())
		h.mu.Unlock()
		next.ServeHTTP(w, r)
	}
}

func TestCredentialsStayWithTheirHost(t *testing.T) {
	for _, c := range []struct {
		name, location string
		kept           bool
	}{
		{"another host", "http://b.test/file.bin", false},
		{"another port", "http://a.test:8080/file.bin", false},
		{"a host under it", "http://sub.a.test/file.bin", false},
		{"its own, by the port that is meant", "http://a.test:80/real", true},
		{"its own", "/real", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var home, away heard
				r := newRig(t, home.by(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
					if req.URL.Path == "/real" {
						file.ServeHTTP(w, req)
						return
					}
					ft.Status(307, "Location", c.location)(w, req)
				})))
				for _, address := range []string{"b.test:80", "a.test:8080", "sub.a.test:80"} {
					r.network.Serve(t, address, away.by(file))
				}
				r.request.Sources[0].Header = http.Header{"Cookie": {"id=secret"}, "X-Api-Key": {"secret"}}
				r.options.Credentials = func(u *url.URL) string { return "Bearer secret for " + u.Host }
				_, err := r.get(t)
				check(t, r.dir, err, file, "")
				if got := home.fields[0]; got.Get("Authorization") != "Bearer secret for a.test" || got.Get("Cookie") != "id=secret" {
					t.Errorf("its own host was sent %v", got)
				}
				if c.kept != (len(away.fields) == 0) {
					t.Errorf("%d requests went elsewhere", len(away.fields))
				}
				for _, fields := range away.fields {
					if text := fmt.Sprint(fields); strings.Contains(text, "secret") || fields.Get("Referer") != "" {
						t.Errorf("another host was sent %s", text)
					}
				}
			})
		})
	}
}

// TestURLsAreRenewed is of what a URL redirects to, and of URLs that end.
func TestURLsAreRenewed(t *testing.T) {
	t.Run("that were redirected to", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			signed := 0
			r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				signed++
				ft.Status(307, "Location", fmt.Sprintf("http://store.test/%d", signed))(w, req)
			}))
			asked := map[string]int{}
			var mu sync.Mutex
			r.network.Serve(t, "store.test:80", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				mu.Lock()
				asked[req.URL.Path]++
				over := asked[req.URL.Path] > 2
				mu.Unlock()
				if over {
					ft.Status(403)(w, req)
					return
				}
				file.ServeHTTP(w, req)
			}))
			_, err := r.get(t)
			check(t, r.dir, err, file, "")
			if len(asked) < 2 {
				t.Errorf("asked %v, want more than one URL", asked)
			}
		})
	})
	for _, c := range []struct {
		name  string
		known bool // when they end
	}{{"that are known to end", true}, {"that a server refuses", false}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				refused := 0
				var mu sync.Mutex
				r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
					until, err := time.ParseDuration(strings.TrimPrefix(req.URL.Path, "/"))
					if err != nil || time.Since(began) > until {
						mu.Lock()
						refused++
						mu.Unlock()
						ft.Status(403)(w, req)
						return
					}
					file.Clamped(64<<10)(&slowly{w}, req)
				}))
				const life = 3 * time.Minute
				renewals := 0
				var fresh func() fetch.Source
				fresh = func() fetch.Source {
					end := time.Since(began) + life
					s := fetch.Source{URL: "http://a.test/" + end.String()}
					if c.known {
						s.Expires = began.Add(end)
					}
					s.Renew = func(context.Context) (fetch.Source, error) { renewals++; return fresh(), nil }
					return s
				}
				r.request.Sources[0] = fresh()
				r.options.MaxConnections = 1
				_, err := r.get(t)
				check(t, r.dir, err, file, "")
				if renewals == 0 || c.known && refused > 0 {
					t.Errorf("%d renewals, %d refusals", renewals, refused)
				}
			})
		})
	}
}

// slowly takes five seconds to answer.
type slowly struct{ http.ResponseWriter }

func (s *slowly) WriteHeader(status int) {
	timer := time.NewTimer(5 * time.Second)
	<-timer.C
	s.ResponseWriter.WriteHeader(status)
}

func TestStream(t *testing.T) {
	for _, c := range []struct {
		name    string
		serve   http.Handler
		content fetch.Content
		code    string
	}{
		{"by ranges", file, fetch.Content{}, ""},
		{"by ranges, some slow", ft.Every(3, file.Slow(64<<10, time.Second), file), fetch.Content{}, ""},
		{"by ranges, some cut", ft.Every(3, file.Cut(100_000), file), fetch.Content{}, ""},
		{"in one stream", ft.Always(file.Whole), fetch.Content{}, ""},
		{"in one stream, cut", ft.Once(1, (&whole{file}).cut(5<<20), ft.Always(file.Whole)), fetch.Content{}, ""},
		{"in one stream of unknown length", ft.Always(file.Chunked(0)), fetch.Content{}, ""},
		{"in one stream, cut, and nothing to go on by", ft.Once(1, (&whole{bare}).cut(5<<20), ft.Always(bare.Whole)), fetch.Content{}, "cannot_resume"},
		{"an empty file", empty, fetch.Content{}, ""},
		{"verified by chunks", file, chunksOf(file, 1<<20), ""},
		{"a flipped bit, and chunks", ft.Once(2, file.Flip(3), file), chunksOf(file, 1<<20), "digest_mismatch"},
		{"a flipped bit, and a digest", ft.Once(2, summed.Flip(3), summed), fetch.Content{}, "digest_mismatch"},
		{"another file midway", ft.From(3, other.Unconditional, file), fetch.Content{}, "file_changed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, c.serve)
				var out bytes.Buffer
				r.request.Output, r.request.Content = &out, c.content
				_, err := r.get(t)
				if codeOf(err) != c.code {
					t.Errorf("the outcome is %q (%v), want %q", codeOf(err), err, c.code)
				}
				want := file.Content
				if c.name == "an empty file" {
					want = nil
				}
				if err == nil && !bytes.Equal(out.Bytes(), want) {
					t.Errorf("%d bytes came, and they are wrong", out.Len())
				}
			})
		})
	}
}

// slowWriter takes its time, and counts.
type slowWriter struct{ n int }

func (w *slowWriter) Write(p []byte) (int, error) {
	timer := time.NewTimer(time.Minute)
	<-timer.C
	w.n += len(p)
	return len(p), nil
}

// broken takes some bytes and no more.
type broken struct{ left int }

func (w *broken) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errors.New("broken pipe")
	}
	return len(p), nil
}

func TestStreamWaitsForWhoReads(t *testing.T) {
	for _, serve := range []http.Handler{file, ft.Always(file.Whole)} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, serve)
			out := &slowWriter{}
			r.request.Output = out
			if _, err := r.get(t); err != nil || out.n != ft.Size {
				t.Errorf("%d bytes were written, %v; want %d", out.n, err, ft.Size)
			}
		})
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, serve)
			r.request.Output = &broken{left: 1 << 20}
			if _, err := r.get(t); codeOf(err) != "output_failed" {
				t.Errorf("a broken output: %v", err)
			}
		})
	}
}

func TestLimitRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, file)
		const seconds = 90
		r.options.LimitRate = ft.Size / seconds
		began := time.Now()
		_, err := r.get(t)
		check(t, r.dir, err, file, "")
		if took := time.Since(began).Seconds(); took < seconds*0.95 || took > seconds*1.1 {
			t.Errorf("it took %.1f s, want %d", took, seconds)
		}
	})
}

func TestFilesComeInTheOrderOfTheirPriority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard []string
		r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			heard = append(heard, req.URL.Path)
			small.Slow(100, time.Second)(w, req)
		}))
		r.options.MaxConnections = 1
		c := fetch.New(r.options)
		defer c.Close()
		var all []*fetch.Transfer
		for i, priority := range []int{9, 1, 5, 3} { // the first has begun when the others come
			r.request.Sources[0].URL = fmt.Sprintf("http://a.test/%d", priority)
			r.request.Name, r.request.Priority = fmt.Sprint(i), priority
			one := r.request
			one.Sources = []fetch.Source{r.request.Sources[0]}
			all = append(all, c.Start(t.Context(), one))
			synctest.Wait()
		}
		for _, transfer := range all {
			if _, err := transfer.Wait(); err != nil {
				t.Error(err)
			}
		}
		if got := strings.Join(heard, " "); got != "/9 /5 /3 /1" {
			t.Errorf("they came as %s, want /9 /5 /3 /1", got)
		}
	})
}

// breaking is a connection that breaks after some bytes.
type breaking struct {
	net.Conn
	left int
}

func (b *breaking) Read(p []byte) (int, error) {
	if b.left <= 0 {
		_ = b.Close()
		return 0, errors.New("connection reset by peer")
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// TestBrokenConnections breaks 30 % of connections at random points.
func TestBrokenConnections(t *testing.T) {
	transfers := 100
	if os.Getenv("SLUICE_FULL") != "" {
		transfers = 2000
	}
	medium := ft.NewFile(6, 5<<20)
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		var mu sync.Mutex
		connections, broke, failed := 0, 0, 0
		r := newRig(t, medium)
		r.network.Wrap(func(c net.Conn) net.Conn {
			mu.Lock()
			defer mu.Unlock()
			connections++
			if random.Float64() >= 0.3 {
				return c
			}
			broke++
			return &breaking{c, random.IntN(4 << 20)}
		})
		for range transfers {
			var out bytes.Buffer
			r.request.Output = &out
			if _, err := r.get(t); err != nil || !bytes.Equal(out.Bytes(), medium.Content) {
				failed++
				if err == nil {
					t.Errorf("a wrong file of %d bytes, and no error", out.Len())
				}
			}
		}
		t.Logf("%d of %d connections broke, %d of %d transfers failed", broke, connections, failed, transfers)
		if failed*1000 > transfers {
			t.Errorf("%d of %d transfers failed", failed, transfers)
		}
	})
}

func TestErrorsHoldNoSecrets(t *testing.T) {
	const secret = "hunter2"
	for _, serve := range []http.Handler{ft.Always(ft.Hangup), ft.Always(ft.Status(403)), ft.Always(ft.Status(302, "Location", "http://none.test/"+secret)), ft.Always(file.Multipart)} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, serve)
			r.request.Sources[0].URL = "http://user:" + secret + "@a.test/" + secret + "?signature=" + secret
			r.options.Retries = 1
			_, err := r.get(t)
			if f, ok := errors.AsType[*fault.Error](err); !ok || strings.Contains(f.Error(), secret) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}
