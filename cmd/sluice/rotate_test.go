package main_test

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/shared/app/amazon/amazontest"
)

// What the old keys signed stays good after a rotation, on a server that runs and
// on one that starts then, which signs with the new ones.
func TestKeysAreRotatedUnderAServer(t *testing.T) {
	aws := amazontest.Start(t)
	var settings []string
	for name, value := range aws.Environment() {
		settings = append(settings, name+"="+value)
	}
	data := filepath.Join(t.TempDir(), "data")
	settings = append(settings, "SLUICE_KEYS=ssm:/sluice", "SLUICE_DATA="+data, "AWS_CONFIG_FILE=/nonexistent", "SLUICE_ADMIN_PASSWORD="+password)
	for _, want := range []string{"made", "unchanged: they are there"} {
		if said := adminInit(t, settings); !strings.Contains(said, "keys                         "+want+"\n") {
			t.Errorf("admin init says\n%s\nwant of the keys: %s", said, want)
		}
	}
	p := start(t, data, settings...)
	old := p.Login(password)
	rotate := command("admin", "rotate")
	rotate.Env = append(rotate.Env, settings...)
	if said, err := rotate.CombinedOutput(); err != nil {
		t.Fatalf("rotate: %v\n%s", err, said)
	}
	wantProfile(t, p, old)
	p.Kill()
	p = start(t, data, settings...)
	wantProfile(t, p, old)
	fresh := p.Login(password)
	wantProfile(t, p, fresh)
	if signedBy(fresh) == signedBy(old) {
		t.Error("after the rotation the old key signs, want the new one to")
	}
}

// signedBy is the part of a token that names its key.
func signedBy(token string) string { header, _, _ := strings.Cut(token, "."); return header }

// The same where the keys are in a file, which the server that runs reads again.
func TestAKeyFileIsRotatedUnderAServer(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	wantRefused(t, []string{"admin", "rotate"}, []string{"SLUICE_DATA=" + data}, "SLUICE_KEYS: the key file "+filepath.Join(data, "keys.json")+" cannot be used")
	p := start(t, data, "SLUICE_ADMIN_PASSWORD="+password)
	old := p.Login(password)
	var file struct{ ID string }
	if err := json.NewDecoder(p.Ask(http.MethodPut, "/file/admin/a", old, strings.NewReader("content")).Body).Decode(&file); err != nil {
		t.Fatal(err)
	}
	var link struct{ URL string }
	if err := json.NewDecoder(p.Ask(http.MethodPost, "/api/files/"+file.ID+"/link", old, nil).Body).Decode(&link); err != nil {
		t.Fatal(err)
	}
	if said, err := command("admin", "rotate", "--data", data).CombinedOutput(); err != nil {
		t.Fatalf("rotate: %v\n%s", err, said)
	}
	wantProfile(t, p, old)
	fresh := old
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for patience := time.Now().Add(time.Minute); signedBy(fresh) == signedBy(old); <-tick.C {
		if time.Now().After(patience) {
			t.Fatal("within a minute the server does not sign with the new key")
		}
		fresh = p.Login(password)
	}
	wantProfile(t, p, fresh)
	wantProfile(t, p, old)
	path := strings.TrimPrefix(link.URL, p.URL)
	if r := p.Ask(http.MethodGet, path, "", nil); r.StatusCode != http.StatusOK {
		t.Errorf("a link that the old key signed = %s, want 200", r.Status)
	}
	p.Kill()
	p = start(t, data)
	wantProfile(t, p, fresh)
	wantProfile(t, p, old)
}

// wantProfile wants a token to be good.
func wantProfile(t *testing.T, p *process, token string) {
	t.Helper()
	if r := p.Ask(http.MethodGet, "/api/profile", token, nil); r.StatusCode != http.StatusOK {
		t.Errorf("GET /api/profile = %s, want 200", r.Status)
	}
}
