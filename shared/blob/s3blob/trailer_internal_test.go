package s3blob

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// aws-chunked without signatures is HTTP's chunked coding, whose reader in
// net/http is the oracle.
func TestATrailedBodyIsChunkedAndAsLongAsAnnounced(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.OneOf(rapid.IntRange(0, 300), rapid.IntRange(piece-2, piece+2), rapid.IntRange(0, 3*piece+1)).Draw(t, "size")
		data := bytes.Repeat([]byte("0123456789abcde"), size/15+1)[:size]
		sent, err := io.ReadAll(iotest.HalfReader(newTrailed(bytes.NewReader(data), int64(size))))
		if err != nil || int64(len(sent)) != trailedSize(int64(size)) {
			t.Fatalf("%d bytes, %v, want %d as announced", len(sent), err, trailedSize(int64(size)))
		}
		got, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(sent)))
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("the pieces hold %d bytes, %v, want the %d sent", len(got), err, size)
		}
		sum := sha256.Sum256(data)
		want := "0\r\n" + checksumHeader + ":" + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n"
		if !strings.HasSuffix(string(sent), want) {
			t.Fatalf("it ends with %q, want %q", sent[len(sent)-min(len(sent), 90):], want)
		}
	})
}

func TestATrailedBodyThatBreaksOffHasNoEnd(t *testing.T) {
	for _, size := range []int64{1, piece, 2 * piece} {
		sent, err := io.ReadAll(newTrailed(bytes.NewReader(make([]byte, size-1)), size))
		if !errors.Is(err, io.ErrUnexpectedEOF) || bytes.Contains(sent, []byte(checksumHeader)) {
			t.Errorf("%d of %d bytes: %v, want an unexpected EOF and no checksum", size-1, size, err)
		}
	}
}

func FuzzEscape(f *testing.F) {
	for _, path := range []string{"/", "/a b", "/ä/€", "/%2F", "/a+b?c#d", "/~-._", "/\x01"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		escaped := escape(path)
		back, err := url.PathUnescape(escaped)
		if err != nil || back != path {
			t.Errorf("%q is escaped as %q, which is %q, %v", path, escaped, back, err)
		}
		if strings.ContainsFunc(escaped, func(r rune) bool {
			return r > '~' || r <= ' ' || strings.ContainsRune(`!"#$&'()*+,:;<=>?@[\]^{|}`+"`", r)
		}) {
			t.Errorf("%q is escaped as %q, where more must be", path, escaped)
		}
	})
}
