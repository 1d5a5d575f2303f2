package s3blob_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"sluice/localstack/stores"
	"sluice/shared/blob"
	"sluice/shared/blob/s3blob"
	"sluice/shared/fault"
)

// noise returns n bytes that differ for every seed.
func noise(seed byte, n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed, 1}).Read(data) // never fails
	return data
}

// bucket opens a driver, which ends with the test.
func bucket(t testing.TB, store *stores.S3, o s3blob.Options) *blob.Bucket {
	t.Helper()
	b := blob.NewBucket(open(t, store, o))
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return b
}

// putObject writes an object behind the driver's back, over one that is there.
func putObject(t testing.TB, store *stores.S3, bucket, key string, data []byte) {
	t.Helper()
	_, err := client(store).PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(data)})
	if err != nil {
		t.Fatalf("PutObject: %v", err)
	}
}

// opened opens the whole of the blob "key" of size bytes.
func opened(ctx context.Context, t testing.TB, b *blob.Bucket, size int) *blob.Reader {
	t.Helper()
	r, err := b.Open(ctx, "key", 0, int64(size), "")
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// readSome reads the first n bytes.
func readSome(t testing.TB, r io.Reader, n int) []byte {
	t.Helper()
	data := make([]byte, n)
	if got, err := io.ReadFull(r, data); err != nil {
		t.Fatalf("Read: %d of %d bytes, %v", got, n, err)
	}
	return data
}

func wantWhole(t testing.TB, got, want []byte, err error) {
	t.Helper()
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("read %d bytes of %d, or others: %v", len(got), len(want), err)
	}
}

func TestADownloadOutlivesItsConnections(t *testing.T) {
	t.Parallel()
	store := stores.MinIO(t)
	name := makeBucket(t, store)
	data := noise(1, 20<<20)
	putObject(t, store, name, "key", data)
	for what, c := range map[string]struct {
		choose func(int) way
		least  int // connections
	}{
		"reset every 3 MiB":          {always(way{after: 3 << 20, then: reset}), 7},
		"ended early every 3 MiB":    {always(way{after: 3 << 20, then: closing}), 7},
		"a third of them refused":    {func(n int) way { return way{refuse: n%3 == 0, after: 2 << 20} }, 14},
		"reset in the first header":  {first(way{after: 20, then: reset}), 2},
		"slow to come, then reset":   {func(n int) way { return way{latency: time.Millisecond, after: 5 << 20} }, 4},
		"standing still after 5 MiB": {first(way{after: 5 << 20, then: stall}), 2},
	} {
		t.Run(what, func(t *testing.T) {
			g, behind := newGate(t, store, c.choose)
			b := bucket(t, behind, s3blob.Options{Bucket: name, PathStyle: true, Stall: 500 * time.Millisecond})
			got, err := io.ReadAll(opened(t.Context(), t, b, len(data)))
			wantWhole(t, got, data, err)
			if n := g.connections(); n < c.least {
				t.Errorf("there were %d connections, want %d at least, or nothing was tested", n, c.least)
			}
		})
	}
}

func TestADownloadOutlivesAStoreThatIsKilled(t *testing.T) {
	t.Parallel()
	store := stores.MinIO(t)
	name := makeBucket(t, store)
	data := noise(2, 48<<20)
	putObject(t, store, name, "key", data)
	for what, o := range map[string]s3blob.Options{
		"one connection": {},
		"read ahead":     {ReadAhead: s3blob.ReadAhead{Connections: 3, Block: 1 << 20}},
	} {
		t.Run(what, func(t *testing.T) {
			o.Bucket, o.PathStyle, o.Patience, o.Retry = name, true, time.Minute, time.Minute
			b := bucket(t, store, o)
			r := opened(t.Context(), t, b, len(data))
			got := readSome(t, r, 8<<20)
			store.Kill()
			restarted := make(chan struct{})
			go func() {
				defer close(restarted)
				store.Start()
			}()
			rest, err := io.ReadAll(r)
			<-restarted
			wantWhole(t, append(got, rest...), data, err)
		})
	}
}

func TestAReplacedObjectIsNeverMixedIn(t *testing.T) {
	t.Parallel()
	store := stores.MinIO(t)
	name := makeBucket(t, store)
	const size, passed = 1 << 20, 300 << 10
	for round := range 100 {
		before, after := noise(byte(round), size), noise(byte(round+1), size)
		putObject(t, store, name, "key", before)
		_, behind := newGate(t, store, first(way{after: passed, then: reset}))
		b := bucket(t, behind, s3blob.Options{Bucket: name, PathStyle: true})
		r := opened(t.Context(), t, b, size)
		got := readSome(t, r, 1000)
		putObject(t, store, name, "key", after)
		rest, err := io.ReadAll(r)
		got = append(got, rest...)
		if !fault.Is(err, fault.PreconditionFailed, "blob_changed") {
			t.Fatalf("round %d: %d bytes, then %v, want blob_changed", round, len(got), err)
		}
		if !bytes.Equal(got, before[:len(got)]) {
			t.Fatalf("round %d: bytes that are not the first object's", round)
		}
	}
}

func TestAStoreThatStaysAwayFailsTheRead(t *testing.T) {
	t.Parallel()
	store := stores.Versitygw(t)
	name := makeBucket(t, store)
	data := noise(3, 8<<20)
	putObject(t, store, name, "key", data)
	b := bucket(t, store, s3blob.Options{Bucket: name, PathStyle: true, Patience: 300 * time.Millisecond, Retry: 100 * time.Millisecond})
	r := opened(t.Context(), t, b, len(data))
	got := readSome(t, r, 1000)
	store.Kill()
	rest, err := io.ReadAll(r)
	if got = append(got, rest...); !fault.Is(err, fault.Upstream, "blob_failed") || !bytes.Equal(got, data[:len(got)]) {
		t.Errorf("Read: %d bytes, or others, then %v, want blob_failed", len(got), err)
	}
	for what, call := range map[string]func() error{
		"Open": func() error { _, err := b.Open(t.Context(), "key", 0, 1, ""); return err },
		"Stat": func() error { _, err := b.Stat(t.Context(), "key"); return err },
		"Ping": func() error { return b.Ping(t.Context()) },
	} {
		if err := call(); !fault.Is(err, fault.Upstream, "blob_failed") {
			t.Errorf("%s without a store: %v, want blob_failed", what, err)
		}
	}
}

func TestAContextThatEndsLetsTheStoreGo(t *testing.T) {
	t.Parallel()
	store := stores.Versitygw(t)
	name := makeBucket(t, store)
	putObject(t, store, name, "key", noise(4, 32<<20))
	g, behind := newGate(t, store, always(way{after: 1 << 20, then: stall}))
	b := bucket(t, behind, s3blob.Options{Bucket: name, PathStyle: true})
	ctx, cancel := context.WithCancel(t.Context())
	r := opened(ctx, t, b, 32<<20)
	failed := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, r)
		failed <- err
	}()
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) || !fault.Is(err, fault.Unavailable, "canceled") {
		t.Errorf("Read: %v, want canceled", err)
	}
	<-g.closed // while nobody has closed the reader
}

func TestAReaderThatRestsGivesItsConnectionBack(t *testing.T) {
	t.Parallel()
	store := stores.MinIO(t)
	name := makeBucket(t, store)
	data := noise(5, 32<<20)
	putObject(t, store, name, "key", data)
	g, behind := newGate(t, store, always(way{}))
	asked := &recorder{}
	b := bucket(t, behind, s3blob.Options{Bucket: name, PathStyle: true, Idle: 200 * time.Millisecond, Transport: asked.over(t)})
	r := opened(t.Context(), t, b, len(data))
	got := readSome(t, r, 100_000)
	<-g.closed
	rest, err := io.ReadAll(r)
	wantWhole(t, append(got, rest...), data, err)
	ranges := asked.ranges()
	if len(ranges) < 3 || ranges[0] != "bytes=0-33554431" || ranges[1] != "bytes=100000-231071" || ranges[2] != "bytes=231072-493215" {
		t.Errorf("the ranges asked for are %q, want all, then a small piece, then larger ones", ranges)
	}
	for i, req := range asked.requests(http.MethodGet) {
		if pin := req.Header.Get("If-Match"); (pin == "") != (i == 0) {
			t.Errorf("request %d has If-Match %q, want one in all but the first", i, pin)
		}
	}
}

func TestReadAheadHoldsNoMoreBlocksThanConnections(t *testing.T) {
	t.Parallel()
	store := stores.Versitygw(t)
	name := makeBucket(t, store)
	const connections, block, blocks = 3, 100_000, 40
	data := noise(14, block*blocks-1)
	putObject(t, store, name, "key", data)
	asked := (&recorder{}).over(t)
	b := bucket(t, store, s3blob.Options{
		Bucket: name, PathStyle: true, Transport: asked, ReadAhead: s3blob.ReadAhead{Connections: connections, Block: block},
	})
	r := opened(t.Context(), t, b, len(data))
	var got []byte
	for i := range blocks {
		got = append(got, readSome(t, r, min(block, len(data)-len(got)))...)
		if n := len(asked.ranges()); n > i+connections {
			t.Fatalf("%d blocks were asked for when %d had been read, want %d at most", n, i+1, i+connections)
		}
	}
	wantWhole(t, got, data, nil)
	if n := len(asked.ranges()); n != blocks {
		t.Errorf("%d blocks were asked for, want each of %d once", n, blocks)
	}

	r = opened(t.Context(), t, b, len(data))
	readSome(t, r, 10)
	if err := r.Close(); err != nil { // and goleak sees whether all is given back
		t.Errorf("Close of a reader that was not read to its end: %v", err)
	}
}

func TestAReaderThatIsReadFromKeepsItsConnection(t *testing.T) {
	t.Parallel()
	store := stores.MinIO(t)
	name := makeBucket(t, store)
	data := noise(6, 32<<20)
	putObject(t, store, name, "key", data)
	g, behind := newGate(t, store, always(way{}))
	b := bucket(t, behind, s3blob.Options{Bucket: name, PathStyle: true})
	for range 3 {
		r := opened(t.Context(), t, b, len(data))
		got, err := io.ReadAll(r)
		wantWhole(t, got, data, err)
	}
	if n := g.connections(); n != 1 {
		t.Errorf("three downloads took %d connections, want one", n)
	}
}
