package fetch_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"

	ft "sluice/shared/fetch/fetchtest"
)

// breaking is a connection that breaks after some bytes.
type breaking struct {
	net.Conn
	left int
}

func (b *breaking) Read(p []byte) (int, error) {
	if b.left <= 0 {
		_ = b.Close()
		return 0, errors.New("connection reset by peer")
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// TestBrokenConnections breaks 30 % of connections at random points.
func TestBrokenConnections(t *testing.T) {
	transfers := 100
	if os.Getenv("SLUICE_FULL") != "" {
		transfers = 2000
	}
	medium := ft.NewFile(6, 5<<20)
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		var mu sync.Mutex
		connections, broke, failed := 0, 0, 0
		r := newRig(t, medium)
		r.network.Wrap(func(c net.Conn) net.Conn {
			mu.Lock()
			defer mu.Unlock()
			connections++
			if random.Float64() >= 0.3 {
				return c
			}
			broke++
			return &breaking{c, random.IntN(4 << 20)}
		})
		for range transfers {
			var out bytes.Buffer
			r.request.Output = &out
			if _, err := r.get(t); err != nil || !bytes.Equal(out.Bytes(), medium.Content) {
				failed++
				if err == nil {
					t.Errorf("a wrong file of %d bytes, and no error", out.Len())
				}
			}
		}
		t.Logf("%d of %d connections broke, %d of %d transfers failed", broke, connections, failed, transfers)
		if failed*1000 > transfers {
			t.Errorf("%d of %d transfers failed", failed, transfers)
		}
	})
}
