package fetch_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"testing"
	"time"

	"sluice/shared/fetch"
	ft "sluice/shared/fetch/fetchtest"
)

// chunksOf describes a content by chunks of a size.
func chunksOf(f ft.File, size int64) fetch.Content {
	c := fetch.Content{Size: int64(len(f.Content)), ChunkSize: size}
	for at := int64(0); at < c.Size; at += size {
		sum := sha256.Sum256(f.Content[at:min(at+size, c.Size)])
		c.Chunks = append(c.Chunks, sum[:]...)
	}
	return c
}

// rig fetches from sources on hosts a.test, b.test and so on.
type rig struct {
	network *ft.Network
	dir     string
	request fetch.Request
	options fetch.Options
}

func newRig(t *testing.T, sources ...http.Handler) *rig {
	t.Helper()
	r := &rig{network: ft.NewNetwork(), dir: t.TempDir()}
	r.request = fetch.Request{Dir: r.dir, Name: "file.bin"}
	for i, s := range sources {
		name := fmt.Sprintf("%c.test", 'a'+i)
		r.network.Serve(t, name+":80", s)
		r.request.Sources = append(r.request.Sources, fetch.Source{URL: "http://" + name + "/file.bin", Priority: i})
	}
	r.options.Dial = r.network.Dial
	return r
}

func (r *rig) get(t *testing.T) (fetch.Result, error) {
	t.Helper()
	c := fetch.New(r.options)
	defer c.Close()
	// A transfer that goes round in circles fails by the bubble's clock.
	ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
	defer cancel()
	return c.Start(ctx, r.request).Wait()
}
