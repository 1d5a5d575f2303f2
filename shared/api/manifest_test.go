package api_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/shared/app/local/localtest"
	"sluice/shared/auth"
	"sluice/shared/config"
	"sluice/shared/manifest"
)

// shownManifest is a manifest as a client reads it.
type shownManifest struct {
	VersionID string `json:"version_id"`
	ETag      string
	Size      int64
	SHA256    string
	ChunkSize int64 `json:"chunk_size"`
	Chunks    []struct {
		Offset, Length int64
		SHA256         string
	}
}

// severalChunks is a content of three chunks, of which the last is short.
func severalChunks() []byte {
	return bytes.Repeat([]byte("0123456789abcde\n"), (2*manifest.MinChunk+1<<20)/16)
}

func TestManifest(t *testing.T) {
	r := openRig(t)
	for name, content := range map[string][]byte{
		"empty": {}, "small": []byte("hello"), "large": severalChunks(),
		"one-chunk": severalChunks()[:manifest.MinChunk], "one-byte-more": severalChunks()[:manifest.MinChunk+1],
	} {
		for length, body := range map[string]io.Reader{
			"known": bytes.NewReader(content), "unknown": io.MultiReader(bytes.NewReader(content)),
		} {
			a := r.admin.Do(http.MethodPut, "/file/admin/"+name, body)
			info := r.admin.Do(http.MethodGet, "/api/files/"+a.Field(t, "id"), nil)
			got := readManifest(t, r.admin, a.Field(t, "id"))
			sum := sha256.Sum256(content)
			if got.Size != int64(len(content)) || got.SHA256 != hex.EncodeToString(sum[:]) || got.ChunkSize != manifest.MinChunk ||
				got.ETag != info.Field(t, "etag") || got.VersionID != info.Field(t, "version_id") {
				t.Errorf("%s of %s length: the manifest is %+v, want %d bytes of %x", name, length, got, len(content), sum)
			}
			wantChunks(t, name, got, content)
		}
	}
}

func readManifest(t *testing.T, c *localtest.Client, file string) shownManifest {
	t.Helper()
	var m shownManifest
	if err := json.Unmarshal(c.Do(http.MethodGet, "/api/files/"+file+"/manifest", nil).Want(t, http.StatusOK).Body, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func wantChunks(t *testing.T, name string, m shownManifest, content []byte) {
	t.Helper()
	for i, chunk := range m.Chunks {
		n := min(int64(manifest.MinChunk), int64(len(content)))
		sum := sha256.Sum256(content[:n])
		if chunk.Offset != int64(i)*manifest.MinChunk || chunk.Length != n || chunk.SHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: chunk %d is %+v, want %d bytes of %x", name, i, chunk, n, sum)
		}
		content = content[n:]
	}
	if len(content) > 0 {
		t.Errorf("%s: %d bytes are in no chunk", name, len(content))
	}
}

func TestManifestForms(t *testing.T) {
	r := openRig(t)
	path := "/api/files/" + r.admin.Put("/file/admin/a%3Cb", "hello").Field(t, "id") + "/manifest"
	const jsonType, metalink = "application/json", manifest.MetalinkType
	for _, c := range []struct{ query, accept, want string }{
		{"", "", jsonType},
		{"", "*/*", jsonType},
		{"", metalink, metalink},
		{"", "application/json, " + metalink, jsonType},
		{"", "text/html, " + metalink + ";q=0.5", metalink},
		{"", metalink + ";q=0", jsonType},
		{"", ";;;", jsonType},
		{"?format=metalink", jsonType, metalink},
		{"?format=json", metalink, jsonType},
	} {
		a := r.admin.Do(http.MethodGet, path+c.query, nil, "Accept", c.accept).Want(t, http.StatusOK)
		if got := a.Header.Get("Content-Type"); got != c.want {
			t.Errorf("%q with Accept %q has the type %s, want %s", c.query, c.accept, got, c.want)
		}
		tag := a.Header.Get("ETag")
		if again := r.admin.Do(http.MethodGet, path+c.query, nil, "Accept", c.accept, "If-None-Match", tag).Want(t, http.StatusNotModified); len(again.Body) > 0 {
			t.Errorf("a 304 has the body %q", again.Body)
		}
		if r.admin.Do(http.MethodGet, path+c.query, nil, "Accept", c.accept, "If-None-Match", `"another"`).Want(t, http.StatusOK).Header.Get("ETag") != tag {
			t.Errorf("%q: the ETag is another the second time", c.query)
		}
	}
	body := r.admin.Do(http.MethodGet, path+"?format=metalink", nil).Body
	for _, want := range []string{`name="a&lt;b"`, "<url>" + r.URL + strings.TrimSuffix(path, "manifest") + "content</url>"} {
		if !bytes.Contains(body, []byte(want)) {
			t.Errorf("the Metalink document lacks %s:\n%s", want, body)
		}
	}
}

// TestManifestsGoWithTheirBlobs looks for manifests of what is not there any
// more.
func TestManifestsGoWithTheirBlobs(t *testing.T) {
	r := openRig(t, func(c *config.Config) { c.Keep = time.Second })
	id := r.admin.Put("/file/admin/a", string(severalChunks())).Field(t, "id")
	want := func(what string, n int) {
		t.Helper()
		if got := r.table.count("MANIFEST#"); got != n {
			t.Errorf("%s: %d manifests are kept, want %d", what, got, n)
		}
	}
	want("a large file", 1)
	r.admin.Do(http.MethodPut, "/file/admin/b", bytes.NewReader(severalChunks()), "If-Match", "*").Want(t, http.StatusPreconditionFailed)
	r.admin.Put("/file/admin/small", "small")
	want("a refused upload and a small one", 1)
	r.admin.Put("/file/admin/a", string(severalChunks()))
	want("two versions", 2)
	r.clock.Advance(3 * time.Second)
	r.App.Janitor.Sweep(t.Context())
	want("the replaced version's time is over", 1)
	r.admin.Do(http.MethodDelete, "/api/files/"+id, nil).Want(t, http.StatusNoContent)
	r.clock.Advance(3 * time.Second)
	r.App.Janitor.Sweep(t.Context())
	want("the deleted file's time is over", 0)
}

// TestAria2 downloads by an unmodified aria2c, which verifies, and then from a
// disk on which a byte has changed.
func TestAria2(t *testing.T) {
	aria2, err := exec.LookPath("aria2c")
	if err != nil {
		t.Skip("aria2c is not installed")
	}
	r := openRig(t)
	content := severalChunks()
	id := r.admin.Put("/file/admin/a.bin", string(content)).Field(t, "id")
	dir := t.TempDir()
	document := filepath.Join(dir, "a.meta4")
	body := r.admin.Do(http.MethodGet, "/api/files/"+id+"/manifest?format=metalink", nil).Want(t, http.StatusOK).Body
	if err := os.WriteFile(document, body, 0o600); err != nil {
		t.Fatal(err)
	}
	fetch := func(into string) (string, error) {
		out, err := exec.CommandContext(t.Context(), aria2, "--no-conf", "-x4", "-s4", "-k1M", "--max-tries=1",
			"--header=Authorization: Bearer "+r.admin.Token, "-d", into, "-M", document).CombinedOutput()
		return string(out), err
	}
	good := filepath.Join(dir, "good")
	if out, err := fetch(good); err != nil {
		t.Fatalf("aria2c failed: %v\n%s", err, out)
	}
	if got, err := os.ReadFile(filepath.Join(good, "a.bin")); err != nil || !bytes.Equal(got, content) {
		t.Fatalf("aria2c fetched %d bytes, %v; want the %d sent", len(got), err, len(content))
	}
	r.damage(manifest.MinChunk + 5)
	if out, err := fetch(filepath.Join(dir, "bad")); err == nil {
		t.Errorf("aria2c took a damaged file:\n%s", out)
	}
}

// damage changes a byte of the one large blob on the disk.
func (r *rig) damage(offset int64) {
	r.t.Helper()
	for _, name := range r.blobFiles() {
		path := filepath.Join(r.Dir, "blobs", name)
		if info, err := os.Stat(path); err != nil || info.Size() < offset {
			continue
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			r.t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteAt([]byte{'!'}, offset); err != nil {
			r.t.Fatal(err)
		}
		return
	}
	r.t.Fatal("there is no blob to damage")
}

func TestManifestOfAReplacedVersion(t *testing.T) {
	r := openRig(t)
	first := r.admin.Put("/file/admin/a", "first")
	id, version := first.Field(t, "id"), first.Field(t, "version_id")
	r.admin.Put("/file/admin/a", "second")
	path := "/api/files/" + id + "/manifest?version=" + version
	if a := r.admin.Do(http.MethodGet, path, nil).Want(t, http.StatusOK); a.Field(t, "version_id") != version || a.Field(t, "sha256") != first.Field(t, "sha256") {
		t.Errorf("the manifest of the first version is %s", a)
	}
	if a := r.admin.Do(http.MethodGet, path+"&format=metalink", nil).Want(t, http.StatusOK); !strings.Contains(string(a.Body), "/content?version="+version+"</url>") {
		t.Errorf("the Metalink of the first version leads elsewhere: %s", a.Body)
	}
	r.admin.JSON(http.MethodPatch, "/api/files/"+id, map[string]string{"visibility": "public"}).Want(t, http.StatusOK)
	r.user("eve", auth.User).Do(http.MethodGet, path, nil).Want(t, http.StatusNotFound)
	wantBadParameter(t, r.admin, path+"&fromat=json", "fromat")
}
