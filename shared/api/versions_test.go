package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/shared/app/local/localtest"
	"sluice/shared/auth"
	"sluice/shared/contract"
	"sluice/shared/table"
)

// overwritten uploads contents to one path, one after the other, and returns
// the file's id and those of its versions, the oldest first.
func overwritten(r *rig, c *localtest.Client, path string, contents ...string) (id string, versions []string) {
	r.t.Helper()
	for i, content := range contents {
		put := c.Put(path, content, "Content-Type", fmt.Sprintf("text/x-%d", i))
		id, versions = put.Field(r.t, "id"), append(versions, put.Field(r.t, "version_id"))
		r.clock.Advance(10 * time.Second) // no date lies ahead
	}
	return id, versions
}

func versionsOf(t *testing.T, c *localtest.Client, id, query string) contract.VersionList {
	t.Helper()
	var list contract.VersionList
	a := c.Do(http.MethodGet, "/api/files/"+id+"/versions"+query, nil).Want(t, http.StatusOK)
	if err := json.Unmarshal(a.Body, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestVersionsAreListed(t *testing.T) {
	r := openRig(t)
	ada := r.user("ada", auth.User)
	id, versions := overwritten(r, ada, "/file/ada/a", "one", "three")
	r.admin.Put("/file/ada/a", "seventeen")
	list := versionsOf(t, ada, id, "").Versions
	if len(list) != 3 {
		t.Fatalf("%d versions are listed, want 3", len(list))
	}
	newest, oldest := list[0], list[2]
	if !newest.Current || !newest.KeptUntil.IsZero() || newest.Size != 9 || newest.CreatedBy != "admin" {
		t.Errorf("the newest is %+v", newest)
	}
	if oldest.Current || oldest.KeptUntil.IsZero() || oldest.VersionID != versions[0] || oldest.Size != 3 || oldest.CreatedBy != "ada" ||
		oldest.ContentType != "text/x-0" || oldest.DigestState != contract.DigestStateVerified || len(oldest.SHA256) != 64 {
		t.Errorf("the oldest is %+v", oldest)
	}
	var paged []string
	for query := "?limit=1"; ; {
		page := versionsOf(t, ada, id, query)
		for _, v := range page.Versions {
			paged = append(paged, v.VersionID)
		}
		if page.NextCursor == "" {
			break
		}
		query = "?limit=1&cursor=" + page.NextCursor
	}
	if want := []string{newest.VersionID, versions[1], versions[0]}; !slices.Equal(paged, want) {
		t.Errorf("one by one they are %q, want %q", paged, want)
	}
	other := ada.Put("/file/ada/b", "x").Field(t, "id")
	cursor := versionsOf(t, ada, id, "?limit=1").NextCursor
	ada.Do(http.MethodGet, "/api/files/"+other+"/versions?cursor="+cursor, nil).Want(t, http.StatusBadRequest)
}

// never has the form of an id, and of an age that no id of a test has.
const never = "00000000000000000000000000"

func TestAReplacedVersionIsForItsOwner(t *testing.T) {
	r := openRig(t)
	ada, eve, guest := r.user("ada", auth.User), r.user("eve", auth.User), r.user("gus", auth.Guest)
	for _, visibility := range []string{"private", "public"} {
		id, versions := overwritten(r, ada, "/file/ada/"+visibility, "first", "second")
		ada.JSON(http.MethodPatch, "/api/files/"+id, map[string]string{"visibility": visibility}).Want(t, http.StatusOK)
		public := visibility == "public"
		forOthers := map[bool]int{true: 200, false: 404}[public]
		for _, c := range []struct {
			name    string
			client  *localtest.Client
			version string
			want    int
		}{
			{"the owner, the replaced", ada, versions[0], 200},
			{"an admin, the replaced", r.admin, versions[0], 200},
			{"another user, the replaced", eve, versions[0], 404},
			{"a guest, the replaced", guest, versions[0], 404},
			{"nobody, the replaced", r.Anonymous(), versions[0], 401},
			{"the owner, the current", ada, versions[1], 200},
			{"another user, the current", eve, versions[1], forOthers},
			{"nobody, the current", r.Anonymous(), versions[1], map[bool]int{true: 200, false: 401}[public]},
			{"the owner, none", ada, never, 404},
			{"another user, none", eve, never, 404},
		} {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				a := c.client.Do(method, "/api/files/"+id+"/content?version="+c.version, nil)
				if a.StatusCode != c.want {
					t.Errorf("%s %s of a %s file = %s, want %d", method, c.name, visibility, a, c.want)
				}
			}
		}
		a := ada.Do(http.MethodGet, "/api/files/"+id+"/content?version="+versions[0], nil, "Range", "bytes=1-").Want(t, http.StatusPartialContent)
		for _, query := range []string{"version=", "version=" + versions[0] + "&version=" + versions[1], "vers=x"} {
			ada.Do(http.MethodGet, "/api/files/"+id+"/content?"+query, nil).Want(t, http.StatusBadRequest)
		}
		if string(a.Body) != "irst" || a.Header.Get("ETag") != fmt.Sprintf("%q", versions[0]) || a.Header.Get("Content-Type") != "text/x-0" {
			t.Errorf("a range of the replaced version is %q with %v", a.Body, a.Header)
		}
	}
}

func TestARestoredVersionIsDelivered(t *testing.T) {
	r := openRig(t)
	id, versions := overwritten(r, r.admin, "/file/admin/a", "first", "second")
	second := r.admin.Do(http.MethodGet, "/file/admin/a", nil).Want(t, http.StatusOK)
	restore := func(version string, header ...string) localtest.Answer {
		body := strings.NewReader(fmt.Sprintf(`{"version_id":%q}`, version))
		return r.admin.Do(http.MethodPost, "/api/files/"+id+"/restore", body, append(header, "Content-Type", "application/json")...)
	}
	restore(versions[0], "If-Match", `"another"`).Want(t, http.StatusPreconditionFailed)
	a := restore(versions[0], "If-Match", second.Header.Get("ETag")).Want(t, http.StatusOK)
	if a.Field(t, "version_id") != versions[0] || a.Field(t, "content_type") != "text/x-0" {
		t.Errorf("restored, the file is %s", a)
	}
	r.clock.Advance(10 * time.Second)
	first := r.admin.Do(http.MethodGet, "/file/admin/a", nil, "If-Modified-Since", second.Header.Get("Last-Modified")).Want(t, http.StatusOK)
	if string(first.Body) != "first" || first.Header.Get("ETag") != fmt.Sprintf("%q", versions[0]) {
		t.Errorf("who has the second version gets %q %s", first.Body, first.Header.Get("ETag"))
	}
	restore(versions[0]).Want(t, http.StatusOK) // once more: nothing to do
	restore(never).Want(t, http.StatusNotFound)
	r.clock.Advance(25 * time.Hour)
	r.admin = r.Admin()
	r.App.Janitor.Sweep(t.Context())
	restore(versions[1]).Want(t, http.StatusNotFound)
	if got := r.admin.Do(http.MethodGet, "/file/admin/a", nil).Want(t, http.StatusOK); string(got.Body) != "first" {
		t.Errorf("after the sweep the file is %q", got.Body)
	}
}

func TestADeletedFileIsBroughtBack(t *testing.T) {
	r := openRig(t)
	ada, eve := r.user("ada", auth.User), r.user("eve", auth.User)
	id := ada.Put("/file/ada/a", "content").Field(t, "id")
	undelete := "/api/files/" + id + "/undelete"
	ada.Do(http.MethodPost, undelete, nil).Want(t, http.StatusConflict)
	ada.Do(http.MethodDelete, "/file/ada/a", nil).Want(t, http.StatusNoContent)
	eve.Do(http.MethodPost, undelete, nil).Want(t, http.StatusNotFound)
	if a := ada.Do(http.MethodPost, undelete, nil).Want(t, http.StatusOK); a.Field(t, "path") != "a" {
		t.Errorf("the file came back as %s", a)
	}
	ada.Do(http.MethodDelete, "/file/ada/a", nil).Want(t, http.StatusNoContent)
	ada.Put("/file/ada/a", "another")
	if a := ada.Do(http.MethodPost, undelete, nil).Want(t, http.StatusConflict); a.Code() != "path_taken" {
		t.Errorf("where another file is: %s", a)
	}
	ada.JSON(http.MethodPost, undelete, map[string]string{"path": "../b"}).Want(t, http.StatusBadRequest)
	ada.JSON(http.MethodPost, undelete, map[string]string{"path": "b"}).Want(t, http.StatusOK)
	if a := ada.Do(http.MethodGet, "/file/ada/b", nil).Want(t, http.StatusOK); string(a.Body) != "content" {
		t.Errorf("the file that came back has %q", a.Body)
	}
	ada.Do(http.MethodDelete, "/file/ada/b", nil).Want(t, http.StatusNoContent)
	r.clock.Advance(25 * time.Hour)
	r.App.Janitor.Sweep(t.Context())
	r.Login("ada", localtest.Password).Do(http.MethodPost, undelete, nil).Want(t, http.StatusNotFound)
}

// claimDue takes everything that is due for removal, as a janitor that died
// right after.
func (r *rig) claimDue() {
	r.t.Helper()
	items := table.New(r.table, r.clock.Now)
	for _, partition := range r.table.partitions("DUE#") {
		page, err := items.Query(r.t.Context(), table.Query{PK: partition, Limit: table.MaxQuery})
		if err != nil {
			r.t.Fatal(err)
		}
		for _, item := range page.Items {
			claim := table.Op{Action: table.Update, Key: item.Key, Set: table.Attrs{"state": "claimed"}}
			if _, err := items.Apply(r.t.Context(), claim); err != nil {
				r.t.Fatal(err)
			}
		}
	}
}

func (a *answers) provokeByVersions() {
	id, versions := overwritten(a.rig, a.admin, "/file/admin/versions", "a", "b")
	restore, undelete := "/api/files/"+id+"/restore", "/api/files/"+id+"/undelete"
	first := map[string]string{"version_id": versions[0]}
	full := tableError{table.Full}

	a.table.fail(nil, full)
	a.admin.JSON(http.MethodPost, restore, first).Want(a.t, http.StatusInsufficientStorage)
	a.table.fail(nil, nil)
	a.claimDue()
	a.admin.JSON(http.MethodPost, restore, first).Want(a.t, http.StatusConflict)

	a.admin.Do(http.MethodDelete, "/api/files/"+id, nil).Want(a.t, http.StatusNoContent)
	a.table.fail(nil, full)
	a.admin.Do(http.MethodPost, undelete, nil).Want(a.t, http.StatusInsufficientStorage)
	a.table.fail(nil, nil)
	a.admin.Do(http.MethodPost, undelete, nil).Want(a.t, http.StatusOK)
}
