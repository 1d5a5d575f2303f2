package fetch_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"sluice/shared/fetch"
	ft "sluice/shared/fetch/fetchtest"
)

// TestDiverted is of real sockets, whose bytes go to the file in the kernel.
func TestDiverted(t *testing.T) {
	var none fetch.Content
	chunks := chunksOf(file, 1<<20)
	flipped := file
	flipped.Content = bytes.Clone(file.Content)
	flipped.Content[1<<20+5] ^= 1
	for _, c := range []struct {
		name    string
		serve   http.Handler
		content fetch.Content
		code    string
		pipes   bool
	}{
		{"by ranges", file, none, "", true},
		{"by ranges, some cut", ft.Every(3, file.Cut(1_000_000), file), none, "", true},
		{"by ranges, some cut in the middle of a header's buffer", ft.Every(3, file.Cut(2_000), file), none, "", true},
		{"by ranges that end early", ft.Always(file.Clamped(1_000_001)), none, "", true},
		{"stolen from", ft.Once(2, file.Slow(64<<10, 10*time.Millisecond), file), none, "", true},
		{"in one stream", ft.Always(file.Whole), none, "", true},
		{"with framing between the bytes", ft.Always(file.Chunked(0)), none, "", false},
		{"with bytes left over", ft.Always(file.Chunked(5)), none, "bad_answer", false},
		{"a small file", small, none, "", false},
		{"verified by chunks", file, chunks, "", true},
		{"a flipped bit once", ft.Once(2, file.Flip(1_500_000), file), chunks, "", true},
		{"a flipped bit always", flipped, chunks, "digest_mismatch", true},
		{"verified by a digest", summed, none, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(c.serve)
			defer server.Close()
			dir, want := t.TempDir(), file
			if c.name == "a small file" {
				want = small
			}
			client := fetch.New(fetch.Options{})
			_, err := client.Start(t.Context(), fetch.Request{
				Sources: []fetch.Source{{URL: server.URL}}, Dir: dir, Name: "file.bin", Content: c.content,
			}).Wait()
			pipes := client.Pipes()
			client.Close()
			check(t, dir, err, want, c.code)
			if runtime.GOOS == "linux" && (pipes > 0) != c.pipes {
				t.Errorf("%d pipes were used, want some: %v", pipes, c.pipes)
			}
		})
	}
}
