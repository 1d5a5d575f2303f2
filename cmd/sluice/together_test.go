package main_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/localstack/stores"
)

// deployment is what several servers have in common: the stores and the keys.
type deployment struct {
	t        *testing.T
	settings []string
	password string
}

func newDeployment(t *testing.T) *deployment {
	t.Helper()
	return newDeploymentOn(t, stores.MinIO(t))
}

func newDeploymentOn(t *testing.T, blobs *stores.S3) *deployment {
	t.Helper()
	dir := t.TempDir()
	d := &deployment{t: t, settings: append(onStores(blobs, stores.Dynoxide(t)), patient, "SLUICE_KEYS=file://"+filepath.Join(dir, "keys.json"))}
	d.password = shownPassword(t, adminInit(t, d.settings, "--data="+dir))
	return d
}

func (d *deployment) start() *process {
	d.t.Helper()
	return start(d.t, d.t.TempDir(), d.settings...)
}

// begin begins an upload, sends its parts, and returns its id and the content.
func begin(p *process, token, path string) (id string, content []byte) {
	p.t.Helper()
	content = bytes.Repeat([]byte(path+"\n"), (partSize+1000)/(len(path)+1))
	var begun struct {
		ID string `json:"upload_id"`
	}
	ask(p, http.MethodPost, "/api/files", token, fmt.Sprintf(`{"path":%q,"size":%d,"part_size":%d}`, path, len(content), partSize), http.StatusCreated, &begun)
	sendParts(p, token, begun.ID, content)
	return begun.ID, content
}

// sendParts sends the two parts of an upload.
func sendParts(p *process, token, id string, content []byte) {
	p.t.Helper()
	for i, part := range [][]byte{content[:partSize], content[partSize:]} {
		s := &sender{number: i + 1}
		s.askURL(p, token, id)
		r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPut, s.url, bytes.NewReader(part))
		if err != nil {
			p.t.Fatal(err)
		}
		response, err := client.Do(r)
		if err != nil {
			p.t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			p.t.Fatalf("PUT of part %d = %s, want 200", s.number, response.Status)
		}
	}
}

// complete asks for the end of an upload until it has come, and returns the id
// of the version. What the store has lost is sent again.
func complete(p *process, token, id string, content []byte) (version string) {
	p.t.Helper()
	eventually(p.t, "the completion", func() bool {
		r := p.Ask(http.MethodPost, "/api/uploads/"+id+"/complete", token, nil)
		body, err := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if strings.Contains(string(body), `"parts_missing"`) {
			sendParts(p, token, id, content)
			return false
		}
		if err != nil || r.StatusCode != http.StatusOK && r.StatusCode != http.StatusAccepted && r.StatusCode != http.StatusConflict {
			p.t.Fatalf("complete = %s %s, %v", r.Status, body, err)
		}
		_, version, _ = strings.Cut(string(body), `"version_id":"`)
		version, _, _ = strings.Cut(version, `"`)
		return r.StatusCode == http.StatusOK
	})
	return version
}

// wantUsed wants the admin to be charged for so much, and no more.
func wantUsed(p *process, token string, bytes, files int) {
	p.t.Helper()
	var profile struct{ Used struct{ Bytes, Files int } }
	ask(p, http.MethodGet, "/api/profile", token, "", http.StatusOK, &profile)
	if profile.Used.Bytes != bytes || profile.Used.Files != files {
		p.t.Errorf("%+v is counted, want %d bytes in %d files", profile.Used, bytes, files)
	}
}

// A server that is killed while it completes an upload at the store has
// completed it, or another one can.
func TestKillWhileAnUploadIsCompletedAtTheStore(t *testing.T) {
	d := newDeployment(t)
	p := d.start()
	used, done := 0, rounds(4, 50)
	for round := range done {
		token, path := p.Login(d.password), fmt.Sprint("file-", round)
		id, content := begin(p, token, path)
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			r, err := http.NewRequest(http.MethodPost, p.URL+"/api/uploads/"+id+"/complete", http.NoBody)
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("Authorization", "Bearer "+token)
			if response, err := client.Do(r); err == nil {
				_ = response.Body.Close()
			}
		}()
		<-time.After(rand.N(60 * time.Millisecond)) // a random moment of the completion
		p.Kill()
		<-answered
		p = d.start()
		first := complete(p, token, id, content)
		if again := complete(p, token, id, content); first == "" || again != first {
			t.Errorf("round %d: completed as version %q, and again as %q; want one", round, first, again)
		}
		if got := p.Get(token, path); got != string(content) {
			t.Errorf("round %d: %d other bytes are there, want %d", round, len(got), len(content))
		}
		used += len(content)
		wantUsed(p, token, used, round+1)
	}
	p.Stop()
}

// Several servers on one table and one bucket agree: of those who create a path
// one does, and an upload that all complete is one version.
func TestServersOnTheSameStoresAgree(t *testing.T) {
	d := newDeployment(t)
	servers := []*process{d.start(), d.start(), d.start()}
	token := servers[0].Login(d.password)
	used, files := 0, 0
	for round := range rounds(3, 30) {
		path := fmt.Sprint("new-", round)
		made := at(servers, func(p *process) string {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, p.URL+"/file/admin/"+path, strings.NewReader(p.URL))
			if err != nil {
				return err.Error()
			}
			r.Header.Set("Authorization", "Bearer "+token)
			r.Header.Set("If-None-Match", "*")
			response, err := client.Do(r)
			if err != nil {
				return err.Error()
			}
			_ = response.Body.Close()
			return response.Status
		})
		winner := -1
		for i, status := range made {
			switch {
			case status == "201 Created" && winner < 0:
				winner = i
			case status != "412 Precondition Failed":
				t.Errorf("round %d: the servers answer %q, want one 201 and else 412", round, made)
			}
		}
		if winner < 0 {
			t.Fatalf("round %d: the servers answer %q, want a 201", round, made)
		}
		used, files = used+len(servers[winner].URL), files+1

		id, content := begin(servers[round%3], token, fmt.Sprint("parts-", round))
		versions := at(servers, func(p *process) string { return complete(p, token, id, content) })
		if versions[0] == "" || versions[1] != versions[0] || versions[2] != versions[0] {
			t.Errorf("round %d: completed as the versions %q, want one", round, versions)
		}
		used, files = used+len(content), files+1
		for i, p := range servers {
			if got := p.Get(token, path); got != servers[winner].URL {
				t.Errorf("round %d: server %d has %q of %s, want what was created: %q", round, i, got, path, servers[winner].URL)
			}
			if got := p.Get(token, fmt.Sprint("parts-", round)); got != string(content) {
				t.Errorf("round %d: server %d has %d other bytes, want %d", round, i, len(got), len(content))
			}
		}
		wantUsed(servers[1], token, used, files)
	}
	for _, p := range servers {
		p.Stop()
	}
}

// at does a thing at all servers at the same time.
func at(servers []*process, do func(*process) string) []string {
	answers := make([]string, len(servers))
	var all sync.WaitGroup
	for i, p := range servers {
		all.Go(func() { answers[i] = do(p) })
	}
	all.Wait()
	return answers
}
