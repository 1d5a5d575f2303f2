package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"sluice/shared/app/local/localtest"
	"sluice/shared/auth"
)

// atOnce runs all of them at once and returns when the last has ended.
func atOnce(all ...func()) {
	var group sync.WaitGroup
	for _, f := range all {
		group.Go(f)
	}
	group.Wait()
}

// Whichever comes first, both are done: the overwritten file has the new path,
// or the old path has a new file.
func TestRenameAgainstOverwrite(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	ada := r.user("ada", auth.User)
	bytes, files := int64(0), int64(0)
	for i := range 20 {
		from, to := fmt.Sprintf("from-%d", i), fmt.Sprintf("to-%d", i)
		id := ada.Put("/file/ada/"+from, "old").Field(t, "id")
		var renamed, put localtest.Answer
		atOnce(func() {
			renamed, _ = ada.Try(http.MethodPatch, "/api/files/"+id, strings.NewReader(fmt.Sprintf(`{"path":%q}`, to)), "Content-Type", "application/json")
		}, func() {
			put, _ = ada.Try(http.MethodPut, "/file/ada/"+from, strings.NewReader("new"))
		})
		if renamed.Response == nil || put.Response == nil || renamed.StatusCode != http.StatusOK || put.StatusCode/100 != 2 {
			t.Fatalf("a rename = %v, an overwrite = %v", renamed, put)
		}
		at := ada.Do(http.MethodGet, "/file/ada/"+to, nil).Want(t, http.StatusOK)
		left := ada.Do(http.MethodGet, "/file/ada/"+from, nil)
		bytes += 6
		switch put.StatusCode {
		case http.StatusOK:
			files++
			if put.Field(t, "id") != id || string(at.Body) != "new" || left.StatusCode != http.StatusNotFound {
				t.Errorf("overwritten first: the new path has %q, the old one %s", at.Body, left)
			}
		case http.StatusCreated:
			files += 2
			if put.Field(t, "id") == id || string(at.Body) != "old" || string(left.Body) != "new" {
				t.Errorf("renamed first: the new path has %q, the old one %s", at.Body, left)
			}
		}
	}
	r.wantUsed(ada, "after them all", bytes, files)
}

// Of several files that want one path exactly one gets it, and of a file that
// is put there and one that is moved there neither is lost.
func TestRenamesToOnePathAtOnce(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	ada := r.user("ada", auth.User)
	for round := range 5 {
		target := fmt.Sprintf("target-%d", round)
		var ids [4]string
		var answers [5]localtest.Answer
		var all []func()
		for i := range ids {
			ids[i] = ada.Put(fmt.Sprintf("/file/ada/%d-%d", round, i), fmt.Sprint(i)).Field(t, "id")
			all = append(all, func() {
				answers[i], _ = ada.Try(http.MethodPatch, "/api/files/"+ids[i], strings.NewReader(fmt.Sprintf(`{"path":%q}`, target)), "Content-Type", "application/json")
			})
		}
		all = append(all, func() { answers[4], _ = ada.Try(http.MethodPut, "/file/ada/"+target, strings.NewReader("put")) })
		atOnce(all...)
		moved := 0
		for i, a := range answers[:4] {
			switch {
			case a.Response != nil && a.StatusCode == http.StatusOK:
				moved++
			case a.Response == nil || a.Code() != "path_taken":
				t.Errorf("file %d: %v, want it moved or path_taken", i, a)
			}
		}
		if put := answers[4]; put.Response == nil || put.StatusCode == http.StatusCreated != (moved == 0) || moved > 1 {
			t.Errorf("%d files were moved, and a PUT = %v", moved, put)
		}
		if got := ada.Do(http.MethodGet, "/file/ada/"+target, nil).Want(t, http.StatusOK); moved == 0 && string(got.Body) != "put" {
			t.Errorf("nothing was moved, and the path has %q", got.Body)
		}
		for i, id := range ids {
			if got := ada.Do(http.MethodGet, "/api/files/"+id+"/content", nil).Want(t, http.StatusOK); string(got.Body) != fmt.Sprint(i) && string(got.Body) != "put" {
				t.Errorf("file %d has %q", i, got.Body)
			}
		}
	}
}
