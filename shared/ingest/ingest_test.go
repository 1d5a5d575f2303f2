package ingest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/shared/auth"
	"sluice/shared/blob"
	"sluice/shared/blob/blobtest"
	"sluice/shared/catalog"
	"sluice/shared/ingest"
	"sluice/shared/table"
	"sluice/shared/table/tabletest"
	"sluice/shared/upload"
)

// queue keeps what is sent to it.
type queue struct {
	mu   sync.Mutex
	sent []upload.Job
}

func (q *queue) Send(_ context.Context, j upload.Job, _ time.Duration) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sent = append(q.sent, j)
	return nil
}

// function is an ingest with stores of its own, and a user.
type function struct {
	*ingest.Handler
	t       *testing.T
	catalog *catalog.Catalog
	blobs   *blob.Bucket
	queue   *queue
	owner   string
}

func open(t *testing.T) *function {
	t.Helper()
	records, err := catalog.Open(t.Context(), table.New(tabletest.NewMemory(), time.Now), catalog.Options{Keep: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	u, err := records.CreateUser(t.Context(), catalog.User{ID: auth.NewID(time.Now()), Username: "ada", Role: auth.User})
	if err != nil {
		t.Fatal(err)
	}
	f := &function{t: t, catalog: records, blobs: blob.NewBucket(blobtest.NewMemory()), queue: &queue{}, owner: u.ID}
	quiet := slog.New(slog.DiscardHandler)
	f.Handler = &ingest.Handler{Log: quiet, Uploads: &upload.Service{
		Catalog: records, Blobs: f.blobs, Queue: f.queue, Log: quiet, Clock: time.Now, Root: &url.URL{Scheme: "s3", Host: "media", Path: "/"},
	}}
	return f
}

// object puts an object into the store, as others do.
func (f *function) object(key, content string) {
	f.t.Helper()
	w, err := f.blobs.Create(f.t.Context(), key, int64(len(content)))
	if err == nil {
		_, err = w.Write([]byte(content))
	}
	if err == nil {
		_, err = w.Commit(f.t.Context())
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// handle handles messages, whose ids are their places, and returns those that
// failed.
func (f *function) handle(bodies ...string) string {
	f.t.Helper()
	type record struct {
		MessageID string `json:"messageId"` //nolint:tagliatelle // the name is AWS's
		Body      string `json:"body"`
	}
	var in struct{ Records []record }
	for i, body := range bodies {
		in.Records = append(in.Records, record{fmt.Sprint(i), body})
	}
	event, err := json.Marshal(in)
	if err != nil {
		f.t.Fatal(err)
	}
	out, err := f.Handle(f.t.Context(), event)
	if err != nil {
		f.t.Fatal(err)
	}
	text, err := json.Marshal(out)
	if err != nil {
		f.t.Fatal(err)
	}
	return string(text)
}

// created is what EventBridge says of a new object, as Amazon documents it.
func created(bucket, key string) string { return event("Object Created", bucket, key) }

func event(detailType, bucket, key string) string {
	text, _ := json.Marshal(key)
	return fmt.Sprintf(`{"version":"0","id":"17793124-05d4-b198-2fde-7ededc63b103","detail-type":%q,"source":"aws.s3",
		"account":"111122223333","time":"2021-11-12T00:00:00Z","region":"ca-central-1","resources":["arn:aws:s3:::%s"],
		"detail":{"version":"0","bucket":{"name":%q},"object":{"key":%s,"size":5,"etag":"b1946ac92492d2347c6235b4d2611184"},"reason":"PutObject"}}`,
		detailType, bucket, bucket, text)
}

func job(name upload.JobName, id string) string {
	text, _ := json.Marshal(upload.Job{Name: name, ID: id})
	return string(text)
}

func TestWhatFailsComesAgainAndNothingElse(t *testing.T) {
	const nobody = "01HZZZZZZZZZZZZZZZZZZZZZZZ"
	cases := []struct{ name, body string }{
		{"a job of what is gone", job(upload.VerifyJob, nobody)},
		{"an object of another bucket", created("others", "a")},
		{"an object that no import covers", created("media", "a")},
		{"an object that is gone", event("Object Deleted", "media", "a")},
		{"a try of S3", `{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"media"}`},
		{"a notification", `{"Records":[{"eventName":"ObjectRemoved:Delete","s3":{"bucket":{"name":"media"},"object":{"key":"a"}}}]}`},
		{"bad: no JSON", `job`},
		{"bad: nothing known", `{}`},
		{"bad: an event of others", `{"source":"aws.ec2","detail-type":"Object Created"}`},
		{"bad: no object", `{"source":"aws.s3","detail-type":"Object Created","detail":{}}`},
		{"bad: a job of no known name", job("sweep", nobody)},
		{"bad: a key that is not encoded", `{"Records":[{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"media"},"object":{"key":"%zz"}}}]}`},
	}
	f := open(t)
	var bodies, bad []string
	for i, c := range cases {
		bodies = append(bodies, c.body)
		if strings.HasPrefix(c.name, "bad") {
			bad = append(bad, fmt.Sprintf(`{"itemIdentifier":"%d"}`, i))
		}
	}
	if got, want := f.handle(bodies...), `{"batchItemFailures":[`+strings.Join(bad, ",")+`]}`; got != want {
		t.Errorf("a batch of %d fails with\n%s, want\n%s", len(bodies), got, want)
	}
	if got, want := f.handle(), `{"batchItemFailures":[]}`; got != want {
		t.Errorf("an empty batch fails with %s, want %s", got, want)
	}
	if _, err := f.Handle(t.Context(), json.RawMessage(`[]`)); err == nil {
		t.Error("an event that is no batch is handled, want an error")
	}
}

// What S3 tells of objects makes files of them, told twice and in any order too,
// and whatever is in their names.
func TestNewObjectsBecomeFilesOnce(t *testing.T) {
	f := open(t)
	if _, err := f.Uploads.BeginImport(t.Context(), upload.ImportRequest{Source: "s3://media/in", Owner: f.owner, By: f.owner}); err != nil {
		t.Fatal(err)
	}
	for _, j := range f.queue.sent {
		if err := f.Uploads.Run(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	f.object("in/a b+c%20.txt", "hello")
	f.object("in/λ", "world")
	messages := []string{
		created("media", "in/λ"), created("media", "in/a b+c%20.txt"), created("media", "in/λ"), created("media", "in/gone"),
		event("Object Deleted", "media", "in/λ"), created("media", "in/a b+c%20.txt"),
	}
	for range 2 {
		if got, want := f.handle(messages...), `{"batchItemFailures":[]}`; got != want {
			t.Errorf("the messages fail with %s, want %s", got, want)
		}
	}
	for path, want := range map[string]int64{"a b+c%20.txt": 5, "λ": 5} {
		if file, err := f.catalog.FileAt(t.Context(), f.owner, path); err != nil || file.Version.Size != want {
			t.Errorf("the file %q has %d bytes, %v; want %d", path, file.Version.Size, err, want)
		}
	}
	if used, err := f.catalog.Usage(t.Context(), f.owner); err != nil || used != (catalog.Usage{Bytes: 10, Files: 2}) {
		t.Errorf("%+v is used, %v; want 2 files of 10 bytes", used, err)
	}
}

func FuzzMessages(f *testing.F) {
	for _, seed := range []string{
		created("media", "in/a"), job(upload.ImportJob, "x"), `{"Records":null}`, `{"Records":[{}]}`, `{"source":"aws.s3"}`, `null`, `"`, "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		handler := open(t)
		got := handler.handle(body)
		if got != `{"batchItemFailures":[]}` && got != `{"batchItemFailures":[{"itemIdentifier":"0"}]}` {
			t.Errorf("%q: %s, want one failure or none", body, got)
		}
	})
}
