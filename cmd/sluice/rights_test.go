package main_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"sluice/localstack/stores"
)

type statement = map[string]any

// documented returns the statements on S3 that docs/operations.md gives under a
// mark, for the bucket of these tests. The emulators of DynamoDB have no rights.
func documented(t *testing.T, mark string) []statement {
	t.Helper()
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), "<!-- iam: "+mark+" -->\n```json\n")
	block, _, closed := strings.Cut(after, "```")
	if !found || !closed {
		t.Fatalf("docs/operations.md has no statements for %s", mark)
	}
	var policy struct{ Statement []statement }
	block = strings.NewReplacer("my-bucket", "files", "BucketCORS", "BucketCors").Replace(block) // as MinIO spells it
	if err := json.Unmarshal([]byte(block), &policy); err != nil {
		t.Fatal(err)
	}
	var onS3 []statement
	for _, s := range policy.Statement {
		if strings.HasPrefix(s["Resource"].([]any)[0].(string), "arn:aws:s3:") {
			onS3 = append(onS3, s)
		}
	}
	return onS3
}

// withRights returns settings with credentials in place of the store's own that
// may do no more than the statements say.
func withRights(t *testing.T, settings []string, blobs *stores.S3, statements []statement) []string {
	t.Helper()
	policy, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		t.Fatal(err)
	}
	client := sts.New(sts.Options{
		Region: blobs.Region, BaseEndpoint: &blobs.Endpoint,
		Credentials: credentials.NewStaticCredentialsProvider(blobs.AccessKey, blobs.SecretKey, ""),
	})
	out, err := client.AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::000000000000:role/test"), RoleSessionName: aws.String("test"), Policy: aws.String(string(policy)),
	})
	if err != nil {
		t.Fatalf("MinIO gives no credentials for %s: %v", policy, err)
	}
	return append(slices.Clip(settings),
		"AWS_ACCESS_KEY_ID="+*out.Credentials.AccessKeyId, "AWS_SECRET_ACCESS_KEY="+*out.Credentials.SecretAccessKey,
		"AWS_SESSION_TOKEN="+*out.Credentials.SessionToken)
}

func TestTheRightsInTheDocumentsAreEnough(t *testing.T) {
	blobs := stores.MinIO(t)
	dir := t.TempDir()
	all := append(onStores(blobs, stores.Dynoxide(t)), "SLUICE_KEYS=file://"+filepath.Join(dir, "keys.json"))
	serving := documented(t, "serve")
	admin := withRights(t, all, blobs, append(documented(t, "admin"), serving...))
	makeMedia(t, others(blobs))
	server := withRights(t, append(all, "SLUICE_IMPORT_BUCKETS=s3://my-media"), blobs, append(documented(t, "import"), serving...))

	made := shownPassword(t, adminInit(t, admin, "--data="+dir, "--policy=public-read:a/"))
	adminInit(t, admin, "--data="+dir, "--policy=private")
	wantRefused(t, []string{"admin", "policy", "set", "tls-only"}, append(server, "SLUICE_DATA="+dir), "AccessDenied")

	server = append(server, "SLUICE_KEEP=0s") // what is deleted goes with the next sweep
	p := start(t, dir, server...)
	if r := p.Ask(http.MethodGet, "/readyz", "", nil); r.StatusCode != http.StatusOK {
		t.Errorf("readiness = %s, want 200", r.Status)
	}
	token := p.Login(made)
	p.Put(token, "small", "hello")
	if got := p.Get(token, "small"); got != "hello" {
		t.Errorf("a file of one part is %q, want hello", got)
	}
	large := make([]byte, 20<<20)
	if r := p.Ask(http.MethodPut, "/file/admin/large", token, bytes.NewReader(large)); r.StatusCode != http.StatusCreated {
		t.Errorf("PUT of several parts = %s, want 201", r.Status)
	}
	abandonUpload(p, token)
	importFrom(p, token, "s3://my-media/")
	if got := p.Get(token, "old"); got != "theirs" {
		t.Errorf("a file of another bucket is %q, want theirs", got)
	}
	if r := p.Ask(http.MethodDelete, "/file/admin/small", token, nil); r.StatusCode != http.StatusNoContent {
		t.Errorf("DELETE = %s, want 204", r.Status)
	}
	wantNoErrors(p)
	p.Stop()

	p = start(t, dir, server...) // it sweeps at once
	eventually(t, "the sweep", func() bool { return len(p.Logged(0, "msg", "sweep")) > 0 })
	if got := p.Logged(0, "msg", "sweep")[0]["removed"]; got == nil {
		t.Error("the sweep removed nothing")
	}
	wantNoErrors(p)
}

// makeMedia makes a bucket that is not ours, with an object.
func makeMedia(t *testing.T, c *s3.Client) {
	t.Helper()
	name := aws.String("my-media")
	_, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: name})
	if err == nil {
		_, err = c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: name, Key: aws.String("old"), Body: strings.NewReader("theirs")})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// importFrom imports for the admin, and waits for the end.
func importFrom(p *process, token, source string) {
	p.t.Helper()
	var began imported
	ask(p, http.MethodPost, "/api/imports", token, `{"source":"`+source+`","owner":"admin"}`, http.StatusAccepted, &began)
	eventually(p.t, "the end of the import", func() bool { return p.imported(token, began.ID).State == "done" })
}

// abandonUpload begins an upload in parts, sends one, and aborts it.
func abandonUpload(p *process, token string) {
	p.t.Helper()
	var begun struct {
		ID string `json:"upload_id"`
	}
	ask(p, http.MethodPost, "/api/files", token, `{"path":"abandoned","size":20000000,"part_size":8388608}`, http.StatusCreated, &begun)
	upload := "/api/uploads/" + begun.ID
	var issued struct{ Parts []struct{ URL string } }
	ask(p, http.MethodPost, upload+"/parts", token, `{"parts":[{"number":1}]}`, http.StatusOK, &issued)
	url := issued.Parts[0].URL
	if r := p.Ask(http.MethodPut, strings.TrimPrefix(url, p.URL), "", bytes.NewReader(make([]byte, 8<<20))); r.StatusCode >= 300 {
		p.t.Errorf("PUT of a part = %s", r.Status)
	}
	if r := p.Ask(http.MethodGet, upload, token, nil); r.StatusCode != http.StatusOK {
		p.t.Errorf("GET of an upload = %s, want 200", r.Status)
	}
	if r := p.Ask(http.MethodDelete, upload, token, nil); r.StatusCode != http.StatusNoContent {
		p.t.Errorf("DELETE of an upload = %s, want 204", r.Status)
	}
}

// wantNoErrors wants the log to have no error in it.
func wantNoErrors(p *process) {
	p.t.Helper()
	for _, line := range p.Log() {
		if line["level"] == "ERROR" {
			p.t.Errorf("the server logs %v", line)
		}
	}
}
