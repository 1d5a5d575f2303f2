package blob_test

import (
	"context"
	"errors"
	"io"
	"math"
	"testing"

	"sluice/shared/blob"
	"sluice/shared/blob/blobtest"
	"sluice/shared/fault"
)

// chaotic returns a bucket over memory and the chaos that disturbs it.
func chaotic() (*blob.Bucket, *blobtest.Chaos) {
	chaos := blobtest.NewChaos(blobtest.NewMemory())
	return blob.NewBucket(chaos), chaos
}

func put(t *testing.T, b *blob.Bucket, key, data string) {
	t.Helper()
	w, err := b.Create(t.Context(), key, -1)
	if err != nil {
		t.Fatalf("Create %q: %v", key, err)
	}
	if _, err := w.Write([]byte(data)); err != nil {
		t.Fatalf("Write %q: %v", key, err)
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatalf("Commit %q: %v", key, err)
	}
}

func open(t *testing.T, b *blob.Bucket, key string, offset, length int64) *blob.Reader {
	t.Helper()
	r, err := b.Open(t.Context(), key, offset, length, "")
	if err != nil {
		t.Fatalf("Open %q: %v", key, err)
	}
	return r
}

// calls are the ways in which a driver's error reaches a caller.
var calls = map[blobtest.Op]func(context.Context, *blob.Bucket) error{
	blobtest.Create: func(ctx context.Context, b *blob.Bucket) error { _, err := b.Create(ctx, "new", -1); return err },
	blobtest.Open:   func(ctx context.Context, b *blob.Bucket) error { _, err := b.Open(ctx, "key", 0, 1, ""); return err },
	blobtest.Stat:   func(ctx context.Context, b *blob.Bucket) error { _, err := b.Stat(ctx, "key"); return err },
	blobtest.Delete: func(ctx context.Context, b *blob.Bucket) error { return b.Delete(ctx, "key") },
	blobtest.Ping:   func(ctx context.Context, b *blob.Bucket) error { return b.Ping(ctx) },
	blobtest.Read: func(ctx context.Context, b *blob.Bucket) error {
		r, err := b.Open(ctx, "key", 0, 1, "")
		if err == nil {
			_, err = r.Read(make([]byte, 1))
		}
		return err
	},
	blobtest.Write: func(ctx context.Context, b *blob.Bucket) error {
		w, err := b.Create(ctx, "new", -1)
		if err == nil {
			_, err = w.Write([]byte("x"))
		}
		return err
	},
	blobtest.Commit: func(ctx context.Context, b *blob.Bucket) error {
		w, err := b.Create(ctx, "new", -1)
		if err == nil {
			_, err = w.Commit(ctx)
		}
		return err
	},
	blobtest.Abort: func(ctx context.Context, b *blob.Bucket) error {
		w, err := b.Create(ctx, "new", -1)
		if err == nil {
			err = w.Abort()
		}
		return err
	},
}

func TestEveryErrorIsWrappedByItsCode(t *testing.T) {
	for _, c := range []struct {
		code blob.Code
		kind fault.Kind
		want string
	}{
		{blob.Unknown, fault.Upstream, "blob_failed"},
		{blob.NotFound, fault.NotFound, "blob_not_found"},
		{blob.Exists, fault.Conflict, "blob_exists"},
		{blob.Changed, fault.PreconditionFailed, "blob_changed"},
		{blob.Full, fault.InsufficientStorage, "no_space"},
		{blob.Canceled, fault.Unavailable, "canceled"},
		{blob.Busy, fault.Unavailable, "blob_busy"},
		{blob.Refused, fault.Unprocessable, "key_unsupported"},
	} {
		for op, call := range calls {
			b, chaos := chaotic()
			put(t, b, "key", "x")
			injected := blobtest.Error{Code: c.code}
			chaos.Always(op, blobtest.Fault{Err: injected})
			err := call(t.Context(), b)
			if !fault.Is(err, c.kind, c.want) || !errors.Is(err, injected) {
				t.Errorf("operation %d failing with code %d: %v, want %s around the cause", op, c.code, err, c.want)
			}
		}
	}
}

func TestACanceledCallKeepsTheContextsError(t *testing.T) {
	for op, call := range calls {
		if op == blobtest.Abort { // takes no context
			continue
		}
		b, chaos := chaotic()
		put(t, b, "key", "x")
		hold := blobtest.NewHold()
		chaos.Always(op, blobtest.Fault{Hold: hold})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-hold.Reached()
			cancel()
		}()
		if err := call(ctx, b); !errors.Is(err, context.Canceled) || !fault.Is(err, fault.Unavailable, "canceled") {
			t.Errorf("operation %d given up: %v, want canceled", op, err)
		}
	}
}

// impatient is a driver in the midst of whose Ping the context ends, and which
// does not say why it stopped.
type impatient struct {
	blob.Driver
	cancel func()
}

func (d impatient) Ping(context.Context) error {
	d.cancel()
	return blobtest.Error{Code: blob.Canceled}
}

func (impatient) ErrorCode(error) blob.Code { return blob.Canceled }

func TestACanceledCallKeepsAContextsErrorThatItsDriverHid(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := blob.NewBucket(impatient{blobtest.NewMemory(), cancel}).Ping(ctx)
	if hidden := (blobtest.Error{Code: blob.Canceled}); !errors.Is(err, context.Canceled) || !errors.Is(err, hidden) {
		t.Errorf("Ping: %v, want it to wrap the context's error and the driver's", err)
	}
}

func TestBadArgumentsNeverReachTheDriver(t *testing.T) {
	b, chaos := chaotic()
	for _, c := range []struct{ offset, length int64 }{
		{-1, 1},
		{0, -1},
		{math.MinInt64, math.MaxInt64},
		{1, math.MaxInt64},
		{math.MaxInt64, math.MaxInt64},
	} {
		if _, err := b.Open(t.Context(), "key", c.offset, c.length, ""); !fault.Is(err, fault.Invalid, "invalid_field") {
			t.Errorf("Open of %d bytes from %d on: %v, want invalid_field", c.length, c.offset, err)
		}
	}
	if _, err := b.Create(t.Context(), "key", -2); !fault.Is(err, fault.Invalid, "invalid_field") {
		t.Errorf("Create of -2 bytes: %v, want invalid_field", err)
	}
	if _, err := b.Create(t.Context(), "", 1); !fault.Is(err, fault.Invalid, "invalid_field") {
		t.Errorf("Create without a key: %v, want invalid_field", err)
	}
	if n := chaos.Calls(blobtest.Open) + chaos.Calls(blobtest.Create); n != 0 {
		t.Errorf("the driver was called %d times, want never", n)
	}
}

func TestTheFirstErrorOfAWriterIsFinal(t *testing.T) {
	b, chaos := chaotic()
	chaos.Script(blobtest.Write, blobtest.Fault{After: 3, Err: blobtest.Error{Code: blob.Full}})
	w, err := b.Create(t.Context(), "key", -1)
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	n, first := w.Write([]byte("12345"))
	if n != 3 || w.Written() != 3 || !fault.Is(first, fault.InsufficientStorage, "no_space") {
		t.Errorf("Write: %d bytes, %d in all, %v, want 3 and no_space", n, w.Written(), first)
	}
	if n, err := w.Write([]byte("45")); n != 0 || err != first {
		t.Errorf("second Write: %d, %v, want the first error", n, err)
	}
	if _, err := w.Commit(t.Context()); err != first {
		t.Errorf("Commit: %v, want the first error", err)
	}
	if err := w.Abort(); err != nil {
		t.Errorf("Abort: %v", err)
	}
	if commits, aborts := chaos.Calls(blobtest.Commit), chaos.Calls(blobtest.Abort); commits != 0 || aborts != 1 {
		t.Errorf("the driver saw %d Commits and %d Aborts, want one Abort alone", commits, aborts)
	}
	if _, err := b.Stat(t.Context(), "key"); !fault.Is(err, fault.NotFound, "blob_not_found") {
		t.Errorf("Stat: %v, want blob_not_found", err)
	}
}

// stingy is a driver whose writers take less than they are given, and do not
// say so.
type stingy struct{ blob.Driver }

type stingyWriter struct{ blob.DriverWriter }

func (d stingy) Create(ctx context.Context, key string, size int64) (blob.DriverWriter, error) {
	w, err := d.Driver.Create(ctx, key, size)
	return stingyWriter{w}, err
}

func (w stingyWriter) Write(p []byte) (int, error) { return w.DriverWriter.Write(p[1:]) }

func TestAShortWriteIsAnError(t *testing.T) {
	b := blob.NewBucket(stingy{blobtest.NewMemory()})
	w, err := b.Create(t.Context(), "key", 3)
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	if n, err := w.Write([]byte("123")); n != 2 || !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("Write: %d, %v, want 2 and io.ErrShortWrite", n, err)
	}
	if _, err := w.Commit(t.Context()); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("Commit: %v, want io.ErrShortWrite", err)
	}
}
