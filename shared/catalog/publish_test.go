package catalog_test

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"sluice/shared/catalog"
	"sluice/shared/fault"
)

func TestAPublicationMakesAFileOrAVersion(t *testing.T) {
	s := open(t)
	u := s.begin("dir/a.txt")
	content := catalog.Content{Size: 5, SHA256: make([]byte, 32), ContentType: "text/plain", By: s.owner}
	f, created, err := s.Publish(t.Context(), u, content, nil)
	if err != nil || !created {
		t.Fatalf("the first: created %v, %v", created, err)
	}
	if f.Name() != "a.txt" || f.Visibility != catalog.Private || f.Version.ETag != fmt.Sprintf("%q", u.ID) || f.Version.Size != 5 {
		t.Errorf("the file is %+v", f)
	}
	if _, err := s.UpdateFile(t.Context(), f.ID, func(f *catalog.File) error { f.Visibility = catalog.Public; return nil }); err != nil {
		t.Fatal(err)
	}
	content.ContentType = "image/png"
	second, created, err := s.Publish(t.Context(), s.begin("dir/a.txt"), content, nil)
	if err != nil || created {
		t.Fatalf("the second: created %v, %v", created, err)
	}
	if second.ID != f.ID || second.Visibility != catalog.Public || second.ContentType != "image/png" || !second.CreatedAt.Equal(f.CreatedAt) {
		t.Errorf("the new version made %+v of %+v", second, f)
	}
	for name, c := range map[string]*catalog.Catalog{"this catalog": s.Catalog, "another": s.another()} {
		if got, err := c.FileAt(t.Context(), s.owner, "dir/a.txt"); err != nil || got.Version.ID != second.Version.ID {
			t.Errorf("%s has version %s, %v; want %s", name, got.Version.ID, err, second.Version.ID)
		}
	}
}

// A version has the ETag of its blob, so that it is the same at the store and
// here; where the store has none it has its own id. Either lasts.
func TestAVersionHasTheETagOfItsBlob(t *testing.T) {
	s := open(t)
	for path, stored := range map[string]string{"with": `"0123-2"`, "without": ""} {
		u := s.begin(path)
		f, _, err := s.Publish(t.Context(), u, catalog.Content{ETag: stored}, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := cmp.Or(stored, fmt.Sprintf("%q", u.ID))
		read, err := s.another().File(t.Context(), f.ID)
		for name, v := range map[string]catalog.Version{"published": f.Version, "read": read.Version} {
			if err != nil || v.ETag != want || v.StoreETag != stored {
				t.Errorf("a blob %s an ETag, %s: the version has %s and %q of the store, %v; want %s and %q", path, name, v.ETag, v.StoreETag, err, want, stored)
			}
		}
	}
}

func TestAnUploadIsPublishedOnce(t *testing.T) {
	s := open(t)
	u := s.begin("a")
	if _, _, err := s.Publish(t.Context(), u, catalog.Content{}, nil); err != nil {
		t.Fatal(err)
	}
	_, _, err := s.Publish(t.Context(), u, catalog.Content{}, nil)
	wantFault(t, "the second time", err, fault.Conflict, "upload_expired")
}

// What a publisher was told does not matter: an upload is given up, or it was
// published, and only who gave it up removes the blob.
func TestAnUploadIsPublishedOrGivenUp(t *testing.T) {
	s := open(t)
	published := s.begin("a")
	if _, _, err := s.Publish(t.Context(), published, catalog.Content{}, nil); err != nil {
		t.Fatal(err)
	}
	abandoned := s.begin("a")
	swept := s.begin("b")
	s.clock.Advance(7*keep + time.Second)
	s.blobs.stuck = swept.Key()
	if mine, err := s.AbandonUpload(t.Context(), abandoned); !mine || err != nil {
		t.Errorf("giving up an upload: %v, %v; want it", mine, err)
	}
	if _, err := s.Sweep(t.Context(), 10, nil, s.blobs.remove); err == nil {
		t.Error("a stuck blob was swept")
	}
	for name, u := range map[string]catalog.Upload{"published": published, "given up": abandoned, "claimed by the janitor": swept} {
		if mine, err := s.AbandonUpload(t.Context(), u); mine || err != nil {
			t.Errorf("giving up an upload that is %s: %v, %v; want it to be another's", name, mine, err)
		}
	}
	for name, u := range map[string]catalog.Upload{"given up": abandoned, "claimed by the janitor": swept} {
		_, _, err := s.Publish(t.Context(), u, catalog.Content{}, nil)
		wantFault(t, "publishing an upload "+name, err, fault.Conflict, "upload_expired")
	}
}

func TestTheTestOfAPublicationSeesWhatIsThere(t *testing.T) {
	s := open(t)
	var seen []*catalog.File
	refuse := func(f *catalog.File) error { seen = append(seen, f); return errRefused }
	u := s.begin("a")
	if _, _, err := s.Publish(t.Context(), u, catalog.Content{}, refuse); err != errRefused {
		t.Errorf("a publication that is refused: %v, want the refusal", err)
	}
	f := s.publish("a")
	if _, _, err := s.Publish(t.Context(), u, catalog.Content{}, refuse); err != errRefused {
		t.Errorf("a publication that is refused: %v, want the refusal", err)
	}
	if len(seen) != 2 || seen[0] != nil || seen[1] == nil || seen[1].Version.ID != f.Version.ID {
		t.Errorf("the test saw %+v, want nothing and then %+v", seen, f)
	}
	if got, err := s.FileAt(t.Context(), s.owner, "a"); err != nil || got.Version.ID != f.Version.ID {
		t.Errorf("after a refusal the file is %+v, %v", got, err)
	}
}

func TestPublicationsAtOnceKeepOneVersion(t *testing.T) {
	s := open(t)
	const publishers = 500
	begun := s.beginAll(slices.Repeat([]string{"a"}, publishers))
	created := make([]bool, publishers)
	other := s.another()
	var wg sync.WaitGroup
	for i, u := range begun {
		server := s.Catalog
		if i%10 == 0 {
			server = other
		}
		wg.Go(func() {
			_, made, err := server.Publish(t.Context(), u, catalog.Content{Size: int64(i)}, nil)
			if created[i] = made; err != nil {
				t.Errorf("publish: %v", err)
			}
		})
	}
	wg.Wait()
	if n := count(created); n != 1 {
		t.Errorf("%d publications made the file, want 1", n)
	}
	f, err := s.another().FileAt(t.Context(), s.owner, "a")
	if err != nil {
		t.Fatal(err)
	}
	s.wantItems("FILE#"+f.ID, publishers+1) // the file and every version
	s.clock.Advance(keep + time.Hour)
	s.sweep()
	s.wantItems("FILE#"+f.ID, 2)
	s.wantBlobs("once all others were swept", f.Version.Key)
}

func TestOneOfManyCreationsAtOnceWins(t *testing.T) {
	s := open(t)
	const publishers = 100
	absent := func(f *catalog.File) error {
		if f != nil {
			return errRefused
		}
		return nil
	}
	won := make([]bool, publishers)
	var wg sync.WaitGroup
	for i, u := range s.beginAll(slices.Repeat([]string{"a"}, publishers)) {
		wg.Go(func() {
			_, created, err := s.Publish(t.Context(), u, catalog.Content{}, absent)
			won[i] = err == nil
			if created != (err == nil) || err != nil && err != errRefused {
				t.Errorf("a creation: created %v, %v", created, err)
			}
		})
	}
	wg.Wait()
	if n := count(won); n != 1 {
		t.Errorf("%d creations won, want 1", n)
	}
}

func TestNoTwoVersionsShareASecond(t *testing.T) {
	s := open(t)
	var dates []time.Time
	for _, step := range []time.Duration{0, 0, time.Millisecond, time.Second, 10 * time.Second} {
		s.clock.Advance(step)
		dates = append(dates, s.publish("a").Version.ModifiedAt.Truncate(time.Second))
	}
	for i := 1; i < len(dates); i++ {
		if !dates[i].After(dates[i-1]) {
			t.Errorf("version %d is dated %v, no later than the one before, %v", i, dates[i], dates[i-1])
		}
	}
}

func TestNobodyPublishesForAUserWhoIsGone(t *testing.T) {
	s := open(t)
	u := s.begin("a")
	if err := s.DeleteUser(t.Context(), s.owner); err != nil {
		t.Fatal(err)
	}
	_, _, err := s.Publish(t.Context(), u, catalog.Content{}, nil)
	wantFault(t, "publish for a deleted user", err, fault.NotFound, "not_found")
}

// Either the user goes and the file does not come, or the other way round.
func TestAUserIsNotRemovedUnderAPublication(t *testing.T) {
	s := open(t)
	for i := range 30 {
		s.owner = s.user(fmt.Sprintf("user%d", i)).ID
		u := s.begin("a")
		var published, deleted error
		var wg sync.WaitGroup
		wg.Go(func() { _, _, published = s.Publish(t.Context(), u, catalog.Content{}, nil) })
		wg.Go(func() { deleted = s.DeleteUser(t.Context(), s.owner) })
		wg.Wait()
		_, err := s.another().FileAt(t.Context(), s.owner, "a")
		there := err == nil
		switch {
		case published == nil && fault.Is(deleted, fault.Conflict, "user_has_files") && there:
		case fault.Is(published, fault.NotFound, "not_found") && deleted == nil && !there:
		default:
			t.Errorf("the publication: %v; the removal: %v; the file is there: %v", published, deleted, there)
		}
	}
}

func count(of []bool) int {
	return len(slices.DeleteFunc(slices.Clone(of), func(b bool) bool { return !b }))
}
