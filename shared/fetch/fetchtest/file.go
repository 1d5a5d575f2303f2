package fetchtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"sluice/shared/digest"
)

// Size is how large the file of a test is, in bytes: several pieces, and a
// multiple of nothing.
const Size = 9<<20 + 12345

// File is one content, which serves itself as it should be.
type File struct {
	Content  []byte
	ETag     string    // "": it has none
	Modified time.Time // zero: unknown
	Digest   bool      // it says its Repr-Digest
}

// NewFile returns a file of random bytes that depend on seed alone.
func NewFile(seed byte, size int) File {
	content := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(content) // never fails
	return File{Content: content, ETag: `"` + hex.EncodeToString([]byte{seed}) + `"`}
}

// ServeHTTP implements http.Handler.
func (f File) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.ETag != "" {
		w.Header().Set("ETag", f.ETag)
	}
	if f.Digest {
		sum := sha256.Sum256(f.Content)
		w.Header().Set("Repr-Digest", digest.Format(sum[:]))
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", f.Modified, bytes.NewReader(f.Content))
}

// Asked returns the range that a request asks for; the whole without one.
func (f File) Asked(r *http.Request) (start, end int) {
	first, last, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "-")
	if first == "" {
		return 0, len(f.Content)
	}
	start, end = atoi(first), len(f.Content)
	if last != "" {
		end = min(end, atoi(last)+1)
	}
	return start, end
}

func atoi(s string) int {
	n := 0
	for _, c := range s {
		n = n*10 + int(c-'0')
	}
	return n
}

// Script serves by the number of the request, from 1 on, and keeps what was
// asked. It is safe for concurrent use.
type Script struct {
	Serve func(n int, w http.ResponseWriter, r *http.Request)

	mu    sync.Mutex
	asked []*http.Request
}

// ServeHTTP implements http.Handler.
func (s *Script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, r.Clone(r.Context()))
	n := len(s.asked)
	s.mu.Unlock()
	s.Serve(n, w, r)
}

// Asked returns all requests so far, in their order.
func (s *Script) Asked() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*http.Request(nil), s.asked...)
}

// Always serves every request by h.
func Always(h http.HandlerFunc) *Script {
	return &Script{Serve: func(_ int, w http.ResponseWriter, r *http.Request) { h(w, r) }}
}

// Once serves the nth request by h and all others by good.
func Once(nth int, h http.HandlerFunc, good http.Handler) *Script {
	return &Script{Serve: func(n int, w http.ResponseWriter, r *http.Request) {
		if n == nth {
			h(w, r)
			return
		}
		good.ServeHTTP(w, r)
	}}
}

// From serves requests by good before the nth, and by h from then on.
func From(nth int, h http.HandlerFunc, good http.Handler) *Script {
	return &Script{Serve: func(n int, w http.ResponseWriter, r *http.Request) {
		if n >= nth {
			h(w, r)
			return
		}
		good.ServeHTTP(w, r)
	}}
}

// Every serves every nth request by h and all others by good.
func Every(nth int, h http.HandlerFunc, good http.Handler) *Script {
	return &Script{Serve: func(n int, w http.ResponseWriter, r *http.Request) {
		if n%nth == 0 {
			h(w, r)
			return
		}
		good.ServeHTTP(w, r)
	}}
}
