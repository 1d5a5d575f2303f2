package setup

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"sluice/shared/app/cloud"
	"sluice/shared/app/s3bucket"
	"sluice/shared/config"
)

// ruleID names our rules among those of others in a bucket's settings.
const ruleID = "sluice"

// abandonedAfter is after how many days the store drops an upload in parts that
// was never completed: a day after we have dropped its record.
const abandonedAfter = 8

// Bucket is the settings of the bucket that a server keeps blobs in.
type Bucket struct {
	bucket s3bucket.Bucket
	client *s3.Client
	name   string
}

// OpenBucket returns the bucket that SLUICE_BLOB names. The store is not asked.
func OpenBucket(ctx context.Context, c config.Config) (*Bucket, error) {
	if c.Blob.Scheme != "s3" {
		return nil, fmt.Errorf("%s names no bucket: want s3://bucket", config.Env("blob"))
	}
	b, err := cloud.NewBucket(ctx, c.Blob)
	if err != nil {
		return nil, err
	}
	return &Bucket{bucket: b, client: b.Client(), name: b.Options.Bucket}, nil
}

// is reports whether the store answered with one of S3's error codes.
func is(err error, codes ...string) bool {
	failure, ok := errors.AsType[smithy.APIError](err)
	return ok && slices.Contains(codes, failure.ErrorCode())
}

// lacks reports whether the store has nothing of the kind that was asked for.
func lacks(err error) bool {
	return is(err, "NotImplemented", "MethodNotAllowed", "NotSupported", "UnsupportedOperation")
}

// make makes the bucket.
func (b *Bucket) make(ctx context.Context) (Step, error) {
	step := Step{What: "bucket " + b.name}
	_, err := b.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &b.name})
	if err == nil {
		return step, nil
	}
	if !is(err, "NotFound", "NoSuchBucket") {
		return step, fmt.Errorf("the bucket %s cannot be reached: %w", b.name, err)
	}
	in := &s3.CreateBucketInput{Bucket: &b.name}
	if region := b.bucket.Config.Region; region != "us-east-1" { // which S3 wants to be left out
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(region)}
	}
	if _, err := b.client.CreateBucket(ctx, in); err != nil && !is(err, "BucketAlreadyOwnedByYou") {
		return step, fmt.Errorf("the bucket %s cannot be made: %w", b.name, err)
	}
	step.Changes = []string{"made"}
	return step, nil
}

// expireUploads has the store drop the parts of uploads that were never
// completed. Rules of others stay.
func (b *Bucket) expireUploads(ctx context.Context) (Step, error) {
	step := Step{What: "bucket " + b.name + ", lifecycle"}
	ours := types.LifecycleRule{
		ID: aws.String(ruleID), Status: types.ExpirationStatusEnabled,
		Filter:                         &types.LifecycleRuleFilter{Prefix: &b.bucket.Options.Prefix},
		AbortIncompleteMultipartUpload: &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(abandonedAfter)},
	}
	found, err := b.client.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &b.name})
	switch {
	case lacks(err):
		step.Note = noLifecycle
		return step, nil
	case is(err, "NoSuchLifecycleConfiguration"):
		found = &s3.GetBucketLifecycleConfigurationOutput{}
	case err != nil:
		return step, fmt.Errorf("the lifecycle of bucket %s cannot be read: %w", b.name, err)
	}
	at := slices.IndexFunc(found.Rules, func(r types.LifecycleRule) bool { return aws.ToString(r.ID) == ruleID })
	rules := found.Rules
	switch {
	case at < 0:
		rules = append(rules, ours)
	case sameRule(rules[at], ours):
		return step, nil
	default:
		rules[at] = ours
	}
	_, err = b.client.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
		Bucket: &b.name, LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: rules},
	})
	if lacks(err) || !b.bucket.Amazon() && is(err, "InvalidArgument", "MalformedXML") { // MinIO, which knows rules of other kinds
		step.Note = noLifecycle
		return step, nil
	}
	if err != nil {
		return step, fmt.Errorf("the lifecycle of bucket %s cannot be set: %w", b.name, err)
	}
	step.Changes = []string{fmt.Sprintf("incomplete uploads are dropped after %d days", abandonedAfter)}
	return step, nil
}

// noLifecycle says what follows where a store knows no such rule.
const noLifecycle = "this store has no rule for incomplete uploads; give its own more than the 7 days that an upload may take " +
	"(MinIO: MINIO_API_STALE_UPLOADS_EXPIRY=192h, which is 24h at first)"

func sameRule(a, b types.LifecycleRule) bool {
	return a.Status == b.Status && a.Filter != nil && aws.ToString(a.Filter.Prefix) == aws.ToString(b.Filter.Prefix) &&
		a.AbortIncompleteMultipartUpload != nil &&
		aws.ToInt32(a.AbortIncompleteMultipartUpload.DaysAfterInitiation) == aws.ToInt32(b.AbortIncompleteMultipartUpload.DaysAfterInitiation)
}

// allowOrigins lets pages of any origin use presigned URLs. A page of another
// origin than ours comes to the store by our redirect with "Origin: null", which
// no entry but * allows; and since the URL itself is what is allowed, without
// cookies, nothing is given away. Rules of others stay.
func (b *Bucket) allowOrigins(ctx context.Context) (Step, error) {
	step := Step{What: "bucket " + b.name + ", CORS"}
	ours := types.CORSRule{
		ID: aws.String(ruleID), AllowedOrigins: []string{"*"}, AllowedHeaders: []string{"*"},
		AllowedMethods: []string{"GET", "HEAD", "PUT"}, MaxAgeSeconds: aws.Int32(3600),
		ExposeHeaders: []string{
			"Accept-Ranges", "Content-Disposition", "Content-Encoding", "Content-Length", "Content-Range", "ETag", "Last-Modified",
			"x-amz-checksum-sha256",
		},
	}
	found, err := b.client.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: &b.name})
	switch {
	case lacks(err):
		step.Note = noCORS
		return step, nil
	case is(err, "NoSuchCORSConfiguration"):
		found = &s3.GetBucketCorsOutput{}
	case err != nil:
		return step, fmt.Errorf("the CORS rules of bucket %s cannot be read: %w", b.name, err)
	}
	at := slices.IndexFunc(found.CORSRules, func(r types.CORSRule) bool { return aws.ToString(r.ID) == ruleID })
	rules := found.CORSRules
	switch {
	case at < 0:
		rules = append(rules, ours)
	case sameOrigins(rules[at], ours):
		return step, nil
	default:
		rules[at] = ours
	}
	_, err = b.client.PutBucketCors(ctx, &s3.PutBucketCorsInput{Bucket: &b.name, CORSConfiguration: &types.CORSConfiguration{CORSRules: rules}})
	if lacks(err) {
		step.Note = noCORS
		return step, nil
	}
	if err != nil {
		return step, fmt.Errorf("the CORS rules of bucket %s cannot be set: %w", b.name, err)
	}
	step.Changes = []string{"pages of every origin may use presigned URLs"}
	return step, nil
}

// noCORS says what follows where a bucket has no rules of its own.
const noCORS = "this store has no rules for one bucket; its own must allow every origin " +
	"(MinIO: MINIO_API_CORS_ALLOW_ORIGIN, which is * at first)"

func sameOrigins(a, b types.CORSRule) bool {
	return slices.Equal(a.AllowedOrigins, b.AllowedOrigins) && slices.Equal(a.AllowedHeaders, b.AllowedHeaders) &&
		slices.Equal(a.AllowedMethods, b.AllowedMethods) && slices.Equal(a.ExposeHeaders, b.ExposeHeaders) &&
		aws.ToInt32(a.MaxAgeSeconds) == aws.ToInt32(b.MaxAgeSeconds)
}
