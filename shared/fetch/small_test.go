package fetch_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/shared/fetch"
	ft "sluice/shared/fetch/fetchtest"
)

func TestASmallFileGoesOnToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, small.Slow(len(small.Content)/20, time.Second))
		interrupted(t, r.network, r.request)
		again := newRig(t, small)
		again.request.Dir = r.dir
		result, err := again.get(t)
		check(t, r.dir, err, small, "")
		if result.Resumed == 0 {
			t.Error("nothing of the first run was used")
		}
	})
}

func TestASmallFileThatBreaksOffIsFinished(t *testing.T) {
	for _, c := range []struct {
		name  string
		first http.HandlerFunc
	}{
		{"cut", small.Cut(500)},
		{"at once", small.Cut(1)},
		{"stalled", small.Stall(500)},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, ft.Once(1, c.first, small))
				_, err := r.get(t)
				check(t, r.dir, err, small, "")
			})
		})
	}
}

// TestFilesShareTheConnections has more files than connections: the answer to a
// file's first request holds its place until it has been read.
func TestFilesShareTheConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const connections, files = 2, 8
		var mu sync.Mutex
		open, most := 0, 0
		r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			mu.Lock()
			open++
			most = max(most, open)
			mu.Unlock()
			defer func() { mu.Lock(); open--; mu.Unlock() }()
			small.Slow(100, time.Second)(w, req)
		}))
		r.options.MaxConnections = connections
		c := fetch.New(r.options)
		defer c.Close()
		var all []*fetch.Transfer
		for i := range files {
			one := r.request
			one.Name = fmt.Sprint(i)
			all = append(all, c.Start(t.Context(), one))
		}
		for _, transfer := range all {
			if _, err := transfer.Wait(); err != nil {
				t.Error(err)
			}
		}
		if most != connections {
			t.Errorf("%d requests were answered at once, want %d", most, connections)
		}
		left, err := os.ReadDir(r.dir)
		if err != nil || len(left) != files {
			t.Errorf("%d entries are in the folder, %v; want the %d files and nothing else", len(left), err, files)
		}
	})
}

func TestAStaleRecordIsNotTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, crawling(file))
		interrupted(t, r.network, r.request)
		if err := os.Remove(r.dir + "/file.bin.part"); err != nil {
			t.Fatal(err)
		}
		// What comes now breaks off before the record would be written anew.
		again := newRig(t, ft.Always(ft.Silent))
		again.request.Dir = r.dir
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c := fetch.New(again.options)
		if _, err := c.Start(ctx, again.request).Wait(); err == nil {
			t.Fatal("a silent server gave a file")
		}
		c.Close()
		last := newRig(t, file)
		last.request.Dir = r.dir
		result, err := last.get(t)
		check(t, r.dir, err, file, "")
		if result.Resumed != 0 {
			t.Errorf("%d bytes were resumed of a file that was gone", result.Resumed)
		}
	})
}
