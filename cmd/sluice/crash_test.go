package main_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// slot is what is known of one path that an uploader overwrites again and
// again: the content last acknowledged, and the one whose upload was cut.
type slot struct{ acknowledged, cut string } // SHA-256; empty: none

// uploader puts files, one after the other, until the server dies.
type uploader struct {
	name   string
	token  string
	random *rand.ChaCha8
	slots  map[string]slot // by path
}

// work puts random files under few paths and counts those acknowledged.
func (u *uploader) work(t *testing.T, url string, acknowledged *atomic.Int64) {
	for {
		path := fmt.Sprintf("%s/%d.bin", u.name, u.random.Uint64()%8)
		content := randomBytes(u.random)
		sum := sha256Of(content)
		s := u.slots[path]
		s.cut = sum
		u.slots[path] = s
		r, err := http.NewRequest(http.MethodPut, url+"/file/admin/"+path, bytes.NewReader(content))
		if err != nil {
			t.Error(err)
			return
		}
		r.Header.Set("Authorization", "Bearer "+u.token)
		response, err := client.Do(r)
		if err != nil {
			return // killed
		}
		_ = response.Body.Close()
		if response.StatusCode/100 != 2 {
			t.Errorf("PUT %s = %s", path, response.Status)
			return
		}
		u.slots[path] = slot{acknowledged: sum}
		acknowledged.Add(1)
	}
}

// check wants each path to hold what was acknowledged, or all of what was cut,
// which may have been published before its answer was lost. It returns how
// many files there are.
func (u *uploader) check(t *testing.T, p *process) (files int) {
	t.Helper()
	for path, s := range u.slots {
		r := p.Ask(http.MethodGet, "/file/admin/"+path, u.token, nil)
		if r.StatusCode == http.StatusNotFound && s.acknowledged == "" {
			continue
		}
		content, err := io.ReadAll(r.Body)
		sum := sha256Of(content)
		if r.StatusCode != http.StatusOK || err != nil || sum != s.acknowledged && sum != s.cut {
			t.Errorf("after a kill, GET %s = %s, %d bytes of SHA-256 %s, %v; want acknowledged %q or cut %q", path, r.Status, len(content), sum, err, s.acknowledged, s.cut)
			continue
		}
		u.slots[path] = slot{acknowledged: sum}
		files++
	}
	return files
}

// randomBytes returns the content of a file that is empty, small, or larger
// than every buffer.
func randomBytes(r *rand.ChaCha8) []byte {
	limit := []uint64{1, 1000, 100_000, 2 << 20}[r.Uint64()%4]
	content := make([]byte, r.Uint64()%limit)
	_, _ = r.Read(content) // never fails
	return content
}

func sha256Of(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// halfSize is how much is sent of an upload that does not end. No other one is
// as large.
const halfSize = 8 << 20

// putHalf begins an upload that goes on until the server dies.
func putHalf(p *process, token, path string) {
	body, sender := io.Pipe()
	go func() {
		_, _ = sender.Write(make([]byte, halfSize))
		<-p.ended
		_ = sender.CloseWithError(io.ErrUnexpectedEOF)
	}()
	r, err := http.NewRequest(http.MethodPut, p.URL+"/file/admin/"+path, body)
	if err != nil {
		p.t.Error(err)
		return
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if response, err := client.Do(r); err == nil {
		p.t.Errorf("half an upload = %s", response.Status)
		_ = response.Body.Close()
	}
}

func TestKillLosesNothingAcknowledged(t *testing.T) {
	rounds := 5
	if os.Getenv("SLUICE_FULL") != "" {
		rounds = 50
	}
	data := filepath.Join(t.TempDir(), "data")
	p := start(t, data, "SLUICE_ADMIN_PASSWORD="+password)
	token := p.Login(password)
	uploaders := make([]*uploader, 4)
	for i := range uploaders {
		uploaders[i] = &uploader{name: fmt.Sprint("uploader-", i), token: token, random: rand.NewChaCha8([32]byte{byte(i)}), slots: map[string]slot{}}
	}
	for round := range rounds {
		enough := 1 + rand.Int64N(60)
		var acknowledged atomic.Int64
		var running sync.WaitGroup
		for _, u := range uploaders {
			running.Go(func() { u.work(t, p.URL, &acknowledged) })
		}
		running.Go(func() { putHalf(p, token, "half.bin") })
		eventually(t, "uploads, acknowledged and half", func() bool {
			return acknowledged.Load() >= enough && halfWritten(data)
		})
		p.Kill()
		running.Wait()

		p = start(t, data)
		if left, err := os.ReadDir(filepath.Join(data, "blobs", "tmp")); err != nil || len(left) > 0 {
			t.Errorf("round %d: %v, %v were left in tmp", round, left, err)
		}
		files := 0
		for _, u := range uploaders {
			files += u.check(t, p)
		}
		if listed := listedFiles(p, token); listed != files {
			t.Errorf("round %d: %d files are listed; want the %d that were put", round, listed, files)
		}
		if t.Failed() {
			return
		}
	}
	p.Stop()
}

// halfWritten reports whether the upload of putHalf lies there, but for what is
// still in buffers.
func halfWritten(data string) bool {
	paths, _ := filepath.Glob(filepath.Join(data, "blobs", "tmp", "*"))
	for _, path := range paths {
		if size(path) >= halfSize/2 {
			return true
		}
	}
	return false
}

// listedFiles returns how many files the admin has.
func listedFiles(p *process, token string) int {
	p.t.Helper()
	var list struct {
		Files      []json.RawMessage
		NextCursor string `json:"next_cursor"`
	}
	r := p.Ask(http.MethodGet, "/api/files?limit=1000", token, nil)
	if err := json.NewDecoder(r.Body).Decode(&list); err != nil || r.StatusCode != http.StatusOK || list.NextCursor != "" {
		p.t.Fatalf("the listing is %s, %v, and goes on with %q", r.Status, err, list.NextCursor)
	}
	return len(list.Files)
}
