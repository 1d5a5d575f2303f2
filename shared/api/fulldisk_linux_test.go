package api_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"sluice/shared/app/local/localtest"
	"sluice/shared/auth"
	"sluice/shared/blob/blobtest"
	"sluice/shared/blob/fileblob"
	"sluice/shared/catalog"
	"sluice/shared/config"
	"sluice/shared/fault"
	"sluice/shared/table"
)

// smallDisks names, in the environment of a child process, the directory in
// which its file systems are.
const smallDisks = "SLUICE_TEST_SMALL_DISKS"

// The disks of these tests. That of the blobs has what a store leaves free, and
// some more.
const (
	blobDisk  = "size=96m"
	tableDisk = "size=2m"
)

// onSmallDisks runs test in a child that has a disk for its blobs and one for
// its records. The mounts are seen by the child alone and end with it.
func onSmallDisks(t *testing.T, test func(*testing.T, *rig, *disk, *disk)) {
	t.Helper()
	if dir := os.Getenv(smallDisks); dir != "" {
		blobs, records := mount(t, dir, "blobs", blobDisk), mount(t, dir, "table", tableDisk)
		r := openRig(t, func(c *config.Config) {
			c.Blob = &url.URL{Scheme: "file", Path: blobs.dir + "/store"}
			c.Table = &url.URL{Scheme: "bolt", Path: records.dir + "/sluice.db"}
		})
		test(t, r, blobs, records)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1")
	cmd.Env = append(os.Environ(), smallDisks+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	}
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
	case cmd.Process != nil && !strings.Contains(string(out), "cannot mount"):
		t.Fatalf("the child: %v\n%s", err, out)
	case os.Getenv("CI") == "true":
		t.Fatalf("no file system of its own: %v\n%s", err, out)
	default:
		t.Skipf("NOT TESTED: no file system of its own: %v\n%s", err, out)
	}
}

// disk is a small file system.
type disk struct {
	t   *testing.T
	dir string
}

func mount(t *testing.T, under, name, options string) *disk {
	t.Helper()
	d := &disk{t, filepath.Join(under, name)}
	if err := os.Mkdir(d.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("small", d.dir, "tmpfs", 0, options); err != nil {
		t.Fatalf("cannot mount: %v", err)
	}
	return d
}

func (d *disk) stranger() string { return filepath.Join(d.dir, "stranger") }

// fill takes all but so many bytes of the room.
func (d *disk) fill(left int64) {
	d.t.Helper()
	var stat syscall.Statfs_t
	if err := syscall.Statfs(d.dir, &stat); err != nil {
		d.t.Fatal(err)
	}
	free := int64(stat.Bavail) * stat.Bsize
	if err := os.WriteFile(d.stranger(), make([]byte, max(free-left, 0)), 0o600); err != nil && !errors.Is(err, syscall.ENOSPC) {
		d.t.Fatal(err)
	}
}

// makeRoom takes back what fill took.
func (d *disk) makeRoom() {
	d.t.Helper()
	if err := os.Remove(d.stranger()); err != nil {
		d.t.Fatal(err)
	}
}

// files returns the files on the disk but for the stranger.
func (d *disk) files() []string {
	d.t.Helper()
	var names []string
	err := filepath.WalkDir(d.dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && path != d.stranger() {
			names = append(names, strings.TrimPrefix(path, d.dir))
		}
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return names
}

// wantNoSpace wants an answer to say that there is no room.
func wantNoSpace(t *testing.T, what string, a localtest.Answer) {
	t.Helper()
	if a.StatusCode != http.StatusInsufficientStorage || a.Code() != "no_space" {
		t.Errorf("%s: %s, want 507 no_space", what, a)
	}
}

func TestAFullDiskOfBlobs(t *testing.T) {
	onSmallDisks(t, func(t *testing.T, r *rig, blobs, _ *disk) {
		ada := r.user("ada", auth.User)
		old := bytesOf(1, 1<<20)
		ada.Put("/file/ada/old", string(old))
		p := r.begin(ada, "parts", map[string]any{"size": partSize + 1000})
		p.put(1, bytesOf(2, partSize)).Want(t, http.StatusOK)
		whole := bytesOf(3, partSize)
		stages := map[string]struct {
			left int64 // of the room
			do   func() localtest.Answer
		}{
			"a PUT": {fileblob.DefaultReserve, func() localtest.Answer {
				return ada.Do(http.MethodPut, "/file/ada/new", bytes.NewReader(whole))
			}},
			"a PUT of unknown length": {fileblob.DefaultReserve + 4<<20, func() localtest.Answer {
				return ada.Do(http.MethodPut, "/file/ada/new", unsized{bytes.NewReader(whole)})
			}},
			"an overwrite": {fileblob.DefaultReserve, func() localtest.Answer {
				return ada.Do(http.MethodPut, "/file/ada/old", bytes.NewReader(whole))
			}},
			"a part":                   {fileblob.DefaultReserve, func() localtest.Answer { return p.put(2, whole[:1000]) }},
			"a part that came before":  {fileblob.DefaultReserve, func() localtest.Answer { return p.put(1, whole) }},
			"an upload in parts to be": {0, func() localtest.Answer { return ada.JSON(http.MethodPost, "/api/files", map[string]any{"path": "b"}) }},
		}
		kept, parts := blobs.files(), p.state()
		for what, stage := range stages {
			blobs.fill(stage.left)
			wantNoSpace(t, what, stage.do())
			if got := blobs.files(); !slices.Equal(got, kept) {
				t.Errorf("after %s the store has\n%q\nwant\n%q", what, got, kept)
			}
			if got := p.state(); !slices.Equal(got.Parts, parts.Parts) || got.State != "open" {
				t.Errorf("after %s the upload is %+v, want %+v", what, got, parts)
			}
			r.wantUsed(ada, "after "+what, 1<<20+partSize+1000, 2)
			if got := ada.Do(http.MethodGet, "/file/ada/old", nil).Want(t, http.StatusOK); !bytes.Equal(got.Body, old) {
				t.Errorf("after %s the old file has %d bytes, or others than its %d", what, len(got.Body), len(old))
			}
			blobs.makeRoom()
		}
		p.put(2, whole[:1000]).Want(t, http.StatusOK)
		blobs.fill(fileblob.DefaultReserve) // a completion copies nothing
		r.wantContent(ada, p.complete().Want(t, http.StatusOK).Field(t, "id"), append(bytesOf(2, partSize), whole[:1000]...))
		blobs.makeRoom()
		for _, what := range []string{"a PUT", "an overwrite"} {
			if a := stages[what].do(); a.StatusCode/100 != 2 {
				t.Errorf("%s, with room again: %s", what, a)
			}
		}
	})
}

func TestAFullDiskOfRecords(t *testing.T) {
	onSmallDisks(t, func(t *testing.T, r *rig, blobs, records *disk) {
		ada := r.user("ada", auth.User)
		ada.Put("/file/ada/old", "old")
		p := r.begin(ada, "parts", nil)
		p.put(1, []byte("x")).Want(t, http.StatusOK)
		kept := blobs.files()
		records.fill(0)
		fillTable(t, r)
		count := r.downloads(ada, 200)
		if err := r.App.Deps.Recorder.Flush(t.Context()); !fault.Is(err, fault.InsufficientStorage, "no_space") {
			t.Errorf("a flush of the audit: %v, want no_space", err)
		}
		ada.Do(http.MethodGet, "/file/ada/old", nil).Want(t, http.StatusOK)
		p.state()
		if got := blobs.files(); !slices.Equal(got, kept) {
			t.Errorf("the store has\n%q\nwant\n%q", got, kept)
		}

		records.makeRoom()
		if err := r.App.Deps.Recorder.Flush(t.Context()); err != nil {
			t.Errorf("a flush of the audit, with room again: %v", err)
		}
		if got := count(); got < 200 {
			t.Errorf("the audit tells of %d downloads, want all 200", got)
		}
		p.complete().Want(t, http.StatusOK)
		ada.Put("/file/ada/new", "new")
		r.Stop()
		r.Run()
		if got := r.Login("ada", localtest.Password).Do(http.MethodGet, "/file/ada/new", nil).Want(t, http.StatusOK); string(got.Body) != "new" {
			t.Errorf("after a restart the file is %q, want new", got.Body)
		}
	})
}

// downloads counts so many downloads, each of a session of its own, and returns
// what tells how many of them the audit has.
func (r *rig) downloads(owner *localtest.Client, n int) (told func() int) {
	r.t.Helper()
	for range n {
		c := r.App.Deps.Recorder.Begin(catalog.Download{Session: auth.NewID(r.clock.Now()), Owner: owner.ID, File: "f", Version: "v", Client: "192.0.2.1"})
		c.Add(1)
		c.End(1, true)
	}
	return func() int {
		lines := 0
		now := r.clock.Now()
		err := r.App.Deps.Catalog.Downloads(r.t.Context(), catalog.DownloadQuery{Owner: owner.ID, From: now, To: now}, func(catalog.Download) bool {
			lines++
			return true
		})
		if err != nil {
			r.t.Error(err)
		}
		return lines
	}
}

// fillTable makes records until there is no room for one.
func fillTable(t *testing.T, r *rig) {
	t.Helper()
	for i := range 10_000 {
		_, err := r.App.Deps.Catalog.CreateUser(t.Context(), catalog.User{
			ID: auth.NewID(r.clock.Now()), Username: fmt.Sprint("user-", i), Role: auth.User, DisplayName: strings.Repeat("x", 1000),
		})
		if err != nil {
			if !fault.Is(err, fault.InsufficientStorage, "no_space") {
				t.Fatalf("with the disk full: %v, want no_space", err)
			}
			return
		}
	}
	t.Fatal("the disk does not fill up")
}

// Whatever needs a record says so where there is no room for one, and leaves
// all as it was.
func TestAFullTable(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	ada := r.user("ada", auth.User)
	was := ada.Put("/file/ada/old", "old").Field(t, "version_id")
	id := ada.Put("/file/ada/old", "newer").Field(t, "id")
	open, verifying := r.begin(ada, "open", nil), r.begin(ada, "verifying", nil)
	open.put(1, []byte("x")).Want(t, http.StatusOK)
	verifying.put(1, []byte("y")).Want(t, http.StatusOK)
	hold := blobtest.NewHold()
	r.blobs.Script(blobtest.Open, blobtest.Fault{Hold: hold})
	verifying.completeOnce().Want(t, http.StatusAccepted)
	kept := r.blobFiles()
	r.table.fail(nil, tableError{table.Full})
	hold.Release()
	stages := []struct {
		what string
		do   func() localtest.Answer
	}{
		{"a login", func() localtest.Answer {
			return r.Anonymous().JSON(http.MethodPost, "/api/login", map[string]string{"username": "ada", "password": localtest.Password})
		}},
		{"a PUT", func() localtest.Answer { return ada.Do(http.MethodPut, "/file/ada/new", strings.NewReader("new")) }},
		{"an overwrite", func() localtest.Answer { return ada.Do(http.MethodPut, "/file/ada/old", strings.NewReader("newest")) }},
		{"an upload in parts", func() localtest.Answer {
			return ada.JSON(http.MethodPost, "/api/files", map[string]any{"path": "c"})
		}},
		{"room for a part", func() localtest.Answer {
			return ada.JSON(http.MethodPost, "/api/uploads/"+open.id+"/parts", map[string]any{"parts": []any{map[string]any{"number": 2}}})
		}},
		{"a completion", open.completeOnce},
		{"one that was being verified", verifying.completeOnce},
		{"a session", func() localtest.Answer { return ada.Do(http.MethodPost, "/api/files/"+id+"/sessions", nil) }},
		{"a restoration", func() localtest.Answer {
			return ada.JSON(http.MethodPost, "/api/files/"+id+"/restore", map[string]string{"version_id": was})
		}},
		{"an end of an upload", func() localtest.Answer { return ada.Do(http.MethodDelete, "/api/uploads/"+open.id, nil) }},
		{"a deletion", func() localtest.Answer { return ada.Do(http.MethodDelete, "/api/files/"+id, nil) }},
	}
	for _, stage := range stages {
		wantNoSpace(t, stage.what, stage.do())
		if got := r.blobFiles(); len(got) != len(kept) {
			t.Errorf("after %s the store has\n%q\nwant\n%q", stage.what, got, kept)
		}
		if got := ada.Do(http.MethodGet, "/file/ada/old", nil).Want(t, http.StatusOK); string(got.Body) != "newer" {
			t.Errorf("after %s the old file is %q, want newer", stage.what, got.Body)
		}
	}
	r.table.fail(nil, nil)
	r.wantContent(ada, verifying.complete().Want(t, http.StatusOK).Field(t, "id"), []byte("y"))
	r.wantContent(ada, open.complete().Want(t, http.StatusOK).Field(t, "id"), []byte("x"))
	for _, stage := range stages {
		if a := stage.do(); a.StatusCode >= http.StatusInternalServerError {
			t.Errorf("%s, with room again: %s", stage.what, a)
		}
	}
}
