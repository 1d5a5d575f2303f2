package fetch_test

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/shared/fetch"
	ft "sluice/shared/fetch/fetchtest"
)

// interrupted fetches link until some of it is there, and then gives up.
func interrupted(t *testing.T, network *ft.Network, r fetch.Request) {
	t.Helper()
	c := fetch.New(fetch.Options{Dial: network.Dial})
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := c.Start(ctx, r).Wait(); err == nil {
		t.Fatal("a fetch that was interrupted ended well")
	}
}

// crawling sends 64 KiB a second by each connection.
func crawling(f ft.File) http.HandlerFunc { return f.Slow(64<<10, time.Second) }

func TestResume(t *testing.T) {
	truncate := func(t *testing.T, path string) {
		if err := os.Truncate(path+".part", 1000); err != nil {
			t.Fatal(err)
		}
	}
	spoil := func(t *testing.T, path string) {
		text, err := os.ReadFile(path + ".part.state")
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.ReplaceAll(text, []byte(`"written":[[0,`), []byte(`"written":[[0,9`))
		if err := os.WriteFile(path+".part.state", text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	loseRecord := func(t *testing.T, path string) {
		if err := os.Remove(path + ".part.state"); err != nil {
			t.Fatal(err)
		}
	}
	nothing := func(*testing.T, string) {}
	for _, c := range []struct {
		name    string
		before  ft.File // what the first run began
		between func(*testing.T, string)
		after   http.Handler
		restart bool
		code    string
		resumed bool
	}{
		{"goes on", file, nothing, file, false, "", true},
		{"goes on by date", dated, nothing, dated, false, "", true},
		{"begins anew if asked", file, nothing, file, true, "", false},
		{"another file of equal size", other, nothing, file, false, "file_changed", false},
		{"another file of equal size, conditions ignored", other, nothing, ft.Always(file.Unconditional), false, "file_changed", false},
		{"another file of equal size, begun anew", other, nothing, file, true, "", false},
		{"a shorter file", shorter, nothing, file, false, "file_changed", false},
		{"another file told by its date", withDate(other, -5), nothing, dated, false, "file_changed", false},
		{"the validator is gone", other, nothing, bare, false, "file_changed", false},
		{"no ranges any more", file, nothing, ft.Always(file.Whole), false, "", true},
		{"nothing to tell files apart by", bare, nothing, bare, false, "", false},
		{"the unfinished file was cut", file, truncate, file, false, "", false},
		{"the record is spoilt", file, spoil, file, false, "", false},
		{"the record is gone", file, loseRecord, file, false, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				path := filepath.Join(dir, "file.bin")
				r := fetch.Request{Sources: []fetch.Source{{URL: link}}, Dir: dir, Name: "file.bin"}
				first := ft.NewNetwork()
				first.Serve(t, host, crawling(c.before))
				interrupted(t, first, r)
				if _, err := os.Stat(path); err == nil {
					t.Fatal("an unfinished file has its name")
				}
				c.between(t, path)

				second := ft.NewNetwork()
				second.Serve(t, host, c.after)
				r.Restart = c.restart
				result, err := getWith(t, second, r)
				if got := codeOf(err); got != c.code {
					t.Fatalf("the second run is %q (%v), want %q", got, err, c.code)
				}
				if err == nil {
					check(t, dir, err, file, "")
				}
				if (result.Resumed > 0) != c.resumed {
					t.Errorf("%d bytes were resumed, want some: %t", result.Resumed, c.resumed)
				}
			})
		})
	}
}

func TestResumeFetchesNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := fetch.Request{Sources: []fetch.Source{{URL: link}}, Dir: dir, Name: "file.bin"}
		for range 3 {
			network := ft.NewNetwork()
			network.Serve(t, host, file.Slow(16<<10, time.Second))
			interrupted(t, network, r)
		}
		network := ft.NewNetwork()
		network.Serve(t, host, file)
		result, err := getWith(t, network, r)
		check(t, dir, err, file, "")
		if result.Resumed+result.Fetched != ft.Size || result.Resumed < ft.Size/8 {
			t.Errorf("%d bytes were there, %d came; want all %d together, and many there", result.Resumed, result.Fetched, ft.Size)
		}
	})
}

func TestNames(t *testing.T) {
	for _, c := range []struct{ path, disposition, want string }{
		{"/dir/report.pdf", "", "report.pdf"},
		{"/dir/report.pdf?token=x", "", "report.pdf"},
		{"/a%2Fb%2F..%2Fpasswd", "", "passwd"},
		{"/..%2f..%2f.bashrc", "", "_bashrc"},
		{"/", "", "index.html"},
		{"/x", `attachment; filename="photo.jpg"`, "photo.jpg"},
		{"/x", `attachment; filename="../../etc/passwd"`, "passwd"},
		{"/x", `attachment; filename="C:\\Windows\\win.ini"`, "win.ini"},
		{"/x", `attachment; filename=".."`, "download"},
		{"/x", `attachment; filename=".ssh"`, "_ssh"},
		{"/x", `attachment; filename="-rf"`, "_rf"},
		{"/x", `attachment; filename*=UTF-8''%2e%2e%2f%e2%82%ac.txt`, "€.txt"},
		{"/x", `attachment; filename="a` + strings.Repeat("b", 300) + `.txt"`, "a" + strings.Repeat("b", 250) + ".txt"},
		{"/x", `attachment; filename*=UTF-8''a%0d%0ab%00c.txt`, "a__b_c.txt"},
		{"/x", `attachment; filename="con.txt"`, "_con.txt"},
		{"/y", `attachment; filename=`, "y"},
	} {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			network := ft.NewNetwork()
			network.Serve(t, host, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if c.disposition != "" {
					w.Header().Set("Content-Disposition", c.disposition)
				}
				small.ServeHTTP(w, r)
			}))
			result, err := getWith(t, network, fetch.Request{Sources: []fetch.Source{{URL: "http://" + host + c.path}}, Dir: dir})
			if err != nil || result.Name != c.want {
				t.Errorf("%s with %q is saved as %q, %v; want %q", c.path, c.disposition, result.Name, err, c.want)
			}
			if _, err := os.Stat(filepath.Join(dir, c.want)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWhatIsThereStays(t *testing.T) {
	plant := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name      string
		plant     func(t *testing.T, dir, outside string)
		overwrite bool
		code      string
	}{
		{"a file", func(t *testing.T, dir, _ string) { plant(t, os.WriteFile(dir+"/file.bin", []byte("mine"), 0o600)) }, false, "file_exists"},
		{"a file that may go", func(t *testing.T, dir, _ string) { plant(t, os.WriteFile(dir+"/file.bin", []byte("mine"), 0o600)) }, true, ""},
		{"a folder", func(t *testing.T, dir, _ string) { plant(t, os.Mkdir(dir+"/file.bin", 0o700)) }, true, "not_a_file"},
		{"a link", func(t *testing.T, dir, outside string) { plant(t, os.Symlink(outside, dir+"/file.bin")) }, false, "file_exists"},
		{"a link that may go", func(t *testing.T, dir, outside string) { plant(t, os.Symlink(outside, dir+"/file.bin")) }, true, ""},
		{"a link to nothing", func(t *testing.T, dir, outside string) { plant(t, os.Symlink(outside+".no", dir+"/file.bin")) }, false, "file_exists"},
		{"a link as unfinished file", func(t *testing.T, dir, outside string) { plant(t, os.Symlink(outside, dir+"/file.bin.part")) }, true, "not_a_file"},
		{"a link as record", func(t *testing.T, dir, outside string) { plant(t, os.Symlink(outside, dir+"/file.bin.part.state")) }, true, "not_a_file"},
		{"a link as new record", func(t *testing.T, dir, outside string) {
			plant(t, os.Symlink(outside, dir+"/file.bin.part.state.new"))
		}, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "outside")
				plant(t, os.WriteFile(outside, []byte("theirs"), 0o600))
				c.plant(t, dir, outside)
				network := ft.NewNetwork()
				network.Serve(t, host, crawling(file))
				err := get(t, network, fetch.Request{Sources: []fetch.Source{{URL: link}}, Dir: dir, Name: "file.bin", Overwrite: c.overwrite})
				if got := codeOf(err); got != c.code {
					t.Errorf("the outcome is %q (%v), want %q", got, err, c.code)
				}
				if text, err := os.ReadFile(outside); string(text) != "theirs" {
					t.Errorf("the file outside is %d bytes, %v", len(text), err)
				}
				if text, err := os.ReadFile(filepath.Join(dir, "file.bin")); c.code == "" && !bytes.Equal(text, file.Content) {
					t.Errorf("the file is %d bytes, %v", len(text), err)
				}
			})
		})
	}
}
