package fetch_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"sluice/shared/digest"
	"sluice/shared/fetch"
	ft "sluice/shared/fetch/fetchtest"
)

// habit is a way in which a server answers a request.
type habit struct {
	wrong bool // it sends bytes that only a digest can tell from the right ones
	serve func(f ft.File) http.HandlerFunc
}

// habits are by the names that rapid tells.
func habits() map[string]habit {
	plain := func(h http.HandlerFunc) func(ft.File) http.HandlerFunc {
		return func(ft.File) http.HandlerFunc { return h }
	}
	return map[string]habit{
		"right":          {false, func(f ft.File) http.HandlerFunc { return f.ServeHTTP }},
		"hangs up":       {false, plain(ft.Hangup)},
		"is silent":      {false, plain(ft.Silent)},
		"500":            {false, plain(ft.Status(500))},
		"503":            {false, plain(ft.Status(503, "Retry-After", "7"))},
		"429":            {false, plain(ft.Status(429, "Retry-After", "1"))},
		"403":            {false, plain(ft.Status(403))},
		"404":            {false, plain(ft.Status(404))},
		"416":            {false, plain(ft.Status(416))},
		"304":            {false, plain(ft.Status(304))},
		"rubbish":        {false, plain(ft.Raw("HTTP/1.1 rubbish\r\n\r\n"))},
		"to itself":      {false, plain(ft.Status(302, "Location", "/again"))},
		"cut at once":    {false, func(f ft.File) http.HandlerFunc { return f.Cut(1) }},
		"cut":            {false, func(f ft.File) http.HandlerFunc { return f.Cut(100_000) }},
		"stalls":         {false, func(f ft.File) http.HandlerFunc { return f.Stall(100_000) }},
		"slow":           {false, func(f ft.File) http.HandlerFunc { return f.Slow(16<<10, time.Second) }},
		"without ranges": {false, func(f ft.File) http.HandlerFunc { return f.Whole }},
		"without ranges, slow": {false, func(f ft.File) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) { r.Header.Del("Range"); f.Slow(64<<10, time.Second)(w, r) }
		}},
		"without ranges, cut": {false, func(f ft.File) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) { r.Header.Del("Range"); f.Cut(300_000)(w, r) }
		}},
		"clamped":               {false, func(f ft.File) http.HandlerFunc { return f.Clamped(70_000) }},
		"framed":                {false, func(f ft.File) http.HandlerFunc { return f.Chunked(0) }},
		"framed, and too long":  {true, func(f ft.File) http.HandlerFunc { return f.Chunked(9) }},
		"framed, and too short": {true, func(f ft.File) http.HandlerFunc { return f.Chunked(-9) }},
		"gzip":                  {false, func(f ft.File) http.HandlerFunc { return f.Gzipped }},
		"multipart":             {false, func(f ft.File) http.HandlerFunc { return f.Multipart }},
		"another range":         {false, func(f ft.File) http.HandlerFunc { return f.Shifted(1) }},
		"closes":                {true, func(f ft.File) http.HandlerFunc { return f.Closing(len(f.Content) / 2) }},
		"another file":          {true, func(f ft.File) http.HandlerFunc { return ft.NewFile(99, len(f.Content)).ServeHTTP }},
		"a shorter file":        {true, func(f ft.File) http.HandlerFunc { return ft.NewFile(98, len(f.Content)/2).ServeHTTP }},
		"a flipped bit":         {true, func(f ft.File) http.HandlerFunc { return f.Flip(0) }},
		"other bytes": {true, func(f ft.File) http.HandlerFunc {
			wrong := f
			wrong.Content = bytes.Repeat([]byte("wrong"), len(f.Content)/5+1)[:len(f.Content)]
			return wrong.ServeHTTP
		}},
	}
}

// habitual answers with one habit after the other, and with the first again
// after the last, or with the last for ever.
type habitual struct {
	file   ft.File
	habits []habit
	stays  bool // with the last
	asked  atomic.Int64
	enough func() // called when it has been asked too often
}

// mostAsked is more than any transfer here needs.
const mostAsked = 20_000

// ServeHTTP implements http.Handler.
func (h *habitual) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := int(h.asked.Add(1)) - 1
	if n >= mostAsked {
		h.enough()
	}
	at := n % len(h.habits)
	if h.stays {
		at = min(n, len(h.habits)-1)
	}
	h.habits[at].serve(h.file)(w, r)
}

var errRound = errors.New("it goes round in circles")

// known is what is known of a file beforehand.
func known(rt *rapid.T, f ft.File) (c fetch.Content, verifiable bool) {
	sum := sha256.Sum256(f.Content)
	switch rapid.SampledFrom([]string{"nothing", "chunks", "digest", "both"}).Draw(rt, "known") {
	case "chunks":
		return chunksOf(f, 256<<10), true
	case "digest":
		return fetch.Content{Digest: digest.Set{SHA256: sum[:]}}, true
	case "both":
		c := chunksOf(f, 256<<10)
		c.Digest.SHA256 = sum[:]
		return c, true
	}
	return fetch.Content{}, false
}

// TestEveryTransferEnds has servers misbehave in every way that they know, one
// after the other and side by side. A transfer ends within a day, with the
// right file or an error.
func TestEveryTransferEnds(t *testing.T) {
	files := []ft.File{ft.NewFile(21, 1000), ft.NewFile(22, 1<<20+1), ft.NewFile(23, 5<<20+123)}
	all := habits()
	rapid.Check(t, func(rt *rapid.T) {
		right := files[rapid.IntRange(0, len(files)-1).Draw(rt, "file")]
		content, verifiable := known(rt, right)
		var may []string // habits whose wrong bytes are found out
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if verifiable || !all[name].wrong {
				may = append(may, name)
			}
		}
		right.ETag = rapid.SampledFrom([]string{right.ETag, ""}).Draw(rt, "etag")
		var sources []*habitual
		for range rapid.IntRange(1, 3).Draw(rt, "sources") {
			h := &habitual{file: right, stays: rapid.Bool().Draw(rt, "stays")}
			for range rapid.IntRange(1, 4).Draw(rt, "habits") {
				h.habits = append(h.habits, all[rapid.SampledFrom(may).Draw(rt, "habit")])
			}
			sources = append(sources, h)
		}
		options := fetch.Options{
			MaxConnections: rapid.SampledFrom([]int{1, 2, 16}).Draw(rt, "connections"),
			Retries:        rapid.IntRange(1, 6).Draw(rt, "retries"),
		}
		stream := rapid.Bool().Draw(rt, "stream")
		dir := t.TempDir()
		var got []byte
		var err error
		var took time.Duration
		synctest.Test(t, func(t *testing.T) { got, took, err = fetchFrom(t, sources, options, content, dir, stream) })
		if errors.Is(err, errRound) || errors.Is(err, context.DeadlineExceeded) {
			rt.Fatalf("after %s it has not ended: %v", took, err)
		}
		if err == nil && !bytes.Equal(got, right.Content) {
			rt.Fatalf("%d bytes came, and they are wrong", len(got))
		}
	})
}

// fetchFrom fetches in a bubble of its own, for a day at most.
func fetchFrom(t *testing.T, sources []*habitual, options fetch.Options, content fetch.Content, dir string, stream bool) ([]byte, time.Duration, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
	defer cancel()
	ctx, enough := context.WithCancelCause(ctx)
	defer enough(nil)
	var handlers []http.Handler
	for _, s := range sources {
		s.asked.Store(0)
		s.enough = func() { enough(errRound) }
		handlers = append(handlers, s)
	}
	r := newRig(t, handlers...)
	options.Dial = r.network.Dial
	r.request.Dir, r.request.Content = dir, content
	var out bytes.Buffer
	if stream {
		r.request.Output = &out
	}
	client := fetch.New(options)
	defer client.Close()
	began := time.Now()
	if _, err := client.Start(ctx, r.request).Wait(); err != nil {
		return nil, time.Since(began), err
	}
	if stream {
		return out.Bytes(), time.Since(began), nil
	}
	got, err := os.ReadFile(filepath.Join(dir, "file.bin"))
	return got, time.Since(began), err
}

// TestNoProgressEnds is of servers that a transfer went round with for ever.
func TestNoProgressEnds(t *testing.T) {
	late := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { file.ServeHTTP(&slowly{w}, r) })
	wholeCut := func(w http.ResponseWriter, r *http.Request) { r.Header.Del("Range"); bare.Cut(5<<20)(w, r) }
	tooLong := func(w http.ResponseWriter, r *http.Request) { r.Header.Del("Range"); file.Chunked(9)(w, r) }
	for _, c := range []struct {
		name    string
		serve   http.Handler
		content fetch.Content
		code    string
	}{
		{"silent to everybody but the first", ft.From(2, ft.Silent, file), fetch.Content{}, "stalled"},
		{"five seconds late with every answer", late, fetch.Content{}, ""},
		{"breaks off at the same place, and nothing to go on by", ft.Always(wholeCut), fetch.Content{}, "no_answer"},
		{"more than all chunks, and no length", ft.Always(tooLong), chunksOf(file, 1<<20), "digest_mismatch"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, c.serve)
				r.request.Content = c.content
				began := time.Now()
				_, err := r.get(t)
				check(t, r.dir, err, file, c.code)
				if took := time.Since(began); took > time.Hour {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}
