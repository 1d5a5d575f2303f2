package edge

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

// FuzzPipe has pieces of any size arrive by reads of any size.
func FuzzPipe(f *testing.F) {
	f.Add(uint64(1), 100_000, 1)
	f.Add(uint64(2), 1_000_000, 32<<10)
	f.Add(uint64(3), 0, 7)
	f.Fuzz(func(t *testing.T, seed uint64, size, reads int) {
		if size < 0 || size > 1<<20 || reads < 1 || reads > 1<<20 || size/reads > 1<<18 {
			t.Skip("it would take long")
		}
		random := rand.New(rand.NewPCG(seed, 0))
		want := make([]byte, size)
		for i := range want {
			want[i] = byte(random.Uint32())
		}
		p := newPipe()
		go func() {
			buffer := make([]byte, 64<<10) // it is used again, as that of a delivery is
			for rest := want; len(rest) > 0; {
				n := copy(buffer[:1+random.IntN(len(buffer))], rest)
				if sent, err := p.Write(buffer[:n]); err != nil || sent != n {
					t.Errorf("Write: %d, %v; want %d", sent, err, n)
					break
				}
				clear(buffer)
				rest = rest[n:]
			}
			p.end(io.EOF)
		}()
		var got bytes.Buffer
		if _, err := io.CopyBuffer(struct{ io.Writer }{&got}, struct{ io.Reader }{p}, make([]byte, reads)); err != nil || !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%d bytes came, %v; want the %d that were sent", got.Len(), err, size)
		}
	})
}

// A body that is ended tells both sides why, and who writes how much was read.
func TestAPipeThatIsEnded(t *testing.T) {
	late, later := errors.New("late"), errors.New("later")
	p := newPipe()
	type outcome struct {
		n   int
		err error
	}
	written := make(chan outcome)
	go func() {
		n, err := p.Write([]byte("abcdef"))
		written <- outcome{n, err}
	}()
	if n, err := io.ReadFull(p, make([]byte, 4)); n != 4 || err != nil {
		t.Fatalf("Read: %d, %v; want 4", n, err)
	}
	p.end(late)
	p.end(later)
	if got := <-written; got != (outcome{4, late}) {
		t.Errorf("a Write of which 4 bytes were read: %d, %v; want 4, late", got.n, got.err)
	}
	if n, err := p.Write([]byte("g")); n != 0 || !errors.Is(err, late) {
		t.Errorf("a Write after the end: %d, %v; want 0, late", n, err)
	}
	if n, err := p.Read(make([]byte, 1)); n != 0 || !errors.Is(err, late) {
		t.Errorf("a Read after the end: %d, %v; want 0, late", n, err)
	}
}
