package janitor_test

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/shared/auth"
	"sluice/shared/blob"
	"sluice/shared/blob/blobtest"
	"sluice/shared/catalog"
	"sluice/shared/janitor"
	"sluice/shared/table"
	"sluice/shared/table/bolttable"
)

// deployment is two stores and the servers that share them.
type deployment struct {
	t     *testing.T
	table *table.Table
	blobs *gated
	moved atomic.Int64 // of the clock
	log   bytes.Buffer
}

// gated is a blob store whose removals can be held up.
type gated struct {
	blob.Driver
	gate func()
}

func (g *gated) Delete(ctx context.Context, key string) error {
	g.gate()
	return g.Driver.Delete(ctx, key)
}

func (d *deployment) now() time.Time {
	return time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(d.moved.Load()))
}

// server returns the janitor of one more server.
func (d *deployment) server() *janitor.Janitor {
	d.t.Helper()
	records, err := catalog.Open(d.t.Context(), d.table, catalog.Options{Keep: time.Hour, Clock: d.now})
	if err != nil {
		d.t.Fatal(err)
	}
	return &janitor.Janitor{
		Catalog: records, Blobs: blob.NewBucket(d.blobs), Log: slog.New(slog.NewTextHandler(&d.log, nil)), Every: time.Hour,
	}
}

// deploy returns a deployment in which so many uploads are due.
func deploy(t *testing.T, due int) *deployment {
	t.Helper()
	file, err := bolttable.Open(filepath.Join(t.TempDir(), "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	d := &deployment{t: t, blobs: &gated{blobtest.NewMemory(), func() {}}}
	d.table = table.New(file.Table("domain"), d.now)
	records := d.server().Catalog
	for range due {
		u := catalog.Upload{ID: auth.NewID(d.now()), Owner: auth.NewID(d.now()), Path: "a", ExpiresAt: d.now().Add(time.Hour)}
		if err := records.BeginUpload(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	d.moved.Add(int64(2 * time.Hour))
	return d
}

func (d *deployment) wantSweep(what string, j *janitor.Janitor, want int) {
	d.t.Helper()
	if got := j.Sweep(d.t.Context()); got != want {
		d.t.Errorf("%s removes %d, want %d", what, got, want)
	}
}

func TestOneServerSweepsAtATime(t *testing.T) {
	d := deploy(t, 3)
	began, goOn := make(chan struct{}), make(chan struct{})
	d.blobs.gate = sync.OnceFunc(func() { close(began); <-goOn })
	first := make(chan int)
	go func() { first <- d.server().Sweep(t.Context()) }()
	<-began
	d.wantSweep("a sweep while another one is under way", d.server(), 0)
	close(goOn)
	if n := <-first; n != 3 {
		t.Errorf("the sweep under way removes %d, want 3", n)
	}
	d.wantSweep("a sweep with nothing due", d.server(), 0)
}

func TestTheNextSweepIsAnybodys(t *testing.T) {
	d := deploy(t, 1)
	d.moved.Add(-int64(2 * time.Hour))
	d.wantSweep("a sweep before anything is due", d.server(), 0)
	d.moved.Add(int64(2 * time.Hour))
	d.wantSweep("a sweep of another server right after it", d.server(), 1)
}

func TestASweepOfACrashedServerIsGoneOnWithSoon(t *testing.T) {
	d := deploy(t, 3)
	if _, err := d.server().Catalog.Lease(t.Context(), "janitor", time.Minute); err != nil {
		t.Fatal(err)
	}
	d.wantSweep("a sweep right after the crash", d.server(), 0)
	d.moved.Add(int64(time.Minute))
	d.wantSweep("a sweep a minute later", d.server(), 3)
}

// The first server stands still during its first removal, for longer than its
// lease lasts. When it goes on, it finds that another one sweeps, and stops.
func TestAServerThatStoodStillStops(t *testing.T) {
	d := deploy(t, 3)
	second := d.server()
	d.blobs.gate = sync.OnceFunc(func() {
		d.moved.Add(int64(2 * time.Minute))
		if _, err := second.Catalog.Lease(t.Context(), "janitor", time.Minute); err != nil {
			t.Error(err)
		}
	})
	d.wantSweep("a sweep that stood still in its first removal", d.server(), 1)
	if !bytes.Contains(d.log.Bytes(), []byte("has run out")) {
		t.Errorf("the log does not tell why the sweep ended:\n%s", &d.log)
	}
	d.moved.Add(int64(time.Minute))
	d.wantSweep("the next sweep", second, 2)
}
