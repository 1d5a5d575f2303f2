package bolttable_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"sluice/shared/fault"
	"sluice/shared/table"
	"sluice/shared/table/bolttable"
)

func TestFileIsItsOwnersAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "deeper", "sluice.db")
	store, err := bolttable.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for name, want := range map[string]fs.FileMode{
		path: 0o600, path + ".pid": 0o600, filepath.Dir(path): fs.ModeDir | 0o700, filepath.Dir(filepath.Dir(path)): fs.ModeDir | 0o700,
	} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s: got mode %v, want %v", name, info.Mode(), want)
		}
	}
}

func TestSecondOpenerIsToldWhoIsFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sluice.db")
	store, err := bolttable.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_, err = bolttable.Open(path)
	if waited := time.Since(start); waited < 900*time.Millisecond || waited > 10*time.Second {
		t.Errorf("waited %v, want about a second", waited)
	}
	wantFault(t, err, "table_in_use", path, fmt.Sprintf("process %d on ", os.Getpid()))

	if err := os.Remove(path + ".pid"); err != nil {
		t.Fatal(err)
	}
	_, err = bolttable.Open(path)
	wantFault(t, err, "table_in_use", "another process")

	if err := store.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	store, err = bolttable.Open(path)
	if err != nil {
		t.Fatalf("after Close: %v", err)
	}
	if err := store.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if _, err := os.Stat(path + ".pid"); !os.IsNotExist(err) {
		t.Errorf("after Close the claim is still there: %v", err)
	}
}

// wantFault checks that err is one line with a code that names some things.
func wantFault(t *testing.T, err error, code string, names ...string) {
	t.Helper()
	if !fault.Is(err, fault.Conflict, code) && !fault.Is(err, fault.Internal, code) {
		t.Fatalf("got %v, want a fault %s", err, code)
	}
	for _, name := range names {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("the error %q does not name %q", err, name)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("the error %q has several lines", err)
	}
}

// plain changes a file through bbolt itself.
func plain(t *testing.T, path string, change func(tx *bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(change); err != nil {
		t.Fatal(err)
	}
}

func TestNewerFormatIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sluice.db")
	for _, c := range []struct{ format, code string }{
		{"1", ""},
		{"2", "table_newer"},
		{"10", "table_newer"},
		{"one", "table_unopened"},
		{"", "table_unopened"},
		{"1", ""},
	} {
		plain(t, path, func(tx *bolt.Tx) error {
			meta, err := tx.CreateBucketIfNotExists([]byte("meta"))
			if err != nil {
				return err
			}
			return meta.Put([]byte("format"), []byte(c.format))
		})
		store, err := bolttable.Open(path)
		if c.code == "" {
			if err != nil {
				t.Fatalf("format %q: %v", c.format, err)
			}
			if err := store.Close(); err != nil {
				t.Error(err)
			}
			continue
		}
		wantFault(t, err, c.code, path)
	}
}

func TestOtherFilesAreRefused(t *testing.T) {
	dir := t.TempDir()
	foreign := filepath.Join(dir, "foreign.db")
	plain(t, foreign, func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("users")); return err })
	text := filepath.Join(dir, "text.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("no record file\n", 5000)), 0o600); err != nil {
		t.Fatal(err)
	}
	short := filepath.Join(dir, "short.db")
	if err := os.WriteFile(short, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{foreign, text, short, dir, filepath.Join(text, "below.db")} {
		before, _ := os.ReadFile(path)
		store, err := bolttable.Open(path)
		if err == nil {
			_ = store.Close()
		}
		wantFault(t, err, "table_unopened", path)
		if after, _ := os.ReadFile(path); string(after) != string(before) {
			t.Errorf("%s was changed", path)
		}
	}
}

func TestRecordsOutliveTheStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sluice.db")
	key := table.Key{PK: "p", SK: "s"}
	for round := range int64(3) {
		store, err := bolttable.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"domain", "hot"} {
			op := table.Op{Action: table.Update, Key: key, Set: table.Attrs{"table": name}, Add: map[string]int64{"n": 1}}
			item, err := table.New(store.Table(name), time.Now).Apply(t.Context(), op)
			if err != nil || item.Attrs["n"] != round+1 || item.Attrs["table"] != name {
				t.Errorf("round %d, table %s: got %v, %v", round, name, item.Attrs, err)
			}
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTablesOfAStoreAreApart(t *testing.T) {
	store := open(t)
	domain, hot := table.New(store.Table("domain"), time.Now), table.New(store.Table("hot"), time.Now)
	key := table.Key{PK: "p", SK: "s"}
	if _, err := domain.Apply(t.Context(), table.Op{Action: table.Put, Key: key}); err != nil {
		t.Fatal(err)
	}
	if _, found, err := hot.Get(t.Context(), key); found || err != nil {
		t.Errorf("in the other table: got %v, %v", found, err)
	}
	if err := hot.Close(); err != nil {
		t.Error(err)
	}
	if _, found, err := domain.Get(t.Context(), key); !found || err != nil {
		t.Errorf("after the other table was closed: got %v, %v", found, err)
	}
}
