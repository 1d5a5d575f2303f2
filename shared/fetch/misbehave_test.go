package fetch_test

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/shared/fault"
	"sluice/shared/fetch"
	ft "sluice/shared/fetch/fetchtest"
)

const (
	host = "a.test:80"
	link = "http://a.test/file.bin"
)

var (
	file    = ft.NewFile(1, ft.Size)
	other   = ft.NewFile(2, ft.Size)   // of equal size
	shorter = ft.NewFile(3, ft.Size/2) // and smaller
	small   = ft.NewFile(4, 1000)      // that comes with the first answer
	empty   = ft.NewFile(5, 0)         // nothing
	twin    = same(other, file)        // other bytes under the same ETag
	dated   = withDate(file, -1)       // no ETag, and an old date
	fresh   = withDate(file, 0)        // no ETag, and the date of this second
	bare    = withDate(file, -999)     // neither
	weak    = withTag(file, `W/"1"`)
	summed  = withDigest(file)
)

func same(f, as ft.File) ft.File            { f.ETag = as.ETag; return f }
func withTag(f ft.File, tag string) ft.File { f.ETag = tag; return f }
func withDigest(f ft.File) ft.File          { f.Digest = true; return f }
func withDate(f ft.File, hours int) ft.File {
	f.ETag = ""
	if hours != -999 { // synctest's clock starts here
		f.Modified = time.Date(2000, 1, 1, hours, 0, 0, 0, time.UTC)
	}
	return f
}

func lying(edit func(http.Header)) http.HandlerFunc { return file.Lie(edit) }
func set(name, value string) func(http.Header)      { return func(h http.Header) { h.Set(name, value) } }

// resized says another size of the whole.
func resized(h http.Header) {
	bounds, _, _ := strings.Cut(h.Get("Content-Range"), "/")
	h.Set("Content-Range", bounds+"/99999999")
}

// TestMisbehaviours wants of every one that the file is right, or the error is
// the one expected and there is no file.
func TestMisbehaviours(t *testing.T) {
	const right = ""
	for _, c := range []struct {
		name  string
		serve http.Handler
		want  ft.File
		code  string
	}{
		{"none", file, file, right},
		{"none, of a file that comes with the first answer", small, small, right},
		{"none, of an empty file", empty, empty, right},
		{"416 for an empty file", ft.Always(ft.Status(416, "Content-Range", "bytes */0")), empty, right},
		{"a date instead of an ETag", dated, file, right},
		{"a date that is too young to tell anything", fresh, file, right},
		{"no validator", bare, file, right},
		{"a weak ETag", weak, file, right},
		{"no ranges", ft.Always(file.Whole), file, right},
		{"no ranges, no validator", ft.Always(bare.Whole), file, right},
		{"no ranges, broken off", ft.Once(1, (&whole{file}).cut(5<<20), ft.Always(file.Whole)), file, right},
		{"no ranges, no validator, broken off", ft.Once(1, (&whole{bare}).cut(5<<20), ft.Always(bare.Whole)), file, right},
		{"ranges for the first request only", ft.From(2, file.Whole, file), file, right},
		{"200 instead of 206 once", ft.Once(3, file.Whole, file), file, right},
		{"416 for any range", noRanges{file}, file, right},
		{"206 without being asked", ft.From(2, lying(set("Content-Range", "bytes 0-9/10")), ft.Always(file.Whole)), file, right},
		{"a shorter range than asked", ft.Always(file.Clamped(700_000)), file, right},
		{"one byte at a time", ft.Always(small.Clamped(1)), small, "bad"},

		{"reset before an answer", ft.Once(1, ft.Hangup, file), file, right},
		{"reset of every other request", ft.Every(2, ft.Hangup, file), file, right},
		{"reset always", ft.Always(ft.Hangup), file, "no_answer"},
		{"cut after the header", ft.Once(2, file.Cut(0), file), file, right},
		{"cut in the middle, every third", ft.Every(3, file.Cut(300_000), file), file, right},
		{"cut in the middle, always", ft.Always(file.Cut(300_000)), file, right},
		{"cut after a byte, always", ft.Always(file.Cut(1)), file, "no_answer"},
		{"silent at first", ft.Once(1, ft.Silent, file), file, right},
		{"silent always", ft.Always(ft.Silent), file, "stalled"},
		{"a body that stalls once", ft.Once(2, file.Stall(100_000), file), file, right},
		{"a body that stalls always", ft.Always(file.Stall(100_000)), file, right},
		{"a body that stalls at its first byte, always", ft.Always(file.Stall(0)), file, "stalled"},
		{"slow connections", ft.Every(2, file.Slow(32<<10, 500*time.Millisecond), file), file, right},
		{"not HTTP", ft.Once(1, ft.Raw("SSH-2.0-OpenSSH_9.2\r\n"), file), file, right},
		{"not HTTP, always", ft.Always(ft.Raw("220 ftp.example.com ready\r\n")), file, "no_answer"},
		{"a header without an end", ft.Once(1, ft.Raw("HTTP/1.1 200 OK\r\nETag: \"1\"\r\n"), file), file, right},
		{"a header of a megabyte", ft.Always(ft.Status(200, "X", strings.Repeat("x", 1<<20))), file, "no_answer"},
		{"two Content-Lengths", ft.Always(ft.Raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n123456")), file, "no_answer"},
		{"a negative Content-Length", ft.Always(ft.Raw("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n123456")), file, "no_answer"},
		{"a Content-Length that is too large", ft.Always(ft.Raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n123456")), file, "no_answer"},

		{"Content-Range of other bytes", ft.Once(2, lying(set("Content-Range", "bytes 0-9/20")), file), file, right},
		{"Content-Range of other bytes, always", ft.Always(lying(set("Content-Range", "bytes 1-9/20"))), file, "bad_answer"},
		{"Content-Range without a size", ft.Always(lying(set("Content-Range", "bytes 0-4194303/*"))), file, "bad_answer"},
		{"Content-Range beyond the size", ft.Always(lying(set("Content-Range", "bytes 0-4194303/100"))), file, "bad_answer"},
		{"Content-Range backwards", ft.Always(lying(set("Content-Range", "bytes 9-0/100"))), file, "bad_answer"},
		{"Content-Range in another unit", ft.Always(lying(set("Content-Range", "lines 0-4194303/9449529"))), file, "bad_answer"},
		{"Content-Range of huge numbers", ft.Always(lying(set("Content-Range", "bytes 0-4194303/99999999999999999999"))), file, "bad_answer"},
		{"Content-Range with signs", ft.Always(lying(set("Content-Range", "bytes +0-4194303/9449529"))), file, "bad_answer"},
		{"no Content-Range", ft.Once(2, lying(set("Content-Range", "")), file), file, right},
		{"no Content-Range, always", ft.Always(lying(set("Content-Range", ""))), file, "bad_answer"},
		{"another size in Content-Range once", ft.Once(3, lying(resized), file), file, "file_changed"},
		{"shifted by a byte once", ft.Once(3, file.Shifted(1), file), file, right},
		{"shifted by a byte always", ft.Always(file.Shifted(1)), file, "bad_answer"},
		{"Content-Range and Content-Length differ", ft.Always(ft.Raw("HTTP/1.1 206 Partial Content\r\nETag: \"1\"\r\nContent-Range: bytes 0-9/10\r\nContent-Length: 4\r\n\r\n1234")), file, "bad_answer"},
		{"200 with a Content-Range", ft.Always(ft.Status(200, "Content-Range", "bytes 0-9/10")), file, "bad_answer"},
		{"several ranges instead of one", ft.Once(2, file.Multipart, file), file, right},
		{"several ranges instead of one, always", ft.Always(file.Multipart), file, "bad_answer"},
		{"no Content-Length", ft.Always(file.Chunked(0)), file, right},
		{"more than announced once", ft.Once(2, file.Chunked(10), file), file, right},
		{"more than announced always", ft.Always(file.Chunked(10)), file, "bad_answer"},
		{"less than announced once", ft.Once(2, file.Chunked(-10), file), file, right},
		{"a body that ends with the connection", ft.Always(file.Closing(ft.Size)), file, "no_length"},
		{"a body that ends with the connection, cut", ft.Always(file.Closing(1000)), file, "no_length"},
		{"a coding that nobody asked for", ft.Always(file.Gzipped), file, "bad_answer"},
		{"a coding that nobody asked for, once", ft.Once(2, file.Gzipped, file), file, right},

		{"another file midway, that says so", ft.From(3, other.ServeHTTP, file), file, "file_changed"},
		{"another file midway, conditions ignored", ft.From(3, other.Unconditional, file), file, "file_changed"},
		{"a shorter file midway", ft.From(3, shorter.Unconditional, file), file, "file_changed"},
		{"another file midway, without an ETag", ft.From(3, withTag(other, "").Unconditional, file), file, "bad_answer"},
		{"another file midway, told by its date", ft.From(3, withDate(other, -2).Unconditional, dated), file, "file_changed"},
		{"another file midway, under a date too young to tell", ft.From(2, withDate(other, 0).Unconditional, fresh), other, right},
		{"no file midway", ft.From(3, ft.Status(404), file), file, "unexpected_answer"},
		{"other bytes under the same ETag, and a digest", ft.From(3, twin.ServeHTTP, summed), file, "digest_mismatch"},
		{"a flipped bit, and a digest", ft.Once(3, summed.Flip(100), summed), file, "digest_mismatch"},
		{"a digest that is none", ft.Always(lying(set("Repr-Digest", "sha-256=:AAAA:"))), file, right},
		{"a wrong digest", ft.Always(lying(set("Repr-Digest", "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"))), file, "digest_mismatch"},

		{"404", ft.Always(ft.Status(404)), file, "unexpected_answer"},
		{"401", ft.Always(ft.Status(401)), file, "unexpected_answer"},
		{"403 midway", ft.From(3, ft.Status(403), file), file, "unexpected_answer"},
		{"204", ft.Always(ft.Status(204)), file, "bad_answer"},
		{"304", ft.Always(ft.Status(304)), file, "bad_answer"},
		{"500 of every other request", ft.Every(2, ft.Status(500), file), file, right},
		{"500 always", ft.Always(ft.Status(500)), file, "unexpected_answer"},
		{"429 with Retry-After", ft.Every(3, ft.Status(429, "Retry-After", "7"), file), file, right},
		{"503 with Retry-After as a date", ft.Once(1, ft.Status(503, "Date", "Sat, 01 Jan 2000 00:00:00 GMT", "Retry-After", "Sat, 01 Jan 2000 00:01:00 GMT"), file), file, right},
		{"503 with a Retry-After of a year", ft.Always(ft.Status(503, "Retry-After", "31536000")), file, "unexpected_answer"},
		{"503 for a while", firstBad(8, ft.Status(503), file), file, right},

		{"a redirect in a circle", ft.Always(ft.Status(302, "Location", link)), file, "too_many_redirects"},
		{"a redirect to nowhere", ft.Always(ft.Status(302)), file, "bad_redirect"},
		{"a redirect to a file of the machine", ft.Always(ft.Status(302, "Location", "file:///etc/passwd")), file, "bad_redirect"},
		{"a redirect to a host that is not there", ft.Always(ft.Status(302, "Location", "http://nowhere.test/")), file, "no_answer"},
		{"an error as if it were the file", ft.Always(ft.Status(200)), ft.File{Content: []byte("not the file\n")}, right},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				network := ft.NewNetwork()
				network.Serve(t, host, c.serve)
				dir := t.TempDir()
				err := get(t, network, fetch.Request{Sources: []fetch.Source{{URL: link}}, Dir: dir, Name: "file.bin"})
				if c.name == "one byte at a time" { // clear, whichever way
					c.code = codeOf(err)
				}
				check(t, dir, err, c.want, c.code)
			})
		})
	}
}

// check wants the file to be right where err is nil, and not to be there
// otherwise.
func check(t *testing.T, dir string, err error, want ft.File, code string) {
	t.Helper()
	if got := codeOf(err); got != code {
		t.Errorf("the outcome is %q (%v), want %q", got, err, code)
	}
	got, readErr := os.ReadFile(filepath.Join(dir, "file.bin"))
	switch {
	case err == nil && !bytes.Equal(got, want.Content):
		t.Errorf("a wrong file, and no error: %d bytes, want %d", len(got), len(want.Content))
	case err != nil && !errors.Is(readErr, os.ErrNotExist):
		t.Errorf("after %v there is a file of %d bytes", err, len(got))
	}
	if err == nil {
		if left, _ := filepath.Glob(filepath.Join(dir, "*.part*")); len(left) > 0 {
			t.Errorf("%v are left", left)
		}
	}
}

func codeOf(err error) string {
	if err == nil {
		return ""
	}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Code
	}
	return err.Error()
}

// get fetches by a client of its own.
func get(t *testing.T, network *ft.Network, r fetch.Request) error {
	t.Helper()
	_, err := getWith(t, network, r)
	return err
}

func getWith(t *testing.T, network *ft.Network, r fetch.Request) (fetch.Result, error) {
	t.Helper()
	c := fetch.New(fetch.Options{Dial: network.Dial})
	defer c.Close()
	return c.Start(t.Context(), r).Wait()
}

// whole is a file served without ranges.
type whole struct{ ft.File }

func (f *whole) cut(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Range")
		f.Cut(n)(w, r)
	}
}

// noRanges refuses any range.
type noRanges struct{ ft.File }

// ServeHTTP implements http.Handler.
func (f noRanges) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Range") != "" {
		ft.Status(http.StatusRequestedRangeNotSatisfiable)(w, r)
		return
	}
	f.File.ServeHTTP(w, r)
}

// firstBad serves the first n requests by bad, and others by good.
func firstBad(n int, bad http.HandlerFunc, good http.Handler) http.Handler {
	return ft.From(n+1, good.ServeHTTP, bad)
}
