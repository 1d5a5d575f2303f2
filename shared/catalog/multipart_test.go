package catalog_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/fault"
)

// parted records an upload in parts to path, which takes bytes of the quota.
func (s *store) parted(path string, bytes int64) catalog.Multipart {
	s.t.Helper()
	u := catalog.Upload{
		ID: auth.NewID(s.clock.Now()), Owner: s.owner, Path: path, ExpiresAt: s.clock.Now().Add(7 * keep),
		Parted: true, Taken: catalog.Usage{Bytes: bytes, Files: 1},
	}
	if err := s.BeginUpload(s.t.Context(), u); err != nil {
		s.t.Fatalf("begin an upload in parts to %s: %v", path, err)
	}
	s.blobs.put(u.Key())
	m, err := s.CreateMultipart(s.t.Context(), catalog.Multipart{Upload: u, By: s.owner, ContentType: "video/mp4", Size: bytes, SHA256: make([]byte, 32), PartSize: 8 << 20, Store: "id of the store"}, catalog.Once{})
	if err != nil {
		s.t.Fatalf("record an upload in parts to %s: %v", path, err)
	}
	return m
}

// complete publishes an upload in parts that was closed to parts.
func (s *store) complete(m catalog.Multipart) (catalog.File, error) {
	f, _, err := s.Publish(s.t.Context(), m.Upload, catalog.Content{Size: m.Size, ContentType: m.ContentType, By: m.By}, nil)
	return f, err
}

func (s *store) wantState(when, id string, want catalog.UploadState) catalog.Multipart {
	s.t.Helper()
	m, err := s.Multipart(s.t.Context(), id)
	if err != nil || m.State != want {
		s.t.Errorf("%s the upload is %q, %v, want %q", when, m.State, err, want)
	}
	return m
}

func (s *store) wantVerifying(when string, want ...string) {
	s.t.Helper()
	got, err := s.Verifying(s.t.Context(), 100)
	if err != nil || !slices.Equal(got, want) && len(got)+len(want) > 0 {
		s.t.Errorf("%s %q are being verified, %v, want %q", when, got, err, want)
	}
}

func TestARecordOfAnUploadInPartsComesBackAsItWas(t *testing.T) {
	s := open(t)
	put := s.parted("a", 10)
	got, err := s.Multipart(t.Context(), put.ID)
	if err != nil || got.Path != "a" || got.Owner != s.owner || got.By != s.owner || got.ContentType != "video/mp4" || got.Size != 10 ||
		len(got.SHA256) != 32 || got.PartSize != 8<<20 || got.Store != "id of the store" || got.State != catalog.UploadOpen || !got.Parted ||
		!got.ExpiresAt.Equal(put.ExpiresAt) || !got.CreatedAt.Equal(s.clock.Now()) || got.Key() != put.Key() {
		t.Errorf("of %+v came back %+v, %v", put, got, err)
	}
	for _, id := range []string{"", "no id", auth.NewID(s.clock.Now())} {
		_, err := s.Multipart(t.Context(), id)
		wantFault(t, "the upload "+id, err, fault.NotFound, "")
	}
}

// The states of an upload and what may follow upon each.
func TestTheStatesOfAnUploadInParts(t *testing.T) {
	verify := func(s *store, m catalog.Multipart) error { _, err := s.Verify(s.t.Context(), m.ID); return err }
	publish := func(s *store, m catalog.Multipart) error { _, err := s.complete(m); return err }
	abort := func(s *store, m catalog.Multipart) error {
		return s.EndMultipart(s.t.Context(), m.ID, catalog.UploadAborted, "")
	}
	fail := func(s *store, m catalog.Multipart) error {
		return s.EndMultipart(s.t.Context(), m.ID, catalog.UploadFailed, "digest_mismatch")
	}
	type step = func(*store, catalog.Multipart) error
	for _, c := range []struct {
		name  string
		steps []step
		code  string // of the last step
		state catalog.UploadState
	}{
		{"open", nil, "", catalog.UploadOpen},
		{"verified", []step{verify}, "", catalog.UploadVerifying},
		{"verified twice", []step{verify, verify}, "", catalog.UploadVerifying},
		{"published", []step{verify, publish}, "", catalog.UploadComplete},
		{"published while open", []step{publish}, "contended", catalog.UploadOpen},
		{"published twice", []step{verify, publish, publish}, "upload_expired", catalog.UploadComplete},
		{"verified after it was published", []step{verify, publish, verify}, "", catalog.UploadComplete},
		{"aborted", []step{abort}, "", catalog.UploadAborted},
		{"aborted while it is verified", []step{verify, abort}, "", catalog.UploadAborted},
		{"aborted twice", []step{abort, abort}, "upload_not_open", catalog.UploadAborted},
		{"aborted after it was published", []step{verify, publish, abort}, "upload_not_open", catalog.UploadComplete},
		{"failed", []step{verify, fail}, "", catalog.UploadFailed},
		{"aborted after it failed", []step{verify, fail, abort}, "upload_not_open", catalog.UploadFailed},
		{"published after it was aborted", []step{verify, abort, publish}, "upload_expired", catalog.UploadAborted},
		{"verified after it was aborted", []step{abort, verify}, "", catalog.UploadAborted},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			m := s.parted("a", 10)
			var err error
			for _, step := range c.steps {
				if err != nil {
					t.Fatalf("a step before the last: %v", err)
				}
				err = step(s, m)
			}
			if code := codeOf(err); code != c.code {
				t.Errorf("the last step: %v, want %q", err, c.code)
			}
			got := s.wantState("after it", m.ID, c.state)
			if c.state == catalog.UploadComplete && got.File == "" || c.state == catalog.UploadFailed && got.Problem != "digest_mismatch" {
				t.Errorf("the record is %+v", got)
			}
			if c.state == catalog.UploadVerifying {
				s.wantVerifying("after it", m.ID)
			} else {
				s.wantVerifying("after it")
			}
		})
	}
}

// codeOf returns the code of a fault; "" is no error.
func codeOf(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Code
	}
	return ""
}

func TestAPublicationAndAnAbortAtOnce(t *testing.T) {
	s := open(t)
	for range 20 {
		m := s.parted("a", 10)
		if _, err := s.Verify(t.Context(), m.ID); err != nil {
			t.Fatal(err)
		}
		var published, aborted error
		var group sync.WaitGroup
		group.Go(func() { _, published = s.complete(m) })
		group.Go(func() { aborted = s.EndMultipart(t.Context(), m.ID, catalog.UploadAborted, "") })
		group.Wait()
		if (published == nil) == (aborted == nil) {
			t.Errorf("the publication: %v, the abort: %v, want one of them to win", published, aborted)
		}
		want := catalog.UploadComplete
		if aborted == nil {
			want = catalog.UploadAborted
			if err := s.EndUpload(t.Context(), m.Upload); err != nil {
				t.Fatal(err)
			}
		}
		s.wantState("after both", m.ID, want)
	}
}

func TestAnUploadInPartsEndsWithItsTime(t *testing.T) {
	s := open(t)
	m, late := s.parted("a", 10), s.parted("b", 20)
	if _, err := s.Verify(t.Context(), late.ID); err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(7*keep + time.Second)
	for _, id := range []string{m.ID, late.ID} {
		_, err := s.Multipart(t.Context(), id)
		wantFault(t, "an upload that is over", err, fault.NotFound, "")
	}
	s.wantVerifying("once it is over")
	s.sweep()
	s.wantBlobs("after the janitor")
	s.wantUsage("after the janitor", 0, 0)
	if _, err := s.CreateMultipart(t.Context(), m, catalog.Once{}); !fault.Is(err, fault.Conflict, "upload_expired") {
		t.Errorf("a record of an upload that was swept: %v, want upload_expired", err)
	}
	s.wantItems("UPLOAD#"+m.ID, 0)
}
