package main_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sluice/shared/app/local/localtest"
)

// The janitor sweeps when a server starts. It is killed in the midst, again and
// again, and what it was about is done or still to be done, never half.
func TestKillWhileTheJanitorSweeps(t *testing.T) {
	t.Parallel()
	const files, keepNothing = 10, "SLUICE_KEEP=0s"
	data := filepath.Join(t.TempDir(), "data")
	p := start(t, data, keepNothing, "SLUICE_ADMIN_PASSWORD="+password)
	var ada struct{ ID string }
	ask(p, http.MethodPost, "/api/users", p.Login(password), `{"username":"ada","password":"`+localtest.Password+`","role":"user"}`, http.StatusCreated, &ada)
	c := &crash{t: t, data: data, owner: ada.ID}
	for round := range crashRounds() {
		s := session{p.URL, p.LoginAs("ada", localtest.Password)}
		for i := range 4 * files {
			path := fmt.Sprint("/file/ada/", i%files)
			if r, _, err := s.do(http.MethodPut, path, fmt.Sprint(round, i)); err != nil || r.StatusCode/100 != 2 {
				t.Fatalf("PUT %s = %v, %v", path, r, err)
			}
		}
		if r, _, err := s.do(http.MethodDelete, "/file/ada/0", ""); err != nil || r.StatusCode != http.StatusNoContent {
			t.Fatalf("DELETE = %v, %v", r, err)
		}
		p.Kill()
		last := time.Now().Unix()
		eventually(t, "the second in which all is due", func() bool { return time.Now().Unix() > last })
		full := objects(data)
		p = start(t, data, keepNothing)
		eventually(t, "a removal", func() bool { return objects(data) < full })
		p.Kill()
		c.wantLedger()
		p = start(t, data, keepNothing)
		s = session{p.URL, p.LoginAs("ada", localtest.Password)}
		for i := 1; i < files; i++ {
			if got, want := p.GetOf("ada", s.token, fmt.Sprint(i)), fmt.Sprint(round, 3*files+i); got != want {
				t.Errorf("file %d is %q, want %q", i, got, want)
			}
		}
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	p.Stop()
}

// objects returns how many blobs lie in a store.
func objects(data string) int {
	found := 0
	shards, _ := os.ReadDir(filepath.Join(data, "blobs", "objects")) // it may not be there yet
	for _, shard := range shards {
		names, _ := os.ReadDir(filepath.Join(data, "blobs", "objects", shard.Name()))
		found += len(names)
	}
	return found
}
