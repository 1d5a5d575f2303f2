package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/shared/blob"
	"sluice/shared/blob/blobtest"
	"sluice/shared/blob/fileblob"
	"sluice/shared/catalog"
	"sluice/shared/delivery"
	"sluice/shared/fault"
)

// noise is content of which no two stretches are alike, so that a hole shows.
func noise(size int) []byte {
	content := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(content) // never fails
	return content
}

// onDisk returns a bucket of files.
func onDisk(t *testing.T) *blob.Bucket {
	t.Helper()
	driver, err := fileblob.Open(t.TempDir(), fileblob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return closing(t, driver)
}

// inMemory returns a bucket of what are no files, and what disturbs it.
func inMemory(t *testing.T) (*blob.Bucket, *blobtest.Chaos) {
	t.Helper()
	chaos := blobtest.NewChaos(blobtest.NewMemory())
	return closing(t, chaos), chaos
}

func closing(t *testing.T, d blob.Driver) *blob.Bucket {
	t.Helper()
	b := blob.NewBucket(d)
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// keep puts content into b and returns its file.
func keep(t *testing.T, b *blob.Bucket, content []byte) *catalog.File {
	t.Helper()
	w, err := b.Create(t.Context(), "key", int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	return file(len(content))
}

// file is what the catalog knows of a file of that size.
func file(size int) *catalog.File {
	return &catalog.File{
		Path: "a/file.bin", ContentType: "application/octet-stream",
		Version: catalog.Version{Key: "key", Size: int64(size), ETag: `"v1"`, ModifiedAt: time.Unix(1e9, 0)},
	}
}

func service(b *blob.Bucket, stall time.Duration) *delivery.Service {
	return &delivery.Service{Blobs: b, Clock: time.Now, Stall: stall}
}

// ask asks for f with fields written as "Name: value | Name: value", on an edge
// that has no connection.
func ask(s *delivery.Service, f *catalog.File, method, fields string, o delivery.Options) (*httptest.ResponseRecorder, delivery.Outcome, error) {
	r := httptest.NewRequest(method, "/", http.NoBody)
	for field := range strings.SplitSeq(fields, " | ") {
		if name, value, ok := strings.Cut(field, ": "); ok {
			r.Header.Add(name, value)
		}
	}
	w := httptest.NewRecorder()
	outcome, err := s.Serve(w, r, f, o)
	return w, outcome, err
}

// TestExactlyTheBytesSentAreOpened: what is not sent is not asked of the store,
// and what is sent is counted.
func TestExactlyTheBytesSentAreOpened(t *testing.T) {
	const content = "0123456789"
	for _, x := range []struct {
		method, fields string
		opened         []string // offset+length
		outcome        delivery.Outcome
		kind           fault.Kind // of the error, if one
	}{
		{"GET", "", []string{"0+10"}, delivery.Outcome{Status: 200, Bytes: 10, Complete: true}, 0},
		{"GET", "Range: bytes=2-5", []string{"2+4"}, delivery.Outcome{Status: 206, Bytes: 4, Complete: true}, 0},
		{"GET", "Range: bytes=-1", []string{"9+1"}, delivery.Outcome{Status: 206, Bytes: 1, Complete: true}, 0},
		{"GET", "Range: bytes=8-,0-2", []string{"8+2", "0+3"}, delivery.Outcome{Status: 206, Bytes: 5, Complete: true}, 0},
		{"GET", `If-Range: "v0" | Range: bytes=2-5`, []string{"0+10"}, delivery.Outcome{Status: 200, Bytes: 10, Complete: true}, 0},
		{"HEAD", "", nil, delivery.Outcome{Status: 200, Complete: true}, 0},
		{"HEAD", "Range: bytes=2-5", nil, delivery.Outcome{Status: 200, Complete: true}, 0},
		{"GET", `If-None-Match: "v1"`, nil, delivery.Outcome{Status: 304, Complete: true}, 0},
		{"GET", `If-Match: "v0"`, nil, delivery.Outcome{}, fault.PreconditionFailed},
		{"GET", "Range: bytes=10-", nil, delivery.Outcome{}, fault.RangeNotSatisfiable},
	} {
		b, chaos := inMemory(t)
		w, outcome, err := ask(service(b, time.Second), keep(t, b, []byte(content)), x.method, x.fields, delivery.Options{})
		if outcome != x.outcome || fault.KindOf(err) != x.kind || (err != nil) != (x.kind != 0) {
			t.Errorf("%s with %q: %+v, %v, want %+v and an error of kind %d", x.method, x.fields, outcome, err, x.outcome, x.kind)
		}
		var opened []string
		for _, call := range chaos.Opens() {
			opened = append(opened, fmt.Sprint(call.Offset, "+", call.Length))
		}
		if !slices.Equal(opened, x.opened) {
			t.Errorf("%s with %q opened %q, want %q", x.method, x.fields, opened, x.opened)
		}
		if got := w.Body.Len(); x.outcome.Status != 206 && int64(got) != x.outcome.Bytes {
			t.Errorf("%s with %q: a body of %d bytes, want %d", x.method, x.fields, got, x.outcome.Bytes)
		}
	}
}

// A store that fails before the header is an error to answer: nothing of the
// file was said.
func TestAStoreThatFailsFirstLeavesACleanAnswer(t *testing.T) {
	for name, x := range map[string]struct {
		opens []blobtest.Fault
		kind  fault.Kind
		code  string
	}{
		"it does not answer":         {[]blobtest.Fault{{Err: errors.New("down")}}, fault.Upstream, "blob_failed"},
		"it has lost the blob":       {[]blobtest.Fault{{Err: blobtest.Error{Code: blob.NotFound}}}, fault.Upstream, "blob_missing"},
		"it has another blob there":  {[]blobtest.Fault{{Err: blobtest.Error{Code: blob.Changed}}}, fault.Conflict, "blob_changed"},
		"the second part is refused": {[]blobtest.Fault{{}, {Err: errors.New("down")}}, fault.Upstream, "blob_failed"},
	} {
		b, chaos := inMemory(t)
		f := keep(t, b, []byte("0123456789"))
		chaos.Script(blobtest.Open, x.opens...)
		w, outcome, err := ask(service(b, time.Second), f, "GET", "Range: bytes=0-1,4-5", delivery.Options{})
		if !fault.Is(err, x.kind, x.code) || outcome != (delivery.Outcome{}) {
			t.Errorf("%s: %+v, %v, want nothing but %s", name, outcome, err, x.code)
		}
		if len(w.Header()) > 0 || w.Body.Len() > 0 {
			t.Errorf("%s: the answer has the header %v and %d bytes, want none", name, w.Header(), w.Body.Len())
		}
	}
}

// Every read is pinned to the bytes that were published: another blob under the
// same key is never taken for them.
func TestReadsArePinned(t *testing.T) {
	b, chaos := inMemory(t)
	f := keep(t, b, []byte("0123456789"))
	stored, err := b.Stat(t.Context(), f.Version.Key)
	if err != nil {
		t.Fatal(err)
	}
	s := service(b, time.Second)
	for _, x := range []struct{ pin, code string }{{stored.ETag, ""}, {`"another"`, "blob_changed"}} {
		f.Version.StoreETag = x.pin
		_, outcome, err := ask(s, f, "GET", "Range: bytes=0-1,4-5", delivery.Options{})
		if (err != nil) != (x.code != "") || err != nil && !fault.Is(err, fault.Conflict, x.code) {
			t.Errorf("pinned to %s: %+v, %v, want the code %q", x.pin, outcome, err, x.code)
		}
	}
	for _, call := range chaos.Opens() {
		if call.Pin == "" {
			t.Errorf("%+v was opened without a pin", call)
		}
	}
}

// One that fails later leaves the body short, and says how short.
func TestAStoreThatFailsLaterIsAnError(t *testing.T) {
	content := noise(300_000)
	for name, x := range map[string]struct {
		fault blobtest.Fault
		code  string
	}{
		"broken": {blobtest.Fault{After: 200_000, Err: io.ErrClosedPipe}, "blob_failed"},
		"cut":    {blobtest.Fault{After: 200_000, Cut: true}, "blob_truncated"},
	} {
		b, chaos := inMemory(t)
		f := keep(t, b, content)
		chaos.Script(blobtest.Read, x.fault)
		w, outcome, err := ask(service(b, time.Second), f, "GET", "", delivery.Options{})
		if want := (delivery.Outcome{Status: 200, Bytes: 200_000}); outcome != want || !fault.Is(err, fault.Upstream, x.code) {
			t.Errorf("%s: %+v, %v, want %+v and %s", name, outcome, err, want, x.code)
		}
		if got := w.Body.String(); got != string(content[:200_000]) {
			t.Errorf("%s: %d bytes came, or others than the first 200000", name, len(got))
		}
	}
}

// takesTime is an edge on which each write takes a second.
type takesTime struct{ *httptest.ResponseRecorder }

func (w takesTime) Write(p []byte) (int, error) {
	<-time.After(time.Second)
	return w.ResponseRecorder.Write(p)
}

// While bytes flow it is asked every few seconds whether they still may.
func TestADeliveryEndsWhenItIsNoLongerAllowed(t *testing.T) {
	b, _ := inMemory(t)
	f := keep(t, b, noise(4<<20))
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var asked []time.Duration
		why := errors.New("the user was disabled")
		w := takesTime{httptest.NewRecorder()}
		outcome, err := service(b, time.Minute).Serve(w, httptest.NewRequest(http.MethodGet, "/", http.NoBody), f, delivery.Options{
			Allowed: func(context.Context) error {
				if asked = append(asked, time.Since(began)); len(asked) == 3 {
					return why
				}
				return nil
			},
		})
		if !errors.Is(err, delivery.ErrRevoked) || !errors.Is(err, why) || outcome.Complete || outcome.Bytes != int64(w.Body.Len()) {
			t.Errorf("%+v, %v and a body of %d bytes, want ErrRevoked and as many bytes as were counted", outcome, err, w.Body.Len())
		}
		if want := []time.Duration{catalog.MaxAge, 2 * catalog.MaxAge, 3 * catalog.MaxAge}; !slices.Equal(asked, want) {
			t.Errorf("asked after %v, want %v", asked, want)
		}
	})
}

// A Last-Modified ahead of the clock is left out (RFC 9110 §8.8.2.1), and no
// condition by date meets it.
func TestADateAheadIsNotSent(t *testing.T) {
	b, _ := inMemory(t)
	f := keep(t, b, []byte("0123456789"))
	f.Version.ModifiedAt = time.Date(2025, 6, 1, 12, 0, 1, 0, time.UTC)
	const date = "Sun, 01 Jun 2025 12:00:01 GMT"
	for now, want := range map[time.Time]struct {
		date   string
		status int
	}{
		f.Version.ModifiedAt.Add(-time.Millisecond): {"", 200},
		f.Version.ModifiedAt:                        {date, 206},
	} {
		s := service(b, time.Second)
		s.Clock = func() time.Time { return now }
		w, outcome, err := ask(s, f, "GET", "If-Range: "+date+" | Range: bytes=0-0", delivery.Options{})
		if got := w.Header().Get("Last-Modified"); err != nil || got != want.date || outcome.Status != want.status {
			t.Errorf("at %v: %d, %v, Last-Modified %q, want %d and %q", now, outcome.Status, err, got, want.status, want.date)
		}
	}
}
