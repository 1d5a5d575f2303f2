package main_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"sluice/shared/digest"
)

// worker does what clients do, one request after the other, to paths of its
// own, and keeps in mind what was answered.
type worker struct {
	t      *testing.T
	name   string
	source *rand.ChaCha8
	random *rand.Rand        // of source
	trails map[string]*trail // by path
	acked  []version         // every one that was acknowledged
}

// version is a content that was acknowledged.
type version struct{ id, file, sum string }

// trail is what is known of one path.
type trail struct {
	now     string    // the SHA-256 of what is there; empty: nothing
	next    string    // what the last request makes of it, if it was done
	file    string    // the id of the file that is there
	kept    []version // of that file
	deleted version   // what was there before a deletion
}

// published is what the API says of a file.
type published struct {
	ID        string
	VersionID string `json:"version_id"`
	SHA256    string
}

// work works until the server dies.
func (w *worker) work(s session, answered *atomic.Int64) {
	for w.step(s) {
		answered.Add(1)
	}
}

// step does one thing and reports whether it was answered, as it should be.
func (w *worker) step(s session) bool {
	path := fmt.Sprintf("%s/%d.bin", w.name, w.random.IntN(6))
	tr := w.trails[path]
	if tr == nil {
		tr = &trail{}
		w.trails[path] = tr
	}
	tr.next = tr.now
	var err error
	switch n := w.random.IntN(10); {
	case tr.now == "" && tr.deleted.file != "" && n < 5:
		err = w.undelete(s, tr)
	case tr.now == "" || n < 3:
		err = w.put(s, path, tr)
	case n < 5:
		err = w.sendParts(s, path, tr)
	case n == 5:
		err = w.delete(s, tr)
	case n < 8:
		err = w.restore(s, tr)
	default:
		err = w.read(s, path, tr)
	}
	if wrong, ok := errors.AsType[*wrongAnswerError](err); ok {
		w.t.Error(wrong)
	}
	if err == nil {
		tr.next = tr.now
	}
	return err == nil
}

// wrongAnswerError is an answer that should not have come.
type wrongAnswerError struct{ text string }

func (e *wrongAnswerError) Error() string { return e.text }

// ask reads a JSON answer of one of the statuses. A quota that is used up is an
// answer too: then done is false and nothing has changed.
func (w *worker) ask(s session, method, path, body string, into any, statuses ...int) (done bool, err error) {
	r, content, err := s.do(method, path, body)
	if err != nil {
		return false, err
	}
	if r.StatusCode == http.StatusInsufficientStorage && strings.Contains(string(content), `"quota_exceeded"`) {
		return false, nil
	}
	if slices.Contains(statuses, r.StatusCode) {
		if into != nil {
			err = json.Unmarshal(content, into)
		}
		return true, err
	}
	return false, &wrongAnswerError{fmt.Sprintf("%s %s = %s %s, want %v", method, path, r.Status, content, statuses)}
}

// settle notes what was answered to be there now.
func (w *worker) settle(tr *trail, f published) {
	v := version{id: f.VersionID, file: f.ID, sum: f.SHA256}
	if f.SHA256 != tr.next {
		w.t.Errorf("the answer tells of SHA-256 %s, want %s", f.SHA256, tr.next)
	}
	if tr.file != f.ID {
		tr.kept = nil
	}
	tr.now, tr.file, tr.kept = tr.next, f.ID, append(tr.kept, v)
	w.acked = append(w.acked, v)
}

// content returns what is empty, small, or larger than every buffer.
func (w *worker) content() string {
	limit := []int{1, 1000, 100_000, 600_000}[w.random.IntN(4)]
	content := make([]byte, w.random.IntN(limit))
	_, _ = w.source.Read(content) // never fails
	return string(content)
}

func (w *worker) put(s session, path string, tr *trail) error {
	content := w.content()
	tr.next = sha256Of([]byte(content))
	var f published
	done, err := w.ask(s, http.MethodPut, "/file/ada/"+path, content, &f, http.StatusOK, http.StatusCreated)
	if done && err == nil {
		w.settle(tr, f)
	}
	return err
}

// sendParts uploads in parts, and now and then gives up half way.
func (w *worker) sendParts(s session, path string, tr *trail) error {
	content := w.content()
	if w.random.IntN(16) == 0 {
		content += strings.Repeat(w.name, partSize/len(w.name)+1)
	}
	var begun struct {
		ID string `json:"upload_id"`
	}
	begin := fmt.Sprintf(`{"path":%q,"size":%d,"part_size":%d}`, path, len(content), partSize)
	if done, err := w.ask(s, http.MethodPost, "/api/files", begin, &begun, http.StatusCreated); !done {
		return err
	}
	upload := "/api/uploads/" + begun.ID
	for number := 1; number == 1 || len(content) > (number-1)*partSize; number++ {
		part := content[(number-1)*partSize : min(number*partSize, len(content))]
		var issued struct{ Parts []struct{ URL string } }
		if _, err := w.ask(s, http.MethodPost, upload+"/parts", fmt.Sprintf(`{"parts":[{"number":%d}]}`, number), &issued, http.StatusOK); err != nil {
			return err
		}
		if _, err := w.ask(s, http.MethodPut, issued.Parts[0].URL, part, nil, http.StatusOK); err != nil {
			return err
		}
	}
	switch w.random.IntN(6) {
	case 0:
		return nil // it is forgotten
	case 1:
		_, err := w.ask(s, http.MethodDelete, upload, "", nil, http.StatusNoContent)
		return err
	}
	tr.next = sha256Of([]byte(content))
	return w.complete(s, upload, tr)
}

// complete completes an upload, and asks again while it is being verified.
func (w *worker) complete(s session, upload string, tr *trail) error {
	for {
		var f published
		done, err := w.ask(s, http.MethodPost, upload+"/complete", "", &f, http.StatusOK, http.StatusAccepted)
		switch {
		case err != nil || !done:
			return err
		case f.ID != "":
			w.settle(tr, f)
			return nil
		}
	}
}

func (w *worker) delete(s session, tr *trail) error {
	tr.next = ""
	was := version{file: tr.file, sum: tr.now}
	_, err := w.ask(s, http.MethodDelete, "/api/files/"+tr.file, "", nil, http.StatusNoContent)
	if err == nil {
		tr.now, tr.file, tr.deleted = "", "", was
	}
	return err
}

func (w *worker) undelete(s session, tr *trail) error {
	tr.next = tr.deleted.sum
	var f published
	_, err := w.ask(s, http.MethodPost, "/api/files/"+tr.deleted.file+"/undelete", "", &f, http.StatusOK)
	if err == nil {
		w.settle(tr, f)
		tr.deleted = version{}
	}
	return err
}

func (w *worker) restore(s session, tr *trail) error {
	if len(tr.kept) == 0 {
		return nil
	}
	v := tr.kept[w.random.IntN(len(tr.kept))]
	tr.next = v.sum
	var f published
	_, err := w.ask(s, http.MethodPost, "/api/files/"+v.file+"/restore", fmt.Sprintf(`{"version_id":%q}`, v.id), &f, http.StatusOK)
	if err == nil {
		w.settle(tr, f)
	}
	return err
}

// read wants what is there, and a version that was replaced, to be whole.
func (w *worker) read(s session, path string, tr *trail) error {
	asked := map[string]string{"/file/ada/" + path: tr.now}
	if len(tr.kept) > 0 {
		v := tr.kept[w.random.IntN(len(tr.kept))]
		asked["/api/files/"+v.file+"/content?version="+v.id] = v.sum
	}
	for url, want := range asked {
		r, content, err := s.do(http.MethodGet, url, "")
		if err != nil {
			return err
		}
		if sum := sha256Of(content); r.StatusCode != http.StatusOK || sum != want {
			return &wrongAnswerError{fmt.Sprintf("GET %s = %s, %d bytes of SHA-256 %s, want %s", url, r.Status, len(content), sum, want)}
		}
	}
	return nil
}

// check wants each path to hold what was acknowledged, or what the request
// makes of it whose answer was lost. It returns how many files there are.
func (w *worker) check(s session) (files int) {
	w.t.Helper()
	for path, tr := range w.trails {
		r, content, err := s.do(http.MethodGet, "/file/ada/"+path, "")
		if err != nil {
			w.t.Error(err)
			continue
		}
		sum := ""
		if r.StatusCode != http.StatusNotFound {
			sum = sha256Of(content)
			files++
		}
		if r.StatusCode != http.StatusOK && sum != "" || sum != tr.now && sum != tr.next {
			w.t.Errorf("after a kill, GET %s = %s, %d bytes of SHA-256 %s; want acknowledged %q or cut %q", path, r.Status, len(content), sum, tr.now, tr.next)
		}
		w.learn(s, path, tr, sum)
	}
	return files
}

// learn starts afresh with what the server says is there.
func (w *worker) learn(s session, path string, tr *trail, sum string) {
	w.t.Helper()
	if sum == tr.now {
		return // but for the id, nothing can be new
	}
	*tr = trail{now: sum, next: sum}
	if sum == "" {
		return
	}
	files, err := list(s)
	if err != nil {
		w.t.Error(err)
	}
	tr.file = files[path].ID
}

// list returns the user's files by path.
func list(s session) (map[string]published, error) {
	r, content, err := s.do(http.MethodGet, "/api/files?limit=1000", "")
	if err != nil {
		return nil, err
	}
	var listed struct {
		Files []struct {
			published
			Path string
		}
	}
	files := map[string]published{}
	if err := json.Unmarshal(content, &listed); err != nil || r.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the listing is %s %.100s: %w", r.Status, content, err)
	}
	for _, f := range listed.Files {
		files[f.Path] = f.published
	}
	return files, nil
}

// readAll reads whatever the workers have until the server dies, and wants each
// answer to be of one version: the bytes are those of its digest.
func readAll(t *testing.T, s session) {
	for {
		files, err := list(s)
		if err != nil {
			return
		}
		for path := range files {
			if !strings.HasPrefix(path, "worker-") {
				continue // the auditor's
			}
			r, content, err := s.do(http.MethodGet, "/file/ada/"+path, "")
			if err != nil {
				return
			}
			if r.StatusCode == http.StatusNotFound {
				continue // deleted meanwhile
			}
			sum := sha256.Sum256(content)
			if got, want := digest.Format(sum[:]), r.Header.Get("Repr-Digest"); r.StatusCode != http.StatusOK || got != want {
				t.Errorf("GET %s = %s, %d bytes of digest %s, want %s", path, r.Status, len(content), got, want)
				return
			}
		}
	}
}
