package blobtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/shared/blob"
	"sluice/shared/config"
	"sluice/shared/fault"
)

// needPresigner skips a case that a driver does not claim to pass, once the
// driver was seen to say so.
func needPresigner(t *testing.T, b *blob.Bucket) {
	t.Helper()
	if b.Presigns() {
		return
	}
	_, err := b.Presign(t.Context(), blob.Presign{Method: http.MethodGet, Key: "key", Lifetime: time.Minute})
	wantFault(t, "Presign", err, fault.Unprocessable, "presign_unsupported")
	t.Skip("the driver declares that it presigns nothing")
}

func presign(t *testing.T, b *blob.Bucket, p blob.Presign) blob.Presigned {
	t.Helper()
	needPresigner(t, b)
	p.Lifetime = time.Minute
	signed, err := b.Presign(t.Context(), p)
	if err != nil {
		t.Fatalf("Presign %+v: %v", p, err)
	}
	return signed
}

// answer is what a store said to a client that knows nothing but a URL.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// send sends the request that was signed, by another method where one is given,
// with more headers, written "Name: value".
func send(t *testing.T, signed blob.Presigned, method string, body []byte, headers ...string) answer {
	t.Helper()
	got, err := trySend(t, signed, method, body, headers...)
	if err != nil {
		t.Fatalf("%s by a presigned URL: %v", method, err)
	}
	return got
}

func trySend(t *testing.T, signed blob.Presigned, method string, body []byte, headers ...string) (answer, error) {
	t.Helper()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, signed.URL.Reveal(), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(req.Header, signed.Header)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, got}, err
}

func testPresignedGet(t *testing.T, b *blob.Bucket) {
	needPresigner(t, b)
	const key = "a folder/+ and ä.bin"
	data := content(1, 1000)
	etag := mustPut(t, b, key, data).ETag
	signed := presign(t, b, blob.Presign{Method: http.MethodGet, Key: key})
	for _, c := range []struct {
		headers []string
		status  int
		want    []byte
	}{
		{nil, http.StatusOK, data},
		{[]string{"Range: bytes=10-19"}, http.StatusPartialContent, data[10:20]},
		{[]string{"Range: bytes=-7"}, http.StatusPartialContent, data[993:]},
		{[]string{"Range: bytes=10-19", "If-Match: " + etag}, http.StatusPartialContent, data[10:20]},
		{[]string{`If-Match: "another"`}, http.StatusPreconditionFailed, nil},
		{[]string{"Range: bytes=1000-"}, http.StatusRequestedRangeNotSatisfiable, nil},
	} {
		got := send(t, signed, http.MethodGet, nil, c.headers...)
		if got.status != c.status || c.want != nil && !bytes.Equal(got.body, c.want) {
			t.Errorf("GET with %q: %d and %d bytes, want %d and %d", c.headers, got.status, len(got.body), c.status, len(c.want))
		}
		if tag := got.header.Get("ETag"); c.want != nil && tag != etag {
			t.Errorf("GET with %q: ETag %s, want %s, as of the stream", c.headers, tag, etag)
		}
	}
}

func testPresignedHeaders(t *testing.T, b *blob.Bucket) {
	needPresigner(t, b)
	mustPut(t, b, "key", []byte("x"))
	const disposition = `attachment; filename="a b.txt"; filename*=UTF-8''a%20%E2%82%AC.txt`
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		signed := presign(t, b, blob.Presign{Method: method, Key: "key", ContentType: "text/plain; charset=utf-8", ContentDisposition: disposition})
		got := send(t, signed, method, nil)
		if got.status != http.StatusOK || got.header.Get("Content-Type") != "text/plain; charset=utf-8" || got.header.Get("Content-Disposition") != disposition {
			t.Errorf("%s: %d, Content-Type %q, Content-Disposition %q", method, got.status, got.header.Get("Content-Type"), got.header.Get("Content-Disposition"))
		}
	}
}

func testPresignedForOneRequest(t *testing.T, b *blob.Bucket) {
	needPresigner(t, b)
	mustPut(t, b, "key", []byte("12345"))
	mustPut(t, b, "other", []byte("67890"))
	get := presign(t, b, blob.Presign{Method: http.MethodGet, Key: "key"})
	head := presign(t, b, blob.Presign{Method: http.MethodHead, Key: "key"})
	if got := send(t, head, http.MethodHead, nil); got.status != http.StatusOK || got.header.Get("Content-Length") != "5" {
		t.Errorf("HEAD: %d, Content-Length %q, want 200 and 5", got.status, got.header.Get("Content-Length"))
	}
	for what, got := range map[string]answer{
		"GET by a URL for HEAD":    send(t, head, http.MethodGet, nil),
		"HEAD by a URL for GET":    send(t, get, http.MethodHead, nil),
		"PUT by a URL for GET":     send(t, get, http.MethodPut, []byte("other")),
		"DELETE by a URL for GET":  send(t, get, http.MethodDelete, nil),
		"GET by a URL without end": send(t, altered(get, "X-Amz-Expires=60", "X-Amz-Expires=6000"), http.MethodGet, nil),
		"GET of another blob":      send(t, altered(get, "/key?", "/other?"), http.MethodGet, nil),
	} {
		if got.status != http.StatusForbidden {
			t.Errorf("%s: %d, want 403", what, got.status)
		}
	}
	wantBlob(t, b, "key", []byte("12345"))
}

// altered returns the request with a piece of its URL replaced.
func altered(signed blob.Presigned, from, to string) blob.Presigned {
	signed.URL = config.NewSecret(strings.Replace(signed.URL.Reveal(), from, to, 1))
	return signed
}

// wantRefused sends a body that is not the one signed. A store may refuse it
// while it is being sent, so that a client sees no more than a reset.
func wantRefused(t *testing.T, signed blob.Presigned, body []byte) {
	t.Helper()
	if got, err := trySend(t, signed, http.MethodPut, body); err == nil && got.status < 400 {
		t.Errorf("PUT of other bytes than signed: %d, want a refusal", got.status)
	}
}

func testPresignedPut(t *testing.T, b *blob.Bucket) {
	needPresigner(t, b)
	data := content(1, 100_000)
	sum := sha256.Sum256(data)
	for i, p := range []blob.Presign{
		{Method: http.MethodPut, SHA256: nil},
		{Method: http.MethodPut, SHA256: sum[:]},
	} {
		p.Key = fmt.Sprintf("key %d", i)
		signed := presign(t, b, p)
		if p.SHA256 != nil {
			wantRefused(t, signed, content(2, 100_000))
			wantAbsent(t, b, p.Key)
		}
		if got := send(t, signed, http.MethodPut, data); got.status != http.StatusOK {
			t.Fatalf("PUT: %d %s, want 200", got.status, got.body)
		}
		wantBlob(t, b, p.Key, data)
		if got := send(t, signed, http.MethodPut, data); got.status != http.StatusPreconditionFailed {
			t.Errorf("second PUT: %d, want 412", got.status)
		}
	}
}

func testPresignedParts(t *testing.T, b *blob.Bucket) {
	needPresigner(t, b)
	id, data := begin(t, b, "key"), content(1, partSize+1000)
	for i, part := range pieces(data) {
		sum := sha256.Sum256(part)
		signed := presign(t, b, blob.Presign{Method: http.MethodPut, Key: "key", Upload: id, Part: i + 1, SHA256: sum[:]})
		wantRefused(t, signed, content(2, len(part)))
		if i == 1 && !b.PartDigests() {
			signed = presign(t, b, blob.Presign{Method: http.MethodPut, Key: "key", Upload: id, Part: i + 1})
		}
		if got := send(t, signed, http.MethodPut, part); got.status != http.StatusOK {
			t.Fatalf("PUT of part %d: %d %s, want 200", i+1, got.status, got.body)
		}
	}
	if _, err := b.Presign(t.Context(), blob.Presign{Method: http.MethodPut, Key: "key", Lifetime: time.Minute, Upload: id, Part: 1}); b.PartDigests() {
		wantFault(t, "Presign of a part without its digest", err, fault.Invalid, "invalid_field")
		for i, part := range listParts(t, b, id) {
			if sum := sha256.Sum256(pieces(data)[i]); !bytes.Equal(part.SHA256, sum[:]) {
				t.Errorf("part %d is listed with SHA-256 %x, want %x", i+1, part.SHA256, sum)
			}
		}
	}
	complete(t, b, id, data)
}

func testPresignedSecret(t *testing.T, b *blob.Bucket) {
	needPresigner(t, b)
	signed := presign(t, b, blob.Presign{Method: http.MethodGet, Key: "key"})
	for _, shown := range []string{fmt.Sprint(signed), fmt.Sprintf("%+v", signed), fmt.Sprintf("%#v", signed), fmt.Sprint(&signed)} {
		if strings.Contains(shown, "://") || !strings.Contains(shown, "***") {
			t.Errorf("a presigned request prints as %q, want *** for its URL", shown)
		}
	}
}

func testPresignRefusals(t *testing.T, b *blob.Bucket) {
	needPresigner(t, b)
	for _, p := range []blob.Presign{
		{Method: http.MethodDelete, Key: "key", Lifetime: time.Minute},
		{Method: http.MethodGet, Key: "", Lifetime: time.Minute},
		{Method: http.MethodGet, Key: "key"},
		{Method: http.MethodGet, Key: "key", Lifetime: blob.MaxPresign + 1},
		{Method: http.MethodGet, Key: "key", Lifetime: time.Minute, SHA256: make([]byte, sha256.Size)},
		{Method: http.MethodGet, Key: "key", Lifetime: time.Minute, Upload: "id", Part: 1},
		{Method: http.MethodPut, Key: "key", Lifetime: time.Minute, ContentType: "text/plain"},
		{Method: http.MethodPut, Key: "key", Lifetime: time.Minute, SHA256: []byte("short")},
		{Method: http.MethodPut, Key: "key", Lifetime: time.Minute, Upload: "id"},
		{Method: http.MethodPut, Key: "key", Lifetime: time.Minute, Part: 1},
		{Method: http.MethodPut, Key: "key", Lifetime: time.Minute, Upload: "id", Part: -1},
	} {
		_, err := b.Presign(t.Context(), p)
		wantFault(t, fmt.Sprintf("Presign %+v", p), err, fault.Invalid, "invalid_field")
	}
}
