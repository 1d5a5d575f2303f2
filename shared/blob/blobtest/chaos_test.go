package blobtest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"sluice/shared/blob"
	"sluice/shared/blob/blobtest"
)

var errDown = errors.New("down")

// stored returns a Chaos over a Memory that holds "0123456789" under "key".
func stored(t *testing.T) *blobtest.Chaos {
	t.Helper()
	memory := blobtest.NewMemory()
	w, err := memory.Create(t.Context(), "key", 10)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("0123456789")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	return blobtest.NewChaos(memory)
}

func readAll(t *testing.T, d blob.Driver) (string, error) {
	t.Helper()
	r, err := d.Open(t.Context(), "key", 0, 10, "")
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	data, err := io.ReadAll(r)
	return string(data), err
}

func TestChaosDisturbsReaders(t *testing.T) {
	released := blobtest.NewHold()
	released.Release()
	for _, c := range []struct {
		name  string
		fault blobtest.Fault
		want  string
		err   error
	}{
		{"no fault", blobtest.Fault{}, "0123456789", nil},
		{"an error at once", blobtest.Fault{Err: errDown}, "", errDown},
		{"an error after 4 bytes", blobtest.Fault{After: 4, Err: errDown}, "0123", errDown},
		{"an error after the end", blobtest.Fault{After: 11, Err: errDown}, "0123456789", nil},
		{"cut at once", blobtest.Fault{Cut: true}, "", nil},
		{"cut after 4 bytes", blobtest.Fault{After: 4, Cut: true}, "0123", nil},
		{"held and released", blobtest.Fault{After: 4, Hold: released}, "0123456789", nil},
		{"held, released, cut", blobtest.Fault{After: 4, Hold: released, Cut: true}, "0123", nil},
		{"held, released, an error", blobtest.Fault{After: 4, Hold: released, Err: errDown}, "0123", errDown},
	} {
		chaos := stored(t)
		chaos.Script(blobtest.Read, c.fault)
		if got, err := readAll(t, chaos); got != c.want || err != c.err {
			t.Errorf("%s: %q, %v, want %q, %v", c.name, got, err, c.want, c.err)
		}
		if got, err := readAll(t, chaos); got != "0123456789" || err != nil {
			t.Errorf("%s, the next reader: %q, %v, want it undisturbed", c.name, got, err)
		}
	}
}

func TestChaosDisturbsWriters(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault blobtest.Fault
		n     int
		err   error
	}{
		{"no fault", blobtest.Fault{}, 6, nil},
		{"an error at once", blobtest.Fault{Err: errDown}, 0, errDown},
		{"an error after 4 bytes", blobtest.Fault{After: 4, Err: errDown}, 4, errDown},
		{"an error after all", blobtest.Fault{After: 6, Err: errDown}, 6, nil},
	} {
		chaos := stored(t)
		chaos.Script(blobtest.Write, c.fault)
		w, err := chaos.Create(t.Context(), "new", -1)
		if err != nil {
			t.Fatalf("Create: %v", err)
		}
		if n, err := w.Write([]byte("abcdef")); n != c.n || err != c.err {
			t.Errorf("%s: %d, %v, want %d, %v", c.name, n, err, c.n, c.err)
		}
		if n, err := w.Write([]byte("g")); c.err != nil && (n != 0 || err != c.err) {
			t.Errorf("%s, the next Write: %d, %v, want 0, %v", c.name, n, err, c.err)
		}
	}
}

func TestChaosFollowsItsScriptThenItsRule(t *testing.T) {
	chaos := stored(t)
	chaos.Script(blobtest.Ping, blobtest.Fault{}, blobtest.Fault{Err: errDown})
	chaos.Script(blobtest.Ping, blobtest.Fault{})
	chaos.Always(blobtest.Ping, blobtest.Fault{Err: io.ErrClosedPipe})
	for i, want := range []error{nil, errDown, nil, io.ErrClosedPipe, io.ErrClosedPipe} {
		if err := chaos.Ping(t.Context()); err != want {
			t.Errorf("Ping %d: %v, want %v", i, err, want)
		}
	}
	chaos.Calm()
	if err := chaos.Ping(t.Context()); err != nil {
		t.Errorf("Ping after Calm: %v", err)
	}
	if n := chaos.Calls(blobtest.Ping); n != 6 {
		t.Errorf("%d calls of Ping, want 6", n)
	}
}

func TestHoldStopsUntilTheContextEnds(t *testing.T) {
	chaos := stored(t)
	hold := blobtest.NewHold()
	chaos.Script(blobtest.Read, blobtest.Fault{After: 4, Hold: hold, Cut: true})
	ctx, cancel := context.WithCancel(t.Context())
	r, err := chaos.Open(ctx, "key", 0, 10, "")
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	go func() {
		<-hold.Reached()
		cancel()
	}()
	if got, err := io.ReadAll(r); string(got) != "0123" || !errors.Is(err, context.Canceled) {
		t.Errorf("Read: %q, %v, want 0123 and context.Canceled", got, err)
	}
}

func TestChaosKeepsNothingOfAFailedCommit(t *testing.T) {
	chaos := stored(t)
	chaos.Script(blobtest.Commit, blobtest.Fault{Err: blobtest.Error{Code: blob.Full}})
	w, err := chaos.Create(t.Context(), "new", -1)
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	_, err = w.Commit(t.Context())
	if code := chaos.ErrorCode(err); code != blob.Full {
		t.Errorf("Commit: %v of code %d, want Full", err, code)
	}
	_, err = chaos.Stat(t.Context(), "new")
	if code := chaos.ErrorCode(err); code != blob.NotFound {
		t.Errorf("Stat: %v of code %d, want NotFound", err, code)
	}
}

func TestChaosTellsWhatWasOpened(t *testing.T) {
	chaos := stored(t)
	chaos.Always(blobtest.Open, blobtest.Fault{Err: errDown})
	want := blobtest.OpenCall{Key: "key", Offset: 2, Length: 3, Pin: `"pin"`}
	if _, err := chaos.Open(t.Context(), want.Key, want.Offset, want.Length, want.Pin); err != errDown {
		t.Errorf("Open: %v, want %v", err, errDown)
	}
	if got := chaos.Opens(); len(got) != 1 || got[0] != want {
		t.Errorf("Opens: %+v, want %+v alone", got, want)
	}
}

// fixed is a driver that opens one reader.
type fixed struct {
	blob.Driver
	reader io.ReadCloser
}

func (f fixed) Open(context.Context, string, int64, int64, string) (io.ReadCloser, error) {
	return f.reader, nil
}

func TestIdleChaosHandsOutTheDriversOwnReader(t *testing.T) {
	want := io.NopCloser(bytes.NewReader(nil))
	got, err := blobtest.NewChaos(fixed{blobtest.NewMemory(), want}).Open(t.Context(), "key", 0, 0, "")
	if err != nil || got != want {
		t.Errorf("Open: a %T, %v, want the driver's own reader", got, err)
	}
}
