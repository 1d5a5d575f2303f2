package main_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

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
	header := func(token string) string { h, _, _ := strings.Cut(token, "."); return h }
	if header(fresh) == header(old) {
		t.Error("after the rotation the old key signs, want the new one to")
	}
	wantRefused(t, []string{"admin", "rotate"}, []string{"SLUICE_DATA=" + data}, "SLUICE_KEYS: want ssm:/path or secretsmanager:name, not file")
}

// wantProfile wants a token to be good.
func wantProfile(t *testing.T, p *process, token string) {
	t.Helper()
	if r := p.Ask(http.MethodGet, "/api/profile", token, nil); r.StatusCode != http.StatusOK {
		t.Errorf("GET /api/profile = %s, want 200", r.Status)
	}
}
