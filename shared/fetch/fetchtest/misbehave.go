package fetchtest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Status answers with a status, a problem in words, and header fields in pairs.
func Status(status int, fields ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(fields); i += 2 {
			w.Header().Set(fields[i], fields[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "not the file\n") // who asked may be gone
	}
}

// Hangup closes the connection without an answer.
func Hangup(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// Silent takes the request and never answers.
func Silent(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// Raw answers with these bytes and closes the connection.
func Raw(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(conn, text) // who asked may be gone
		_ = conn.Close()
	}
}

// Cut sends the right header and n bytes of the body, and breaks off.
func (f File) Cut(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.ServeHTTP(&limited{ResponseWriter: w, left: n, then: func() { panic(http.ErrAbortHandler) }}, r)
	}
}

// Stall sends the right header and n bytes of the body, and then nothing.
func (f File) Stall(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.ServeHTTP(&limited{ResponseWriter: w, left: n, then: func() { <-r.Context().Done() }}, r)
	}
}

// limited lets so many bytes of a body pass.
type limited struct {
	http.ResponseWriter
	left int
	then func()
}

// Write implements http.ResponseWriter.
func (l *limited) Write(p []byte) (int, error) {
	if len(p) < l.left {
		l.left -= len(p)
		return l.ResponseWriter.Write(p)
	}
	_, _ = l.ResponseWriter.Write(p[:l.left])
	_ = http.NewResponseController(l.ResponseWriter).Flush()
	l.then()
	return 0, io.ErrClosedPipe
}

// Unwrap lets a ResponseController through.
func (l *limited) Unwrap() http.ResponseWriter { return l.ResponseWriter }

// Slow sends the body in pieces, with a pause after each.
func (f File) Slow(piece int, pause time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.ServeHTTP(&slow{ResponseWriter: w, piece: piece, pause: pause, gone: r.Context().Done()}, r)
	}
}

type slow struct {
	http.ResponseWriter
	piece int
	pause time.Duration
	gone  <-chan struct{}
}

// Write implements http.ResponseWriter.
func (s *slow) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		part := p[:min(s.piece, len(p))]
		if _, err := s.ResponseWriter.Write(part); err != nil {
			return n, err
		}
		_ = http.NewResponseController(s.ResponseWriter).Flush()
		n, p = n+len(part), p[len(part):]
		timer := time.NewTimer(s.pause)
		select {
		case <-timer.C:
		case <-s.gone:
			timer.Stop()
			return n, io.ErrClosedPipe
		}
	}
	return n, nil
}

// Flip serves the file with one bit of each answer's body changed, at an
// offset into the body, or at its end where it is shorter.
func (f File) Flip(at int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		start, end := f.Asked(r)
		wrong := f
		wrong.Content = bytes.Clone(f.Content)
		wrong.Content[min(start+at, end-1)] ^= 1
		wrong.ServeHTTP(w, r)
	}
}

// Whole ignores ranges.
func (f File) Whole(w http.ResponseWriter, r *http.Request) {
	r.Header.Del("Range")
	f.ServeHTTP(w, r)
}

// Unconditional ignores conditions.
func (f File) Unconditional(w http.ResponseWriter, r *http.Request) {
	for _, name := range []string{"If-Match", "If-Unmodified-Since", "If-Range"} {
		r.Header.Del(name)
	}
	f.ServeHTTP(w, r)
}

// Lie answers 206 with the bytes asked for and header fields that are changed:
// edit gets those that are right.
func (f File) Lie(edit func(h http.Header)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		start, end := f.Asked(r)
		h := w.Header()
		h.Set("ETag", f.ETag)
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, end-1, len(f.Content)))
		h.Set("Content-Length", strconv.Itoa(end-start))
		edit(h)
		for name, values := range h {
			if len(values) == 1 && values[0] == "" {
				h.Del(name)
			}
		}
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write(f.Content[start:end]) // who asked may be gone
	}
}

// Shifted answers 206 with a Content-Range and bytes that begin elsewhere than
// was asked.
func (f File) Shifted(by int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		start, end := f.Asked(r)
		start, end = max(0, start+by), min(end+by, len(f.Content))
		w.Header().Set("ETag", f.ETag)
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, end-1, len(f.Content)))
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write(f.Content[start:end]) // who asked may be gone
	}
}

// Clamped answers a range with at most n bytes of it, as RFC 9110 §15.3.7
// allows.
func (f File) Clamped(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		start, end := f.Asked(r)
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", start, min(end, start+n)-1))
		f.ServeHTTP(w, r)
	}
}

// Chunked answers without a Content-Length, and with more or fewer bytes than
// there are: extra is how many more.
func (f File) Chunked(extra int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		start, end := f.Asked(r)
		w.Header().Set("ETag", f.ETag)
		status := http.StatusOK
		if r.Header.Get("Range") != "" {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, end-1, len(f.Content)))
			status = http.StatusPartialContent
		}
		w.WriteHeader(status)
		_ = http.NewResponseController(w).Flush()
		body := f.Content[start:end]
		if extra < 0 {
			body = body[:len(body)+extra]
		}
		_, _ = w.Write(body) // who asked may be gone
		if extra > 0 {
			_, _ = w.Write(make([]byte, extra)) // who asked may be gone
		}
	}
}

// Gzipped answers with a coding that nobody asked for.
func (f File) Gzipped(w http.ResponseWriter, _ *http.Request) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(f.Content[:min(len(f.Content), 64<<10)]) // to memory
	_ = z.Close()
	w.Header().Set("Content-Encoding", "gzip")
	w.Header().Set("ETag", f.ETag)
	_, _ = w.Write(packed.Bytes()) // who asked may be gone
}

// Multipart answers one range as if there were several.
func (f File) Multipart(w http.ResponseWriter, r *http.Request) {
	start, end := f.Asked(r)
	w.Header().Set("ETag", f.ETag)
	w.Header().Set("Content-Type", "multipart/byteranges; boundary=b")
	w.WriteHeader(http.StatusPartialContent)
	fmt.Fprintf(w, "--b\r\nContent-Range: bytes %d-%d/%d\r\n\r\n", start, end-1, len(f.Content))
	_, _ = w.Write(f.Content[start:end]) // who asked may be gone
	_, _ = io.WriteString(w, "\r\n--b--\r\n")
}

// Closing answers as HTTP/1.0 did, where the end of the connection ends the
// body, after n bytes of it.
func (f File) Closing(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = fmt.Fprintf(conn, "HTTP/1.0 200 OK\r\nETag: %s\r\n\r\n", f.ETag)
		_, _ = conn.Write(f.Content[:n]) // who asked may be gone
		_ = conn.Close()
	}
}
