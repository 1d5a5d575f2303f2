package s3blob_test

import (
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"sluice/localstack/stores"
	"sluice/shared/blob/s3blob"
)

// cpu returns the processor time that this process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkGet reads whole blobs by the driver and by the SDK's GetObject, and
// says what each costs of our processor; wall time is the store's.
func BenchmarkGet(b *testing.B) {
	store := stores.MinIO(b)
	name := makeBucket(b, store)
	sdk := client(store)
	for _, c := range []struct {
		what string
		size int
	}{{"4 KiB", 4 << 10}, {"64 MiB", 64 << 20}} {
		data := noise(1, c.size)
		putObject(b, store, name, c.what, data)
		bucket := bucket(b, store, s3blob.Options{Bucket: name, PathStyle: true})
		buffer := make([]byte, 256<<10)
		for how, open := range map[string]func() (io.ReadCloser, error){
			"driver": func() (io.ReadCloser, error) {
				return bucket.Open(b.Context(), c.what, 0, int64(c.size), "")
			},
			"SDK": func() (io.ReadCloser, error) {
				out, err := sdk.GetObject(b.Context(), &s3.GetObjectInput{Bucket: &name, Key: &c.what})
				if err != nil {
					return nil, err
				}
				return out.Body, nil
			},
		} {
			b.Run(c.what+"/"+how, func(b *testing.B) {
				b.SetBytes(int64(c.size))
				b.ReportAllocs()
				before := cpu(b)
				for b.Loop() {
					r, err := open()
					if err != nil {
						b.Fatal(err)
					}
					if n, err := io.CopyBuffer(writerOnly{io.Discard}, r, buffer); err != nil || n != int64(c.size) {
						b.Fatalf("%d bytes, %v", n, err)
					}
					_ = r.Close()
				}
				b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
			})
		}
	}
}

// writerOnly hides every other method, so that a copy is through the buffer.
type writerOnly struct{ io.Writer }
