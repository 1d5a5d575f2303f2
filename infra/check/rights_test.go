package main

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"sluice/shared/app/amazon/amazontest"
	"sluice/shared/catalog"
)

// Every function does all of its work with the rights of its role, and has none
// for which it has no use.
func TestRolesAreEnoughAndNoMore(t *testing.T) {
	d := deploy(t)
	d.useAccounts()
	file := d.useFiles()
	d.useUploads()
	d.useSessions(file)
	d.useImports()
	d.useRemovals(file)
	d.useLost()
	for _, name := range []string{"Download", "DownloadStream"} {
		if err := d.deps[name].Recorder.Flush(t.Context()); err != nil {
			t.Errorf("%s counts: %v", name, err)
		}
	}
	d.gates["Download"].join(d.gates["DownloadStream"]) // they have one role
	for _, name := range []string{"Auth", "Files", "Download", "Ingest", "Janitor"} {
		for _, right := range d.gates[name].unused() {
			t.Errorf("%s may do %s, and has no use for it", name, right)
		}
	}
	for _, line := range d.failures() {
		t.Error(line)
	}
}

// failures returns what the functions logged as errors, and what was refused.
func (d *deployment) failures() (found []any) {
	for _, line := range d.log.Lines(d.t) {
		if line["level"] == "ERROR" {
			found = append(found, line)
		}
	}
	for name, g := range d.gates {
		for _, denied := range g.denials() {
			found = append(found, name+" may not do "+denied)
		}
	}
	return found
}

// long is more than any job here takes.
const long = time.Minute

func (d *deployment) login(username string) {
	d.t.Helper()
	d.token = ""
	d.token = text(d.ask(http.MethodPost, "/api/login", object{"username": username, "password": password}, http.StatusOK), "access_token")
}

func (d *deployment) useAccounts() {
	d.login("admin")
	ada := text(d.ask(http.MethodPost, "/api/users", object{"username": "ada", "password": password, "role": "user"}, http.StatusCreated), "id")
	d.ask(http.MethodGet, "/api/users", nil, http.StatusOK)
	d.ask(http.MethodPatch, "/api/users/"+ada, object{"display_name": "Ada"}, http.StatusOK)
	d.ask(http.MethodDelete, "/api/users/"+ada, nil, http.StatusNoContent)
	d.ask(http.MethodPatch, "/api/profile", object{"display_name": "Root"}, http.StatusOK)
	d.token = ""
	begun := d.ask(http.MethodPost, "/api/login", object{"username": "admin", "password": password}, http.StatusOK)
	again := d.ask(http.MethodPost, "/api/token/refresh", object{"refresh_token": text(begun, "refresh_token")}, http.StatusOK)
	d.token = text(again, "access_token")
	d.ask(http.MethodPost, "/api/logout", nil, http.StatusNoContent)
	d.login("admin")
	d.ask(http.MethodGet, "/.well-known/jwks.json", nil, http.StatusOK)
	d.ask(http.MethodGet, "/readyz", nil, http.StatusOK)
}

// useFiles returns the id of a file of 6 MiB with two versions.
func (d *deployment) useFiles() string {
	d.t.Helper()
	content := bytes.Repeat([]byte("sluice "), 6<<20/7)
	d.ask(http.MethodPut, "/file/admin/a.bin", []byte("hello"), http.StatusCreated)
	made := d.ask(http.MethodPut, "/file/admin/a.bin", content, http.StatusOK)
	id := text(made, "id")
	d.ask(http.MethodPut, "/file/admin/small.txt", []byte("hello"), http.StatusCreated)
	d.ask(http.MethodGet, "/api/files", nil, http.StatusOK)
	d.ask(http.MethodGet, "/api/files/"+id+"/versions", nil, http.StatusOK)
	d.ask(http.MethodPatch, "/api/files/"+id, object{"path": "b.bin"}, http.StatusOK)
	d.ask(http.MethodPatch, "/api/files/"+id, object{"path": "a.bin"}, http.StatusOK)
	d.ask(http.MethodHead, "/api/files/"+id+"/content", nil, http.StatusOK)
	d.ask(http.MethodGet, "/api/files/"+id+"/content", nil, http.StatusPartialContent, "Range", "bytes=0-9")
	if whole := d.ask(http.MethodGet, "/api/files/"+id+"/content", nil, http.StatusOK); whole["length"] != len(content) {
		d.t.Errorf("by a redirect to the store come %v bytes, want %d", whole["length"], len(content))
	}
	d.ask(http.MethodGet, "/file/admin/a.bin", nil, http.StatusOK)
	link := d.ask(http.MethodPost, "/api/files/"+id+"/link", object{}, http.StatusCreated)
	if !strings.HasPrefix(text(link, "url"), d.stream.URL) {
		d.t.Errorf("a link leads to %s, want DownloadStream at %s", text(link, "url"), d.stream.URL)
	}
	d.ask(http.MethodGet, text(link, "url"), nil, http.StatusOK)
	d.ask(http.MethodDelete, "/api/files/"+id+"/links/"+text(link, "id"), nil, http.StatusNoContent)
	return id
}

func (d *deployment) useUploads() {
	d.t.Helper()
	const size = 72 << 20 // more than is verified within a request
	part := make([]byte, 8<<20)
	begun := d.ask(http.MethodPost, "/api/files", object{"path": "large.bin", "size": size, "part_size": len(part)}, http.StatusCreated, "Idempotency-Key", `"large"`)
	at := "/api/uploads/" + text(begun, "upload_id")
	for n := range size / len(part) {
		issued := d.ask(http.MethodPost, at+"/parts", object{"parts": []object{{"number": n + 1}}}, http.StatusOK)
		d.ask(http.MethodPut, text(objects(issued, "parts")[0], "url"), part, http.StatusOK)
	}
	d.ask(http.MethodPost, at+"/complete", nil, http.StatusAccepted)
	const short = 9 * time.Second // less than a job keeps for its end
	for _, each := range []time.Duration{short, long} {
		if worked := d.work(each); worked != 1 {
			d.t.Errorf("a large upload makes %d messages, want one, and one more when its job is out of time", worked)
		}
	}
	// Noted each 16 GiB, and where a job is out of time in the middle of a blob.
	if err := d.deps["Ingest"].Catalog.PutHashing(d.t.Context(), catalog.Version{Key: "large"}, catalog.Hashing{Read: 1, Saved: []byte("state")}); err != nil {
		d.t.Errorf("Ingest notes how far it is: %v", err)
	}
	file := text(d.ask(http.MethodGet, at, nil, http.StatusOK), "file_id")
	d.ask(http.MethodGet, "/api/files/"+file+"/manifest", nil, http.StatusOK)

	small := d.ask(http.MethodPost, "/api/files", object{"path": "small.bin", "size": 2 * len(part), "part_size": len(part)}, http.StatusCreated)
	at = "/api/uploads/" + text(small, "upload_id")
	issued := d.ask(http.MethodPost, at+"/parts", object{"parts": []object{{"number": 1}, {"number": 2}}}, http.StatusOK)
	for _, p := range objects(issued, "parts") {
		d.ask(http.MethodPut, text(p, "url"), part, http.StatusOK)
	}
	d.ask(http.MethodGet, at, nil, http.StatusOK)
	d.ask(http.MethodPost, at+"/complete", nil, http.StatusOK)

	aborted := d.ask(http.MethodPost, "/api/files", object{"path": "aborted.bin", "part_size": len(part)}, http.StatusCreated)
	at = "/api/uploads/" + text(aborted, "upload_id")
	issued = d.ask(http.MethodPost, at+"/parts", object{"parts": []object{{"number": 1}}}, http.StatusOK)
	d.ask(http.MethodPut, text(objects(issued, "parts")[0], "url"), part, http.StatusOK)
	d.ask(http.MethodDelete, at, nil, http.StatusNoContent)

	const version = "1.0.0"
	tus := d.ask(http.MethodPost, "/api/tus", nil, http.StatusCreated, "Tus-Resumable", version, "Upload-Length", "10", "Upload-Metadata", "path dHVzLmJpbg==")
	where := strings.TrimPrefix(text(tus, "header Location"), d.api.URL)
	for _, offset := range []string{"0", "5"} {
		d.ask(http.MethodPatch, where, []byte("hello"), http.StatusNoContent, "Tus-Resumable", version, "Upload-Offset", offset, "Content-Type", "application/offset+octet-stream")
	}
	d.ask(http.MethodHead, where, nil, http.StatusOK, "Tus-Resumable", version)
	d.ask(http.MethodDelete, where, nil, http.StatusNoContent, "Tus-Resumable", version)
}

func (d *deployment) useSessions(file string) {
	d.t.Helper()
	session := d.ask(http.MethodPost, "/api/files/"+file+"/sessions", object{}, http.StatusCreated)
	d.ask(http.MethodGet, text(objects(session, "sources")[0], "url"), nil, http.StatusOK)
	d.ask(http.MethodGet, "/api/sessions", nil, http.StatusOK)
	at := "/api/sessions/" + text(session, "id")
	d.ask(http.MethodGet, at, nil, http.StatusOK)
	d.ask(http.MethodPost, at+"/renew", nil, http.StatusOK)
	d.ask(http.MethodDelete, at, nil, http.StatusNoContent)
	d.ask(http.MethodGet, "/api/audit", nil, http.StatusOK)
	d.ask(http.MethodGet, "/api/usage?by=user", nil, http.StatusOK)
}

// useImports imports an object, and replaces it behind the back of Sluice.
func (d *deployment) useImports() {
	d.t.Helper()
	d.putObject("videos/a.mp4", "one")
	begun := d.ask(http.MethodPost, "/api/imports", object{"source": "s3://" + bucketName + "/videos/", "owner": "admin", "path": "videos"}, http.StatusAccepted)
	d.work(long)
	if got := d.ask(http.MethodGet, "/api/imports/"+text(begun, "id"), nil, http.StatusOK); text(got, "state") != "done" {
		d.t.Errorf("the import is %v", got)
	}
	d.ask(http.MethodGet, "/api/imports", nil, http.StatusOK)
	d.putObject("videos/b.mp4", "two")
	d.tell("Object Created", "videos/b.mp4")
	d.ask(http.MethodGet, "/file/admin/videos/b.mp4", nil, http.StatusOK)
	d.putObject("videos/c.mp4", "three")
	d.tell("Object Created", "videos/c.mp4")
	d.removeObject("videos/c.mp4")
	d.tell("Object Deleted", "videos/c.mp4")
	d.ask(http.MethodGet, "/file/admin/videos/c.mp4", nil, http.StatusConflict)
	d.ask(http.MethodGet, "/file/admin/videos/a.mp4", nil, http.StatusOK)
	imported := d.ask(http.MethodGet, "/api/files?prefix=videos/", nil, http.StatusOK)
	id := text(objects(imported, "files")[0], "id")
	d.ask(http.MethodGet, "/api/files/"+id+"/manifest", nil, http.StatusAccepted)
	d.work(long)
	d.ask(http.MethodGet, "/api/files/"+id+"/manifest", nil, http.StatusOK)
	d.putObject("videos/a.mp4", "another")
	d.ask(http.MethodGet, "/file/admin/videos/a.mp4", nil, http.StatusConflict)
	d.ask(http.MethodGet, "/file/admin/videos/a.mp4", nil, http.StatusConflict)

	stopped := d.ask(http.MethodPost, "/api/imports", object{"source": "s3://" + bucketName + "/videos/", "owner": "admin", "path": "videos"}, http.StatusAccepted)
	d.ask(http.MethodDelete, "/api/imports/"+text(stopped, "id"), nil, http.StatusNoContent)
	d.work(long)
}

// tell has EventBridge tell of an object.
func (d *deployment) tell(what, key string) {
	d.t.Helper()
	d.rest.Put(amazontest.Message{Queue: d.queueURL(), Body: `{"version":"0","detail-type":"` + what + `","source":"aws.s3","detail":{"version":"0","bucket":{"name":"` + bucketName + `"},"object":{"key":"` + key + `"}}}`})
	d.work(long)
}

func (d *deployment) removeObject(key string) {
	d.t.Helper()
	if _, err := d.store().DeleteObject(d.t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(bucketName), Key: &key}); err != nil {
		d.t.Fatal(err)
	}
}

func (d *deployment) putObject(key, content string) {
	d.t.Helper()
	if _, err := d.store().PutObject(d.t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucketName), Key: &key, Body: strings.NewReader(content)}); err != nil {
		d.t.Fatal(err)
	}
}

func (d *deployment) useRemovals(file string) {
	d.t.Helper()
	versions := objects(d.ask(http.MethodGet, "/api/files/"+file+"/versions", nil, http.StatusOK), "versions")
	at := slices.IndexFunc(versions, func(v object) bool { return at(v, "current") != true })
	if at < 0 {
		d.t.Fatalf("there is no version before: %v", versions)
	}
	d.ask(http.MethodPost, "/api/files/"+file+"/restore", object{"version_id": text(versions[at], "version_id")}, http.StatusOK)
	d.ask(http.MethodDelete, "/api/files/"+file, nil, http.StatusNoContent)
	d.ask(http.MethodPost, "/api/files/"+file+"/undelete", object{}, http.StatusOK)
	d.ask(http.MethodPatch, "/api/files/"+file, object{"expires_at": time.Now().Add(time.Second).UTC().Format(time.RFC3339)}, http.StatusOK)
	d.ask(http.MethodDelete, "/file/admin/small.txt", nil, http.StatusNoContent)
	d.ask(http.MethodDelete, "/file/admin/large.bin", nil, http.StatusNoContent)
	d.sweepUntil("of what was removed no object is left", func() bool { return d.objects() == left })
}

// left is how many objects are to be there in the end: of small.bin, of tus.bin,
// and the two that were imported.
const left = 4

// useLost completes an upload whose job is never sent.
func (d *deployment) useLost() {
	d.t.Helper()
	begun := d.ask(http.MethodPost, "/api/files", object{"path": "lost.bin", "size": 5}, http.StatusCreated)
	at := "/api/uploads/" + text(begun, "upload_id")
	issued := d.ask(http.MethodPost, at+"/parts", object{"parts": []object{{"number": 1}}}, http.StatusOK)
	d.ask(http.MethodPut, text(objects(issued, "parts")[0], "url"), []byte("hello"), http.StatusOK)
	if _, err := d.deps["Files"].Catalog.Verify(d.t.Context(), text(begun, "upload_id")); err != nil { // and here Files is halted
		d.t.Fatal(err)
	}
	d.sweepUntil("Janitor sends what was left lying to the queue", func() bool { return d.work(long) == 1 })
	if got := d.ask(http.MethodGet, at, nil, http.StatusOK); text(got, "state") != "complete" {
		d.t.Errorf("what was left lying is %v, want complete", got)
	}
}

// objects returns how many there are in the bucket.
func (d *deployment) objects() int {
	d.t.Helper()
	found, err := d.store().ListObjectsV2(d.t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucketName)})
	if err != nil {
		d.t.Fatal(err)
	}
	return len(found.Contents)
}

// store returns a client of the store that may do everything.
func (d *deployment) store() *s3.Client {
	return s3.New(s3.Options{
		Region: d.blobs.Region, BaseEndpoint: &d.blobs.Endpoint, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(d.blobs.AccessKey, d.blobs.SecretKey, ""),
	})
}

// sweepUntil has Janitor sweep until something is so.
func (d *deployment) sweepUntil(what string, done func() bool) {
	d.t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for patience := time.Now().Add(time.Minute); !done(); <-tick.C {
		if time.Now().After(patience) {
			d.t.Fatalf("%s: not within a minute", what)
		}
		if _, err := d.deps["Janitor"].Janitor.Handle(d.t.Context(), nil); err != nil {
			d.t.Fatal(err)
		}
	}
}
