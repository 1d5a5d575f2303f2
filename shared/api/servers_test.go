package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"sluice/shared/app/local"
	"sluice/shared/app/local/localtest"
	"sluice/shared/blob"
	"sluice/shared/config"
	"sluice/shared/table"
)

// borrowed is the blob store of another server.
type borrowed struct {
	blob.Driver
	own blob.Driver // what the server opened for itself
}

func (b borrowed) Close() error { return b.own.Close() }

// beside starts another server on the records, the blobs and the keys of r, as
// several do behind a load balancer.
func (r *rig) beside() *localtest.Site {
	r.t.Helper()
	return localtest.StartWith(r.t, local.Options{
		Clock: r.clock.Now,
		Blobs: func(own blob.Driver) blob.Driver { return borrowed{r.blobs, own} },
		Table: func(table.Driver) table.Driver { return r.table },
	}, func(c *config.Config) { c.Keys = r.Config.Keys })
}

// TestServersWriteOnePath lets clients of several servers overwrite one file at
// the same time: every one of them succeeds, and every version is there.
func TestServersWriteOnePath(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	const clients, each = 4, 5
	var wg sync.WaitGroup
	for i, site := range []*localtest.Site{r.Site, r.beside(), r.beside()} {
		for j := range clients {
			c := with(r.admin, r.admin.Token)
			c.Site = site
			wg.Go(func() {
				for k := range each {
					body := fmt.Sprintf("server %d, client %d, time %d", i, j, k)
					a, err := c.Try(http.MethodPut, "/file/admin/a", strings.NewReader(body))
					if err != nil || a.StatusCode != http.StatusOK && a.StatusCode != http.StatusCreated {
						t.Errorf("%s: %v, %v", body, a, err)
					}
				}
			})
		}
	}
	wg.Wait()
	id := r.admin.Do(http.MethodGet, "/api/files", nil).Want(t, http.StatusOK)
	var listed struct{ Files []struct{ ID string } }
	if err := json.Unmarshal(id.Body, &listed); err != nil || len(listed.Files) != 1 {
		t.Fatalf("the files are %s, want one", id)
	}
	var versions struct {
		Versions []struct {
			VersionID string `json:"version_id"`
			Current   bool
		}
	}
	a := r.admin.Do(http.MethodGet, "/api/files/"+listed.Files[0].ID+"/versions?limit=100", nil).Want(t, http.StatusOK)
	if err := json.Unmarshal(a.Body, &versions); err != nil || len(versions.Versions) != 3*clients*each {
		t.Fatalf("%d versions are there, %v; want %d", len(versions.Versions), err, 3*clients*each)
	}
	seen := map[string]bool{}
	for _, v := range versions.Versions {
		path := "/api/files/" + listed.Files[0].ID + "/content?version=" + v.VersionID
		seen[string(r.admin.Do(http.MethodGet, path, nil).Want(t, http.StatusOK).Body)] = true
	}
	if len(seen) != 3*clients*each {
		t.Errorf("they have %d contents, want every one that was sent", len(seen))
	}
}
