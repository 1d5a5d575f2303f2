package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// partSize is the least that an upload may have.
const partSize = 8 << 20

// slot is what is known of a part that is sent again and again: the one last
// acknowledged, and the one that was cut.
type slot struct{ acknowledged, cut string } // SHA-256; empty: none

// sender sends one part again and again, each time with other bytes, until the
// server dies.
type sender struct {
	number int
	size   int
	url    string
	seed   uint64
	slot   slot
}

func (s *sender) work(t *testing.T, acknowledged *atomic.Int64) {
	for {
		s.seed++
		content := make([]byte, s.size)
		_, _ = rand.NewChaCha8([32]byte{byte(s.number), byte(s.seed), byte(s.seed >> 8)}).Read(content) // never fails
		s.slot.cut = sha256Of(content)
		r, err := http.NewRequest(http.MethodPut, s.url, bytes.NewReader(content))
		if err != nil {
			t.Error(err)
			return
		}
		response, err := client.Do(r)
		if err != nil {
			return // killed
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("PUT of part %d = %s", s.number, response.Status)
			return
		}
		s.slot = slot{acknowledged: s.slot.cut}
		acknowledged.Add(1)
	}
}

// ask sends JSON and reads JSON.
func ask(p *process, method, path, token, body string, want int, into any) {
	p.t.Helper()
	r, err := http.NewRequest(method, p.URL+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	response, err := client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != want {
		p.t.Fatalf("%s %s = %s %s, %v, want %d", method, path, response.Status, content, err, want)
	}
	if err := json.Unmarshal(content, into); err != nil {
		p.t.Fatalf("%s %s = %s: %v", method, path, content, err)
	}
}

func (s *sender) askURL(p *process, token, upload string) {
	p.t.Helper()
	var issued struct{ Parts []struct{ URL string } }
	ask(p, http.MethodPost, "/api/uploads/"+upload+"/parts", token, fmt.Sprintf(`{"parts":[{"number":%d}]}`, s.number), http.StatusOK, &issued)
	s.url = issued.Parts[0].URL
}

// check wants the part to be what was acknowledged, or all of what was cut.
func (s *sender) check(t *testing.T, arrived map[int]string) {
	t.Helper()
	got := arrived[s.number]
	if got != s.slot.acknowledged && got != s.slot.cut {
		t.Errorf("after a kill part %d is %q; want acknowledged %q or cut %q", s.number, got, s.slot.acknowledged, s.slot.cut)
	}
	s.slot = slot{acknowledged: got}
}

// arrived returns the SHA-256 of each part, by number.
func arrived(p *process, token, upload string) map[int]string {
	p.t.Helper()
	var state struct {
		Parts []struct {
			Number int
			SHA256 string
		}
	}
	ask(p, http.MethodGet, "/api/uploads/"+upload, token, "", http.StatusOK, &state)
	parts := map[int]string{}
	for _, part := range state.Parts {
		parts[part.Number] = part.SHA256
	}
	return parts
}

func TestKillLosesNoPartAcknowledged(t *testing.T) {
	t.Parallel()
	const last = 1000
	data := filepath.Join(t.TempDir(), "data")
	p := start(t, data, "SLUICE_ADMIN_PASSWORD="+password)
	token := p.Login(password)
	var begun struct {
		ID string `json:"upload_id"`
	}
	ask(p, http.MethodPost, "/api/files", token, fmt.Sprintf(`{"path":"a","size":%d,"part_size":%d}`, 2*partSize+last, partSize), http.StatusCreated, &begun)
	senders := []*sender{{number: 1, size: partSize}, {number: 2, size: partSize}, {number: 3, size: last}}
	for range crashRounds() {
		var acknowledged atomic.Int64
		var running sync.WaitGroup
		for _, s := range senders {
			s.askURL(p, token, begun.ID)
			running.Go(func() { s.work(t, &acknowledged) })
		}
		eventually(t, "parts", func() bool { return acknowledged.Load() >= 4 })
		p.Kill()
		running.Wait()
		p = start(t, data)
		parts := arrived(p, token, begun.ID)
		for _, s := range senders {
			s.check(t, parts)
		}
		if t.Failed() {
			return
		}
	}
	wantWhole(t, p, token, begun.ID, senders)
	p.Stop()
}

// wantWhole completes the upload and wants its file to be the parts.
func wantWhole(t *testing.T, p *process, token, upload string, senders []*sender) {
	t.Helper()
	for _, s := range senders { // what never arrived, for lack of time
		if s.slot.acknowledged == "" {
			content := make([]byte, s.size)
			s.askURL(p, token, upload)
			r, err := http.NewRequest(http.MethodPut, s.url, bytes.NewReader(content))
			if err != nil {
				t.Fatal(err)
			}
			response, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			s.slot.acknowledged = sha256Of(content)
		}
	}
	eventually(t, "a completion", func() bool {
		return p.Ask(http.MethodPost, "/api/uploads/"+upload+"/complete", token, nil).StatusCode == http.StatusOK
	})
	content, err := io.ReadAll(p.Ask(http.MethodGet, "/file/admin/a", token, nil).Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range senders {
		from := (s.number - 1) * partSize
		if sum := sha256Of(content[from : from+s.size]); sum != s.slot.acknowledged {
			t.Errorf("part %d of the file is %s, want %s", s.number, sum, s.slot.acknowledged)
		}
	}
	var profile struct{ Used struct{ Bytes, Files int64 } }
	ask(p, http.MethodGet, "/api/profile", token, "", http.StatusOK, &profile)
	if profile.Used.Bytes != int64(len(content)) || profile.Used.Files != 1 {
		t.Errorf("%d bytes in %d files are counted, want %d in 1", profile.Used.Bytes, profile.Used.Files, len(content))
	}
}
