package keys_test

import (
	"bytes"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/shared/auth"
	"sluice/shared/keys"
)

func TestARotationKeepsTheOldKeysAndSignsWithNewOnes(t *testing.T) {
	path := write(t, document, 0o600)
	before := load(t, path)
	if err := keys.RotateFile(path, time.Now()); err != nil {
		t.Fatal(err)
	}
	after := load(t, path)
	if len(after.Token) != 3 || len(after.Link) != 3 {
		t.Fatalf("there are %d token keys and %d link keys; want three each", len(after.Token), len(after.Link))
	}
	for _, old := range before.Token {
		if after.Token[0].ID == old.ID {
			t.Errorf("the old token key %s signs, want a new one to", old.ID)
		}
	}
	for _, old := range before.Link {
		if after.Link[0].ID == old.ID {
			t.Errorf("the old link key %s signs, want a new one to", old.ID)
		}
	}
	after.Token, after.Link = after.Token[1:], after.Link[1:]
	// In the order of the file, the one that signed stood second there.
	after.Token[0], after.Token[1] = after.Token[1], after.Token[0]
	after.Link[0], after.Link[1] = after.Link[1], after.Link[0]
	wantSame(t, after, before)
}

// A rotation replaces the file by one that is as private, and leaves nothing else;
// what is a link stays one.
func TestARotationReplacesTheFileAlone(t *testing.T) {
	for _, mode := range []fs.FileMode{0o600, 0o640, 0o400} {
		path := write(t, document, mode)
		link := filepath.Join(t.TempDir(), "keys.json")
		if err := os.Symlink(path, link); err != nil {
			t.Fatal(err)
		}
		for _, at := range []string{path, link} {
			old, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer old.Close()
			if err := keys.RotateFile(at, time.Now()); err != nil {
				t.Fatal(err)
			}
			was, err := old.Stat()
			if err != nil {
				t.Fatal(err)
			}
			is, err := os.Stat(path)
			if err != nil || os.SameFile(was, is) || is.Mode() != was.Mode() {
				t.Errorf("after a rotation the file of mode %v has %v, the same file: %v, %v; want another of that mode", was.Mode(), is.Mode(), os.SameFile(was, is), err)
			}
		}
		if info, err := os.Lstat(link); err != nil || info.Mode().Type() != fs.ModeSymlink {
			t.Errorf("after a rotation the link is %v, %v; want a link", info, err)
		}
		if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
			t.Errorf("beside the file are %v, %v; want it alone", entries, err)
		}
	}
}

func TestAFileThatCannotBeUsedIsNotRotated(t *testing.T) {
	for name, path := range map[string]string{
		"which is not there": filepath.Join(t.TempDir(), "keys.json"), "which others may read": write(t, document, 0o644), "which is no JSON": write(t, "{", 0o600),
		"which is a folder": t.TempDir(),
	} {
		before, _ := os.ReadFile(path)
		err := keys.RotateFile(path, time.Now())
		if err == nil || !strings.HasPrefix(err.Error(), "bad_keys: the key file "+path+" cannot be used") {
			t.Errorf("a file %s is rotated with %v, want bad_keys", name, err)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
			t.Errorf("a file %s was changed", name)
		}
	}
}

// followed are Rings of a file, at a time that tests set.
type followed struct {
	keys.Rings
	t    *testing.T
	path string
	now  time.Time
	log  bytes.Buffer
}

func follow(t *testing.T, path string) *followed {
	t.Helper()
	f := &followed{t: t, path: path, now: time.Now()}
	var err error
	f.Rings, err = keys.FollowFile(path, keys.Options{
		Authority: auth.Authority{Issuer: "i", Audience: "a"}, Clock: func() time.Time { return f.now }, Log: slog.New(slog.NewTextHandler(&f.log, nil)), Issues: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *followed) token() string {
	f.t.Helper()
	if err := f.Ready(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	token, _, err := f.Signer.SignAccess("ulla", "login 1")
	if err != nil {
		f.t.Fatal(err)
	}
	return token
}

func (f *followed) takes(token string) bool {
	_, err := f.Verifier.VerifyAccess(token)
	return err == nil
}

func TestAServerFollowsItsKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	load(t, path)
	one, other := follow(t, path), follow(t, path)
	old := one.token()
	if err := keys.RotateFile(path, time.Now()); err != nil {
		t.Fatal(err)
	}
	header := func(token string) string { h, _, _ := strings.Cut(token, "."); return h }
	if header(one.token()) != header(old) {
		t.Error("within ten seconds after it read the file a server signs with another key, want the same")
	}
	one.now = one.now.Add(10 * time.Second)
	fresh := one.token()
	if header(fresh) == header(old) {
		t.Error("after ten seconds the old key signs, want the new one to")
	}
	if other.takes(fresh) {
		t.Error("a server that has just read the file takes the new key, want it to look once a second")
	}
	other.now = other.now.Add(time.Second)
	for name, token := range map[string]string{"the new key": fresh, "the old key": old} {
		if !one.takes(token) || !other.takes(token) {
			t.Errorf("a token of %s is taken by the server that read the file: %v, and by one that meets the key: %v; want both to", name, one.takes(token), other.takes(token))
		}
	}
}

// A file that is damaged under a server changes nothing but the log.
func TestAServerGoesOnWithTheKeysItHas(t *testing.T) {
	path := write(t, document, 0o600)
	f := follow(t, path)
	token := f.token()
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.now = f.now.Add(time.Minute)
	if !f.takes(f.token()) || !f.takes(token) {
		t.Error("a server whose key file was damaged refuses its own tokens")
	}
	if !strings.Contains(f.log.String(), "bad_keys") {
		t.Errorf("the log is %q, want bad_keys in it", f.log.String())
	}
	if _, err := keys.FollowFile(path, keys.Options{Clock: time.Now}); err == nil {
		t.Error("a server starts with a key file that is damaged")
	}
}
