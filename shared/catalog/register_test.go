package catalog_test

import (
	"context"
	"testing"
	"time"

	"sluice/shared/catalog"
	"sluice/shared/fault"
	"sluice/shared/manifest"
)

// object returns one that is there already, to be registered at a path.
func (s *store) object(path, etag string) catalog.Object {
	key := "videos/" + path
	s.blobs.put(key)
	return catalog.Object{
		Owner: s.owner, Path: path, Key: key, Size: 10, ETag: etag, ContentType: "video/mp4", By: s.owner, Import: "the import",
	}
}

// register registers o and wants that outcome.
func (s *store) register(o catalog.Object, want catalog.Registered) {
	s.t.Helper()
	if got, err := s.Register(s.t.Context(), o); err != nil || got != want {
		s.t.Fatalf("registering %s with %s = %s, %v; want %s", o.Path, o.ETag, got, err, want)
	}
}

func TestRegisterTellsWhatItDid(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.publish("ours")
	first, later := s.object("a", `"1"`), s.object("a", `"2"`)
	other := later
	other.Import = "another import"
	elsewhere := first
	elsewhere.Key = "elsewhere/a"
	cases := []struct {
		name   string
		object catalog.Object
		want   catalog.Registered
		usage  catalog.Usage // after it, with the file of another origin
	}{
		{"an object", first, catalog.RegisteredNew, catalog.Usage{Bytes: 11, Files: 2}},
		{"the same one by the same import", first, catalog.RegisteredNew, catalog.Usage{Bytes: 11, Files: 2}},
		{"one that has changed", later, catalog.RegisteredAgain, catalog.Usage{Bytes: 21, Files: 2}},
		{"that one by the same import", later, catalog.RegisteredAgain, catalog.Usage{Bytes: 21, Files: 2}},
		{"that one by another import", other, catalog.RegisteredBefore, catalog.Usage{Bytes: 21, Files: 2}},
		{"another object of that path", elsewhere, catalog.RegisteredNothing, catalog.Usage{Bytes: 21, Files: 2}},
		{"one of a path that an upload has", s.object("ours", `"1"`), catalog.RegisteredNothing, catalog.Usage{Bytes: 21, Files: 2}},
	}
	for _, c := range cases {
		s.register(c.object, c.want)
		if got, err := s.Usage(t.Context(), s.owner); err != nil || got != c.usage {
			t.Errorf("after %s %+v is counted, %v; want %+v", c.name, got, err, c.usage)
		}
	}
	f, err := s.FileAt(t.Context(), s.owner, "a")
	if err != nil || f.Version.Key != later.Key || f.Version.ETag != later.ETag || f.Version.StoreETag != later.ETag || f.Version.SHA256 != nil ||
		!f.Version.Imported() || f.Version.Changed || f.ContentType != "video/mp4" {
		t.Errorf("the file is %+v, %v; want the object as it is now", f, err)
	}
	versions, _, err := s.Versions(t.Context(), f.ID, "", 10)
	if err != nil || len(versions) != 2 {
		t.Fatalf("there are %d versions, %v; want 2", len(versions), err)
	}
	for _, v := range versions {
		if old := v.ID != f.Version.ID; v.Changed != old {
			t.Errorf("version %s with %s is changed: %t, want %t", v.ID, v.ETag, v.Changed, old)
		}
	}
}

func TestWouldRegisterWritesNothing(t *testing.T) {
	t.Parallel()
	s := open(t)
	o := s.object("a", `"1"`)
	would := func(want catalog.Registered) {
		t.Helper()
		if got, err := s.WouldRegister(t.Context(), o); err != nil || got != want {
			t.Errorf("WouldRegister = %s, %v; want %s", got, err, want)
		}
	}
	would(catalog.RegisteredNew)
	would(catalog.RegisteredNew)
	s.register(o, catalog.RegisteredNew)
	would(catalog.RegisteredNew) // it was this import's
	o.Import = "another import"
	would(catalog.RegisteredBefore)
	o.ETag = `"2"`
	would(catalog.RegisteredAgain)
}

func TestRegisterTakesOfTheQuota(t *testing.T) {
	t.Parallel()
	s := open(t)
	bytes := int64(15)
	if _, err := s.UpdateUser(t.Context(), s.owner, func(u *catalog.User) error { u.Quota.Bytes = &bytes; return nil }); err != nil {
		t.Fatal(err)
	}
	s.register(s.object("a", `"1"`), catalog.RegisteredNew)
	if _, err := s.Register(t.Context(), s.object("b", `"1"`)); !fault.Is(err, fault.InsufficientStorage, "quota_exceeded") {
		t.Errorf("registering more than the quota = %v, want quota_exceeded", err)
	}
}

// An object that was there already is not ours to remove: neither when it was
// replaced, nor when its file is deleted.
func TestSweepsLeaveWhatNoUploadWrote(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.register(s.object("a", `"1"`), catalog.RegisteredNew)
	f, err := s.FileAt(t.Context(), s.owner, "a")
	if err != nil {
		t.Fatal(err)
	}
	sums := manifest.NewHasher(10)
	_, _ = sums.Write([]byte("0123456789"))
	m, _ := sums.Manifest()
	if err := s.KeepManifest(t.Context(), f.ID, f.Version, m); err != nil {
		t.Fatal(err)
	}
	s.register(s.object("a", `"2"`), catalog.RegisteredAgain)
	again, err := s.FileAt(t.Context(), s.owner, "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Manifest(t.Context(), again.Version); !fault.Is(err, fault.NotFound, "no_manifest") {
		t.Errorf("the manifest of the object before counts for the one there is now: %v", err)
	}
	if got, err := s.Manifest(t.Context(), f.Version); err != nil || got.Size != 10 {
		t.Errorf("the version before has no manifest any more: %v", err)
	}
	ours := s.publish("ours")
	if err := s.DeleteFile(t.Context(), f.ID, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteFile(t.Context(), ours.ID, nil); err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(keep + time.Minute)
	remove := func(ctx context.Context, key string) error {
		if !catalog.OwnKey(key) {
			t.Errorf("the sweep removes %s", key)
		}
		return s.blobs.remove(ctx, key)
	}
	for {
		n, err := s.Sweep(t.Context(), 10, nil, remove)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
	s.wantBlobs("after everything was swept", "videos/a")
	if got, err := s.Usage(t.Context(), s.owner); err != nil || got != (catalog.Usage{}) {
		t.Errorf("%+v is counted after that, %v; want nothing", got, err)
	}
	if _, err := s.Manifest(t.Context(), f.Version); !fault.Is(err, fault.NotFound, "no_manifest") {
		t.Errorf("the manifest outlives its version: %v", err)
	}
}

func TestAMarkOfAChangeLastsUntilTheObjectIsRegistered(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.register(s.object("a", `"1"`), catalog.RegisteredNew)
	f, err := s.FileAt(t.Context(), s.owner, "a")
	if err == nil {
		err = s.MarkChanged(t.Context(), f)
	}
	if err != nil {
		t.Fatal(err)
	}
	if f, err = s.FileAt(t.Context(), s.owner, "a"); err != nil || !f.Version.Changed {
		t.Errorf("the version is changed: %t, %v; want that it is", f.Version.Changed, err)
	}
	s.register(s.object("a", `"1"`), catalog.RegisteredAgain) // it is back
	if f, err = s.FileAt(t.Context(), s.owner, "a"); err != nil || f.Version.Changed {
		t.Errorf("once registered the version is changed: %t, %v; want that it is not", f.Version.Changed, err)
	}
	ours := s.publish("ours")
	if err := s.MarkChanged(t.Context(), ours); err != nil {
		t.Fatal(err)
	}
	if f, err := s.FileAt(t.Context(), s.owner, "ours"); err != nil || f.Version.Changed {
		t.Errorf("a version of an upload is changed: %t, %v; want that it is not", f.Version.Changed, err)
	}
}

func TestOwnKeys(t *testing.T) {
	t.Parallel()
	const owner, upload = "01JC5S4QH2N8V6W0Y3Z9K7M1XB", "01JC5S4QH2N8V6W0Y3Z9K7M1XC"
	for key, want := range map[string]bool{
		owner + "/" + upload: true, owner: false, "": false, "/": false, "a/b": false,
		owner + "/" + upload + "/": false, owner + "/a": false, "a/" + upload: false, "x/" + owner + "/" + upload: false,
	} {
		if got := catalog.OwnKey(key); got != want {
			t.Errorf("OwnKey(%q) = %t, want %t", key, got, want)
		}
	}
}
