package upload_test

import (
	"slices"
	"testing"

	"sluice/shared/fault"
	"sluice/shared/upload"
)

// minio is a record as MinIO sends it, cut to what tells.
const minio = `{"EventName":"s3:ObjectCreated:Put","Key":"b/a+b%2Bc","Records":[{"eventVersion":"2.0","eventSource":"minio:s3",` +
	`"eventName":"s3:ObjectCreated:Put","s3":{"s3SchemaVersion":"1.0","bucket":{"name":"b","arn":"arn:aws:s3:::b"},` +
	`"object":{"key":"a+b%2Bc","size":7,"eTag":"x","sequencer":"1"}},"source":{"host":"127.0.0.1"}}]}`

func TestReadEvents(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, body string
		want       []upload.StoredObject
		code       string
	}{
		{"MinIO's", minio, []upload.StoredObject{{"b", "a b+c"}}, ""},
		{"Amazon's", `{"Records":[{"eventName":"ObjectCreated:Copy","s3":{"bucket":{"name":"b"},"object":{"key":"%C3%A9/x"}}}]}`, []upload.StoredObject{{"b", "\u00e9/x"}}, ""},
		{"of a removal", `{"Records":[{"eventName":"ObjectRemoved:Delete","s3":{"bucket":{"name":"b"},"object":{"key":"a"}}}]}`, []upload.StoredObject{{"b", "a"}}, ""},
		{"of a marker of MinIO's", `{"Records":[{"eventName":"s3:ObjectRemoved:DeleteMarkerCreated","s3":{"bucket":{"name":"b"},"object":{"key":"a"}}}]}`, []upload.StoredObject{{"b", "a"}}, ""},
		{"of something else", `{"Records":[{"eventName":"s3:ObjectAccessed:Get","s3":{"object":{"key":"a"}}},{"eventName":"ObjectCreatedMore:Put"}]}`, nil, ""},
		{"Amazon's test", `{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}`, nil, ""},
		{"no record", `{"Records":[]}`, nil, ""},
		{"no JSON", `{`, nil, "invalid_json"},
		{"no object", `[]`, nil, "invalid_json"},
		{"a key not encoded", `{"Records":[{"eventName":"ObjectCreated:Put","s3":{"object":{"key":"%zz"}}}]}`, nil, "invalid_field"},
	}
	for _, c := range cases {
		got, err := upload.ReadEvents([]byte(c.body))
		if !slices.Equal(got, c.want) || (c.code == "") != (err == nil) || c.code != "" && !fault.Is(err, fault.Invalid, c.code) {
			t.Errorf("%s: %v, %v; want %v, %q", c.name, got, err, c.want, c.code)
		}
	}
}

func FuzzReadEvents(f *testing.F) {
	for _, seed := range []string{minio, `{}`, `{"Records":[{"eventName":"ObjectCreated:Put","s3":{"object":{"key":"%"}}}]}`, `{"Records":null}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		objects, err := upload.ReadEvents(body)
		if err != nil && (objects != nil || fault.KindOf(err) != fault.Invalid) {
			t.Errorf("%q: %v with %v, want an Invalid fault alone", body, objects, err)
		}
	})
}
