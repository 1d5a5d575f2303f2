package api_test

import (
	"net/http"
	"testing"
	"time"

	"sluice/shared/blob"
	"sluice/shared/blob/blobtest"
	"sluice/shared/catalog"
	"sluice/shared/config"
	"sluice/shared/manifest"
	"sluice/shared/table"
)

// undescribed uploads n bytes and returns the file, of which the manifest is
// forgotten, and what that was.
func (r *rig) undescribed(path string, n int) (f catalog.File, want string) {
	r.t.Helper()
	id := r.admin.Put("/file/admin/"+path, string(bytesOf(7, n))).Field(r.t, "id")
	want = string(r.admin.Do(http.MethodGet, "/api/files/"+id+"/manifest", nil).Want(r.t, http.StatusOK).Body)
	f, err := r.App.Deps.Catalog.File(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	partition := "MANIFEST#" + f.Version.Key
	page, err := r.table.Query(r.t.Context(), table.Query{PK: partition, Limit: table.MaxQuery})
	if err != nil || len(page.Items) == 0 {
		r.t.Fatalf("the manifest has %d items, %v", len(page.Items), err)
	}
	for _, item := range page.Items {
		if _, err := r.table.Driver.Apply(r.t.Context(), r.clock.Now(), table.Op{Action: table.Delete, Key: item.Key}); err != nil {
			r.t.Fatal(err)
		}
	}
	return f, want
}

// describe lets the manifest be made, and waits until that is over.
func (r *rig) describe(f catalog.File) { <-r.App.Deps.Uploads.Describe(f) }

func TestAManifestIsMadeByReadingOnce(t *testing.T) {
	r := openRig(t, func(c *config.Config) { c.Keep = time.Second })
	f, want := r.undescribed("a", 2*manifest.MinChunk+5)
	path := "/api/files/" + f.ID + "/manifest"
	hold := blobtest.NewHold()
	r.blobs.Script(blobtest.Open, blobtest.Fault{Hold: hold})
	for range 3 {
		a := r.admin.Do(http.MethodGet, path, nil).Want(t, http.StatusAccepted)
		if a.Field(t, "version_id") != f.Version.ID || a.Header.Get("Retry-After") == "" || a.Header.Get("ETag") != "" {
			t.Errorf("while it is made: %s with %v, want the version, when to ask again, and no ETag", a, a.Header)
		}
	}
	<-hold.Reached()
	hold.Release()
	r.describe(f)
	if a := r.admin.Do(http.MethodGet, path, nil).Want(t, http.StatusOK); string(a.Body) != want {
		t.Error("the manifest that was made is another one than came with the upload")
	}
	if opens := r.blobs.Opens(); len(opens) != 1 {
		t.Errorf("the blob was opened %d times, want 1", len(opens))
	}
	r.admin.Do(http.MethodDelete, "/api/files/"+f.ID, nil).Want(t, http.StatusNoContent)
	r.clock.Advance(3 * time.Second)
	r.App.Janitor.Sweep(t.Context())
	if n := r.table.count("MANIFEST#"); n != 0 {
		t.Errorf("of the removed file %d manifests are left", n)
	}
}

// The store fails in the fifth chunk: the next reading begins behind the
// fourth, where the last look at the lease was.
func TestTheReadingForAManifestIsGoneOnWith(t *testing.T) {
	const chunk = manifest.MinChunk
	r := openRig(t)
	f, want := r.undescribed("a", 6*chunk+5)
	broken := blobtest.Error{Code: blob.Unknown}
	r.blobs.Script(blobtest.Open, blobtest.Fault{})
	r.blobs.Always(blobtest.Open, blobtest.Fault{Err: broken})
	r.blobs.Script(blobtest.Read, blobtest.Fault{After: 4*chunk + 100, Err: broken})
	r.describe(f)
	a := r.admin.Do(http.MethodGet, "/api/files/"+f.ID+"/manifest", nil).Want(t, http.StatusAccepted)
	if h, err := r.App.Deps.Catalog.Hashing(t.Context(), f.Version); err != nil || h.Read != 4*chunk {
		t.Errorf("after the failure %d bytes are read, %v, and the answer is %s; want %d", h.Read, err, a, 4*chunk)
	}
	r.describe(f)
	r.blobs.Calm()
	r.describe(f)
	opens := r.blobs.Opens()
	if last := opens[len(opens)-1]; last.Offset != 4*chunk {
		t.Errorf("the last reading began at %d, want %d", last.Offset, 4*chunk)
	}
	if a := r.admin.Do(http.MethodGet, "/api/files/"+f.ID+"/manifest", nil).Want(t, http.StatusOK); string(a.Body) != want {
		t.Error("the manifest made in two readings is another one than came with the upload")
	}
}

func TestOneManifestIsMadeAtATime(t *testing.T) {
	r := openRig(t)
	f, _ := r.undescribed("a", manifest.MinChunk+5)
	other, err := r.App.Deps.Catalog.Lease(t.Context(), "manifest", time.Minute)
	if err != nil || other == nil {
		t.Fatalf("take the lease: %v, %v", other, err)
	}
	r.describe(f)
	if n := len(r.blobs.Opens()); n != 0 {
		t.Errorf("while another server reads, the blob was opened %d times", n)
	}
	path := "/api/files/" + f.ID + "/manifest"
	r.admin.Do(http.MethodGet, path, nil).Want(t, http.StatusAccepted)
	r.clock.Advance(time.Minute + time.Second) // the other one has crashed
	r.describe(f)
	r.describe(f) // the one that the request began may have been under way
	r.admin.Do(http.MethodGet, path, nil).Want(t, http.StatusOK)
}

func TestNoManifestOfOtherBytes(t *testing.T) {
	r := openRig(t)
	f, _ := r.undescribed("a", manifest.MinChunk+5)
	r.damage(5)
	r.describe(f)
	if a := r.admin.Do(http.MethodGet, "/api/files/"+f.ID+"/manifest", nil).Want(t, http.StatusBadGateway); a.Code() != "blob_damaged" {
		t.Errorf("the manifest of a damaged blob = %s, want blob_damaged", a)
	}
}

func TestNoManifestOfWhatIsRemovedMeanwhile(t *testing.T) {
	r := openRig(t, func(c *config.Config) { c.Keep = time.Second })
	f, _ := r.undescribed("a", manifest.MinChunk+5)
	hold := blobtest.NewHold()
	r.blobs.Script(blobtest.Read, blobtest.Fault{Hold: hold})
	done := r.App.Deps.Uploads.Describe(f)
	<-hold.Reached()
	r.admin.Do(http.MethodDelete, "/api/files/"+f.ID, nil).Want(t, http.StatusNoContent)
	r.clock.Advance(3 * time.Second)
	r.App.Janitor.Sweep(t.Context())
	hold.Release()
	<-done
	if n := r.table.count("MANIFEST#"); n != 0 {
		t.Errorf("of the removed file %d manifests are left", n)
	}
}

// provokeByManifests asks for manifests that are not there yet, and of bytes
// that are not those that were published.
func (a *answers) provokeByManifests() {
	f, _ := a.undescribed("undescribed", manifest.MinChunk+5)
	path := "/api/files/" + f.ID + "/manifest"
	a.admin.Do(http.MethodGet, path, nil).Want(a.t, http.StatusAccepted)
	a.rig.describe(f)
	a.admin.Do(http.MethodGet, path, nil).Want(a.t, http.StatusOK)
	f, _ = a.undescribed("damaged", manifest.MinChunk+5)
	if err := a.App.Deps.Catalog.PutHashing(a.t.Context(), f.Version, catalog.Hashing{Damaged: true}); err != nil {
		a.t.Fatal(err)
	}
	a.admin.Do(http.MethodGet, "/api/files/"+f.ID+"/manifest", nil).Want(a.t, http.StatusBadGateway)
}
