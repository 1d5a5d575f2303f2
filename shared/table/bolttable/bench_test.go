package bolttable_test

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"sluice/shared/table"
	"sluice/shared/table/bolttable"
)

// BenchmarkDurablePut compares small writes that are on the disk when they are
// answered: through a Store, and the same bytes through bbolt's own Update and
// Batch. Compare the rows of one run; the disk decides the rest.
func BenchmarkDurablePut(b *testing.B) {
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprintf("store/%d", writers), func(b *testing.B) { benchmarkStore(b, writers) })
		b.Run(fmt.Sprintf("update/%d", writers), func(b *testing.B) { benchmarkBolt(b, writers, (*bolt.DB).Update) })
		b.Run(fmt.Sprintf("batch/%d", writers), func(b *testing.B) { benchmarkBolt(b, writers, (*bolt.DB).Batch) })
	}
}

func benchmarkStore(b *testing.B, writers int) {
	store, err := bolttable.Open(filepath.Join(b.TempDir(), "sluice.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	records := table.New(store.Table("domain"), time.Now)
	parallel(b, writers, func(n int64) error {
		_, err := records.Apply(b.Context(), table.Op{
			Action: table.Put,
			Key:    table.Key{PK: fmt.Sprintf("f#%d", n%100), SK: fmt.Sprintf("s#%d", n)},
			Set:    table.Attrs{"owner": "somebody", "size": n, "public": true, "sum": make([]byte, 32)},
		})
		return err
	})
}

func benchmarkBolt(b *testing.B, writers int, write func(*bolt.DB, func(*bolt.Tx) error) error) {
	db, err := bolt.Open(filepath.Join(b.TempDir(), "plain.db"), 0o600, &bolt.Options{FreelistType: bolt.FreelistMapType})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	parallel(b, writers, func(n int64) error {
		key, value := fmt.Appendf(nil, "f#%d s#%d", n%100, n), make([]byte, 80)
		return write(db, func(tx *bolt.Tx) error {
			bucket, err := tx.CreateBucketIfNotExists([]byte("domain"))
			if err != nil {
				return err
			}
			return bucket.Put(key, value)
		})
	})
}

// parallel shares b.N calls of put among writers.
func parallel(b *testing.B, writers int, put func(n int64) error) {
	var next atomic.Int64
	done := make(chan error)
	b.ResetTimer()
	for range writers {
		go func() {
			for {
				n := next.Add(1)
				if n > int64(b.N) {
					done <- nil
					return
				}
				if err := put(n); err != nil {
					done <- err
					return
				}
			}
		}()
	}
	for range writers {
		if err := <-done; err != nil {
			b.Error(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
}
