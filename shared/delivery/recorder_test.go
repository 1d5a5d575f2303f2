package delivery_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/shared/catalog"
	"sluice/shared/delivery"
	"sluice/shared/table"
	"sluice/shared/table/bolttable"
)

// audit is a catalog in a folder of the test, and the time.
type audit struct {
	*catalog.Catalog
	t   *testing.T
	now time.Time
}

func openAudit(t *testing.T) *audit {
	t.Helper()
	store, err := bolttable.Open(filepath.Join(t.TempDir(), "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	a := &audit{t: t, now: time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)}
	a.Catalog, err = catalog.Open(t.Context(), table.New(store.Table("domain"), a.clock), catalog.Options{Clock: a.clock})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *audit) clock() time.Time { return a.now }

func (a *audit) recorder() *delivery.Recorder {
	return delivery.NewRecorder(a.Catalog, slog.New(slog.DiscardHandler), a.clock)
}

// want compares the lines written: requests, bytes and state of each.
func (a *audit) want(what string, lines ...string) {
	a.t.Helper()
	var got []string
	q := catalog.DownloadQuery{From: a.now.AddDate(0, 0, -2), To: a.now}
	err := a.Downloads(a.t.Context(), q, func(d catalog.Download) bool {
		issued := ""
		if d.Issued > 0 {
			issued = fmt.Sprintf(" %d issued,", d.Issued)
		}
		got = append(got, fmt.Sprintf("%s: %d requests, %d bytes,%s %s", d.Session, d.Requests, d.Bytes, issued, d.State))
		return true
	})
	if err != nil || fmt.Sprint(got) != fmt.Sprint(lines) {
		a.t.Errorf("%s: the audit has %q, %v; want %q", what, got, err, lines)
	}
}

func (a *audit) flush(r *delivery.Recorder) {
	a.t.Helper()
	if err := r.Flush(a.t.Context()); err != nil {
		a.t.Fatal(err)
	}
}

func session(id string) catalog.Download {
	return catalog.Download{Session: id, Owner: "o", File: "f", Version: "v", Client: "192.0.2.1"}
}

func TestRecorder(t *testing.T) {
	a := openAudit(t)
	r := a.recorder()
	first, second := r.Begin(session("s")), r.Begin(session("s"))
	a.flush(r)
	a.want("before the first byte")
	first.Add(10)
	a.flush(r)
	a.want("under way", "s: 0 requests, 10 bytes, running")
	first.End(10, true)
	a.flush(r)
	a.want("one of two over", "s: 1 requests, 10 bytes, running")
	second.End(0, false)
	a.flush(r)
	a.want("the other is free", "s: 1 requests, 10 bytes, completed")
}

// What a redirect leads to is issued, not delivered, and the two are never added
// up. How a redirect ended is not known.
func TestIssuedBytesAreCountedApart(t *testing.T) {
	a := openAudit(t)
	r := a.recorder()
	r.Begin(session("s")).Issue(100)
	a.flush(r)
	a.want("a redirect", "s: 1 requests, 0 bytes, 100 issued, started")
	c := r.Begin(session("s"))
	c.Add(5)
	c.End(5, true)
	r.Begin(session("s")).Issue(30)
	a.flush(r)
	a.want("a stream and a redirect", "s: 3 requests, 5 bytes, 130 issued, started")
	a.now = a.now.Add(2 * time.Minute)
	a.flush(r) // forgets it, so that the next is a run of its own
	r.Begin(session("s")).Issue(1)
	a.flush(r)
	a.want("another run", "s: 4 requests, 5 bytes, 131 issued, started")
}

func TestRecorderIsIdempotentAndForgetsTheIdle(t *testing.T) {
	a := openAudit(t)
	r := a.recorder()
	for range 3 {
		c := r.Begin(session("s"))
		c.Add(5)
		c.End(5, true)
		a.flush(r)
		a.flush(r)
		a.now = a.now.Add(2 * time.Minute)
		a.flush(r) // forgets it, so that the next is a run of its own
	}
	a.want("three times", "s: 3 requests, 15 bytes, completed")
}

func TestRecorderKeepsWhatItCouldNotWrite(t *testing.T) {
	a := openAudit(t)
	r := a.recorder()
	c := r.Begin(session("s"))
	c.Add(5)
	c.End(5, false)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Flush(canceled); err == nil {
		t.Fatal("a flush under a context that has ended succeeds")
	}
	a.flush(r)
	a.want("written the second time", "s: 1 requests, 5 bytes, aborted")
}

func TestRecorderWritesWhenItStops(t *testing.T) {
	a := openAudit(t)
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	r := a.recorder()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	c := r.Begin(session("s"))
	c.Add(5)
	c.End(5, true)
	stop()
	<-done
	a.want("stopped", "s: 1 requests, 5 bytes, completed")
}
