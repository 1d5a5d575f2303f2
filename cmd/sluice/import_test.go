package main_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"sluice/localstack/program"
	"sluice/localstack/stores"
)

// onMinIO returns the settings of a server with its blobs in the bucket files.
func onMinIO(store *stores.S3) []string {
	return []string{
		"AWS_REGION=" + store.Region, "AWS_ACCESS_KEY_ID=" + store.AccessKey, "AWS_SECRET_ACCESS_KEY=" + store.SecretKey,
		"AWS_ENDPOINT_URL_S3=" + store.Endpoint, "SLUICE_BLOB=s3://files", "SLUICE_ADMIN_PASSWORD=" + password,
	}
}

// others returns a client of the store that knows nothing of a server.
func others(store *stores.S3) *s3.Client {
	return s3.New(s3.Options{
		Region: store.Region, BaseEndpoint: &store.Endpoint, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(store.AccessKey, store.SecretKey, ""),
	})
}

func putObject(t *testing.T, c *s3.Client, key, content string) {
	t.Helper()
	if _, err := c.PutObject(context.WithoutCancel(t.Context()), &s3.PutObjectInput{Bucket: aws.String("files"), Key: &key, Body: strings.NewReader(content)}); err != nil {
		t.Errorf("put %s: %v", key, err)
	}
}

// putMany puts so many objects of ten bytes under videos/.
func putMany(t *testing.T, c *s3.Client, n int) {
	t.Helper()
	var group sync.WaitGroup
	for worker := range 16 {
		group.Go(func() {
			for i := worker; i < n; i += 16 {
				putObject(t, c, fmt.Sprintf("videos/%d/%05d", i%7, i), fmt.Sprintf("object%04d", i%10000))
			}
		})
	}
	group.Wait()
}

// imported is an import as the API shows it.
type imported struct {
	ID                                                  string
	State                                               string
	Seen, Registered, Unchanged, Skipped, Failed, Bytes int
}

func (p *process) imported(token, id string) imported {
	p.t.Helper()
	var i imported
	ask(p, http.MethodGet, "/api/imports/"+id, token, "", http.StatusOK, &i)
	return i
}

// A server that is killed in the midst of an import goes on with it when it
// starts again: every object is registered once, and the counts are true.
func TestKillLosesNoObjectOfAnImport(t *testing.T) {
	const objects = 3000
	store := stores.MinIO(t)
	data, settings := filepath.Join(t.TempDir(), "data"), onMinIO(store)
	adminInit(t, settings, "--data="+data)
	putMany(t, others(store), objects)
	p := start(t, data, settings...)
	token := p.Login(password)
	var began imported
	ask(p, http.MethodPost, "/api/imports", token, `{"source":"s3://files/videos","owner":"admin"}`, http.StatusAccepted, &began)
	for kill := range 3 {
		least := (kill + 1) * objects / 5
		var now imported
		eventually(t, "some of the import", func() bool { now = p.imported(token, began.ID); return now.Seen >= least })
		if now.State != "running" {
			t.Fatalf("at kill %d the import is over: %+v", kill+1, now)
		}
		p.Kill()
		p = start(t, data, settings...)
	}
	var end imported
	eventually(t, "the end of the import", func() bool { end = p.imported(token, began.ID); return end.State != "running" })
	want := imported{ID: began.ID, State: "done", Seen: objects, Registered: objects, Bytes: 10 * objects}
	if end != want {
		t.Errorf("at the end the import is %+v, want %+v", end, want)
	}
	var profile struct{ Used struct{ Bytes, Files int } }
	ask(p, http.MethodGet, "/api/profile", token, "", http.StatusOK, &profile)
	if profile.Used.Files != objects || profile.Used.Bytes != 10*objects {
		t.Errorf("%+v is counted, want %d files of 10 bytes each", profile.Used, objects)
	}
	if got := p.Get(token, "3/00003"); got != "object0003" {
		t.Errorf("a file is %q, want object0003", got)
	}
	p.Stop()
}

// Of two servers that know of an import one works on it; when that one goes,
// the other goes on, at once after a stop and by the end of the lease after a
// kill. Every object is registered once, and the counts are true.
func TestAServerGoesOnWithTheImportOfAnother(t *testing.T) {
	const objects = 1500
	type ending struct {
		name string
		end  func(*process)
	}
	cases := []ending{{"that stopped", (*process).Stop}}
	if os.Getenv("SLUICE_FULL") != "" { // its lease has 30 s to run
		cases = append(cases, ending{"that was killed", (*process).Kill})
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			store := stores.MinIO(t)
			d := newDeploymentOn(t, store)
			putMany(t, others(store), objects)
			one, other := d.start(), d.start()
			token := one.Login(d.password)
			var began imported
			ask(one, http.MethodPost, "/api/imports", token, `{"source":"s3://files/videos","owner":"admin"}`, http.StatusAccepted, &began)
			var now imported
			eventually(t, "some of the import", func() bool { now = other.imported(token, began.ID); return now.Seen >= objects/5 })
			if now.State != "running" {
				t.Fatalf("the import is over before the first server ends: %+v", now)
			}
			c.end(one)
			var end imported
			eventually(t, "the end of the import", func() bool { end = other.imported(token, began.ID); return end.State != "running" })
			want := imported{ID: began.ID, State: "done", Seen: objects, Registered: objects, Bytes: 10 * objects}
			if end != want {
				t.Errorf("at the end the import is %+v, want %+v", end, want)
			}
			wantUsed(other, token, 10*objects, objects)
			other.Stop()
		})
	}
}

// runImportCommand runs the command and returns what it prints and its code.
func runImportCommand(t *testing.T, p *process, env string, args ...string) (string, int) {
	t.Helper()
	cmd := command(append([]string{"admin", "import", "--server=" + p.URL}, args...)...)
	cmd.Env = append(cmd.Env, env)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func TestImportCommand(t *testing.T) {
	store := stores.MinIO(t)
	data, settings := filepath.Join(t.TempDir(), "data"), onMinIO(store)
	adminInit(t, settings, "--data="+data)
	c := others(store)
	putObject(t, c, "videos/a.mp4", "hello")
	putObject(t, c, "videos/b.mp4", "world!")
	p := start(t, data, settings...)
	token := p.Login(password)
	p.Put(token, "in/b.mp4", "mine")
	byToken := "SLUICE_TOKEN=" + token
	for _, c := range []struct {
		name, env, args string
		code            int
		says            string
	}{
		{"dry", byToken, "s3://files/videos --owner admin --path in --dry-run", 0, "Looking at s3://files/videos/ for admin"},
		{"for good", byToken, "s3://files/videos --owner admin --path in", 0, "2 objects: 1 registered (5 bytes), 0 unchanged, 1 skipped, 0 failed\n"},
		{"what is skipped", byToken, "s3://files/videos/ --owner admin --path in", 0, "videos/b.mp4: A file of another origin has the path.\n"},
		{"again", byToken, "s3://files/videos/ --owner admin --path in", 0, "2 objects: 0 registered (0 bytes), 1 unchanged, 1 skipped, 0 failed\n"},
		{"from elsewhere", byToken, "s3://others/ --owner admin", 7, "A source lies in one of these: s3://files"},
		{"for nobody", byToken, "s3://files/videos --owner nobody", 5, "There is no such"},
		{"without an owner", byToken, "s3://files/videos", 2, "owner"},
		{"without a source", byToken, "--owner admin", 2, "takes one source"},
		{"without credentials", "A=b", "s3://files/videos --owner admin", 4, "run sluice login"},
	} {
		if out, code := runImportCommand(t, p, c.env, strings.Fields(c.args)...); code != c.code || !strings.Contains(out, c.says) {
			t.Errorf("an import %s ends with %d and says\n%s\nwant %d and %q", c.name, code, out, c.code, c.says)
		}
	}
	if got := p.Get(token, "in/a.mp4"); got != "hello" {
		t.Errorf("the file is %q, want hello", got)
	}
}

func TestInterruptLeavesTheImportRunning(t *testing.T) {
	const objects = 2000
	store := stores.MinIO(t)
	data, settings := filepath.Join(t.TempDir(), "data"), onMinIO(store)
	adminInit(t, settings, "--data="+data)
	putMany(t, others(store), objects)
	p := start(t, data, settings...)
	token := p.Login(password)
	cmd := command("admin", "import", "--server="+p.URL, "s3://files/videos", "--owner=admin")
	cmd.Env = append(cmd.Env, "SLUICE_TOKEN="+token)
	said := &transcript{}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the id of the import", func() bool { return strings.Contains(said.String(), ": import ") })
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // its state tells
	if out := said.String(); cmd.ProcessState.ExitCode() != 130 || !strings.Contains(out, "goes on in the server") {
		t.Errorf("after Ctrl-C the command ends with %s and says\n%s", cmd.ProcessState, out)
	}
	var list struct{ Imports []imported }
	eventually(t, "the end of the import", func() bool {
		ask(p, http.MethodGet, "/api/imports", token, "", http.StatusOK, &list)
		return list.Imports[0].State == "done"
	})
	if got := list.Imports[0]; got.Registered != objects {
		t.Errorf("the import ended as %+v, want %d registered", got, objects)
	}
}

// MinIO tells the server of objects that are new and of those that are gone, by
// its own webhook.
func TestMinIOTellsOfItsObjects(t *testing.T) {
	const secret = "the-token-of-the-store"
	port, err := program.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprintf("%s:%d", program.Host, port)
	store := stores.MinIOWith(t,
		"MINIO_NOTIFY_WEBHOOK_ENABLE_SLUICE=on", "MINIO_NOTIFY_WEBHOOK_ENDPOINT_SLUICE=http://"+addr+"/api/events/s3",
		"MINIO_NOTIFY_WEBHOOK_AUTH_TOKEN_SLUICE="+secret, "MINIO_NOTIFY_WEBHOOK_QUEUE_DIR_SLUICE="+t.TempDir())
	data, settings := filepath.Join(t.TempDir(), "data"), append(onMinIO(store), "SLUICE_ADDR="+addr, "SLUICE_WEBHOOK_TOKEN="+secret)
	adminInit(t, settings, "--data="+data)
	p := start(t, data, settings...)
	token := p.Login(password)
	var began imported
	ask(p, http.MethodPost, "/api/imports", token, `{"source":"s3://files/videos/","owner":"admin","path":"new"}`, http.StatusAccepted, &began)
	eventually(t, "the end of the import", func() bool { return p.imported(token, began.ID).State == "done" })
	c := others(store)
	_, err = c.PutBucketNotificationConfiguration(t.Context(), &s3.PutBucketNotificationConfigurationInput{
		Bucket: aws.String("files"),
		NotificationConfiguration: &types.NotificationConfiguration{QueueConfigurations: []types.QueueConfiguration{
			{QueueArn: aws.String("arn:minio:sqs:" + store.Region + ":SLUICE:webhook"), Events: []types.Event{"s3:ObjectCreated:*", "s3:ObjectRemoved:*"}},
		}},
	})
	if err != nil {
		t.Fatalf("PutBucketNotificationConfiguration: %v", err)
	}
	var list struct {
		Files []struct {
			Path, ETag string
			Changed    bool
		}
	}
	files := func() int {
		ask(p, http.MethodGet, "/api/files", token, "", http.StatusOK, &list)
		return len(list.Files)
	}
	putObject(t, c, "videos/a b+c%.txt", "first")
	eventually(t, "the new file", func() bool { return files() == 1 })
	first := list.Files[0]
	if first.Path != "new/a b+c%.txt" {
		t.Errorf("the new file is at %q, want new/a b+c%%.txt", first.Path)
	}
	putObject(t, c, "videos/a b+c%.txt", "second!")
	eventually(t, "the new version", func() bool { return files() == 1 && list.Files[0].ETag != first.ETag })
	if got := p.Get(token, "new/a%20b+c%25.txt"); got != "second!" {
		t.Errorf("the new version is %q, want second!", got)
	}
	if _, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("files"), Key: aws.String("videos/a b+c%.txt")}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the mark of the object that is gone", func() bool { return files() == 1 && list.Files[0].Changed })
	if r := p.Ask(http.MethodGet, "/file/admin/new/a%20b+c%25.txt", token, nil); r.StatusCode != http.StatusConflict {
		t.Errorf("GET of an object that is gone = %s, want 409", r.Status)
	}
	if strings.Contains(p.Stderr.String(), secret) {
		t.Errorf("the token of the store is logged")
	}
	p.Stop()
}
