package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/shared/app/local/localtest"
	"sluice/shared/auth"
	"sluice/shared/blob"
	"sluice/shared/blob/blobtest"
)

// allow sets a quota; null is none.
func (r *rig) allow(c *localtest.Client, quota string) {
	r.t.Helper()
	r.admin.Do(http.MethodPatch, "/api/users/"+c.ID, strings.NewReader(quota), "Content-Type", "application/json").Want(r.t, http.StatusOK)
}

// wantUsed checks what counts towards a user's quota.
func (r *rig) wantUsed(c *localtest.Client, when string, bytes, files int64) {
	r.t.Helper()
	var out struct{ Used struct{ Bytes, Files int64 } }
	a := c.Do(http.MethodGet, "/api/profile", nil).Want(r.t, http.StatusOK)
	if err := json.Unmarshal(a.Body, &out); err != nil {
		r.t.Fatal(err)
	}
	if out.Used.Bytes != bytes || out.Used.Files != files {
		r.t.Errorf("%s: %d bytes in %d files are counted, want %d in %d", when, out.Used.Bytes, out.Used.Files, bytes, files)
	}
}

func (r *rig) wantOverQuota(a localtest.Answer) {
	r.t.Helper()
	if a.Want(r.t, http.StatusInsufficientStorage).Code() != "quota_exceeded" {
		r.t.Errorf("%s, want quota_exceeded", a)
	}
}

func TestUsageAddsUp(t *testing.T) {
	r := openRig(t)
	ada := r.user("ada", auth.User)
	id := ada.Put("/file/ada/a", "12345").Field(t, "id")
	r.wantUsed(ada, "one file", 5, 1)
	ada.Put("/file/ada/a", "123")
	r.wantUsed(ada, "a version that is kept beside it", 8, 1)
	ada.Do(http.MethodPut, "/file/ada/b", strings.NewReader("x"), "Repr-Digest", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:").Want(t, http.StatusUnprocessableEntity)
	r.wantUsed(ada, "after an upload that failed", 8, 1)
	ada.Do(http.MethodPut, "/file/ada/c", unsized{strings.NewReader("1234567")}).Want(t, http.StatusCreated)
	r.wantUsed(ada, "after a body of unknown length", 15, 2)
	ada.Do(http.MethodDelete, "/api/files/"+id, nil).Want(t, http.StatusNoContent)
	r.wantUsed(ada, "a deleted file that is kept", 15, 2)
	p := r.begin(ada, "d", map[string]any{"size": 100})
	r.wantUsed(ada, "an upload under way", 115, 3)
	open := r.begin(ada, "e", nil)
	open.put(1, []byte("x")).Want(t, http.StatusOK)
	r.wantUsed(ada, "one of unknown size", 115+partSize, 4)
	open.complete().Want(t, http.StatusOK)
	r.wantUsed(ada, "once it is complete", 116, 4)
	ada.Do(http.MethodDelete, "/api/uploads/"+p.id, nil).Want(t, http.StatusNoContent)
	r.wantUsed(ada, "after the other was aborted", 16, 3)
	r.begin(ada, "f", map[string]any{"size": 1000})
	r.clock.Advance(8 * 24 * time.Hour)
	r.App.Janitor.Sweep(t.Context())
	r.wantUsed(r.Login("ada", localtest.Password), "once all that was kept is gone", 8, 2)
}

func TestUsageAddsUpWhenTheStoreFailsMeanwhile(t *testing.T) {
	r := openRig(t)
	ada := r.user("ada", auth.User)
	r.blobs.Script(blobtest.Commit, blobtest.Fault{Err: blobtest.Error{Code: blob.Unknown}})
	r.blobs.Script(blobtest.AbortMultipart, blobtest.Fault{Err: blobtest.Error{Code: blob.Unknown}}) // left for the janitor
	ada.Do(http.MethodPut, "/file/ada/a", strings.NewReader("12345")).Want(t, http.StatusBadGateway)
	r.wantUsed(ada, "what is left of an upload", 5, 1)
	r.clock.Advance(8 * 24 * time.Hour)
	r.App.Janitor.Sweep(t.Context())
	r.App.Janitor.Sweep(t.Context())
	r.wantUsed(r.Login("ada", localtest.Password), "after the janitor", 0, 0)
}

func TestAQuotaBoundsBytesAndFiles(t *testing.T) {
	r := openRig(t)
	ada := r.user("ada", auth.User)
	put := func(path, body string) localtest.Answer {
		return ada.Do(http.MethodPut, "/file/ada/"+path, strings.NewReader(body))
	}
	r.allow(ada, `{"quota_bytes":10,"quota_files":2}`)
	put("a", "12345").Want(t, http.StatusCreated)
	r.wantOverQuota(put("b", "123456"))
	r.wantOverQuota(ada.Do(http.MethodPut, "/file/ada/b", unsized{strings.NewReader("123456")}))
	r.wantOverQuota(ada.JSON(http.MethodPost, "/api/files", map[string]any{"path": "b", "size": 6}))
	unknown := r.begin(ada, "b", nil)
	issue := map[string]any{"parts": []any{map[string]any{"number": 1}}}
	r.wantOverQuota(ada.JSON(http.MethodPost, "/api/uploads/"+unknown.id+"/parts", issue))
	r.wantOverQuota(put("c", ""))
	ada.Do(http.MethodDelete, "/api/uploads/"+unknown.id, nil).Want(t, http.StatusNoContent)
	put("b", "12345").Want(t, http.StatusCreated)
	put("b", "").Want(t, http.StatusOK)
	r.wantOverQuota(put("c", ""))
	r.wantUsed(ada, "at the bound", 10, 2)
	r.allow(ada, `{"quota_bytes":null,"quota_files":null}`)
	put("c", "12345").Want(t, http.StatusCreated)
	a := r.admin.Do(http.MethodPatch, "/api/users/"+ada.ID, strings.NewReader(`{"quota_bytes":-1}`), "Content-Type", "application/json")
	if a.Want(t, http.StatusBadRequest); problemField(a) != "quota_bytes" {
		t.Errorf("%s, want field quota_bytes", a)
	}
}

// TestTakesAtOnceOfAQuota asks for more than there is, all at once.
func TestTakesAtOnceOfAQuota(t *testing.T) {
	r := openRig(t)
	ada := r.user("ada", auth.User)
	const asked, allowed = 500, 37
	r.allow(ada, fmt.Sprintf(`{"quota_bytes":%d}`, allowed*10))
	var took, refused atomic.Int64
	var group sync.WaitGroup
	for i := range asked {
		group.Go(func() {
			body := fmt.Sprintf(`{"path":"f%d","size":10}`, i)
			a, err := ada.Try(http.MethodPost, "/api/files", strings.NewReader(body), "Content-Type", "application/json")
			switch {
			case err != nil:
				t.Error(err)
			case a.StatusCode == http.StatusCreated:
				took.Add(1)
			case a.Code() == "quota_exceeded":
				refused.Add(1)
			default:
				t.Errorf("one of many takes: %s", a)
			}
		})
	}
	group.Wait()
	if took.Load() != allowed || refused.Load() != asked-allowed {
		t.Errorf("of %d takes %d succeeded and %d were refused, want %d", asked, took.Load(), refused.Load(), allowed)
	}
	r.wantUsed(ada, "after them all", allowed*10, allowed)
}
