package api_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/shared/config"
	"sluice/shared/contract"
)

func partsToTheStore(c *config.Config) { c.UploadParts = "store" }

// issue asks for the URL of one part.
func (p *parted) issue(number int, sum string) contract.PartURL {
	p.t.Helper()
	a := p.by.JSON(http.MethodPost, "/api/uploads/"+p.id+"/parts", contract.IssuePartsRequest{
		Parts: []contract.PartToIssue{{Number: number, SHA256: sum}},
	}).Want(p.t, http.StatusOK)
	var out contract.PartURLs
	if err := json.Unmarshal(a.Body, &out); err != nil || len(out.Parts) != 1 {
		p.t.Fatalf("%s has not one URL: %v", a, err)
	}
	return out.Parts[0]
}

// send sends a part to where it is to go, as nobody, and returns the status.
func (s *storeRig) send(to contract.PartURL, data []byte) int {
	s.t.Helper()
	if !strings.HasPrefix(to.URL, s.store.Endpoint+"/") {
		s.t.Fatalf("part %d goes to %s, want the store", to.Number, strings.SplitN(to.URL, "?", 2)[0])
	}
	r, err := http.NewRequest(http.MethodPut, to.URL, bytes.NewReader(data))
	if err != nil {
		s.t.Fatal(err)
	}
	for name, value := range to.Headers {
		r.Header.Set(name, value)
	}
	answer, err := (&http.Client{Timeout: time.Minute}).Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

// Parts go to the store without us, which holds them to their digests; we hold
// them to their sizes, verify the whole, and publish it.
func TestPartsGoStraightToTheStore(t *testing.T) {
	s := openStore(t, partsToTheStore)
	content := bytesOf(7, 2*partSize+1000)
	pieces := [][]byte{content[:partSize], content[partSize : 2*partSize], content[2*partSize:]}
	p := s.begin(s.admin, "direct.bin", map[string]any{"size": len(content), "sha256": hexSum(content)})

	if status := s.send(p.issue(1, hexSum(pieces[0])), pieces[1]); status < 400 || status >= 500 {
		t.Errorf("the store answers %d to a part of another digest, want a refusal", status)
	}
	for i, piece := range pieces {
		sum := hexSum(piece)
		if i == 1 {
			sum, piece = "", piece[1:] // of the wrong size, which the store cannot know
		}
		if status := s.send(p.issue(i+1, sum), piece); status != http.StatusOK {
			t.Errorf("the store answers %d to part %d, want 200", status, i+1)
		}
	}
	if parts := p.state().Parts; len(parts) != 3 || parts[1].Size != partSize-1 {
		t.Errorf("the parts are %+v, want the three that the store has", parts)
	}
	if a := p.complete().Want(t, http.StatusUnprocessableEntity); a.Code() != "parts_missing" {
		t.Errorf("with a part of the wrong size it is %s, want parts_missing", a)
	}
	s.send(p.issue(2, hexSum(pieces[1])), pieces[1])
	late := p.issue(2, "")
	done := p.complete().Want(t, http.StatusOK)
	if done.Field(t, "sha256") != hexSum(content) || done.Field(t, "digest_state") != "verified" {
		t.Errorf("the file is %s, want it verified", done)
	}
	redirect := s.admin.Do(http.MethodGet, "/file/admin/direct.bin", nil)
	if a := s.follow(redirect); !bytes.Equal(a.Body, content) || a.Header.Get("ETag") != done.Header.Get("ETag") {
		t.Errorf("the store has %d bytes with ETag %s, want the %d sent with %s", len(a.Body), a.Header.Get("ETag"), len(content), done.Header.Get("ETag"))
	}
	if status := s.send(late, pieces[1]); status != http.StatusNotFound {
		t.Errorf("after the completion the store answers %d to a part, want 404", status)
	}
	for _, line := range s.Log.Lines(t) {
		if line["operation"] == "putPart" {
			t.Error("a part passed through us")
		}
	}
	if strings.Contains(s.Log.String(), "X-Amz-") {
		t.Error("the log holds a signed URL")
	}
}

// A last part that is too large, or too small, is seen too.
func TestTheLastPartHasItsSize(t *testing.T) {
	s := openStore(t, partsToTheStore)
	for what, x := range map[string]struct {
		size map[string]any
		sent int
		want int
	}{
		"too small":            {map[string]any{"size": 100}, 99, http.StatusUnprocessableEntity},
		"too large":            {map[string]any{"size": 100}, 101, http.StatusUnprocessableEntity},
		"right":                {map[string]any{"size": 100}, 100, http.StatusOK},
		"unknown, and allowed": {nil, partSize, http.StatusOK},
		"unknown, and over":    {nil, partSize + 1, http.StatusUnprocessableEntity},
	} {
		p := s.begin(s.admin, what, x.size)
		s.send(p.issue(1, ""), make([]byte, x.sent))
		if a := p.complete(); a.StatusCode != x.want {
			t.Errorf("%s: %d bytes complete as %s, want %d", what, x.sent, a, x.want)
		}
	}
}

// Bytes that are not what was announced are found by reading them once.
func TestWhatTheStoreGotIsVerified(t *testing.T) {
	s := openStore(t, partsToTheStore)
	p := s.begin(s.admin, "a", map[string]any{"size": 7, "sha256": hexSum([]byte("content"))})
	s.send(p.issue(1, ""), []byte("another"))
	if a := p.complete().Want(t, http.StatusUnprocessableEntity); a.Code() != "digest_mismatch" {
		t.Errorf("other bytes complete as %s, want digest_mismatch", a)
	}
	s.admin.Do(http.MethodGet, "/file/admin/a", nil).Want(t, http.StatusNotFound)
}

// Where the deployment takes the sender's word a digest is only claimed: nothing
// that rests on its being right is said. A manifest is of what was read.
func TestADigestIsClaimed(t *testing.T) {
	s := openStore(t, partsToTheStore, func(c *config.Config) { c.UploadDigest = "claim" })
	for path, sum := range map[string]string{"claimed": hexSum([]byte("content")), "none": ""} {
		more := map[string]any{"size": 7}
		if sum != "" {
			more["sha256"] = sum
		}
		p := s.begin(s.admin, path, more)
		s.send(p.issue(1, ""), []byte("another"))
		p.complete().Want(t, http.StatusOK)
		a := s.admin.Do(http.MethodGet, "/file/admin/"+path, nil).Want(t, http.StatusOK)
		if digest := a.Header.Get("Repr-Digest"); digest != "" || string(a.Body) != "another" {
			t.Errorf("%s: %q comes with Repr-Digest %q, want none", path, a.Body, digest)
		}
		file, err := s.App.Deps.Catalog.FileAt(t.Context(), s.admin.ID, path)
		if err != nil {
			t.Fatal(err)
		}
		info := "/api/files/" + file.ID
		if a := s.admin.Do(http.MethodGet, info, nil); a.Field(t, "digest_state") != path || sum != "" && a.Field(t, "sha256") != sum {
			t.Errorf("the file is %s, want its digest %s", a, path)
		}
		<-s.App.Deps.Uploads.Describe(file)
		if a := s.admin.Do(http.MethodGet, info+"/manifest", nil).Want(t, http.StatusOK); a.Field(t, "sha256") != hexSum([]byte("another")) {
			t.Errorf("%s: the manifest is %s, want that of what was read", path, a)
		}
		var session contract.DownloadSession
		if err := json.Unmarshal(s.admin.Do(http.MethodPost, info+"/sessions", nil).Body, &session); err != nil || session.SHA256 != "" {
			t.Errorf("%s: a session says SHA-256 %q, %v, want none", path, session.SHA256, err)
		}
		if hex.EncodeToString(file.Version.Verified()) != "" {
			t.Errorf("%s counts as verified", path)
		}
	}
}

// Who may have a part's URL, and for how long, does not depend on whose it is:
// one of the store cannot be revoked, so it ends with the token. Where there is
// too little time, and where the deployment wants it, the part comes to us.
func TestWherePartsGo(t *testing.T) {
	for policy, toTheStore := range map[string]bool{"store": true, "server": false} {
		s := openStore(t, func(c *config.Config) { c.UploadParts = policy })
		p := s.begin(s.admin, "a", map[string]any{"size": 7})
		began := s.clock.Now()
		for _, x := range []struct {
			after, ends time.Duration
			store       bool
		}{
			{0, 15 * time.Minute, toTheStore},
			{10 * time.Minute, 15 * time.Minute, toTheStore},
			{14*time.Minute + 55*time.Second, 0, false},
		} {
			s.clock.Advance(x.after - s.clock.Now().Sub(began))
			part := p.issue(1, "")
			if got := strings.HasPrefix(part.URL, s.store.Endpoint); got != x.store {
				t.Errorf("%s, after %v: the part goes to the store: %v, want %v", policy, x.after, got, x.store)
			}
			// The store's clock is the real one.
			if left := time.Until(part.ExpiresAt); x.store && (left > x.ends-x.after || left < x.ends-x.after-time.Minute) {
				t.Errorf("%s, after %v: the URL lives %v, want %v", policy, x.after, left, x.ends-x.after)
			}
		}
	}
}

// A store that keeps the digests of all parts takes none without: one of which
// nobody said its digest comes to us, who compute it.
func TestAPartWithoutADigestComesToUs(t *testing.T) {
	s := openStore(t, partsToTheStore, func(c *config.Config) { c.Blob.RawQuery += "&part_digests=true" })
	p := s.begin(s.admin, "a", map[string]any{"size": partSize + 7})
	first, last := make([]byte, partSize), []byte("content")
	if status := s.send(p.issue(1, hexSum(first)), first); status != http.StatusOK {
		t.Errorf("the store answers %d to a part with its digest, want 200", status)
	}
	to := p.issue(2, "")
	if !strings.HasPrefix(to.URL, s.URL+"/") {
		t.Errorf("a part without a digest goes to the store, want to us")
	}
	s.Anonymous().Do(http.MethodPut, strings.TrimPrefix(to.URL, s.URL), bytes.NewReader(last)).Want(t, http.StatusOK)
	if file := p.complete().Want(t, http.StatusOK); file.Field(t, "sha256") != hexSum(append(first, last...)) {
		t.Errorf("the file is %s, want both parts", file)
	}
}
