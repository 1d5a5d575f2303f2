package keys_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sluice/shared/auth"
	"sluice/shared/fault"
	"sluice/shared/keys"
)

func TestFirstStartMakesKeysThatWork(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	set := load(t, path)
	if len(set.Token) != 1 || len(set.Link) != 1 {
		t.Fatalf("%d token keys and %d link keys; want one each", len(set.Token), len(set.Link))
	}
	authority := auth.Authority{Issuer: "i", Audience: "a"}
	signer, err := auth.NewSigner(authority, set.Token[0], time.Now)
	if err != nil {
		t.Fatal(err)
	}
	public, err := set.TokenPublic()
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := auth.NewVerifier(authority, time.Now, public...)
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := signer.SignAccess("ulla", "login 1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verifier.VerifyAccess(token); err != nil {
		t.Errorf("a token of the new keys is refused: %v", err)
	}
	ring, err := auth.NewRing(set.Link...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ring.Open("cursor", ring.Seal("cursor", []byte("abc"))); err != nil {
		t.Errorf("a text sealed with the new keys does not open: %v", err)
	}
}

func TestLaterStartsKeepTheKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	first := load(t, path)
	before := read(t, path)
	wantSame(t, load(t, path), first)
	if !bytes.Equal(read(t, path), before) {
		t.Error("the second start changed the file")
	}
}

func TestEveryNewKeyDiffers(t *testing.T) {
	dir := t.TempDir()
	secrets, ids := map[string]bool{}, map[string]bool{}
	for _, name := range []string{"1.json", "2.json"} {
		set := load(t, filepath.Join(dir, name))
		secrets[encode(set.Token[0].Seed.Reveal())], ids[set.Token[0].ID] = true, true
		secrets[encode(set.Link[0].Secret.Reveal())], ids[set.Link[0].ID] = true, true
	}
	if len(secrets) != 4 || len(ids) != 4 {
		t.Errorf("two sets have %d different secrets and %d different ids; want 4 and 4", len(secrets), len(ids))
	}
}

func TestNewFileIsPrivateAndAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys.json")
	load(t, path)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("the file's mode is %#o; want 0600", got)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("beside the file are %v, %v; want it alone", entries, err)
	}
}

func TestRacingStartsEndWithTheSameKeys(t *testing.T) {
	for range 20 {
		dir := t.TempDir()
		path := filepath.Join(dir, "keys.json")
		sets := make([]keys.Set, 8)
		begin := make(chan struct{})
		var group sync.WaitGroup
		for i := range sets {
			group.Go(func() {
				<-begin
				set, err := keys.LoadOrCreate(path)
				if err != nil {
					t.Error(err)
				}
				sets[i] = set
			})
		}
		close(begin)
		group.Wait()
		for _, set := range sets[1:] {
			wantSame(t, set, sets[0])
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("after the race the folder has %v, %v; want one file", entries, err)
		}
	}
}

// Two keys in each ring, the second of which signs.
var document = fmt.Sprintf(`{
  "version": 1,
  "token": {"signing": "t2", "keys": [
    {"id": "t1", "created": "2026-01-02T03:04:05Z", "secret": %q},
    {"id": "t2", "created": "2026-02-02T03:04:05Z", "secret": %q}]},
  "link": {"signing": "l2", "keys": [
    {"id": "l1", "created": "2026-01-02T03:04:05Z", "secret": %q},
    {"id": "l2", "created": "2026-02-02T03:04:05Z", "secret": %q}]}
}`, secret(1), secret(2), secret(3), secret(4))

func TestTheSigningKeyStandsFirst(t *testing.T) {
	set := load(t, write(t, document, 0o600))
	var got []string
	for _, key := range set.Token {
		got = append(got, key.ID+"="+encode(key.Seed.Reveal()))
	}
	for _, key := range set.Link {
		got = append(got, key.ID+"="+encode(key.Secret.Reveal()))
	}
	want := []string{"t2=" + secret(2), "t1=" + secret(1), "l2=" + secret(4), "l1=" + secret(3)}
	if !slices.Equal(got, want) {
		t.Errorf("keys %q\nwant %q", got, want)
	}
}

func TestSetShowsNoSecret(t *testing.T) {
	set := load(t, write(t, document, 0o600))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		text := fmt.Sprintf(verb, set)
		if strings.Count(text, "***") != 4 {
			t.Errorf("%s shows %s; want *** for each of four secrets", verb, text)
		}
	}
}

func TestMalformedFile(t *testing.T) {
	long := encode(make([]byte, 33))
	cases := []struct {
		name, old, replacement string
		want                   string
	}{
		{"not JSON", `"version": 1,`, `version = 1`, "not JSON at byte 5"},
		{"cut short", document, document[:len(document)-1], "not a whole JSON document"},
		{"empty", document, ``, "not a whole JSON document"},
		{"two documents", document, document + document, "something follows the JSON document"},
		{"a word after it", document, document + "x", "something follows the JSON document"},
		{"a list", document, `[]`, "not of the right JSON type"},
		{"null", document, `null`, "version: 0 is not known"},
		{"no version", `"version": 1,`, ``, "version: 0 is not known"},
		{"a later version", `"version": 1,`, `"version": 2,`, "version: 2 is not known"},
		{"a version that is a word", `"version": 1,`, `"version": "1",`, "version: not of the right JSON type"},
		{"a signing key that is not there", `"signing": "t2"`, `"signing": "t3"`, "token.signing: no key has this id"},
		{"no signing key", `"signing": "l2"`, `"signed": "l2"`, "link.signing: no key has this id"},
		{"no keys", `"keys"`, `"key"`, "token.signing: no key has this id"},
		{"a secret where keys should be", `"signing": "t2"`, `"keys": "` + secret(9) + `", "signing": "t2"`, "token.keys: not of the right JSON type"},
		{"a secret that is a number", `"secret": "` + secret(1) + `"`, `"secret": 123456789`, "token.keys.secret: not of the right JSON type"},
		{"a malformed id", `"id": "t1"`, `"id": "t.1"`, "token.keys[0].id: not 1 to 64"},
		{"no id", `"id": "t1",`, ``, "token.keys[0].id: not 1 to 64"},
		{"one id twice", `"id": "l1"`, `"id": "l2"`, "link.keys[1].id: another key has it too"},
		{"no time", `"created": "2026-01-02T03:04:05Z",`, ``, "token.keys[0].created: not an RFC 3339 time"},
		{"a malformed time", `2026-02-02T03:04:05Z`, secret(9), "token.keys[1].created: not an RFC 3339 time"},
		{"no secret", `, "secret": "` + secret(2) + `"`, ``, "token.keys[1].secret: not 32 bytes in base64"},
		{"an empty secret", secret(2), ``, "token.keys[1].secret: not 32 bytes in base64"},
		{"a short secret", secret(3), secret(3)[:40], "link.keys[0].secret: not 32 bytes in base64"},
		{"a long secret", secret(4), long, "link.keys[1].secret: not 32 bytes in base64"},
		{"a secret that is not base64", secret(1), "?" + secret(1)[1:], "token.keys[0].secret: not 32 bytes in base64"},
		{"too large", document, document + strings.Repeat(" ", 1<<20), "more than 1048576"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(document, c.old, c.replacement, 1)
			if text == document {
				t.Fatalf("%q is not in the document", c.old)
			}
			wantBadKeys(t, write(t, text, 0o600), c.want)
		})
	}
}

func TestFileThatOthersMayUseIsRefused(t *testing.T) {
	cases := map[fs.FileMode]bool{
		0o600: true, 0o400: true, 0o700: true, 0o640: true, 0o440: true,
		0o620: false, 0o660: false, 0o610: false, 0o604: false, 0o602: false, 0o601: false, 0o644: false, 0o444: false, 0o666: false,
	}
	for mode, want := range cases {
		path := write(t, document, mode)
		if !want {
			wantBadKeys(t, path, fmt.Sprintf("its mode %#o lets others at it: run chmod 600", mode))
		} else if _, err := keys.LoadOrCreate(path); err != nil {
			t.Errorf("a file of mode %#o: %v", mode, err)
		}
	}
}

// What its group may read must belong to root or to us: whose it is else may
// have put anybody into that group.
func TestAKeyFileOfAnotherOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	const somebody = 12345
	for mode, want := range map[fs.FileMode]string{
		0o400: "", 0o600: "",
		0o440: "its mode 0440 lets its group read it, and its owner is neither root nor who runs this: run chmod 600",
		0o640: "its mode 0640 lets its group read it, and its owner is neither root nor who runs this: run chmod 600",
	} {
		path := write(t, document, mode)
		if err := os.Chown(path, somebody, somebody); err != nil {
			t.Fatal(err)
		}
		if want != "" {
			wantBadKeys(t, path, want)
		} else if _, err := keys.LoadOrCreate(path); err != nil {
			t.Errorf("another's file of mode %#o: %v", mode, err)
		}
	}
}

func TestPathThatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	dangling := filepath.Join(dir, "dangling")
	if err := os.Symlink(filepath.Join(dir, "nowhere"), dangling); err != nil {
		t.Fatal(err)
	}
	wantBadKeys(t, dir, "it is not a regular file")
	wantBadKeys(t, pipe, "it is not a regular file")
	wantBadKeys(t, dangling, "no such file or directory")
	wantBadKeys(t, filepath.Join(dir, "no folder", "keys.json"), "no such file or directory")
	wantBadKeys(t, filepath.Join(pipe, "keys.json"), "not a directory")
}

func TestLinkToAFileIsFollowed(t *testing.T) {
	path := write(t, document, 0o600)
	link := filepath.Join(t.TempDir(), "link.json")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	wantSame(t, load(t, link), load(t, path))
}

// wantBadKeys wants the file refused in one line that names it, says why, and
// holds no secret.
func wantBadKeys(t *testing.T, path, why string) {
	t.Helper()
	set, err := keys.LoadOrCreate(path)
	if !fault.Is(err, fault.Invalid, "bad_keys") || len(set.Token)+len(set.Link) > 0 {
		t.Fatalf("LoadOrCreate = %v, %v; want the fault bad_keys", set, err)
	}
	line := err.Error()
	if !strings.Contains(line, why) || strings.Count(line, path) != 1 || strings.Contains(line, "\n") {
		t.Errorf("the error is %q; want one line with %s once and %q", line, path, why)
	}
	for n := range byte(10) {
		if strings.Contains(line, secret(n)[:12]) || strings.Contains(line, "123456789") {
			t.Errorf("the error quotes a secret: %s", line)
		}
	}
}

func load(t *testing.T, path string) keys.Set {
	t.Helper()
	set, err := keys.LoadOrCreate(path)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func write(t *testing.T, text string, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func wantSame(t *testing.T, got, want keys.Set) {
	t.Helper()
	if !slices.Equal(secretsOf(got), secretsOf(want)) || len(secretsOf(got)) == 0 {
		t.Errorf("keys %v, of other secrets than %v", got, want)
	}
}

// secretsOf returns the ids and secrets of a set.
func secretsOf(set keys.Set) []string {
	var all []string
	for _, key := range set.Token {
		all = append(all, key.ID+" "+encode(key.Seed.Reveal()))
	}
	for _, key := range set.Link {
		all = append(all, key.ID+" "+encode(key.Secret.Reveal()))
	}
	return all
}

// secret returns 32 bytes in base64 that differ for each n.
func secret(n byte) string { return encode(bytes.Repeat([]byte{n + 100}, 32)) }

func encode(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
