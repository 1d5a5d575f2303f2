package main_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
)

// tusRequest sends a request about an upload by tus. Its error is that of a
// server that was killed.
func tusRequest(p *process, method, path, token string, body []byte, header ...string) (*http.Response, error) {
	r, err := http.NewRequest(method, p.URL+path, bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := client.Do(r)
	if err == nil {
		_ = response.Body.Close()
	}
	return response, err
}

// tusOffset asks how far the upload is.
func tusOffset(p *process, path, token string) int {
	p.t.Helper()
	response, err := tusRequest(p, http.MethodHead, path, token, nil)
	if err != nil || response.StatusCode != http.StatusOK {
		p.t.Fatalf("HEAD = %v, %v", response, err)
	}
	at, err := strconv.Atoi(response.Header.Get("Upload-Offset"))
	if err != nil {
		p.t.Fatal(err)
	}
	return at
}

// sendTus sends chunks of random sizes until all is sent or the server dies, and
// returns how much was acknowledged.
func sendTus(p *process, path, token string, data []byte, at int, chunks *atomic.Int64) int {
	for at < len(data) {
		end := min(len(data), at+1+rand.IntN(3<<20))
		response, err := tusRequest(p, http.MethodPatch, path, token, data[at:end],
			"Content-Type", "application/offset+octet-stream", "Upload-Offset", strconv.Itoa(at))
		if err != nil {
			return at // killed
		}
		if response.StatusCode != http.StatusNoContent {
			p.t.Errorf("PATCH at %d = %s", at, response.Status)
			return at
		}
		at = end
		chunks.Add(1)
	}
	return at
}

func TestKillLosesNoByteOfTusAcknowledged(t *testing.T) {
	rounds := 4
	if os.Getenv("SLUICE_FULL") != "" {
		rounds = 50
	}
	data := make([]byte, rounds*(10<<20))
	_, _ = rand.NewChaCha8([32]byte{7}).Read(data) // never fails
	folder := filepath.Join(t.TempDir(), "data")
	p := start(t, folder, "SLUICE_ADMIN_PASSWORD="+password)
	token := p.Login(password)
	created, err := tusRequest(p, http.MethodPost, "/api/tus", token, nil, "Upload-Length", strconv.Itoa(len(data)), "Upload-Metadata", "filename YQ==")
	if err != nil || created.StatusCode != http.StatusCreated {
		t.Fatalf("POST = %v, %v", created, err)
	}
	path, at := created.Header.Get("Location"), 0
	for round := range rounds {
		var chunks atomic.Int64
		acknowledged := make(chan int, 1)
		go func() { acknowledged <- sendTus(p, path, token, data, at, &chunks) }()
		eventually(t, "some chunks", func() bool { return chunks.Load() >= 3 || len(acknowledged) > 0 })
		p.Kill()
		was := <-acknowledged
		p = start(t, folder)
		token = p.Login(password)
		if at = tusOffset(p, path, token); at < was {
			t.Fatalf("after kill %d the upload has %d bytes, and %d were acknowledged", round+1, at, was)
		}
	}
	sendTus(p, path, token, data, at, &atomic.Int64{})
	if at = tusOffset(p, path, token); at != len(data) {
		t.Fatalf("at the end the upload has %d bytes, want %d", at, len(data))
	}
	wantOneFile(t, p, token, data)
	p.Stop()
}

// wantOneFile wants the file a to be these bytes, and them alone to be counted.
func wantOneFile(t *testing.T, p *process, token string, want []byte) {
	t.Helper()
	eventually(t, "the file", func() bool { return p.Ask(http.MethodGet, "/file/admin/a", token, nil).StatusCode == http.StatusOK })
	got, err := io.ReadAll(p.Ask(http.MethodGet, "/file/admin/a", token, nil).Body)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("the file has %d bytes, or others than the %d sent, %v", len(got), len(want), err)
	}
	var profile struct{ Used struct{ Bytes, Files int64 } }
	ask(p, http.MethodGet, "/api/profile", token, "", http.StatusOK, &profile)
	if sent := fmt.Sprintf("{%d 1}", len(want)); fmt.Sprint(profile.Used) != sent {
		t.Errorf("%v is counted, want %s", profile.Used, sent)
	}
}
