package api_test

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/shared/app/local/localtest"
	"sluice/shared/auth"
	"sluice/shared/blob"
	"sluice/shared/blob/blobtest"
	"sluice/shared/config"
	"sluice/shared/tus"
)

// sequence is an upload by tus under way.
type sequence struct {
	*rig
	by   *localtest.Client
	path string // of the upload
}

func (p *sequence) id() string { return strings.TrimPrefix(p.path, "/api/tus/") }

// describe writes an Upload-Metadata; pairs holds keys and values.
func describe(pairs ...string) string {
	var fields []string
	for i := 0; i+1 < len(pairs); i += 2 {
		fields = append(fields, strings.TrimSpace(pairs[i]+" "+base64.StdEncoding.EncodeToString([]byte(pairs[i+1]))))
	}
	return strings.Join(fields, ",")
}

// create begins an upload by tus.
func (r *rig) create(by *localtest.Client, path string, size int) *sequence {
	r.t.Helper()
	a := by.Do(http.MethodPost, "/api/tus", nil, "Tus-Resumable", "1.0.0", "Upload-Length", strconv.Itoa(size), "Upload-Metadata", describe("filename", path))
	return &sequence{r, by, a.Want(r.t, http.StatusCreated).Header.Get("Location")}
}

// send sends bytes from an offset on; more holds more of the header.
func (p *sequence) send(offset int, data []byte, more ...string) localtest.Answer {
	p.t.Helper()
	return p.by.Do(http.MethodPatch, p.path, bytes.NewReader(data), append(more,
		"Tus-Resumable", "1.0.0", "Content-Type", tus.ContentType, "Upload-Offset", strconv.Itoa(offset))...)
}

// ask asks how far the upload is.
func (p *sequence) ask() localtest.Answer {
	p.t.Helper()
	return p.by.Do(http.MethodHead, p.path, nil, "Tus-Resumable", "1.0.0")
}

// terminate gives the upload up.
func (p *sequence) terminate() localtest.Answer {
	p.t.Helper()
	return p.by.Do(http.MethodDelete, p.path, nil, "Tus-Resumable", "1.0.0")
}

func (p *sequence) wantOffset(when string, want int) {
	p.t.Helper()
	if got := p.ask().Want(p.t, http.StatusOK).Header.Get("Upload-Offset"); got != strconv.Itoa(want) {
		p.t.Errorf("%s the offset is %s, want %d", when, got, want)
	}
}

// wantFile wants the upload to have become a file of these bytes, and nothing
// else to be kept of it.
func (p *sequence) wantFile(want []byte) {
	p.t.Helper()
	a := p.ask().Want(p.t, http.StatusOK)
	file, ours := strings.CutPrefix(a.Header.Get("Sluice-File"), "/api/files/")
	if !ours || a.Header.Get("Upload-Offset") != strconv.Itoa(len(want)) {
		p.t.Fatalf("the upload is %v, want it complete with %d bytes", a.Header, len(want))
	}
	p.wantContent(p.by, file, want)
	if files := p.blobFiles(); len(files) != 1 || p.dueItems() != 0 {
		p.t.Errorf("the store holds %q with %d removals to come, want one blob and none", files, p.dueItems())
	}
}

func TestTusUploadsInChunksOfAnySize(t *testing.T) {
	data := bytesOf(1, 2*partSize+12345)
	for _, chunk := range []int{1_000_003, partSize - 1, partSize, partSize + 1, 2*partSize + 1, len(data)} {
		t.Run(strconv.Itoa(chunk), func(t *testing.T) {
			r := openRig(t)
			p := r.create(r.admin, "big.bin", len(data))
			for at := 0; at < len(data); at += chunk {
				end := min(at+chunk, len(data))
				a := p.send(at, data[at:end]).Want(t, http.StatusNoContent)
				if got := a.Header.Get("Upload-Offset"); got != strconv.Itoa(end) {
					t.Fatalf("after %d bytes the offset is %s", end, got)
				}
				if whole, said := end == len(data), a.Header.Get("Sluice-File") != ""; said && !whole {
					t.Errorf("after %d of %d bytes a file is named", end, len(data))
				}
			}
			p.wantFile(data)
			info := r.admin.Do(http.MethodHead, "/file/admin/big.bin", nil).Want(t, http.StatusOK)
			if got := info.Header.Get("Repr-Digest"); got != "sha-256=:"+base64.StdEncoding.EncodeToString(sumOf(data))+":" {
				t.Errorf("the file's digest is %s", got)
			}
		})
	}
}

func sumOf(data []byte) []byte {
	sum := sha256.Sum256(data)
	return sum[:]
}

func TestTusUploadsInManySmallChunks(t *testing.T) {
	r := openRig(t)
	data := bytesOf(2, 150*100+7)
	p := r.create(r.admin, "a", len(data))
	for at := 0; at < len(data); at += 100 {
		p.send(at, data[at:min(at+100, len(data))]).Want(t, http.StatusNoContent)
		if files := r.blobFiles(); len(files) > 70 {
			t.Fatalf("after %d bytes the store holds %d files", at, len(files))
		}
	}
	p.wantFile(data)
}

func TestAnEmptyTusUploadIsCompleteAtOnce(t *testing.T) {
	r := openRig(t)
	p := r.create(r.admin, "empty", 0)
	p.wantFile(nil)
	p.send(0, nil).Want(t, http.StatusNoContent)
}

func TestWhatComesOfABrokenTusBodyIsKept(t *testing.T) {
	r := openRig(t)
	data := bytesOf(3, 10_000)
	p := r.create(r.admin, "a", len(data))
	patch := func(offset, announced int, sent []byte, more string) {
		t.Helper()
		r.raw(fmt.Sprintf("PATCH %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nTus-Resumable: 1.0.0\r\nContent-Type: %s\r\n"+
			"Upload-Offset: %d\r\nContent-Length: %d\r\n%s\r\n%s", p.path, r.admin.Token, tus.ContentType, offset, announced, more, sent), true)
	}
	patch(0, len(data), data[:4000], "")
	p.wantOffset("after a body that broke off", 4000)
	patch(4000, 6000, data[4000:5000], "Upload-Checksum: sha256 "+base64.StdEncoding.EncodeToString(sumOf(data[4000:]))+"\r\n")
	p.wantOffset("after one with a checksum", 4000)
	p.send(4000, data[4000:]).Want(t, http.StatusNoContent)
	p.wantFile(data)
}

func TestTusChecksums(t *testing.T) {
	data := bytesOf(4, partSize+1000)
	sum1 := sha1.Sum(data)
	wrong := sha1.Sum(nil)
	for name, x := range map[string]struct {
		field string
		want  int
	}{
		"sha1":       {"sha1 " + base64.StdEncoding.EncodeToString(sum1[:]), http.StatusNoContent},
		"sha256":     {"sha256 " + base64.StdEncoding.EncodeToString(sumOf(data)), http.StatusNoContent},
		"wrong":      {"sha1 " + base64.StdEncoding.EncodeToString(wrong[:]), tus.StatusChecksumMismatch},
		"malformed":  {"sha1 %%%", http.StatusBadRequest},
		"an unknown": {"md5 XUFAKrxLKna5cZ2REBfFkg==", http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			r := openRig(t)
			p := r.create(r.admin, "a", len(data))
			left := len(r.blobFiles())
			a := p.send(0, data, "Upload-Checksum", x.field).Want(t, x.want)
			if x.want == http.StatusNoContent {
				p.wantFile(data)
				return
			}
			if x.want == tus.StatusChecksumMismatch && a.Code() != "checksum_mismatch" {
				t.Errorf("%s, want checksum_mismatch", a)
			}
			p.wantOffset("after a checksum that was refused", 0)
			if files := r.blobFiles(); len(files) != left || r.dueItems() != 1 {
				t.Errorf("left are %q and %d removals to come, want %d files and 1", files, r.dueItems(), left)
			}
			p.send(0, data).Want(t, http.StatusNoContent)
			p.wantFile(data)
		})
	}
}

// TestOfTwoTusBodiesAtOnceOneWins holds one back until another has been kept.
func TestOfTwoTusBodiesAtOnceOneWins(t *testing.T) {
	for _, size := range []int{1000, 2*partSize + 1} {
		r := openRig(t)
		slow, quick := bytesOf(5, size), bytesOf(6, size)
		p := r.create(r.admin, "a", size+1) // so that it stays open
		hold := blobtest.NewHold()
		r.blobs.Script(blobtest.Commit, blobtest.Fault{Hold: hold})
		answer := make(chan localtest.Answer)
		go func() { answer <- p.send(0, slow) }()
		<-hold.Reached()
		p.send(0, quick).Want(t, http.StatusNoContent)
		hold.Release()
		if a := (<-answer).Want(t, http.StatusConflict); a.Code() != "upload_moved" {
			t.Errorf("who came too late got %s, want upload_moved", a)
		}
		p.send(size, []byte("!")).Want(t, http.StatusNoContent)
		p.wantFile(append(quick, '!'))
	}
}

func TestOfManyTusBodiesAtOnceNothingIsMixed(t *testing.T) {
	r := openRig(t)
	const size = partSize + 5000
	p := r.create(r.admin, "a", size)
	var group sync.WaitGroup
	var answers [4]localtest.Answer
	for i := range answers {
		group.Go(func() { answers[i] = p.send(0, bytes.Repeat([]byte{byte('a' + i)}, size)) })
	}
	group.Wait()
	won := slices.IndexFunc(answers[:], func(a localtest.Answer) bool { return a.StatusCode == http.StatusNoContent })
	if won < 0 {
		t.Fatalf("none of them won: %v", answers)
	}
	for i, a := range answers {
		if i != won && a.StatusCode != http.StatusConflict {
			t.Errorf("another one is %s, want 409", a)
		}
	}
	p.wantFile(bytes.Repeat([]byte{byte('a' + won)}, size))
}

func TestATusUploadGoesOnAfterARestart(t *testing.T) {
	r := openRig(t)
	data := bytesOf(7, partSize+2000)
	p := r.create(r.admin, "a", len(data))
	p.send(0, data[:partSize+500]).Want(t, http.StatusNoContent)
	r.Stop()
	r.Run()
	p.by = r.Admin()
	p.wantOffset("after a restart", partSize+500)
	p.send(partSize+500, data[partSize+500:]).Want(t, http.StatusNoContent)
	p.wantFile(data)
}

func TestATusUploadThatExpiresGoesWhole(t *testing.T) {
	r := openRig(t)
	p := r.create(r.admin, "a", 2*partSize)
	at := p.send(0, bytesOf(8, partSize+500)).Want(t, http.StatusNoContent).Header.Get("Upload-Expires")
	expires, err := http.ParseTime(at)
	if left := expires.Sub(r.clock.Now()); err != nil || left < 7*24*time.Hour-time.Minute || left > 7*24*time.Hour {
		t.Errorf("Upload-Expires is %q, want a week from now", at)
	}
	r.clock.Advance(7*24*time.Hour + time.Minute)
	r.App.Janitor.Sweep(t.Context())
	p.by = r.Admin()
	p.ask().Want(t, http.StatusNotFound)
	p.send(partSize+500, []byte("x")).Want(t, http.StatusNotFound)
	if files := r.blobFiles(); len(files) != 0 || r.dueItems() != 0 {
		t.Errorf("left are %q and %d removals to come", files, r.dueItems())
	}
}

func TestATusUploadThatIsTerminatedGoesWhole(t *testing.T) {
	r := openRig(t)
	ada := r.user("ada", auth.User)
	p := r.create(ada, "a", 2*partSize)
	r.wantUsed(ada, "an upload under way", 2*partSize, 1)
	p.send(0, bytesOf(9, partSize+500)).Want(t, http.StatusNoContent)
	p.terminate().Want(t, http.StatusNoContent)
	r.wantUsed(ada, "none", 0, 0)
	p.ask().Want(t, http.StatusNotFound)
	p.send(partSize+500, []byte("x")).Want(t, http.StatusNotFound)
	p.terminate().Want(t, http.StatusNotFound)
	if files := r.blobFiles(); len(files) != 0 || r.dueItems() != 0 {
		t.Errorf("left are %q and %d removals to come", files, r.dueItems())
	}
}

func TestTheFileOfATusUploadOutlivesIt(t *testing.T) {
	r := openRig(t)
	p := r.create(r.admin, "a", 1)
	file := p.send(0, []byte("x")).Want(t, http.StatusNoContent).Header.Get("Sluice-File")
	p.terminate().Want(t, http.StatusNoContent)
	p.ask().Want(t, http.StatusNotFound)
	r.admin.Do(http.MethodGet, file, nil).Want(t, http.StatusOK)
}

func TestATusUploadTakesTheQuota(t *testing.T) {
	r := openRig(t)
	ada := r.user("ada", auth.User)
	r.allow(ada, `{"quota_bytes":10}`)
	r.wantOverQuota(ada.Do(http.MethodPost, "/api/tus", nil, "Tus-Resumable", "1.0.0", "Upload-Length", "11", "Upload-Metadata", describe("filename", "a")))
	p := r.create(ada, "a", 10)
	p.send(0, []byte("0123456789")).Want(t, http.StatusNoContent)
	r.wantUsed(ada, "the file", 10, 1)
}

// TestATusUploadSurvivesItsStores makes each step fail once. What was
// acknowledged stays, and the client goes on where HEAD says.
func TestATusUploadSurvivesItsStores(t *testing.T) {
	data := bytesOf(10, partSize+1000)
	broken := blobtest.Fault{Err: blobtest.Error{Code: blob.Unknown}}
	for _, x := range []struct {
		name  string
		fault func(*rig)
		kept  int // at the least
	}{
		{"no piece can be begun", func(r *rig) { r.blobs.Script(blobtest.Create, broken) }, 0},
		{"a piece breaks off", func(r *rig) { r.blobs.Script(blobtest.Write, blobtest.Fault{After: 5000, Err: broken.Err}) }, 0},
		{"a piece cannot be committed", func(r *rig) { r.blobs.Script(blobtest.Commit, broken) }, 0},
		{"the second piece cannot be committed", func(r *rig) { r.blobs.Script(blobtest.Commit, blobtest.Fault{}, broken) }, partSize},
		{"a piece cannot be read", func(r *rig) { r.blobs.Script(blobtest.Open, broken) }, partSize},
		{"a part cannot be kept", func(r *rig) { r.blobs.Script(blobtest.PutPart, broken) }, partSize},
		{"the last part cannot be kept", func(r *rig) { r.blobs.Script(blobtest.PutPart, blobtest.Fault{}, broken) }, len(data)},
	} {
		r := openRig(t)
		p := r.create(r.admin, "a", len(data))
		x.fault(r)
		p.send(0, data).Want(t, http.StatusBadGateway)
		at, err := strconv.Atoi(p.ask().Want(t, http.StatusOK).Header.Get("Upload-Offset"))
		if err != nil || at < x.kept {
			t.Errorf("where %s, %d bytes are kept, want %d", x.name, at, x.kept)
		}
		p.send(at, data[at:]).Want(t, http.StatusNoContent)
		p.wantFile(data)
	}
}

// TestATusClientIsNotToldThatAllIsThereBeforeItIs has the answer of HEAD.
func TestATusClientIsNotToldThatAllIsThereBeforeItIs(t *testing.T) {
	r := openRig(t)
	p := r.create(r.admin, "a", 4)
	r.blobs.Always(blobtest.PutPart, blobtest.Fault{Err: blobtest.Error{Code: blob.Unknown}})
	p.send(0, []byte("data")).Want(t, http.StatusBadGateway)
	if got := p.ask().Want(t, http.StatusServiceUnavailable).Header.Get("Upload-Offset"); got != "" {
		t.Errorf("the offset is %s while the upload cannot be completed, want none", got)
	}
	r.blobs.Calm()
	p.wantFile([]byte("data"))
}

func TestTusWhatIsRefused(t *testing.T) {
	r := openRig(t)
	p := r.create(r.admin, "a", 10)
	p.send(0, []byte("012")).Want(t, http.StatusNoContent)
	parts := r.begin(r.admin, "b", nil)
	version := []string{"Tus-Resumable", "1.0.0"}
	create := append([]string{"Upload-Length", "3", "Upload-Metadata", describe("filename", "c")}, version...)
	patch := append([]string{"Content-Type", tus.ContentType, "Upload-Offset", "3"}, version...)
	without := func(header []string, name string, more ...string) []string {
		out := slices.Clone(header)
		i := slices.Index(out, name)
		return append(slices.Delete(out, i, i+2), more...)
	}
	for _, x := range []struct {
		what, method, path string
		header             []string
		body               string
		want               int
		code               string
	}{
		{"create without a version", "POST", "/api/tus", without(create, "Tus-Resumable"), "", 412, "tus_version"},
		{"create in another version", "POST", "/api/tus", without(create, "Tus-Resumable", "Tus-Resumable", "0.2.2"), "", 412, "tus_version"},
		{"ask without a version", "HEAD", p.path, nil, "", 412, ""},
		{"send without a version", "PATCH", p.path, without(patch, "Tus-Resumable"), "x", 412, "tus_version"},
		{"terminate without a version", "DELETE", p.path, nil, "", 412, "tus_version"},
		{"create without a length", "POST", "/api/tus", without(create, "Upload-Length"), "", 400, "invalid_field"},
		{"create of a length to come", "POST", "/api/tus", without(create, "Upload-Length", "Upload-Defer-Length", "1"), "", 400, "invalid_field"},
		{"create of a negative length", "POST", "/api/tus", without(create, "Upload-Length", "Upload-Length", "-1"), "", 400, "invalid_field"},
		{"create of too much", "POST", "/api/tus", without(create, "Upload-Length", "Upload-Length", "53687091200001"), "", 413, "body_too_large"},
		{"create without a path", "POST", "/api/tus", without(create, "Upload-Metadata"), "", 400, "invalid_field"},
		{"create with a path that is none", "POST", "/api/tus", without(create, "Upload-Metadata", "Upload-Metadata", describe("filename", "a//b")), "", 400, "invalid_field"},
		{"create with a type that is none", "POST", "/api/tus", without(create, "Upload-Metadata", "Upload-Metadata", describe("filename", "a", "filetype", "b")), "", 400, "invalid_field"},
		{"create with malformed metadata", "POST", "/api/tus", without(create, "Upload-Metadata", "Upload-Metadata", "filename %"), "", 400, "invalid_field"},
		{"send another type", "PATCH", p.path, without(patch, "Content-Type", "Content-Type", "text/plain"), "x", 415, "unsupported_media_type"},
		{"send without an offset", "PATCH", p.path, without(patch, "Upload-Offset"), "x", 400, "invalid_field"},
		{"send from a negative offset", "PATCH", p.path, without(patch, "Upload-Offset", "Upload-Offset", "-3"), "x", 400, "invalid_field"},
		{"send from before", "PATCH", p.path, without(patch, "Upload-Offset", "Upload-Offset", "2"), "x", 409, "offset_mismatch"},
		{"send from behind", "PATCH", p.path, without(patch, "Upload-Offset", "Upload-Offset", "4"), "x", 409, "offset_mismatch"},
		{"send too much", "PATCH", p.path, patch, "01234567", 413, "body_too_large"},
		{"send to an upload in parts", "PATCH", "/api/tus/" + parts.id, without(patch, "Upload-Offset", "Upload-Offset", "0"), "x", 404, "not_found"},
		{"ask about an upload in parts", "HEAD", "/api/tus/" + parts.id, version, "", 404, ""},
		{"read", "GET", p.path, version, "", 405, "method_not_allowed"},
		{"post", "POST", p.path, version, "", 405, "method_not_allowed"},
		{"post in place of GET", "POST", p.path, append([]string{"X-HTTP-Method-Override", "GET"}, version...), "", 405, "method_not_allowed"},
	} {
		a := r.admin.Do(x.method, x.path, strings.NewReader(x.body), x.header...)
		if a.StatusCode != x.want || a.Code() != x.code {
			t.Errorf("%s: %s, want %d %s", x.what, a, x.want, x.code)
		}
		if got := a.Header.Get("Tus-Resumable"); got != "1.0.0" {
			t.Errorf("%s: Tus-Resumable is %q", x.what, got)
		}
		if got := a.Header.Get("Tus-Version"); (got == "1.0.0") != (x.want == 412) {
			t.Errorf("%s: Tus-Version is %q", x.what, got)
		}
	}
	p.wantOffset("after all that", 3)
	issue := r.admin.JSON(http.MethodPost, "/api/uploads/"+p.id()+"/parts", map[string]any{"parts": []any{map[string]any{"number": 1}}})
	if issue.Want(t, http.StatusConflict).Code() != "upload_in_sequence" {
		t.Errorf("URLs for parts: %s, want upload_in_sequence", issue)
	}
}

func TestATusBodyOfUnknownLength(t *testing.T) {
	r := openRig(t)
	p := r.create(r.admin, "a", 10)
	unknown := func(offset, data string) localtest.Answer {
		return p.by.Do(http.MethodPatch, p.path, unsized{strings.NewReader(data)}, "Tus-Resumable", "1.0.0", "Content-Type", tus.ContentType, "Upload-Offset", offset)
	}
	unknown("0", "012").Want(t, http.StatusNoContent)
	unknown("3", "34567890").Want(t, http.StatusRequestEntityTooLarge)
	p.wantOffset("after too much", 3)
	unknown("3", "3456789").Want(t, http.StatusNoContent)
	p.wantFile([]byte("0123456789"))
}

func TestTusMethodsByPOST(t *testing.T) {
	r := openRig(t)
	p := r.create(r.admin, "a", 3)
	post := func(method string, body string) localtest.Answer {
		return p.by.Do(http.MethodPost, p.path, strings.NewReader(body), "X-HTTP-Method-Override", method,
			"Tus-Resumable", "1.0.0", "Content-Type", tus.ContentType, "Upload-Offset", "0")
	}
	post(http.MethodPatch, "012").Want(t, http.StatusNoContent)
	if got := post(http.MethodHead, "").Want(t, http.StatusOK).Header.Get("Upload-Offset"); got != "3" {
		t.Errorf("the offset is %s, want 3", got)
	}
	p.wantFile([]byte("012"))
	post(http.MethodDelete, "").Want(t, http.StatusNoContent)
	p.ask().Want(t, http.StatusNotFound)
}

func TestTusMetadata(t *testing.T) {
	r := openRig(t)
	for i, x := range []struct {
		metadata    string
		path        string
		contentType string
	}{
		{describe("filename", "a.mov", "filetype", "video/quicktime"), "a.mov", "video/quicktime"},
		{describe("filename", "b"), "b", "application/octet-stream"},
		{describe("path", "films/c.mov", "filename", "c.mov"), "films/c.mov", "application/octet-stream"},
		{describe("relativePath", "null", "name", "d", "type", "text/plain", "filetype", ""), "d", "text/plain"},
		{describe("filename", "日本 é.txt", "is_confidential", ""), "日本 é.txt", "application/octet-stream"},
	} {
		a := r.admin.Do(http.MethodPost, "/api/tus", nil, "Tus-Resumable", "1.0.0", "Upload-Length", "1", "Upload-Metadata", x.metadata).Want(t, http.StatusCreated)
		p := &sequence{r, r.admin, a.Header.Get("Location")}
		if got := p.ask().Header; got.Get("Upload-Metadata") != x.metadata || got.Get("Upload-Length") != "1" || got.Get("Cache-Control") != "no-store" {
			t.Errorf("%d: HEAD says %v, want the metadata %q", i, got, x.metadata)
		}
		file := r.admin.Do(http.MethodGet, p.send(0, []byte("x")).Header.Get("Sluice-File"), nil).Want(t, http.StatusOK)
		if file.Field(t, "path") != x.path || file.Field(t, "content_type") != x.contentType {
			t.Errorf("%d: the file is %s, want %s of %s", i, file, x.path, x.contentType)
		}
	}
}

func TestATusUploadMakesANewVersion(t *testing.T) {
	r := openRig(t)
	was := r.admin.Put("/file/admin/a", "before")
	p := r.create(r.admin, "a", 3)
	file := p.send(0, []byte("now")).Want(t, http.StatusNoContent).Header.Get("Sluice-File")
	if file != "/api/files/"+was.Field(t, "id") {
		t.Errorf("the file is %s, want that of %s", file, was)
	}
	if got := r.admin.Do(http.MethodGet, "/file/admin/a", nil); string(got.Body) != "now" {
		t.Errorf("the file is now %s", got)
	}
}

func TestATusBodyThatStallsKeepsWhatCame(t *testing.T) {
	r := openRig(t, func(c *config.Config) { c.Stall = 50 * time.Millisecond })
	p := r.create(r.admin, "a", 10)
	answer, _ := r.raw(fmt.Sprintf("PATCH %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nTus-Resumable: 1.0.0\r\nContent-Type: %s\r\n"+
		"Upload-Offset: 0\r\nContent-Length: 10\r\n\r\n0123", p.path, r.admin.Token, tus.ContentType), false)
	if answer.StatusCode != http.StatusRequestTimeout {
		t.Errorf("a body that stalls: %s, want 408", answer.Status)
	}
	p.wantOffset("after that", 4)
}

func TestPartsOfATusUploadAreSmall(t *testing.T) {
	r := openRig(t)
	const gib = 1 << 30
	for size, want := range map[int64]int64{1: 8 << 20, 78 * gib: 8 << 20, 79 * gib: 16 << 20, 10_000 * 5 * gib: 5 * gib} {
		a := r.admin.Do(http.MethodPost, "/api/tus", nil, "Tus-Resumable", "1.0.0", "Upload-Length", strconv.FormatInt(size, 10), "Upload-Metadata", describe("filename", "a"))
		id := strings.TrimPrefix(a.Want(t, http.StatusCreated).Header.Get("Location"), "/api/tus/")
		m, err := r.App.Deps.Catalog.Multipart(t.Context(), id)
		if err != nil || m.PartSize != want {
			t.Errorf("an upload of %d bytes has parts of %d, %v; want %d", size, m.PartSize, err, want)
		}
	}
}

func TestDescribeTus(t *testing.T) {
	a := openRig(t).Anonymous().Do(http.MethodOptions, "/api/tus", nil).Want(t, http.StatusNoContent)
	for name, want := range map[string]string{
		"Tus-Version": "1.0.0", "Tus-Extension": "creation,termination,expiration,checksum", "Tus-Checksum-Algorithm": "sha1,sha256", "Tus-Max-Size": "53687091200000",
	} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// TestAClientThatAsksEndsABodyThatWentQuiet has a client whose connection was
// lost without a word: nothing else would end its body for an hour.
func TestAClientThatAsksEndsABodyThatWentQuiet(t *testing.T) {
	r := openRig(t, func(c *config.Config) { c.Stall = time.Hour })
	data := bytesOf(11, 10_000)
	p := r.create(r.admin, "a", len(data))
	answer := make(chan *http.Response)
	go func() {
		a, _ := r.raw(fmt.Sprintf("PATCH %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nTus-Resumable: 1.0.0\r\nContent-Type: %s\r\n"+
			"Upload-Offset: 0\r\nContent-Length: %d\r\n\r\n%s", p.path, r.admin.Token, tus.ContentType, len(data), data[:4000]), false)
		answer <- a
	}()
	at := "0"
	for giveUp := time.Now().Add(time.Minute); at == "0" && time.Now().Before(giveUp); {
		at = p.ask().Want(t, http.StatusOK).Header.Get("Upload-Offset")
	}
	if at != "4000" {
		t.Fatalf("the client goes on at %s, want 4000", at)
	}
	p.send(4000, data[4000:]).Want(t, http.StatusNoContent)
	p.wantFile(data)
	if a := <-answer; a.StatusCode != http.StatusConflict {
		t.Errorf("the body that went quiet is answered %s, want 409", a.Status)
	}
}
