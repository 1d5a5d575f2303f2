package send_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	ft "sluice/shared/fetch/fetchtest"
	"sluice/shared/send"
)

// counted counts the parts that are sent.
type counted struct{ parts, begun atomic.Int32 }

func (c *counted) before(good http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/parts/"):
			c.parts.Add(1)
		case r.Method == http.MethodPost && r.URL.Path == "/api/files":
			c.begun.Add(1)
		}
		good.ServeHTTP(w, r)
	})
}

// interrupted sends by one connection, and gives up in the second part.
func (r *rig) interrupted(request send.Request) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	r.behind(on(part, func(good http.Handler) http.Handler {
		return ft.From(2, func(_ http.ResponseWriter, q *http.Request) {
			cancel()
			<-q.Context().Done()
		}, good)
	}))
	options := r.options
	options.MaxConnections = 1
	c, err := send.New(options)
	if err != nil {
		r.t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Start(ctx, request).Wait(); err == nil {
		r.t.Fatal("an upload that was interrupted ended well")
	}
}

// records returns the names of the records.
func (r *rig) records() []string {
	names, _ := filepath.Glob(filepath.Join(r.options.Records, "*"))
	return names
}

// edit changes the only record.
func (r *rig) edit(change func(text string) string) {
	r.t.Helper()
	name := strings.Join(r.records(), "")
	text, err := os.ReadFile(name)
	if err == nil {
		err = os.WriteFile(name, []byte(change(string(text))), 0o600)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// abort ends the upload of the only record, as another would.
func (r *rig) abort() {
	r.t.Helper()
	r.edit(func(text string) string {
		_, id, _ := strings.Cut(text, `"upload_id":"`)
		if code := r.ask(http.MethodDelete, "/api/uploads/"+id[:26], nil, nil); code != http.StatusNoContent {
			r.t.Fatalf("DELETE of the upload = %d, want 204", code)
		}
		return text
	})
}

// overwrite changes some bytes of a file in place, and puts its date back.
func overwrite(t *testing.T, path string, at int64) {
	t.Helper()
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err == nil {
		_, err = file.WriteAt([]byte("other bytes"), at)
	}
	if err == nil {
		err = file.Close()
	}
	if err == nil {
		err = os.Chtimes(path, before.ModTime(), before.ModTime())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestResume(t *testing.T) {
	const (
		resumes = 2 // of three parts, one was there
		anew    = 3
	)
	tellNothing := on(`^GET /api/uploads/`, through(1, edited(func(members map[string]any) {
		for _, p := range members["parts"].([]any) {
			delete(p.(map[string]any), "sha256")
		}
	})))
	for _, c := range []struct {
		name    string
		between func(r *rig, path string)
		behave  before
		request send.Request
		code    string
		parts   int32 // that the second run sends
	}{
		{"goes on", func(*rig, string) {}, nil, send.Request{}, "", resumes},
		{"goes on where nobody tells what has arrived", func(*rig, string) {}, tellNothing, send.Request{}, "", resumes},
		{"sends again what nobody can tell", func(r *rig, _ string) {
			r.edit(func(text string) string { head, _, _ := strings.Cut(text, "\n"); return head + "\n" })
		}, tellNothing, send.Request{}, "", anew},
		{"goes on where the record's last line was cut", func(r *rig, _ string) {
			r.edit(func(text string) string { return text[:len(text)-10] })
		}, nil, send.Request{}, "", resumes},
		{"begins anew if asked", func(*rig, string) {}, nil, send.Request{Restart: true}, "", anew},
		{"begins anew under other terms", func(*rig, string) {}, nil, send.Request{Overwrite: true}, "", anew},
		{"begins anew with another type", func(*rig, string) {}, nil, send.Request{ContentType: "text/plain"}, "", anew},
		{"begins anew where the record is spoilt", func(r *rig, _ string) {
			r.edit(func(text string) string { return strings.Replace(text, `"owner"`, `"owneR"`, 1) })
		}, nil, send.Request{}, "", anew},
		{"begins anew where the record is gone", func(r *rig, _ string) { must(r.t, os.Remove(r.records()[0])) }, nil, send.Request{}, "", anew},
		{"begins anew where the upload was aborted", func(r *rig, _ string) { r.abort() }, nil, send.Request{}, "", anew},
		{"begins anew after eight days", func(*rig, string) { <-time.After(8 * 24 * time.Hour) }, nil, send.Request{}, "", anew},
		{"a longer file", func(r *rig, path string) { must(r.t, os.Truncate(path, large+1)) }, nil, send.Request{}, "source_changed", 0},
		{"a younger file", func(r *rig, path string) { must(r.t, os.Chtimes(path, time.Time{}, time.Now())) }, nil, send.Request{}, "source_changed", 0},
		{"another file of its name, size and date", func(r *rig, path string) {
			info, err := os.Stat(path)
			must(r.t, err)
			other, _ := r.file("other", large, 2)
			must(r.t, os.Chtimes(other, info.ModTime(), info.ModTime()))
			must(r.t, os.Rename(other, path))
		}, nil, send.Request{}, "source_changed", 0},
		{"other bytes in what was sent, and the same date", func(r *rig, path string) { overwrite(r.t, path, 100) }, nil, send.Request{}, "source_changed", 0},
		{"other bytes in what was sent, and no record of it", func(r *rig, path string) {
			overwrite(r.t, path, 100)
			r.edit(func(text string) string { head, _, _ := strings.Cut(text, "\n"); return head + "\n" })
		}, nil, send.Request{}, "source_changed", 0},
		{"other bytes, begun anew", func(r *rig, path string) { overwrite(r.t, path, 100) }, nil, send.Request{Restart: true}, "", anew},
		{"no file", func(r *rig, path string) { must(r.t, os.Remove(path)) }, nil, send.Request{}, "unreadable", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				r := newRig(t)
				path, _ := r.file("f", large, 1)
				request := c.request
				request.File, request.Path = path, "f"
				first := send.Request{File: path, Path: "f"}
				r.interrupted(first)
				if len(r.records()) != 1 {
					t.Fatalf("the records are %v, want one", r.records())
				}
				r.edit(func(text string) string {
					if strings.Contains(text, r.token) || strings.Contains(text, "signature") {
						t.Errorf("the record holds a secret:\n%s", text)
					}
					return text
				})
				c.between(r, path)

				var count counted
				r.behind(func(good http.Handler) http.Handler {
					if c.behave != nil {
						good = c.behave(good)
					}
					return count.before(good)
				})
				result, err := r.send(request)
				content, _ := os.ReadFile(path) // there may be none
				r.want("the second run", "f", content, err, c.code)
				if got := count.parts.Load(); got != c.parts {
					t.Errorf("the second run sent %d parts, want %d", got, c.parts)
				}
				if want := int64(anew-c.parts) * partSize; err == nil && (result.Resumed != want || result.Sent != result.Size-want) {
					t.Errorf("the result is %+v, want %d bytes resumed", result, want)
				}
				if err == nil && len(r.records()) != 0 {
					t.Errorf("%v are left", r.records())
				}
			})
		})
	}
}

// A run that ended between the publication and its answer left nothing to send.
func TestACompletionWhoseAnswerWasLostIsFound(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		path, content := r.file("f", large, 1)
		r.behind(on(complete, through(1, lost)))
		_, err := r.send(send.Request{File: path, Path: "f"})
		if codeOf(err) != "no_answer" {
			t.Errorf("the first run ends with %v, want no_answer", err)
		}
		var count counted
		r.behind(count.before)
		result, err := r.send(send.Request{File: path, Path: "f"})
		r.want("the second run", "f", content, err, "")
		if count.parts.Load() != 0 || count.begun.Load() != 0 || result.Resumed != large {
			t.Errorf("the second run began %d uploads and sent %d parts: %+v", count.begun.Load(), count.parts.Load(), result)
		}
	})
}

// A file that changes under the hands of who sends it is never published.
func TestAFileThatChangesIsNotPublished(t *testing.T) {
	for _, c := range []struct {
		name   string
		size   int
		when   string // an operation
		change func(t *testing.T, path string)
		code   string
	}{
		{"it grows while its parts are sent", large, part, func(t *testing.T, path string) { must(t, os.Truncate(path, large+1)) }, "source_changed"},
		{"it shrinks while its parts are sent", large, part, func(t *testing.T, path string) { must(t, os.Truncate(path, 5)) }, "source_changed"},
		{"its date changes after its last part", large, complete, func(t *testing.T, path string) { must(t, os.Chtimes(path, time.Time{}, time.Unix(1, 0))) }, ""},
		{"its bytes change in a part that was hashed, and not its date", large, issue, func(t *testing.T, path string) { overwrite(t, path, 1000) }, "digest_mismatch"},
		{"it grows before it is sent whole", 1000, profile, func(t *testing.T, path string) { must(t, os.Truncate(path, 1001)) }, ""},
		{"its bytes change before it is sent whole", 1000, put, func(t *testing.T, path string) { overwrite(t, path, 10) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				r := newRig(t)
				path, before := r.file("f", c.size, 1)
				r.behind(on(c.when, first(func(good http.Handler, w http.ResponseWriter, q *http.Request) {
					c.change(t, path)
					good.ServeHTTP(w, q)
				})))
				r.options.MaxConnections = 1
				_, err := r.send(send.Request{File: path, Path: "f"})
				if got := codeOf(err); got != c.code {
					t.Errorf("the outcome is %q (%v), want %q", got, err, c.code)
				}
				after, readErr := os.ReadFile(path)
				must(t, readErr)
				if got := r.stored("f").SHA256; got != "" && got != hexSum(before) && got != hexSum(after) {
					t.Errorf("the server has a file that never was: %s", got)
				}
				if c.code != "" && r.stored("f").ID != "" {
					t.Error("after an error there is a file")
				}
			})
		})
	}
}

func TestOneRunAtATimeSendsAFile(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		path, content := r.file("f", large, 1)
		r.behind(on(part, through(1, slowly)))
		request := send.Request{File: path, Path: "f"}
		c, err := send.New(r.options)
		must(t, err)
		defer c.Close()
		one := c.Start(t.Context(), request)
		<-time.After(time.Second)
		if _, err := r.send(request); codeOf(err) != "in_use" {
			t.Errorf("the second run ends with %v, want in_use", err)
		}
		_, err = one.Wait()
		r.want("the first run", "f", content, err, "")
	})
}

// What is there is replaced only if asked; the same content is no error.
func TestWhatIsThereStays(t *testing.T) {
	for _, size := range []int{1000, large} {
		for _, c := range []struct {
			name      string
			there     byte // the seed of the file at the path
			overwrite bool
			code      string
			already   bool
		}{
			{"another file", 2, false, "file_exists", false},
			{"another file that may go", 2, true, "", false},
			{"the same file", 1, false, "", true},
			{"the same file that may go", 1, true, "", false},
		} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				inBubble(t, func(t *testing.T) {
					r := newRig(t)
					r.behind(nil)
					there, standing := r.file("there", size, c.there)
					_, err := r.send(send.Request{File: there, Path: "f"})
					must(t, err)
					path, content := r.file("f", size, 1)
					result, err := r.send(send.Request{File: path, Path: "f", Overwrite: c.overwrite})
					if got := codeOf(err); got != c.code || result.Already != c.already {
						t.Errorf("the outcome is %q (%v), already %t; want %q, %t", got, err, result.Already, c.code, c.already)
					}
					want := hexSum(content)
					if err != nil {
						want = hexSum(standing)
					}
					if got := r.stored("f").SHA256; got != want {
						t.Errorf("the server has %s, want %s", got, want)
					}
				})
			})
		}
	}
}

// Somebody is faster: their file stays, and ours is not lost if it is the same.
func TestAFileThatComesBetweenStays(t *testing.T) {
	for seed, code := range map[byte]string{1: "", 2: "file_exists"} {
		inBubble(t, func(t *testing.T) {
			r := newRig(t)
			path, _ := r.file("f", large, 1)
			_, theirs := r.file("theirs", large, seed)
			r.behind(on(complete, first(func(good http.Handler, w http.ResponseWriter, q *http.Request) {
				r.ask(http.MethodPut, "/file/admin/f", reader(theirs), nil)
				good.ServeHTTP(w, q)
			})))
			result, err := r.send(send.Request{File: path, Path: "f"})
			r.want("sent", "f", theirs, err, code)
			if result.Already != (err == nil) || len(r.records()) != 0 {
				t.Errorf("the result is %+v, the records %v", result, r.records())
			}
		})
	}
}
