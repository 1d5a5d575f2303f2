package blob_test

import (
	"testing"

	"sluice/shared/blob"
	"sluice/shared/blob/blobtest"
	"sluice/shared/fault"
)

func TestAReferenceLeadsToItsBucket(t *testing.T) {
	own, media := blob.NewBucket(blobtest.NewMemory()), blob.NewBucket(blobtest.NewMemory())
	beside := blob.Beside{"s3://media": media}
	for _, c := range []struct {
		ref string
		in  *blob.Bucket
		key string
	}{
		{"a", own, "a"},
		{"a/s3://media/b", own, "a/s3://media/b"},
		{"https://media/b", own, "https://media/b"},
		{"s3:/media/b", own, "s3:/media/b"},
		{"s3://media/a", media, "a"},
		{"s3://media/a b/c%20", media, "a b/c%20"},
		{"s3://media//a", media, "/a"},
		{"s3://media/s3://media/a", media, "s3://media/a"},
		{"s3://media/", media, ""},
		{"s3://media", media, ""},
	} {
		if in, key, err := beside.At(own, c.ref); in != c.in || key != c.key || err != nil {
			t.Errorf("%s leads to %q, %v, in its own bucket: %t; want %q", c.ref, key, err, in == own, c.key)
		}
	}
	for _, ref := range []string{"s3://other/a", "s3://med/ia", "s3:///a", "s3://"} {
		if _, _, err := beside.At(own, ref); !fault.Is(err, fault.Upstream, "blob_failed") {
			t.Errorf("%s leads to %v, want blob_failed", ref, err)
		}
	}
	if _, _, err := (blob.Beside)(nil).At(own, "s3://media/a"); !fault.Is(err, fault.Upstream, "blob_failed") {
		t.Errorf("where there is no bucket beside ours a reference leads to %v, want blob_failed", err)
	}
}
