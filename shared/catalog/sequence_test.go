package catalog_test

import (
	"reflect"
	"testing"
	"time"

	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/fault"
)

// sequence begins an upload in sequence.
func (s *store) sequence(metadata string) catalog.Multipart {
	s.t.Helper()
	now := s.clock.Now()
	u := catalog.Upload{ID: auth.NewID(now), Owner: s.owner, Path: "a", ExpiresAt: now.Add(time.Hour), Parted: true}
	if err := s.BeginUpload(s.t.Context(), u); err != nil {
		s.t.Fatal(err)
	}
	m, err := s.CreateMultipart(s.t.Context(), catalog.Multipart{Upload: u, Size: 100, PartSize: 10, Sequence: &catalog.Sequence{Metadata: metadata}}, catalog.Once{})
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

// wantSequence wants the record to say so.
func (s *store) wantSequence(when, id string, want catalog.Sequence) catalog.Multipart {
	s.t.Helper()
	m, err := s.Multipart(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	if m.Sequence == nil || !reflect.DeepEqual(*m.Sequence, want) {
		s.t.Errorf("%s the upload is %+v, want %+v", when, m.Sequence, want)
	}
	return m
}

func TestASequenceIsKeptAsItIs(t *testing.T) {
	s := open(t)
	m := s.sequence("filename YQ==")
	s.wantSequence("begun", m.ID, catalog.Sequence{Metadata: "filename YQ=="})
	next := catalog.Sequence{Metadata: "filename YQ==", Received: 25, Parts: 2, Pieces: []catalog.Piece{{ID: auth.NewID(s.clock.Now()), Size: 3}, {ID: auth.NewID(s.clock.Now()), Size: 2}}}
	if _, err := s.Proceed(t.Context(), m, next); err != nil {
		t.Fatal(err)
	}
	s.wantSequence("after a step", m.ID, next)
	if _, err := s.Verify(t.Context(), m.ID); err != nil {
		t.Fatal(err)
	}
	s.wantSequence("closed", m.ID, next)
}

func TestOfTwoStepsFromOnePlaceTheFirstCounts(t *testing.T) {
	s := open(t)
	m := s.sequence("")
	first, err := s.Proceed(t.Context(), m, catalog.Sequence{Received: 1})
	if err != nil {
		t.Fatal(err)
	}
	late, err := s.Proceed(t.Context(), m, catalog.Sequence{Received: 2})
	if !fault.Is(err, fault.Conflict, "upload_moved") || late.Sequence.Received != 0 {
		t.Errorf("the second is %+v, %v; want it as it was, and upload_moved", late.Sequence, err)
	}
	s.wantSequence("after both", m.ID, catalog.Sequence{Received: 1})
	if _, err := s.Proceed(t.Context(), first, catalog.Sequence{Received: 3}); err != nil {
		t.Errorf("who was first cannot go on: %v", err)
	}
}

func TestOnlyAnOpenUploadProceeds(t *testing.T) {
	s := open(t)
	closed, expired := s.sequence(""), s.sequence("")
	seen, err := s.Verify(t.Context(), closed.ID)
	if err != nil {
		t.Fatal(err)
	}
	for what, m := range map[string]catalog.Multipart{"seen open": closed, "seen closed": seen} {
		if _, err := s.Proceed(t.Context(), m, catalog.Sequence{Received: 1}); !fault.Is(err, fault.Conflict, "upload_moved") {
			t.Errorf("a step of a closed upload, %s: %v, want upload_moved", what, err)
		}
	}
	s.clock.Advance(2 * time.Hour)
	if _, err := s.Proceed(t.Context(), expired, catalog.Sequence{Received: 1}); !fault.Is(err, fault.Conflict, "upload_moved") {
		t.Errorf("a step of an expired upload: %v, want upload_moved", err)
	}
}

func TestForgettingAnUploadLeavesOneThatChanged(t *testing.T) {
	s := open(t)
	m := s.sequence("")
	if err := s.EndMultipart(t.Context(), m.ID, catalog.UploadFailed, "parts_missing"); err != nil {
		t.Fatal(err)
	}
	if err := s.ForgetMultipart(t.Context(), m); err != nil { // seen while it was open
		t.Fatal(err)
	}
	m, err := s.Multipart(t.Context(), m.ID)
	if err != nil {
		t.Fatalf("the record went, though its state was another: %v", err)
	}
	for range 2 {
		if err := s.ForgetMultipart(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Multipart(t.Context(), m.ID); !fault.Is(err, fault.NotFound, "") {
		t.Errorf("the record is still there: %v", err)
	}
}
