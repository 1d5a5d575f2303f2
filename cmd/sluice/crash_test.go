package main_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sluice/shared/app/local/localtest"
)

// crashRounds is how often a test kills its server.
func crashRounds() int {
	if os.Getenv("SLUICE_FULL") != "" {
		return 50
	}
	return 5
}

// patient is the setting of a server that drops nobody, however slow the
// machine.
const patient = "SLUICE_STALL=10m"

// A server is killed at random moments while clients do all that they can do.
// What it had answered is there afterwards, whole; what it had not is there
// whole or not at all; and no byte is left that no record tells of.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	p := start(t, data, patient, "SLUICE_ADMIN_PASSWORD="+password)
	admin := p.Login(password)
	var ada struct{ ID string }
	ask(p, http.MethodPost, "/api/users", admin, `{"username":"ada","password":"`+localtest.Password+`","role":"user"}`, http.StatusCreated, &ada)
	c := &crash{t: t, data: data, owner: ada.ID, auditor: &auditor{}}
	for i := range 4 {
		source := rand.NewChaCha8([32]byte{byte(i)})
		w := &worker{t: t, name: fmt.Sprint("worker-", i), source: source, random: rand.New(source), trails: map[string]*trail{}}
		c.workers = append(c.workers, w)
	}
	for round := range crashRounds() {
		c.run(p)
		c.wantLedger()
		p = start(t, data, patient)
		c.wantAcknowledged(p)
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	p.Stop()
}

// crash is what the rounds have in common.
type crash struct {
	t       *testing.T
	data    string
	owner   string // the id of the user whose files they are
	workers []*worker
	auditor *auditor
}

// run has every client work until the server is killed.
func (c *crash) run(p *process) {
	c.t.Helper()
	c.allow(p)
	token := p.LoginAs("ada", localtest.Password)
	var answered atomic.Int64
	var running sync.WaitGroup
	for _, w := range c.workers {
		running.Go(func() { w.work(session{p.URL, token}, &answered) })
	}
	running.Go(func() { readAll(c.t, session{p.URL, token}) })
	running.Go(func() { c.auditor.work(c.t, session{p.URL, token}) })
	running.Go(func() { putHalf(p, token, "half.bin") })
	enough := 20 + rand.Int64N(100)
	eventually(c.t, "answers, half an upload and a line of the audit", func() bool {
		return c.t.Failed() || answered.Load() >= enough && halfWritten(c.data) && c.auditor.confirmedOne.Load()
	})
	p.Kill()
	running.Wait()
}

// allow gives the user some more room than is used, so that a round begins
// within the quota and ends at it.
func (c *crash) allow(p *process) {
	c.t.Helper()
	admin := p.Login(password)
	var user struct {
		Used struct{ Bytes, Files int64 }
	}
	ask(p, http.MethodGet, "/api/users/"+c.owner, admin, "", http.StatusOK, &user)
	quota := fmt.Sprintf(`{"quota_bytes":%d,"quota_files":%d}`, user.Used.Bytes+32<<20, user.Used.Files+20)
	ask(p, http.MethodPatch, "/api/users/"+c.owner, admin, quota, http.StatusOK, &user)
}

// wantAcknowledged asks the server that was started anew for every path.
func (c *crash) wantAcknowledged(p *process) {
	c.t.Helper()
	if left, err := os.ReadDir(filepath.Join(c.data, "blobs", "tmp")); err != nil || len(left) > 0 {
		c.t.Errorf("%v, %v were left in tmp", left, err)
	}
	s := session{p.URL, p.LoginAs("ada", localtest.Password)}
	files := 1 // the auditor's
	for _, w := range c.workers {
		files += w.check(s)
	}
	listed, err := list(s)
	if err != nil || len(listed) != files {
		c.t.Errorf("%d files are listed, %v; want the %d that were put", len(listed), err, files)
	}
	c.auditor.check(c.t, s)
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
	r, err := http.NewRequest(http.MethodPut, p.URL+"/file/ada/"+path, body)
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

// session is how a client asks.
type session struct{ url, token string }

// do sends a request and reads the answer. An error means that the server was
// killed; no half of an answer is returned.
func (s session) do(method, path, body string) (*http.Response, []byte, error) {
	url := path
	if !strings.HasPrefix(path, "http") {
		url = s.url + path
	}
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	if strings.HasPrefix(path, "/api/") && body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := client.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return response, content, err
}
