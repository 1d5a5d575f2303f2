package send_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"

	"sluice/shared/send"
)

// used returns what counts towards the admin's quota.
func (r *rig) used() (bytes, files int64) {
	r.t.Helper()
	var out struct{ Used struct{ Bytes, Files int64 } }
	r.ask(http.MethodGet, "/api/profile", nil, &out)
	return out.Used.Bytes, out.Used.Files
}

func (r *rig) wantUsed(when string, bytes int64) {
	r.t.Helper()
	if got, files := r.used(); got != bytes || files != 1 {
		r.t.Errorf("%s: %d bytes in %d files take room, want %d in 1", when, got, files, bytes)
	}
}

// TestALostBeginningTakesNoRoom loses the answer that tells which upload has
// begun: none may be left that holds room for a week.
func TestALostBeginningTakesNoRoom(t *testing.T) {
	for _, c := range []struct {
		name    string
		request func(path string, content []byte) send.Request
		lost    int // first answers that are lost
	}{
		{"a file, once", func(path string, _ []byte) send.Request { return send.Request{File: path} }, 1},
		{"a file, a few times", func(path string, _ []byte) send.Request { return send.Request{File: path} }, 5},
		{"a file in place of another", func(path string, _ []byte) send.Request { return send.Request{File: path, Overwrite: true} }, 1},
		{"a stream, once", func(_ string, content []byte) send.Request { return send.Request{Reader: reader(content)} }, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				r := newRig(t)
				r.behind(on(begin, firstLost(c.lost)))
				path, content := r.file("f", large, 1)
				request := c.request(path, content)
				request.Path = "f"
				_, err := r.send(request)
				r.want("sent", "f", content, err, "")
				r.wantUsed("at the end", large)
			})
		})
	}
}

// firstLost loses the first answers.
func firstLost(n int) before {
	return func(good http.Handler) http.Handler {
		for range n {
			good = first(lost)(good)
		}
		return good
	}
}

// TestARunThatNeverKnewItsUploadLeavesNone lets a run end without an answer, and
// wants the next one to go on with the upload that has begun.
func TestARunThatNeverKnewItsUploadLeavesNone(t *testing.T) {
	for _, aborted := range []bool{false, true} {
		t.Run(fmt.Sprintf("aborted meanwhile %t", aborted), func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				r := newRig(t)
				path, content := r.file("f", large, 1)
				var location atomic.Value
				r.behind(on(begin, through(1, func(good http.Handler, _ http.ResponseWriter, q *http.Request) {
					answer := httptest.NewRecorder()
					good.ServeHTTP(answer, q)
					location.Store(answer.Header().Get("Location"))
					panic(http.ErrAbortHandler)
				})))
				if _, err := r.send(send.Request{File: path, Path: "f"}); codeOf(err) != "no_answer" {
					t.Fatalf("a run that gets no answer ends with %v, want no_answer", err)
				}
				r.wantUsed("after the first run", large)
				if len(r.records()) != 1 {
					t.Fatalf("the records are %v, want one", r.records())
				}
				if aborted {
					r.ask(http.MethodDelete, location.Load().(string), nil, nil)
				}
				r.behind(nil)
				_, err := r.send(send.Request{File: path, Path: "f"})
				r.want("sent again", "f", content, err, "")
				r.wantUsed("at the end", large)
				if len(r.records()) != 0 {
					t.Errorf("the records %v are left", r.records())
				}
			})
		})
	}
}

func TestARefusedBeginningLeavesNoRecord(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		r.behind(on(begin, always(problem(507, "quota_exceeded"))))
		path, _ := r.file("f", large, 1)
		if _, err := r.send(send.Request{File: path, Path: "f"}); codeOf(err) != "quota_exceeded" {
			t.Errorf("the outcome is %v, want quota_exceeded", err)
		}
		if left, err := os.ReadDir(r.options.Records); len(left) > 0 || err != nil {
			t.Errorf("the records %v are left, %v", left, err)
		}
	})
}
