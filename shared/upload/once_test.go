package upload_test

import (
	"sync"
	"testing"

	"sluice/shared/blob"
	"sluice/shared/blob/blobtest"
	"sluice/shared/catalog"
	"sluice/shared/fault"
	"sluice/shared/upload"
)

// ask asks to begin an upload of that size under a key.
func (s *service) ask(key string, size int64) (catalog.Multipart, bool, error) {
	return s.Begin(s.t.Context(), upload.Multipart{
		Owner: s.owner, By: s.owner, Path: "a", Size: size, PartSize: partSize, Once: catalog.Once{By: s.owner, Key: key},
	})
}

func TestARequestUnderOneKeyTakesRoomOnce(t *testing.T) {
	s := open(t)
	if _, err := s.Catalog.UpdateUser(t.Context(), s.owner, func(u *catalog.User) error {
		u.Quota.Bytes = new(int64(150))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	const times = 10
	ids, first := make([]string, times), make([]bool, times)
	var wg sync.WaitGroup
	for i := range times {
		wg.Go(func() {
			m, again, err := s.ask("key", 100)
			if err != nil {
				t.Errorf("one of the requests: %v", err)
			}
			ids[i], first[i] = m.ID, !again
		})
	}
	wg.Wait()
	begun := 0
	for i := range times {
		if first[i] {
			begun++
		}
		if ids[i] != ids[0] {
			t.Errorf("one request began %s, another %s", ids[i], ids[0])
		}
	}
	if begun != 1 {
		t.Errorf("%d of %d requests began an upload, want 1", begun, times)
	}
	s.wantUsed("after all", 100, 1)
	_, _, err := s.ask("another key", 100)
	wantFault(t, "another upload", err, fault.InsufficientStorage, "quota_exceeded")
}

// TestARequestThatFailedMayBeSentAgain wants no key to be spent by a failure.
func TestARequestThatFailedMayBeSentAgain(t *testing.T) {
	s := open(t)
	s.chaos.Script(blobtest.CreateMultipart, blobtest.Fault{Err: blobtest.Error{Code: blob.Full}})
	_, _, err := s.ask("key", 100)
	wantFault(t, "an upload without room", err, fault.InsufficientStorage, "no_space")
	if _, again, err := s.ask("key", 100); again || err != nil {
		t.Errorf("once there is room: %v, begun before: %t", err, again)
	}
	s.wantUsed("after both", 100, 1)
}
