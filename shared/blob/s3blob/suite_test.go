package s3blob_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"go.uber.org/goleak"

	"sluice/localstack/stores"
	"sluice/shared/blob"
	"sluice/shared/blob/blobtest"
	"sluice/shared/blob/s3blob"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMinIOPassesTheSuite(t *testing.T) {
	t.Parallel()
	suite(t, stores.MinIO(t), s3blob.Options{Gaps: s3blob.Gaps{PathKeys: true}})
}

func TestVersitygwPassesTheSuite(t *testing.T) {
	t.Parallel()
	suite(t, stores.Versitygw(t), s3blob.Options{PartDigests: true, Gaps: s3blob.Gaps{PathKeys: true}})
}

func TestMinIOPassesTheSuiteWithDigestsOfParts(t *testing.T) {
	t.Parallel()
	suite(t, stores.MinIO(t), s3blob.Options{
		PartDigests: true, Prefix: "a prefix/", ReadAhead: s3blob.ReadAhead{Connections: 3, Block: 64 << 10},
		Gaps: s3blob.Gaps{PathKeys: true}})
}

func suite(t *testing.T, store *stores.S3, o s3blob.Options) {
	blobtest.Run(t, func(t *testing.T) blob.Driver { return open(t, store, o) }, blobtest.PathKeys)
}

var made atomic.Int64

// config returns how to reach a store.
func config(store *stores.S3) aws.Config {
	return aws.Config{
		Region:       store.Region,
		Credentials:  credentials.NewStaticCredentialsProvider(store.AccessKey, store.SecretKey, ""),
		BaseEndpoint: &store.Endpoint,
	}
}

// open makes an empty bucket, unless o names one, and returns the driver over
// it.
func open(t testing.TB, store *stores.S3, o s3blob.Options) *s3blob.Driver {
	t.Helper()
	if o.Bucket == "" {
		o.Bucket, o.PathStyle = makeBucket(t, store), true
	}
	d, err := s3blob.New(config(store), o)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return d
}

// client is the SDK's own, which knows nothing of the driver.
func client(store *stores.S3) *s3.Client {
	return s3.NewFromConfig(config(store), func(o *s3.Options) { o.UsePathStyle = true })
}

func makeBucket(t testing.TB, store *stores.S3) string {
	t.Helper()
	name := fmt.Sprintf("bucket-%d", made.Add(1))
	if _, err := client(store).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatalf("CreateBucket: %v", err)
	}
	return name
}
