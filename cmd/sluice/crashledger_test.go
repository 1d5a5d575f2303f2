package main_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/shared/app/local"
	"sluice/shared/catalog"
	"sluice/shared/config"
	"sluice/shared/fault"
	"sluice/shared/table"
)

// week is more than anything is kept that is to go.
const week = 8 * 24 * time.Hour

// wantLedger holds the data of a server that was killed against its records,
// on a copy that the janitor of a week later then clears: all bytes have a
// record, the quota adds up, and afterwards nothing is left but what is there.
func (c *crash) wantLedger() {
	c.t.Helper()
	l := openLedger(c.t, c.data)
	defer l.close()
	records := l.read(c.owner)
	blobs := l.blobs()
	for name := range blobs {
		if !records.blobs[name] {
			c.t.Errorf("no record tells of the blob %s", name)
		}
	}
	if used := l.used(c.owner); used != records.usage {
		c.t.Errorf("%+v is counted, and the records add up to %+v", used, records.usage)
	}
	c.wantWhole(records, blobs)

	l.sweep()
	records, blobs = l.read(c.owner), l.blobs()
	names, want := slices.Sorted(maps.Keys(blobs)), slices.Sorted(maps.Keys(records.blobs))
	if !slices.Equal(names, want) {
		c.t.Errorf("after the janitor the store holds\n%q\nwant\n%q", names, want)
	}
	if used := l.used(c.owner); used != records.usage || used.Files != int64(len(names)) {
		c.t.Errorf("after the janitor %+v is counted, and %d files add up to %+v", used, len(names), records.usage)
	}
	for _, v := range records.versions {
		if !v.KeptUntil.IsZero() {
			c.t.Errorf("after the janitor version %s is there until %v", v.ID, v.KeptUntil)
		}
	}
}

// wantWhole wants every version to have its bytes, and every one that was
// acknowledged to be there.
func (c *crash) wantWhole(records ledgerRecords, blobs map[string]string) {
	c.t.Helper()
	for id, v := range records.versions {
		if records.going[id] && blobs[objectOf(v.Key)] == "" {
			continue // of a file that nobody can bring back, the bytes go first
		}
		if got, want := blobs[objectOf(v.Key)], hex.EncodeToString(v.SHA256); got != want {
			c.t.Errorf("version %s has bytes of SHA-256 %q, and its record says %s", id, got, want)
		}
	}
	for _, w := range c.workers {
		for _, v := range w.acked {
			if got := hex.EncodeToString(records.versions[v.id].SHA256); got != v.sum {
				c.t.Errorf("version %s of %s is of SHA-256 %q; acknowledged was %s", v.id, w.name, got, v.sum)
			}
		}
	}
}

// ledger is a copy of a server's data, a week later.
type ledger struct {
	t       *testing.T
	app     *local.App
	dir     string // of the blobs
	records *table.Table
	log     *transcript
}

// openLedger copies the data of a server that has ended. Blobs never change:
// they are the same files under another name.
func openLedger(t *testing.T, data string) *ledger {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	if err := copyData(data, dir); err != nil {
		t.Fatal(err)
	}
	settings, err := config.Load(nil, func(name string) string { return map[string]string{"SLUICE_DATA": dir}[name] })
	if err != nil {
		t.Fatal(err)
	}
	l := &ledger{t: t, dir: settings.Blob.Path, log: &transcript{}}
	clock := func() time.Time { return time.Now().Add(week) }
	options := local.Options{Clock: clock, Table: func(d table.Driver) table.Driver {
		l.records = table.New(d, clock)
		return d
	}}
	if l.app, err = local.OpenWith(t.Context(), settings, slog.New(slog.NewJSONHandler(l.log, nil)), options); err != nil {
		t.Fatal(err)
	}
	return l
}

// close removes the copy.
func (l *ledger) close() {
	l.t.Helper()
	if err := errors.Join(l.app.Close(), os.RemoveAll(filepath.Dir(l.dir))); err != nil {
		l.t.Error(err)
	}
}

func copyData(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		under := strings.TrimPrefix(path, from)
		switch {
		case entry.IsDir():
			return os.MkdirAll(to+under, 0o700)
		case strings.Contains(under, "/objects/"):
			return os.Link(path, to+under)
		}
		return copyFile(path, to+under)
	})
}

func copyFile(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close())
}

// objectOf returns the name of a key's blob, as docs/design.md and fileblob
// have it.
func objectOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// blobs returns the SHA-256 of every blob, by its name on the disk. What is
// under way stands with an empty one.
func (l *ledger) blobs() map[string]string {
	l.t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(l.dir, func(path string, entry fs.DirEntry, err error) error {
		under, _ := filepath.Rel(l.dir, path)
		parts := strings.Split(under, "/")
		switch {
		case err != nil || entry.IsDir() || under == "lock":
			return err
		case parts[0] == "objects":
			found[entry.Name()], err = sumOf(path)
			return err
		case parts[0] == "uploads":
			found[parts[1]] = ""
			return nil
		}
		return fmt.Errorf("%s is left", under)
	})
	if err != nil {
		l.t.Error(err)
	}
	return found
}

func sumOf(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := sha256.New()
	_, err = io.Copy(hash, file)
	return hex.EncodeToString(hash.Sum(nil)), err
}

func (l *ledger) used(owner string) catalog.Usage {
	l.t.Helper()
	used, err := l.app.Deps.Catalog.Usage(l.t.Context(), owner)
	if err != nil {
		l.t.Fatal(err)
	}
	return used
}

// sweep sweeps until nothing is due.
func (l *ledger) sweep() {
	l.t.Helper()
	for removed := 1; removed > 0; {
		removed = l.app.Janitor.Sweep(l.t.Context())
	}
	if text := l.log.String(); strings.Contains(text, `"level":"ERROR"`) {
		l.t.Errorf("the janitor says %s", text)
	}
}

// ledgerRecords is what the records tell of one owner.
type ledgerRecords struct {
	versions map[string]catalog.Version
	going    map[string]bool // versions of files that the janitor has begun to remove
	blobs    map[string]bool // by their names on the disk
	usage    catalog.Usage   // what they add up to
}

// read walks the records from the two ends that there are: the owner's paths,
// and what is due. It does so by the keys that docs/design.md lists, and not by
// the catalog, which is under test.
func (l *ledger) read(owner string) ledgerRecords {
	l.t.Helper()
	r := ledgerRecords{versions: map[string]catalog.Version{}, going: map[string]bool{}, blobs: map[string]bool{}}
	files := map[string]bool{} // whether it is being removed
	for _, item := range l.query("FILES#" + owner) {
		files[item.Attrs["id"].(string)] = false
	}
	now := time.Now()
	for hour := now.Add(-2*time.Hour).Unix() / 3600; hour <= now.Add(week).Unix()/3600; hour++ {
		for _, item := range l.query(fmt.Sprintf("DUE#%d", hour)) {
			switch item.Attrs["kind"] {
			case "file":
				files[item.Attrs["file"].(string)] = item.Attrs["state"] == "claimed"
			case "version": // its own record goes before its bytes
				r.blobs[objectOf(item.Attrs["blob"].(string))] = true
			case "upload":
				r.blobs[objectOf(item.Attrs["blob"].(string))] = true
				r.usage.Bytes += item.Attrs["bytes"].(int64)
				r.usage.Files += item.Attrs["files"].(int64)
			}
		}
	}
	for file, going := range files {
		if _, err := l.app.Deps.Catalog.KeptFile(l.t.Context(), file); fault.Is(err, fault.NotFound, "") && going {
			continue // all but the removal itself is done
		}
		r.usage.Files++
		l.readFile(file, going, &r)
	}
	return r
}

func (l *ledger) readFile(file string, going bool, r *ledgerRecords) {
	l.t.Helper()
	versions, more, err := l.app.Deps.Catalog.Versions(l.t.Context(), file, "", table.MaxQuery)
	if err != nil || more || len(versions) == 0 && !going {
		l.t.Errorf("file %s has %d versions, more: %v, %v", file, len(versions), more, err)
	}
	for _, v := range versions {
		r.versions[v.ID], r.going[v.ID] = v, going
		r.blobs[objectOf(v.Key)] = true
		r.usage.Bytes += v.Size
	}
}

func (l *ledger) query(partition string) (items []table.Item) {
	l.t.Helper()
	q := table.Query{PK: partition, Limit: table.MaxQuery}
	for {
		page, err := l.records.Query(l.t.Context(), q)
		if err != nil {
			l.t.Fatal(err)
		}
		items = append(items, page.Items...)
		if !page.More {
			return items
		}
		q.From = table.Next(page.Items[len(page.Items)-1].Key.SK)
	}
}
