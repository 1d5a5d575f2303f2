package upload_test

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"sluice/shared/auth"
	"sluice/shared/blob"
	"sluice/shared/blob/blobtest"
	"sluice/shared/blob/fileblob"
	"sluice/shared/catalog"
	"sluice/shared/fault"
	"sluice/shared/table"
	"sluice/shared/table/tabletest"
	"sluice/shared/upload"
)

// noon is when these tests begin.
var noon = time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)

// service is an upload.Service with stores of its own, and a user.
type service struct {
	*upload.Service
	t     *testing.T
	chaos *blobtest.Chaos
	owner string
}

func open(t *testing.T) *service {
	t.Helper()
	driver, err := fileblob.Open(filepath.Join(t.TempDir(), "blobs"), fileblob.Options{Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return noon }
	records, err := catalog.Open(t.Context(), table.New(tabletest.NewMemory(), clock), catalog.Options{Keep: time.Hour, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	s := &service{t: t, chaos: blobtest.NewChaos(driver)}
	bucket := blob.NewBucket(s.chaos)
	s.Service = &upload.Service{Catalog: records, Blobs: bucket, Log: slog.New(slog.DiscardHandler), Clock: clock}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := bucket.Close(); err != nil {
			t.Error(err)
		}
	})
	u, err := records.CreateUser(t.Context(), catalog.User{ID: auth.NewID(noon), Username: "ada", Role: auth.User})
	if err != nil {
		t.Fatal(err)
	}
	s.owner = u.ID
	return s
}

// begin begins an upload in parts of that size, -1 for an unknown one.
func (s *service) begin(size int64, sum []byte) catalog.Multipart {
	s.t.Helper()
	m, _, err := s.Begin(s.t.Context(), upload.Multipart{Owner: s.owner, By: s.owner, Path: "a", Size: size, PartSize: partSize, SHA256: sum})
	if err != nil {
		s.t.Fatalf("begin an upload of %d bytes: %v", size, err)
	}
	return m
}

func (s *service) put(m catalog.Multipart, number int, part []byte) error {
	_, err := s.PutPart(s.t.Context(), m, number, bytes.NewReader(part), int64(len(part)), nil)
	return err
}

// complete completes an upload, and waits where a slow machine verifies it.
func (s *service) complete(m catalog.Multipart) (catalog.Multipart, error) {
	for {
		done, err := s.Complete(s.t.Context(), m)
		if err != nil || done.State != catalog.UploadVerifying {
			return done, err
		}
		<-s.Watch(done)
	}
}

// wantUsed checks what counts towards the owner's quota.
func (s *service) wantUsed(when string, bytes, files int64) {
	s.t.Helper()
	got, err := s.Catalog.Usage(context.Background(), s.owner)
	if want := (catalog.Usage{Bytes: bytes, Files: files}); err != nil || got != want {
		s.t.Errorf("%s %+v is counted, %v, want %+v", when, got, err, want)
	}
}

// wantFault fails the test unless err is a fault of that kind and code.
func wantFault(t *testing.T, what string, err error, kind fault.Kind, code string) {
	t.Helper()
	if !fault.Is(err, kind, code) {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}
