package s3blob_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"sluice/localstack/stores"
	"sluice/shared/blob"
	"sluice/shared/blob/s3blob"
	"sluice/shared/fault"
)

// scripted returns a bucket over a server that answers by h.
func scripted(t *testing.T, h http.HandlerFunc) *blob.Bucket {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	d, err := s3blob.New(aws.Config{
		Region: "us-east-1", BaseEndpoint: &server.URL,
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	}, s3blob.Options{Bucket: "bucket", PathStyle: true, Retry: 200 * time.Millisecond, Patience: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	b := blob.NewBucket(d)
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// refuse answers as S3 refuses.
func refuse(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>No.</Message></Error>`, code)
	}
}

func TestEveryAnswerHasItsCode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		code   string
		kind   fault.Kind
		want   string
	}{
		{404, "NoSuchKey", fault.NotFound, "blob_not_found"},
		{404, "NoSuchUpload", fault.NotFound, "blob_not_found"},
		{404, "NoSuchBucket", fault.Upstream, "blob_failed"},
		{412, "PreconditionFailed", fault.PreconditionFailed, "blob_changed"},
		{507, "XMinioStorageFull", fault.InsufficientStorage, "no_space"},
		{507, "", fault.InsufficientStorage, "no_space"},
		{403, "QuotaExceeded", fault.InsufficientStorage, "no_space"},
		{400, "KeyTooLongError", fault.Unprocessable, "key_unsupported"},
		{503, "SlowDown", fault.Unavailable, "blob_busy"},
		{503, "", fault.Unavailable, "blob_busy"},
		{409, "ConditionalRequestConflict", fault.Unavailable, "blob_busy"},
		{429, "TooManyRequests", fault.Unavailable, "blob_busy"},
		{403, "AccessDenied", fault.Upstream, "blob_failed"},
		{403, "SignatureDoesNotMatch", fault.Upstream, "blob_failed"},
		{500, "InternalError", fault.Upstream, "blob_failed"},
		{301, "PermanentRedirect", fault.Upstream, "blob_failed"},
	} {
		b := scripted(t, refuse(c.status, c.code))
		for what, call := range map[string]func() error{
			"Open":            func() error { _, err := b.Open(t.Context(), "key", 0, 1, `"etag"`); return err },
			"CreateMultipart": func() error { _, err := b.CreateMultipart(t.Context(), "key", 5<<20); return err },
			"PutPart": func() error {
				_, err := b.PutPart(t.Context(), "key", "id", 1, bytes.NewReader([]byte("x")), 1, nil)
				return err
			},
			"ListParts": func() error { _, err := b.ListParts(t.Context(), "key", "id"); return err },
		} {
			err := call()
			if !fault.Is(err, c.kind, c.want) {
				t.Errorf("%s answered %d %s: %v, want %s", what, c.status, c.code, err, c.want)
			}
			if ours := (*fault.Error)(nil); c.want == "blob_busy" && errors.As(err, &ours) && ours.RetryAfter <= 0 {
				t.Errorf("%s answered %d: no RetryAfter", what, c.status)
			}
		}
	}
}

func TestAnAnswerOtherThanAskedForIsNoBlob(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		status int
		pin    string
		header map[string]string
		want   string
	}{
		"another entity tag":            {206, `"pin"`, map[string]string{"ETag": `"other"`, "Content-Range": "bytes 2-4/9"}, "blob_changed"},
		"the whole in place of a range": {200, `"pin"`, map[string]string{"ETag": `"pin"`}, "blob_failed"},
		"another range":                 {206, `"pin"`, map[string]string{"ETag": `"pin"`, "Content-Range": "bytes 3-5/9"}, "blob_failed"},
		"a shorter range":               {206, `"pin"`, map[string]string{"ETag": `"pin"`, "Content-Range": "bytes 2-3/9"}, "blob_failed"},
		"a range that is none":          {206, `"pin"`, map[string]string{"ETag": `"pin"`, "Content-Range": "bytes 4-2/9"}, "blob_failed"},
		"no range":                      {206, `"pin"`, map[string]string{"ETag": `"pin"`}, "blob_failed"},
		"a range beyond the end":        {206, `"pin"`, map[string]string{"ETag": `"pin"`, "Content-Range": "bytes 2-4/3"}, "blob_failed"},
		"no entity tag":                 {206, "", map[string]string{"Content-Range": "bytes 2-4/9"}, "blob_failed"},
	} {
		b := scripted(t, func(w http.ResponseWriter, _ *http.Request) {
			for name, value := range c.header {
				w.Header().Set(name, value)
			}
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, "123")
		})
		_, err := b.Open(t.Context(), "key", 2, 3, c.pin)
		if ours := (*fault.Error)(nil); !errors.As(err, &ours) || ours.Code != c.want {
			t.Errorf("%s: %v, want %s", what, err, c.want)
		}
	}
}

// Each answer is of three bytes at most, whatever it says of itself.
func TestAnAnswerThatEndsEarlyIsGoneOnWith(t *testing.T) {
	t.Parallel()
	data := []byte("0123456789")
	b := scripted(t, func(w http.ResponseWriter, r *http.Request) {
		var from, to int
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to); err != nil {
			t.Errorf("Range %q: %v", r.Header.Get("Range"), err)
		}
		w.Header().Set("ETag", `"pin"`)
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/10", from, to))
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write(data[from:min(to+1, from+3)])
	})
	got, err := io.ReadAll(opened(t.Context(), t, b, len(data)))
	wantWhole(t, got, data, err)
}

func TestACallIsMadeAgainWhileTheStoreIsBusy(t *testing.T) {
	t.Parallel()
	store := stores.Versitygw(t)
	var calls atomic.Int64
	asked := (&recorder{spoil: func(req *http.Request, resp *http.Response) (*http.Response, error) {
		if calls.Add(1)%3 == 0 {
			return resp, nil
		}
		_ = resp.Body.Close()
		busy := &http.Response{StatusCode: http.StatusServiceUnavailable, Header: http.Header{}, Body: http.NoBody, Request: req, ProtoMajor: 1, ProtoMinor: 1}
		return busy, nil
	}}).over(t)
	b := bucket(t, store, s3blob.Options{Transport: asked})
	data := noise(7, 2000)
	for what, call := range map[string]func() error{
		"Stat":   func() error { _, err := b.Stat(t.Context(), "absent"); return err },
		"Delete": func() error { return b.Delete(t.Context(), "absent") },
		"Open":   func() error { _, err := b.Open(t.Context(), "absent", 0, 1, ""); return err },
		"parts": func() error {
			id, err := b.CreateMultipart(t.Context(), "key", 5<<20)
			if err == nil {
				_, err = b.PutPart(t.Context(), "key", id, 1, bytes.NewReader(data), 2000, nil)
			}
			if fault.Is(err, fault.Unavailable, "blob_busy") { // its body was taken
				err = nil
			}
			return errors.Join(err, b.Discard(t.Context(), "key"))
		},
	} {
		if err := call(); err != nil && !fault.Is(err, fault.NotFound, "") {
			t.Errorf("%s of a store that is busy at first: %v", what, err)
		}
	}
}

// The answer to the request that makes the blob is lost once. The request that
// is sent again finds the key taken, by ourselves.
func TestACommitWhoseAnswerIsLostIsNoFailure(t *testing.T) {
	t.Parallel()
	store := stores.MinIO(t)
	for what, c := range map[string]struct {
		size   int
		method string
	}{
		"one PUT": {1000, http.MethodPut},
		"parts":   {11 << 20, http.MethodPost},
	} {
		var lost atomic.Bool
		asked := (&recorder{spoil: func(req *http.Request, resp *http.Response) (*http.Response, error) {
			if req.Method != c.method || req.URL.Query().Has("uploads") || lost.Swap(true) {
				return resp, nil
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			return nil, errors.New("lost")
		}}).over(t)
		b := bucket(t, store, s3blob.Options{Transport: asked, PartSize: 5 << 20})
		data := noise(8, c.size)
		if attrs, err := write(t, b, "key", data); err != nil || attrs.Size != int64(c.size) || attrs.ETag == "" {
			t.Errorf("%s: Commit = %+v, %v, want success", what, attrs, err)
		}
		if !lost.Load() {
			t.Errorf("%s: no answer was lost", what)
		}
		got, err := io.ReadAll(opened(t.Context(), t, b, c.size))
		wantWhole(t, got, data, err)
		if _, err := write(t, b, "key", data); !fault.Is(err, fault.Conflict, "blob_exists") {
			t.Errorf("%s: a second writer: %v, want blob_exists", what, err)
		}
	}
}

// write writes a blob of a size that is not announced.
func write(t testing.TB, b *blob.Bucket, key string, data []byte) (blob.Attrs, error) {
	t.Helper()
	w, err := b.Create(t.Context(), key, -1)
	if err != nil {
		return blob.Attrs{}, err
	}
	defer w.Abort()
	if _, err := w.Write(data); err != nil {
		return blob.Attrs{}, err
	}
	return w.Commit(t.Context())
}

func TestAStoreWithoutConditionsIsAskedFirst(t *testing.T) {
	t.Parallel()
	store := stores.MinIO(t)
	asked := (&recorder{}).over(t)
	b := bucket(t, store, s3blob.Options{Gaps: s3blob.Gaps{Conditions: true}, PartSize: 5 << 20, Transport: asked})
	for key, size := range map[string]int{"small": 10, "large": 6 << 20} {
		data := noise(13, size)
		if _, err := write(t, b, key, data); err != nil {
			t.Errorf("%s: %v", key, err)
		}
		if _, err := write(t, b, key, data[1:]); !fault.Is(err, fault.Conflict, "blob_exists") {
			t.Errorf("%s, written again: %v, want blob_exists", key, err)
		}
		if attrs, err := b.Stat(t.Context(), key); err != nil || attrs.Size != int64(size) {
			t.Errorf("%s: %d bytes, %v, want the first %d", key, attrs.Size, err, size)
		}
	}
	for _, req := range append(asked.requests(http.MethodPut), asked.requests(http.MethodPost)...) {
		if got := req.Header.Get("If-None-Match"); got != "" {
			t.Errorf("%s %s has If-None-Match %q, which the store may refuse", req.Method, req.URL.Path, got)
		}
	}
}

func TestAWriterThatFailsLeavesNoParts(t *testing.T) {
	t.Parallel()
	store := stores.MinIO(t)
	name := makeBucket(t, store)
	b := bucket(t, store, s3blob.Options{Bucket: name, PathStyle: true, PartSize: 5 << 20})
	data := noise(9, 16<<20)
	for what, spoil := range map[string]func(*blob.Writer) error{
		"aborted":   func(w *blob.Writer) error { return w.Abort() },
		"too short": func(w *blob.Writer) error { _, _ = w.Commit(t.Context()); return nil },
	} {
		w, err := b.Create(t.Context(), what, int64(len(data))+1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatalf("%s: Write: %v", what, err)
		}
		if err := spoil(w); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		left, err := client(store).ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &name, Prefix: &what})
		if err != nil || len(left.Uploads) != 0 {
			t.Errorf("%s: %d uploads are left, %v, want none", what, len(left.Uploads), err)
		}
	}
}

func TestAPartIsSentAgainWhileNothingOfItWasTaken(t *testing.T) {
	t.Parallel()
	store := stores.MinIO(t)
	name := makeBucket(t, store)
	_, behind := newGate(t, store, func(n int) way { return way{refuse: n%3 != 2} })
	for _, digests := range []bool{false, true} {
		b := bucket(t, behind, s3blob.Options{Bucket: name, PathStyle: true, PartDigests: digests})
		id, err := b.CreateMultipart(t.Context(), "key", 5<<20)
		if err != nil {
			t.Fatal(err)
		}
		data := noise(10, 200_000)
		sum := sha256.Sum256(data)
		part, err := b.PutPart(t.Context(), "key", id, 1, iotest.HalfReader(bytes.NewReader(data)), int64(len(data)), nil)
		if err != nil || digests && !bytes.Equal(part.SHA256, sum[:]) {
			t.Errorf("PutPart where connections are refused: %+v, %v, want it kept, and its digest: %t", part, err, digests)
		}
	}
}
