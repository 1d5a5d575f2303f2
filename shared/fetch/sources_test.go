package fetch_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/shared/fetch"
	ft "sluice/shared/fetch/fetchtest"
)

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
