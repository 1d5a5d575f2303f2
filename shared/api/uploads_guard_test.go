package api_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"sluice/shared/app/local/localtest"
	"sluice/shared/auth"
	"sluice/shared/blob/blobtest"
)

// guarded begins an upload of one part under a condition, with its part sent.
func (r *rig) guarded(by *localtest.Client, path, field, value string) *parted {
	r.t.Helper()
	body := strings.NewReader(`{"path":"` + path + `"}`)
	a := by.Do(http.MethodPost, "/api/files", body, "Content-Type", "application/json", field, value).Want(r.t, http.StatusCreated)
	p := &parted{r, by, a.Field(r.t, "upload_id")}
	p.put(1, []byte("by parts")).Want(r.t, http.StatusOK)
	return p
}

// TestConditionsOfAnUpload begins an upload under a condition, lets something
// happen to the path, and completes it.
func TestConditionsOfAnUpload(t *testing.T) {
	r := openRig(t)
	const none, overwrite, remove, restore = "nothing", "an overwrite", "a removal", "a restoration"
	for _, c := range []struct {
		there        bool // a file, at first
		field, value string
		happens      string
		begin, end   int
	}{
		{false, "If-None-Match", "*", none, 201, 200},
		{false, "If-None-Match", "*", overwrite, 201, 412},
		{true, "If-None-Match", "*", none, 412, 0},
		{true, "If-Match", "{etag}", none, 201, 200},
		{true, "If-Match", "{etag}", overwrite, 201, 412},
		{true, "If-Match", "{etag}", remove, 201, 412},
		{true, "If-Match", "{etag}", restore, 201, 200},
		{true, "If-Match", `"other", {etag}`, none, 201, 200},
		{true, "If-Match", `"other"`, none, 412, 0},
		{true, "If-Match", "*", remove, 201, 412},
		{false, "If-Match", "*", none, 412, 0},
		{false, "If-Match", "", none, 412, 0},
		{true, "If-None-Match", "{etag}", none, 412, 0},
		{true, "If-None-Match", `"other"`, none, 201, 200},
		{true, "If-Unmodified-Since", "Tue, 01 Jan 2075 00:00:00 GMT", none, 201, 200},
		{true, "If-Unmodified-Since", "Sat, 01 Jan 2000 00:00:00 GMT", none, 412, 0},
	} {
		path := "conditions/" + auth.NewID(r.clock.Now())
		etag, version := "", ""
		if c.there {
			f := r.admin.Put("/file/admin/"+path, "first")
			etag, version = f.Header.Get("ETag"), f.Field(t, "version_id")
		}
		body := strings.NewReader(`{"path":"` + path + `"}`)
		begun := r.admin.Do(http.MethodPost, "/api/files", body, "Content-Type", "application/json", c.field, strings.ReplaceAll(c.value, "{etag}", etag))
		if begun.StatusCode != c.begin {
			t.Errorf("begin with %s: %s, a file there %v = %s, want %d", c.field, c.value, c.there, begun, c.begin)
		}
		if begun.StatusCode != http.StatusCreated {
			continue
		}
		p := &parted{r, r.admin, begun.Field(t, "upload_id")}
		p.put(1, []byte("by parts")).Want(t, http.StatusOK)
		switch c.happens {
		case overwrite:
			r.admin.Put("/file/admin/"+path, "second")
		case remove:
			r.admin.Do(http.MethodDelete, "/file/admin/"+path, nil).Want(t, http.StatusNoContent)
		case restore:
			id := r.admin.Put("/file/admin/"+path, "second").Field(t, "id")
			r.admin.JSON(http.MethodPost, "/api/files/"+id+"/restore", map[string]string{"version_id": version}).Want(t, http.StatusOK)
		}
		a := p.complete()
		if a.StatusCode != c.end {
			t.Errorf("complete with %s: %s after %s = %s, want %d", c.field, c.value, c.happens, a, c.end)
		}
		if state := p.state().State; a.StatusCode == http.StatusPreconditionFailed && state != "open" {
			t.Errorf("refused with %s: %s after %s it is %s, want it still open", c.field, c.value, c.happens, state)
		}
	}
}

// TestAConditionHoldsAtThePublication changes the file while the upload is
// being read.
func TestAConditionHoldsAtThePublication(t *testing.T) {
	r := openRig(t)
	p := r.guarded(r.admin, "a", "If-None-Match", "*")
	hold := blobtest.NewHold()
	r.blobs.Script(blobtest.Open, blobtest.Fault{Hold: hold})
	p.completeOnce().Want(t, http.StatusAccepted)
	f := r.admin.Put("/file/admin/a", "first").Field(t, "id")
	hold.Release()
	if a := p.complete().Want(t, http.StatusPreconditionFailed); a.Code() != "precondition_failed" {
		t.Errorf("complete = %s, want precondition_failed", a)
	}
	if s := p.state(); s.State != "failed" || s.Problem != "precondition_failed" {
		t.Errorf("the upload is %s by %q, want it failed by precondition_failed", s.State, s.Problem)
	}
	r.wantContent(r.admin, f, []byte("first"))
	if left := r.blobFiles(); len(left) != 1 {
		t.Errorf("there are the blobs %q, want that of the file alone", left)
	}
}

func TestAConditionThatIsTooLong(t *testing.T) {
	r := openRig(t)
	etag := r.admin.Put("/file/admin/a", "first").Header.Get("ETag")
	for length, want := range map[int]int{2000: http.StatusCreated, 3000: http.StatusBadRequest} {
		list := strings.Repeat(`"x", `, length/5) + etag
		a := r.admin.Do(http.MethodPost, "/api/files", strings.NewReader(`{"path":"a"}`), "Content-Type", "application/json", "If-Match", list)
		if a.StatusCode != want {
			t.Errorf("a list of %d bytes = %s, want %d", len(list), a, want)
		}
	}
}

func TestAnUploadForAnotherOwner(t *testing.T) {
	r := openRig(t)
	ada, eve, gus := r.user("ada", auth.User), r.user("eve", auth.User), r.user("gus", auth.Guest)
	for name, c := range map[string]struct {
		client *localtest.Client
		owner  string
		want   int
	}{
		"an admin for a user":        {r.admin, "ada", 201},
		"an admin for themself":      {r.admin, "admin", 201},
		"an admin for nobody":        {r.admin, "nobody", 404},
		"a user for themself":        {ada, "ada", 201},
		"a user for another":         {eve, "ada", 404},
		"a user for nobody":          {eve, "nobody", 404},
		"a user for what is no name": {eve, "a/b", 404},
		"a guest for a user":         {gus, "ada", 403},
		"a guest for themself":       {gus, "gus", 403},
		"nobody, for a user":         {r.Anonymous(), "ada", 401},
	} {
		a := c.client.JSON(http.MethodPost, "/api/files", map[string]string{"path": "x", "owner": c.owner})
		if a.StatusCode != c.want {
			t.Errorf("%s = %s, want %d", name, a, c.want)
		}
	}
	p := r.begin(r.admin, "from the admin", map[string]any{"owner": "ada", "size": 8})
	p.put(1, []byte("by parts")).Want(t, http.StatusOK)
	f := p.complete().Want(t, http.StatusOK)
	if owner := f.Field(t, "owner"); owner != "ada" {
		t.Errorf("the file is %s's, want ada's", owner)
	}
	a := ada.Do(http.MethodGet, "/file/ada/from%20the%20admin", nil).Want(t, http.StatusOK)
	if string(a.Body) != "by parts" {
		t.Errorf("ada's file has %q", a.Body)
	}
	eve.Do(http.MethodGet, "/api/uploads/"+p.id, nil).Want(t, http.StatusNotFound)
}

// disable takes away what eve may do, or gives it back.
func (r *rig) disable(eve *localtest.Client, change string) {
	r.t.Helper()
	body := strings.NewReader(change)
	r.admin.Do(http.MethodPatch, "/api/users/"+eve.ID, body, "Content-Type", "application/json").Want(r.t, http.StatusOK)
}

// TestWhoMayNoLongerCannotFinishAnUpload lets eve begin uploads of every kind,
// and takes her right away before they are over.
func TestWhoMayNoLongerCannotFinishAnUpload(t *testing.T) {
	for name, change := range map[string]string{"disabled": `{"disabled":true}`, "demoted": `{"role":"guest"}`} {
		t.Run(name+" before the completion", func(t *testing.T) {
			r := openRig(t)
			eve := r.user("eve", auth.User)
			p := r.begin(eve, "a", nil)
			p.put(1, []byte("content")).Want(t, http.StatusOK)
			r.disable(eve, change)
			if a := p.completeOnce(); a.StatusCode != http.StatusUnauthorized && a.StatusCode != http.StatusForbidden {
				t.Errorf("complete by herself = %s, want 401 or 403", a)
			}
			p.by = r.admin
			if a := p.complete().Want(t, http.StatusForbidden); a.Code() != "forbidden" || p.state().State != "open" {
				t.Errorf("complete by an admin = %s, and it is %s; want forbidden, and open", a, p.state().State)
			}
			r.disable(eve, `{"disabled":false,"role":"user"}`)
			p.complete().Want(t, http.StatusOK)
		})
		t.Run(name+" while it is verified", func(t *testing.T) {
			r := openRig(t)
			eve := r.user("eve", auth.User)
			p := r.begin(eve, "a", nil)
			p.put(1, []byte("content")).Want(t, http.StatusOK)
			hold := blobtest.NewHold()
			r.blobs.Script(blobtest.Open, blobtest.Fault{Hold: hold})
			p.completeOnce().Want(t, http.StatusAccepted)
			r.disable(eve, change)
			hold.Release()
			p.by = r.admin
			p.complete().Want(t, http.StatusForbidden)
			if s := p.state(); s.State != "failed" || s.Problem != "forbidden" {
				t.Errorf("the upload is %s by %q, want it failed by forbidden", s.State, s.Problem)
			}
			if left := r.blobFiles(); len(left) != 0 {
				t.Errorf("there are the blobs %q, want none", left)
			}
		})
		t.Run(name+" while a PUT is under way", func(t *testing.T) {
			r := openRig(t)
			eve := r.user("eve", auth.User)
			body, sender := io.Pipe()
			go func() {
				_, _ = io.Copy(sender, bytes.NewReader(bytesOf(1, 1<<20)))
				r.disable(eve, change)
				_ = sender.Close()
			}()
			if a := eve.Do(http.MethodPut, "/file/eve/a", body).Want(t, http.StatusForbidden); a.Code() != "forbidden" {
				t.Errorf("the PUT = %s, want forbidden", a)
			}
			r.admin.Do(http.MethodGet, "/file/eve/a", nil).Want(t, http.StatusNotFound)
			if left := r.blobFiles(); len(left) != 0 {
				t.Errorf("there are the blobs %q, want none", left)
			}
		})
	}
}
