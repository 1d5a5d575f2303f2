package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/gin-gonic/gin"

	"sluice/localstack/stores"
	"sluice/shared/api"
	"sluice/shared/app/amazon/amazontest"
	"sluice/shared/app/cloudfiles"
	"sluice/shared/app/cloudrecords"
	"sluice/shared/app/local/localtest"
	"sluice/shared/app/setup"
	"sluice/shared/config"
	"sluice/shared/ingest"
)

// deployment is the stack of the template in one process: its functions on MinIO,
// an emulator of DynamoDB and a small server of SSM and SQS, each with the rights
// of its role and no others, and before them the routes of its HTTP API.
type deployment struct {
	t       *testing.T
	stack   stack
	blobs   *stores.S3
	records *stores.DynamoDB
	rest    *amazontest.Server
	gates   map[string]*gate
	roles   map[string]aws.Credentials
	deps    map[string]api.Deps
	log     localtest.Log
	api     *httptest.Server
	stream  *httptest.Server
	token   string
}

const (
	stackName  = "sluice"
	bucketName = "sluice"
	domainName = "sluice"
	hotName    = "sluice-hot"
	password   = "correct horse battery staple"
)

func deploy(t *testing.T) *deployment {
	t.Helper()
	parsed, err := parse(transformed(t))
	if err != nil {
		t.Fatal(err)
	}
	s, err := parsed.resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	d := &deployment{
		t: t, stack: s, blobs: stores.MinIO(t), records: stores.Dynoxide(t), rest: amazontest.Start(t),
		gates: map[string]*gate{}, roles: map[string]aws.Credentials{}, deps: map[string]api.Deps{},
	}
	d.setUp()
	for _, name := range []string{"Auth", "Download", "DownloadStream", "Ingest", "Janitor"} {
		d.open(name, nil)
	}
	stream := d.deps["DownloadStream"]
	stream.Most = 200_000_000
	d.stream = serve(t, api.Download(stream))
	d.open("Files", map[string]string{"SLUICE_DOWNLOAD_URL": d.stream.URL})
	d.api = serve(t, d.routes())
	return d
}

func serve(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// queueURL is how the functions know the queue of jobs.
func (d *deployment) queueURL() string { return d.rest.URL + "/1/jobs" }

// environment returns the settings of a function for whoever has credentials, on
// records at one endpoint and all of AWS but S3 at another.
func (d *deployment) environment(c aws.Credentials, records, rest string, more map[string]string) func(string) string {
	settings := map[string]string{
		"SLUICE_BLOB":  "s3://" + bucketName + "?public_endpoint=" + d.blobs.Endpoint + "&gaps=path_keys",
		"SLUICE_TABLE": "dynamodb://" + domainName + "?hot=" + hotName,
		"SLUICE_KEYS":  filledIn(d.stack["Auth"].environment()["SLUICE_KEYS"]),
		"SLUICE_QUEUE": d.queueURL(), "SLUICE_KEEP": "1s", "SLUICE_ADMIN_PASSWORD": password, "SLUICE_DATA": d.t.TempDir(),
		"AWS_REGION": d.blobs.Region, "AWS_CONFIG_FILE": "/nonexistent", "AWS_ENDPOINT_URL_S3": d.blobs.Endpoint, "AWS_ENDPOINT_URL_DYNAMODB": records,
		"AWS_ENDPOINT_URL_SSM": rest, "AWS_ENDPOINT_URL_SECRETSMANAGER": rest, "AWS_ENDPOINT_URL_SQS": rest,
		"AWS_ACCESS_KEY_ID": c.AccessKeyID, "AWS_SECRET_ACCESS_KEY": c.SecretAccessKey, "AWS_SESSION_TOKEN": c.SessionToken,
	}
	return func(name string) string {
		if value, ok := more[name]; ok {
			return value
		}
		return settings[name]
	}
}

// setUp does what `sluice admin init` does after a deployment.
func (d *deployment) setUp() {
	d.t.Helper()
	operator := aws.Credentials{AccessKeyID: d.blobs.AccessKey, SecretAccessKey: d.blobs.SecretKey}
	d.rest.Credentials(d.blobs.Region, operator.AccessKeyID, operator.SecretAccessKey)
	env := d.environment(operator, d.records.Endpoint, d.rest.URL, nil)
	for _, name := range []string{
		"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE",
		"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SSM",
	} {
		d.t.Setenv(name, env(name)) // it reads AWS's settings as AWS's own code does
	}
	c, err := config.Load(nil, env)
	if err != nil {
		d.t.Fatal(err)
	}
	if _, err := setup.Run(d.t.Context(), c, setup.Options{}, func(setup.Step) {}); err != nil {
		d.t.Fatal(err)
	}
}

// open opens a function with the rights of its role.
func (d *deployment) open(name string, settings map[string]string) {
	d.t.Helper()
	role := d.stack.roleOf(d.stack[name])
	d.gates[name] = newGate(d.t, d.records.Endpoint, d.rest.URL, statements(role), map[string]string{
		domainName: "${DomainTable.Arn}", hotName: "${HotTable.Arn}", d.queueURL(): "${IngestQueue.Arn}",
	})
	d.roles[name] = d.assume(role)
	d.rest.Credentials(d.blobs.Region, d.roles[name].AccessKeyID, d.roles[name].SecretAccessKey)
	c, err := config.Load(nil, d.environment(d.roles[name], d.gates[name].URL, d.gates[name].URL, settings))
	if err != nil {
		d.t.Fatal(err)
	}
	open := cloudfiles.Open
	if name == "Auth" {
		open = cloudrecords.Open
	}
	deps, closeStores, err := open(d.t.Context(), c, slog.New(slog.NewJSONHandler(&d.log, nil)))
	if err != nil {
		d.t.Fatalf("%s: %v", name, err)
	}
	d.t.Cleanup(func() {
		if err := closeStores(); err != nil {
			d.t.Errorf("%s: %v", name, err)
		}
	})
	deps.Most = 4 << 20
	d.deps[name] = deps
}

// assume returns credentials of MinIO's that may do of S3 what a role may.
func (d *deployment) assume(role resource) aws.Credentials {
	d.t.Helper()
	var onS3 []object
	for _, st := range statements(role) {
		var on []string
		for _, arn := range texts(st, "Resource") {
			if rest, ok := strings.CutPrefix(arn, "${Bucket.Arn}"); ok {
				on = append(on, "arn:aws:s3:::"+bucketName+rest)
			}
		}
		if len(on) > 0 {
			onS3 = append(onS3, object{"Effect": "Allow", "Action": texts(st, "Action"), "Resource": on})
		}
	}
	if len(onS3) == 0 { // MinIO has no policy of nothing
		return aws.Credentials{AccessKeyID: "nobody", SecretAccessKey: "nothing"}
	}
	policy, err := json.Marshal(object{"Version": "2012-10-17", "Statement": onS3})
	if err != nil {
		d.t.Fatal(err)
	}
	client := sts.New(sts.Options{
		Region: d.blobs.Region, BaseEndpoint: &d.blobs.Endpoint,
		Credentials: credentials.NewStaticCredentialsProvider(d.blobs.AccessKey, d.blobs.SecretKey, ""),
	})
	out, err := client.AssumeRole(d.t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::000000000000:role/test"), RoleSessionName: aws.String("test"), Policy: aws.String(string(policy)),
	})
	if err != nil {
		d.t.Fatalf("MinIO gives no credentials for %s: %v", policy, err)
	}
	return aws.Credentials{AccessKeyID: *out.Credentials.AccessKeyId, SecretAccessKey: *out.Credentials.SecretAccessKey, SessionToken: *out.Credentials.SessionToken}
}

// routes is the HTTP API: each of its routes, before the function it leads to.
func (d *deployment) routes() http.Handler {
	engines := map[string]http.Handler{}
	for name, app := range map[string]func(api.Deps) *gin.Engine{"Auth": api.Auth, "Files": api.Files, "Download": api.Download} {
		engines[name] = app(d.deps[name])
	}
	mux := http.NewServeMux()
	for _, i := range integrations(d.stack["Api"]) {
		function, _ := i.calls()
		if i.method != http.MethodOptions {
			mux.Handle(i.method+" "+strings.Replace(i.path, "+}", "...}", 1), engines[function])
		}
	}
	return mux
}

// sqs asks the queue of jobs for an operation with the rights of Ingest, as Lambda
// does that polls it.
func (d *deployment) sqs(operation string, in object) object {
	d.t.Helper()
	in["QueueUrl"] = d.queueURL()
	status, out := asRole(d.t, d.gates["Ingest"].URL, d.roles["Ingest"], d.blobs.Region, "AmazonSQS."+operation, in)
	if status != http.StatusOK {
		d.t.Fatalf("Lambda may not do %s for Ingest: %d %v", operation, status, out)
	}
	return out
}

// work has Ingest do what is in the queue, one message at a time, and returns how
// many there were. Each invocation may take so long.
func (d *deployment) work(each time.Duration) (worked int) {
	d.t.Helper()
	d.sqs("GetQueueAttributes", object{"AttributeNames": []string{"All"}})
	waiting := objects(d.sqs("ReceiveMessage", object{"MaxNumberOfMessages": 10}), "Messages")
	for _, m := range waiting {
		d.ingest(each, text(m, "MessageId"), text(m, "Body"))
		d.sqs("DeleteMessage", object{"ReceiptHandle": text(m, "ReceiptHandle")})
	}
	return len(waiting)
}

// ingest has Ingest take a message.
func (d *deployment) ingest(most time.Duration, id, body string) {
	d.t.Helper()
	handler := &ingest.Handler{Uploads: d.deps["Ingest"].Uploads, Log: d.deps["Ingest"].Log}
	event, err := json.Marshal(object{"Records": []object{{"messageId": id, "body": body}}})
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(d.t.Context(), most)
	defer cancel()
	answer, err := handler.Handle(ctx, event)
	if failures, _ := answer.(ingest.Failures); err != nil || len(failures.Items) > 0 {
		d.t.Errorf("the message %s fails: %v", body, err)
	}
}

// ask asks the API, or whatever an absolute URL names, and wants a status. What
// is JSON is decoded.
func (d *deployment) ask(method, to string, body any, want int, header ...string) object {
	d.t.Helper()
	var content io.Reader = http.NoBody
	switch body := body.(type) {
	case nil:
	case []byte:
		content = bytes.NewReader(body)
	default:
		encoded, err := json.Marshal(body)
		if err != nil {
			d.t.Fatal(err)
		}
		content, header = bytes.NewReader(encoded), append(header, "Content-Type", "application/json")
	}
	ours := strings.HasPrefix(to, "/")
	if ours {
		to = d.api.URL + to
	}
	r, err := http.NewRequestWithContext(d.t.Context(), method, to, content)
	if err != nil {
		d.t.Fatal(err)
	}
	if ours && d.token != "" {
		r.Header.Set("Authorization", "Bearer "+d.token)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{CheckRedirect: func(to *http.Request, _ []*http.Request) error {
		to.Header.Del("Authorization") // which Go sends to another port of this host too
		return nil
	}}
	resp, err := client.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Errorf("%s %s: %v", method, to, err)
	}
	if resp.StatusCode != want {
		d.t.Fatalf("%s %s = %s, want %d: %.500s\n%v", method, to, resp.Status, want, answer, d.failures())
	}
	out := object{}
	_ = json.Unmarshal(answer, &out) // not all of it is JSON
	for name := range resp.Header {
		out["header "+name] = resp.Header.Get(name)
	}
	out["length"] = len(answer)
	return out
}
