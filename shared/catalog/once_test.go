package catalog_test

import (
	"sync"
	"testing"
	"time"

	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/fault"
)

// once records an upload in parts that a request asked for.
func (s *store) once(o catalog.Once) (asked, got catalog.Multipart) {
	s.t.Helper()
	u := catalog.Upload{ID: auth.NewID(s.clock.Now()), Owner: s.owner, Path: "a", ExpiresAt: s.clock.Now().Add(7 * keep), Parted: true}
	if err := s.BeginUpload(s.t.Context(), u); err != nil {
		s.t.Error(err)
	}
	m, err := s.CreateMultipart(s.t.Context(), catalog.Multipart{Upload: u, By: o.By, Size: 1, PartSize: 8 << 20}, o)
	if err != nil {
		s.t.Errorf("record an upload under the key %q: %v", o.Key, err)
	}
	return catalog.Multipart{Upload: u}, m
}

func TestAKeyLeadsToTheUploadThatWasBegunUnderIt(t *testing.T) {
	s := open(t)
	first := catalog.Once{By: s.owner, Key: "a key\n#/€", Print: []byte("what was asked")}
	if _, found, err := s.Begun(t.Context(), first); found || err != nil {
		t.Errorf("before the request: found %t, %v", found, err)
	}
	_, begun := s.once(first)
	other := first
	other.Print = []byte("something else")
	stranger := first
	stranger.By = s.user("eve").ID
	unused := first
	unused.Key = "another key"
	for _, c := range []struct {
		name  string
		once  catalog.Once
		found bool
		code  string
	}{
		{"the same request", first, true, ""},
		{"another one under the same key", other, false, "idempotency_key_reused"},
		{"the same by another user", stranger, false, ""},
		{"the same under another key", unused, false, ""},
	} {
		m, found, err := s.Begun(t.Context(), c.once)
		if found != c.found || (err != nil) != (c.code != "") || c.code != "" && !fault.Is(err, fault.Unprocessable, c.code) {
			t.Errorf("%s: found %t, %v; want %t and %q", c.name, found, err, c.found, c.code)
		}
		if found && m.ID != begun.ID {
			t.Errorf("%s leads to %s, want %s", c.name, m.ID, begun.ID)
		}
	}
	if err := s.EndMultipart(t.Context(), begun.ID, catalog.UploadAborted, ""); err != nil {
		t.Fatal(err)
	}
	if m, found, err := s.Begun(t.Context(), first); !found || err != nil || m.State != catalog.UploadAborted {
		t.Errorf("after the upload was aborted: %s, found %t, %v; want it, aborted", m.State, found, err)
	}
	s.clock.Advance(7*keep + time.Second)
	if _, found, err := s.Begun(t.Context(), first); found || err != nil {
		t.Errorf("after the upload has expired: found %t, %v", found, err)
	}
}

// TestOfUploadsUnderOneKeyOneIsRecorded has as many servers as it can record
// the upload of one request.
func TestOfUploadsUnderOneKeyOneIsRecorded(t *testing.T) {
	s := open(t)
	const servers = 8
	asked, got := make([]catalog.Multipart, servers), make([]catalog.Multipart, servers)
	var wg sync.WaitGroup
	for i := range servers {
		wg.Go(func() { asked[i], got[i] = s.once(catalog.Once{By: s.owner, Key: "key"}) })
	}
	wg.Wait()
	for i := range servers {
		if got[i].ID != got[0].ID {
			t.Errorf("one server has the upload %s, another %s", got[i].ID, got[0].ID)
		}
		_, err := s.Multipart(t.Context(), asked[i].ID)
		if recorded := err == nil; recorded != (asked[i].ID == got[0].ID) {
			t.Errorf("the upload %s is recorded: %t, and %s was begun", asked[i].ID, recorded, got[0].ID)
		}
	}
}
