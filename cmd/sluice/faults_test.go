package main_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"sluice/localstack/stores"
)

// A client gets each file whole in one answer, whatever the network to the
// store does, and the server has nothing left of it afterwards.
func TestDownloadsOutliveTheNetworkToTheStore(t *testing.T) {
	n := startNetwork(t)
	large, small := n.put("large", 24<<20), n.put("small", 3<<20)
	cases := []struct {
		name   string
		path   string
		want   []byte
		faults []stores.Toxic
		least  time.Duration // it takes so long, or nothing was tested
	}{
		{"connections reset every 4 MiB", "large", large, []stores.Toxic{short(4 << 20), broken(0)}, 0},
		{"bodies cut short every 3 MiB", "large", large, []stores.Toxic{short(3 << 20)}, 0},
		{"a third of connections of no use", "large", large, []stores.Toxic{short(2 << 20), broken(1. / 3)}, 0},
		{"2 s late", "small", small, []stores.Toxic{late(2 * time.Second)}, 2 * time.Second},
		{"1 MB/s", "small", small, []stores.Toxic{slow(1000)}, 2500 * time.Millisecond},
	}
	for _, c := range cases {
		n.cut(blobStore)
		for _, fault := range c.faults {
			n.faults.Add(blobStore, fault)
		}
		began := time.Now()
		if got := n.Get(n.token, c.path); got != string(c.want) {
			t.Errorf("%s: %d other bytes came, want %d", c.name, len(got), len(c.want))
		}
		if took := time.Since(began); took < c.least {
			t.Errorf("%s: it took %s, want %s at least", c.name, took, c.least)
		}
		n.faults.Heal()
	}
	n.wantCalm()
}

func TestDownloadsOutliveAStoreThatIsKilled(t *testing.T) {
	n := startNetwork(t)
	content := n.put("large", largeSize)
	for _, end := range []func(){n.blobs.Kill, n.blobs.Stop} {
		body := n.download("large")
		got := readSome(t, body, 1<<20)
		end()
		restarted := make(chan struct{})
		go func() {
			defer close(restarted)
			n.blobs.Start()
		}()
		rest, err := io.ReadAll(body)
		<-restarted
		_ = body.Close()
		if err != nil || !bytes.Equal(append(got, rest...), content) {
			t.Errorf("%d bytes came of %d, or others: %v", len(got)+len(rest), len(content), err)
		}
	}
	n.wantCalm()
}

// An object that somebody replaces in the store ends the download there: what
// came is of one object.
func TestReplacedObjectsEndTheirDownloads(t *testing.T) {
	const size, passed = 4 << 20, 256 << 10
	n := startNetwork(t)
	content, after := n.put("replaced", size), bytes.Repeat([]byte("n"), size)
	store := s3.New(s3.Options{
		Region: n.blobs.Region, BaseEndpoint: &n.blobs.Endpoint, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(n.blobs.AccessKey, n.blobs.SecretKey, ""),
	})
	key := keyOf(t, store, size)
	write := func(content []byte) {
		t.Helper()
		if _, err := store.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("files"), Key: &key, Body: bytes.NewReader(content)}); err != nil {
			t.Fatal(err)
		}
	}
	n.faults.Add(blobStore, slow(500)) // an object is far from whole when it is replaced
	for round := range rounds(3, 100) {
		write(content)
		n.cut(blobStore)
		body := n.download("replaced")
		got := readSome(t, body, passed)
		write(after)
		n.cut(blobStore)
		rest, err := io.ReadAll(body)
		_ = body.Close()
		got = append(got, rest...)
		if err == nil || len(got) >= size || !bytes.Equal(got, content[:len(got)]) {
			t.Fatalf("round %d: %d bytes came, or others, and the end is %v; want it broken off", round, len(got), err)
		}
		if r := n.Ask(http.MethodGet, "/file/admin/replaced", n.token, nil); r.StatusCode != http.StatusConflict || !strings.Contains(n.end(r), `"blob_changed"`) {
			t.Errorf("round %d: GET of the replaced object = %s, want 409 blob_changed", round, r.Status)
		}
	}
	n.wantCalm()
}

// keyOf returns the key of the object of a size.
func keyOf(t *testing.T, store *s3.Client, size int64) string {
	t.Helper()
	listed, err := store.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("files")})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range listed.Contents {
		if *o.Size == size {
			return *o.Key
		}
	}
	t.Fatalf("no object of %d bytes is there", size)
	return ""
}

// While the record store is away downloads go on and what is new is told to
// come again; each that did so is served once the store is back, by itself.
func TestRecordStoreAway(t *testing.T) {
	n := startNetwork(t)
	content := n.put("large", largeSize)
	running := n.download("large")
	got := readSome(t, running, 1<<20)

	n.faults.Enable(recordStore, false)
	var clients sync.WaitGroup
	const each = 4
	turnedAway := make(chan struct{}, each)
	for i := range each {
		clients.Go(func() {
			for told := false; ; told = true {
				r := n.Ask(http.MethodPut, fmt.Sprint("/file/admin/new", i), n.token, strings.NewReader(fmt.Sprint("content ", i)))
				n.end(r)
				if r.StatusCode == http.StatusCreated {
					return
				}
				if seconds, err := strconv.Atoi(r.Header.Get("Retry-After")); r.StatusCode != http.StatusServiceUnavailable || err != nil || seconds < 1 {
					t.Errorf("PUT while the records are away = %s with Retry-After %q, want 503 with seconds", r.Status, r.Header.Get("Retry-After"))
					return
				}
				if !told {
					turnedAway <- struct{}{}
				}
			}
		})
	}
	for range each {
		<-turnedAway
	}
	if r := n.Ask(http.MethodGet, "/readyz", "", nil); n.end(r) == "" || r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("GET /readyz while the records are away = %s, want 503", r.Status)
	}
	wantRest(t, running, content[len(got):])

	n.faults.Enable(recordStore, true)
	clients.Wait()
	for i := range each {
		if got, want := n.Get(n.token, fmt.Sprint("new", i)), fmt.Sprint("content ", i); got != want {
			t.Errorf("file %d is %q, want %q", i, got, want)
		}
	}
	wantUsed(n.process, n.token, firstSize+len(content)+each*len("content 0"), each+2)
	n.wantCalm()
}
