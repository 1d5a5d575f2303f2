package main_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// flushed is how long a count may be in memory alone: the second between two
// flushes, and what a loaded machine takes to get to it.
const flushed = 4 * time.Second

// taker downloads one file again and again until the server dies, and notes
// when each download was over.
type taker struct {
	mu    sync.Mutex
	begun int
	ended []time.Time
}

func (d *taker) work(t *testing.T, url, token string) {
	for {
		r, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			t.Error(err)
			return
		}
		r.Header.Set("Authorization", "Bearer "+token)
		d.mu.Lock()
		d.begun++
		d.mu.Unlock()
		response, err := client.Do(r)
		if err != nil {
			return // killed
		}
		_, err = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if err != nil {
			return
		}
		d.mu.Lock()
		d.ended = append(d.ended, time.Now())
		d.mu.Unlock()
	}
}

// endedBefore returns how many downloads were over at that time.
func (d *taker) endedBefore(at time.Time) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := int64(0)
	for _, ended := range d.ended {
		if ended.Before(at) {
			n++
		}
	}
	return n
}

// audited returns what the audit tells of all downloads.
func audited(p *process, token string) (requests, bytes int64) {
	p.t.Helper()
	var list struct {
		Downloads []struct {
			Requests int64
			Bytes    int64 `json:"bytes_delivered"`
		}
	}
	ask(p, http.MethodGet, "/api/audit?limit=1000", token, "", http.StatusOK, &list)
	for _, d := range list.Downloads {
		requests, bytes = requests+d.Requests, bytes+d.Bytes
	}
	return requests, bytes
}

// TestKillLosesAMomentOfTheAudit kills the server while downloads run. What was
// over some seconds before is in the audit, and so is all that the audit has
// shown; nothing is there that never was.
func TestKillLosesAMomentOfTheAudit(t *testing.T) {
	t.Parallel()
	rounds := 2
	if os.Getenv("SLUICE_FULL") != "" {
		rounds = 10
	}
	const size = 100_000
	data := filepath.Join(t.TempDir(), "data")
	p := start(t, data, "SLUICE_ADMIN_PASSWORD="+password)
	token := p.Login(password)
	p.Put(token, "a", strings.Repeat("x", size))
	before := int64(0) // requests in the audit when the round began
	for round := range rounds {
		var d taker
		var running sync.WaitGroup
		for range 3 {
			running.Go(func() { d.work(t, p.URL+"/file/admin/a", token) })
		}
		var shown int64
		eventually(t, "downloads of some seconds, and the audit of some", func() bool {
			if d.endedBefore(time.Now().Add(-flushed)) == 0 {
				return false
			}
			shown, _ = audited(p, token)
			return shown > before
		})
		old := d.endedBefore(time.Now().Add(-flushed))
		p.Kill()
		running.Wait()

		p = start(t, data)
		requests, bytes := audited(p, token)
		most := before + int64(d.begun)
		if requests < shown || requests < before+old || requests > most {
			t.Errorf("round %d: after a kill the audit has %d downloads; it had shown %d, %d were over %v before, and %d were begun",
				round, requests, shown, before+old, flushed, most)
		}
		if bytes < requests*size || bytes > most*size {
			t.Errorf("round %d: it has %d bytes of %d downloads of %d", round, bytes, requests, size)
		}
		before = requests
	}
	p.Stop()
}
