package catalog_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"sluice/shared/catalog"
	"sluice/shared/fault"
	"sluice/shared/table"
)

// versionsOf lists all versions of a file, in pages of limit.
func (s *store) versionsOf(f catalog.File, limit int) []catalog.Version {
	s.t.Helper()
	var all []catalog.Version
	after := ""
	for {
		page, more, err := s.Versions(s.t.Context(), f.ID, after, limit)
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, page...)
		if !more {
			return all
		}
		after = page[len(page)-1].ID
	}
}

func ids(of []catalog.Version) []string {
	var all []string
	for _, v := range of {
		all = append(all, v.ID)
	}
	return all
}

// publishTyped uploads something of that content type.
func (s *store) publishTyped(path, contentType string) catalog.File {
	s.t.Helper()
	s.clock.Advance(time.Millisecond) // ids of one millisecond are in no order
	s.next++
	f, _, err := s.Publish(s.t.Context(), s.begin(path), catalog.Content{Size: int64(s.next), ContentType: contentType}, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return f
}

func TestVersionsAreListedNewestFirst(t *testing.T) {
	s := open(t)
	var want []string
	var f catalog.File
	for range 7 {
		f = s.publishTyped("a", "text/plain")
		want = append(want, f.Version.ID)
	}
	slices.Reverse(want)
	for _, limit := range []int{1, 3, 7, 100} {
		listed := s.versionsOf(f, limit)
		if got := ids(listed); !slices.Equal(got, want) {
			t.Errorf("in pages of %d the versions are %q, want %q", limit, got, want)
		}
		for i, v := range listed {
			if current := v.KeptUntil.IsZero(); current != (i == 0) {
				t.Errorf("version %d is current: %v", i, current)
			}
		}
	}
}

func TestAReplacedVersionIsFoundAsItWas(t *testing.T) {
	s := open(t)
	first := s.publishTyped("a", "text/plain")
	if _, err := s.UpdateFile(t.Context(), first.ID, func(f *catalog.File) error { f.ContentType = "text/html"; return nil }); err != nil {
		t.Fatal(err)
	}
	second := s.publishTyped("a", "image/png")
	got, err := s.At(t.Context(), second, first.Version.ID)
	if err != nil || got.Version.Key != first.Version.Key || got.ContentType != "text/html" || got.Version.KeptUntil.IsZero() {
		t.Errorf("the first version is %+v, %v", got, err)
	}
	if got, err := s.At(t.Context(), second, second.Version.ID); err != nil || got.Version.Key != second.Version.Key || got.ContentType != "image/png" {
		t.Errorf("the second version is %+v, %v", got, err)
	}
	other := s.publishTyped("b", "text/plain")
	for name, id := range map[string]string{"another file's version": other.Version.ID, "no id": "x", "nothing": ""} {
		_, err := s.At(t.Context(), second, id)
		wantFault(t, name, err, fault.NotFound, "not_found")
	}
	s.clock.Advance(keep + 2*time.Second)
	s.sweep()
	_, err = s.At(t.Context(), second, first.Version.ID)
	wantFault(t, "a version that was swept", err, fault.NotFound, "not_found")
}

func TestAVersionThatIsCurrentAgainIsFoundByWhoSawTheOther(t *testing.T) {
	s := open(t)
	first := s.publishTyped("a", "text/plain")
	second := s.publishTyped("a", "image/png")
	if _, err := s.Restore(t.Context(), first.ID, first.Version.ID, nil); err != nil {
		t.Fatal(err)
	}
	got, err := s.At(t.Context(), second, first.Version.ID)
	if err != nil || got.Version.Key != first.Version.Key || got.ContentType != "text/plain" {
		t.Errorf("the first version is %+v, %v", got, err)
	}
}

func TestARestoredVersionIsCurrentAndTheOtherIsKept(t *testing.T) {
	s := open(t)
	first := s.publishTyped("a", "text/plain")
	s.clock.Advance(time.Hour)
	second := s.publishTyped("a", "image/png")
	s.clock.Advance(time.Hour)
	f, err := s.Restore(t.Context(), first.ID, first.Version.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	if f.Version.ID != first.Version.ID || f.Version.ETag != first.Version.ETag || f.Version.Size != first.Version.Size || f.ContentType != "text/plain" {
		t.Errorf("restored, the file is %+v", f)
	}
	if got, err := s.another().FileAt(t.Context(), s.owner, "a"); err != nil || got.Version.ID != first.Version.ID {
		t.Errorf("another server has %s, %v", got.Version.ID, err)
	}
	s.clock.Advance(keep - time.Second)
	s.sweep()
	s.wantBlobs("while both are kept", first.Version.Key, second.Version.Key)
	s.clock.Advance(2 * time.Second)
	s.sweep()
	s.wantBlobs("once the replaced one has gone", first.Version.Key)
	s.wantItems("FILE#"+f.ID, 2)
}

// Who has the second version asks If-Modified-Since its date: the first one,
// current again, must be later, though it is older.
func TestNoTwoRestorationsShareASecond(t *testing.T) {
	s := open(t)
	first, second := s.publishTyped("a", "x/1"), s.publishTyped("a", "x/2")
	dates := []time.Time{first.Version.ModifiedAt, second.Version.ModifiedAt}
	for i := range 6 {
		f, err := s.Restore(t.Context(), first.ID, []string{first.Version.ID, second.Version.ID}[i%2], nil)
		if err != nil {
			t.Fatal(err)
		}
		dates = append(dates, f.Version.ModifiedAt)
		listed := s.versionsOf(f, 10)
		if i := slices.IndexFunc(listed, func(v catalog.Version) bool { return v.ID == f.Version.ID }); !listed[i].ModifiedAt.Equal(f.Version.ModifiedAt) {
			t.Errorf("the file says %v, its version %v", f.Version.ModifiedAt, listed[i].ModifiedAt)
		}
	}
	for i := 1; i < len(dates); i++ {
		if !dates[i].Truncate(time.Second).After(dates[i-1].Truncate(time.Second)) {
			t.Errorf("date %d is %v, no later second than %v", i, dates[i], dates[i-1])
		}
	}
}

func TestRestoringTheCurrentVersionChangesNothing(t *testing.T) {
	s := open(t)
	f := s.publish("a")
	got, err := s.Restore(t.Context(), f.ID, f.Version.ID, nil)
	if err != nil || !got.Version.ModifiedAt.Equal(f.Version.ModifiedAt) || !got.UpdatedAt.Equal(f.UpdatedAt) {
		t.Errorf("restoring the current version: %+v, %v; want %+v", got, err, f)
	}
}

func TestWhatCannotBeRestored(t *testing.T) {
	s := open(t)
	first := s.publish("a")
	second := s.publishTyped("a", "text/plain")
	other := s.publish("b")
	gone := s.publish("c")
	s.delete(gone)
	refuse := func(catalog.File) error { return errRefused }
	_, err := s.Restore(t.Context(), second.ID, first.Version.ID, refuse)
	if err != errRefused {
		t.Errorf("a restoration that is refused: %v", err)
	}
	for name, c := range map[string][2]string{
		"another file's version":     {second.ID, other.Version.ID},
		"a version that never was":   {second.ID, "00000000000000000000000000"},
		"no id":                      {second.ID, "x"},
		"a version of a deleted one": {gone.ID, gone.Version.ID},
	} {
		_, err := s.Restore(t.Context(), c[0], c[1], nil)
		wantFault(t, name, err, fault.NotFound, "not_found")
	}
	if got, err := s.another().File(t.Context(), second.ID); err != nil || got.Version.ID != second.Version.ID {
		t.Errorf("the file has %s, %v; want it untouched", got.Version.ID, err)
	}
}

func TestAVersionBeingRemovedIsNotRestored(t *testing.T) {
	s := open(t)
	first := s.publish("a")
	s.publish("a")
	s.clock.Advance(keep + 2*time.Second)
	var during error
	_, err := s.Sweep(t.Context(), 10, nil, func(ctx context.Context, key string) error {
		_, during = s.another().Restore(ctx, first.ID, first.Version.ID, nil)
		return s.blobs.remove(ctx, key)
	})
	if err != nil {
		t.Fatal(err)
	}
	wantFault(t, "while its blob is being removed", during, fault.NotFound, "not_found")
}

// A janitor that died right after its claim has left the record.
func TestAClaimedVersionIsNotRestored(t *testing.T) {
	s := open(t)
	first := s.publish("a")
	second := s.publish("a")
	hour := fmt.Sprintf("DUE#%d", s.clock.Now().Add(keep).Unix()/3600)
	page, err := s.table.Query(t.Context(), table.Query{PK: hour, Limit: 10})
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("%d due items, %v; want 1", len(page.Items), err)
	}
	claim := table.Op{Action: table.Update, Key: page.Items[0].Key, Set: table.Attrs{"state": "claimed"}}
	if _, err := s.table.Apply(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	_, err = s.Restore(t.Context(), first.ID, first.Version.ID, nil)
	wantFault(t, "a version that is claimed", err, fault.Conflict, "version_removed")
	s.clock.Advance(keep + 2*time.Second)
	s.sweep()
	s.wantBlobs("in the end", second.Version.Key)
}

// Whoever takes the due item first, the janitor or the restoration, wins; the
// other one leaves the version alone.
func TestARestorationAndASweepCannotBothWin(t *testing.T) {
	s := open(t)
	const files = 40
	firsts, seconds := make([]catalog.File, files), make([]catalog.File, files)
	for i := range files {
		firsts[i] = s.publish(fmt.Sprint(i))
		seconds[i] = s.publish(fmt.Sprint(i))
	}
	s.clock.Advance(keep + time.Minute)
	restored := make([]bool, files)
	var wg sync.WaitGroup
	for i, f := range firsts {
		wg.Go(func() {
			_, err := s.Restore(t.Context(), f.ID, f.Version.ID, nil)
			restored[i] = err == nil
			if err != nil && !fault.Is(err, fault.Conflict, "version_removed") && !fault.Is(err, fault.NotFound, "not_found") {
				t.Errorf("restore: %v, want version_removed or not_found", err)
			}
		})
	}
	wg.Go(func() {
		if _, err := s.another().Sweep(t.Context(), files, nil, s.blobs.remove); err != nil {
			t.Errorf("sweep: %v", err)
		}
	})
	wg.Wait()
	var want []string
	for i := range files {
		want = append(want, seconds[i].Version.Key)
		if restored[i] {
			want = append(want, firsts[i].Version.Key)
		}
		f, err := s.another().File(t.Context(), firsts[i].ID)
		if current := err == nil && f.Version.ID == firsts[i].Version.ID; current != restored[i] {
			t.Errorf("file %d: restored %v, and it has version %s, %v", i, restored[i], f.Version.ID, err)
		}
	}
	s.wantBlobs("after the race", want...)
}

// Restorations, publications and changes of one file at once: one version is
// current at the end, and every other one goes.
func TestRestorationsAndPublicationsAtOnceKeepOneVersion(t *testing.T) {
	s := open(t)
	first := s.publish("a")
	second := s.publish("a")
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			id := []string{first.Version.ID, second.Version.ID}[i%2]
			if _, err := s.Restore(t.Context(), first.ID, id, nil); err != nil {
				t.Errorf("restore: %v", err)
			}
		})
		wg.Go(func() {
			if _, _, err := s.Publish(t.Context(), s.begin("a"), catalog.Content{}, nil); err != nil {
				t.Errorf("publish: %v", err)
			}
		})
	}
	wg.Wait()
	f, err := s.another().File(t.Context(), first.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range s.versionsOf(f, 100) {
		if v.KeptUntil.IsZero() != (v.ID == f.Version.ID) {
			t.Errorf("of version %s the record says that it is kept until %v; current is %s", v.ID, v.KeptUntil, f.Version.ID)
		}
	}
	s.clock.Advance(keep + time.Hour)
	s.sweep()
	s.wantBlobs("once all others were swept", f.Version.Key)
	s.wantItems("FILE#"+f.ID, 2)
}
