package fetch_test

import (
	"bytes"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"sluice/shared/fetch"
	ft "sluice/shared/fetch/fetchtest"
)

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
