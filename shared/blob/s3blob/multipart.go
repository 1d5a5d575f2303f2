package s3blob

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"sluice/shared/blob"
)

// completion is how long a store may take to make one object of its parts.
const completion = 10 * time.Minute

// CreateMultipart implements blob.Multiparter.
func (d *Driver) CreateMultipart(ctx context.Context, key string, _ int64) (string, error) {
	if d.refuses(key) {
		return "", errRefused
	}
	in := &s3.CreateMultipartUploadInput{}
	if d.options.PartDigests {
		in.ChecksumAlgorithm = types.ChecksumAlgorithmSha256
	}
	return d.create(ctx, key, in)
}

// create begins an upload. Where the answer is lost another one is begun; the
// first has no parts, and the bucket's rule for such uploads removes it.
func (d *Driver) create(ctx context.Context, key string, in *s3.CreateMultipartUploadInput) (string, error) {
	in.Bucket, in.Key = &d.options.Bucket, d.object(key)
	if e := d.options.Encryption; e.Algorithm != "" {
		in.ServerSideEncryption = e.Algorithm
		if e.KeyID != "" {
			in.SSEKMSKeyId = &e.KeyID
		}
	}
	var id string
	err := d.again(ctx, d.options.Retry, func(ctx context.Context) error {
		out, err := d.control.CreateMultipartUpload(ctx, in)
		if err == nil {
			id = aws.ToString(out.UploadId)
		}
		return err
	})
	return id, err
}

// newObject returns what a PUT of a new object is sent with.
func (d *Driver) newObject() http.Header {
	header := http.Header{}
	if !d.options.Gaps.Conditions {
		header.Set("If-None-Match", "*")
	}
	if e := d.options.Encryption; e.Algorithm != "" {
		header.Set("X-Amz-Server-Side-Encryption", string(e.Algorithm))
		if e.KeyID != "" {
			header.Set("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", e.KeyID)
		}
	}
	return header
}

// partQuery names a part.
func partQuery(id string, number int) url.Values {
	return url.Values{"uploadId": {id}, "partNumber": {strconv.Itoa(number)}}
}

// PutPart implements blob.Multiparter. The body streams through; the store
// holds it to sum, where that is given, before it keeps any of it. As long as
// nothing of the body was taken the request is sent again where it failed.
func (d *Driver) PutPart(ctx context.Context, key, id string, number int, source io.Reader, size int64, sum []byte) (blob.Part, error) {
	r := d.partRequest(key, id, number, size, sum)
	if r.digest == trailing {
		source = newTrailed(source, size)
	}
	var answer http.Header
	err := persist(ctx, d.options.Retry, func() error {
		b := newBody(ctx, source, d.options.Stall)
		r := r
		r.header, r.body = r.header.Clone(), b
		var err error
		answer, err = d.sendBody(r, b)
		if err != nil && b.begun {
			return spent{err}
		}
		return err
	})
	if err != nil {
		return blob.Part{}, err
	}
	part := blob.Part{Number: number, Size: size, ETag: answer.Get("ETag")}
	if d.options.PartDigests {
		part.SHA256, _ = base64.StdEncoding.DecodeString(answer.Get(checksumHeader)) // where the store says it
	}
	return part, nil
}

// partRequest is that of a part, without its body.
func (d *Driver) partRequest(key, id string, number int, size int64, sum []byte) request {
	r := request{
		method: http.MethodPut, url: d.at(d.base, key, partQuery(id, number)),
		header: http.Header{"Expect": {"100-continue"}}, size: size, digest: unsigned,
	}
	if size == 0 {
		sum = emptySum()
	}
	switch {
	case sum != nil:
		r.digest = hex.EncodeToString(sum)
		if d.options.PartDigests {
			r.header.Set(checksumHeader, base64.StdEncoding.EncodeToString(sum))
		}
	case d.options.PartDigests:
		r.digest, r.size = trailing, trailedSize(size)
		r.header.Set("Content-Encoding", "aws-chunked")
		r.header.Set("X-Amz-Decoded-Content-Length", digits(size))
		r.header.Set("X-Amz-Trailer", checksumHeader)
	}
	return r
}

func emptySum() []byte {
	sum := sha256.Sum256(nil)
	return sum[:]
}

// ListParts implements blob.Multiparter.
func (d *Driver) ListParts(ctx context.Context, key, id string, after, limit int) ([]blob.Part, bool, error) {
	var out *s3.ListPartsOutput
	err := d.again(ctx, d.options.Retry, func(ctx context.Context) (err error) {
		out, err = d.control.ListParts(ctx, &s3.ListPartsInput{
			Bucket: &d.options.Bucket, Key: d.object(key), UploadId: &id,
			PartNumberMarker: aws.String(strconv.Itoa(after)), MaxParts: aws.Int32(int32(limit)),
		})
		return err
	})
	if err != nil {
		return nil, false, err
	}
	parts := make([]blob.Part, len(out.Parts))
	for i, p := range out.Parts {
		parts[i] = blob.Part{Number: int(aws.ToInt32(p.PartNumber)), Size: aws.ToInt64(p.Size), ETag: aws.ToString(p.ETag)}
		if sum, err := base64.StdEncoding.DecodeString(aws.ToString(p.ChecksumSHA256)); err == nil && len(sum) == sha256.Size {
			parts[i].SHA256 = sum
		}
	}
	return parts, aws.ToBool(out.IsTruncated), nil
}

// CompleteMultipart implements blob.Multiparter.
func (d *Driver) CompleteMultipart(ctx context.Context, key, id string, parts []blob.Part) (blob.Attrs, error) {
	err := d.vacant(ctx, key)
	var attrs blob.Attrs
	if err == nil {
		attrs, err = d.complete(ctx, key, id, parts)
	}
	if code(err) != blob.Exists {
		return attrs, err
	}
	// The store looks at the key first. Somebody who completed this very upload
	// has taken it, where the upload is no more.
	if _, _, gone := d.ListParts(ctx, key, id, 0, 1); code(gone) == blob.NotFound {
		err = gone
	}
	return attrs, err
}

// complete makes one object of the parts.
func (d *Driver) complete(ctx context.Context, key, id string, parts []blob.Part) (blob.Attrs, error) {
	in := &s3.CompleteMultipartUploadInput{
		Bucket: &d.options.Bucket, Key: d.object(key), UploadId: &id, MultipartUpload: &types.CompletedMultipartUpload{},
	}
	if !d.options.Gaps.Conditions {
		in.IfNoneMatch = aws.String("*")
	}
	var attrs blob.Attrs
	for _, p := range parts {
		attrs.Size += p.Size
		part := types.CompletedPart{PartNumber: aws.Int32(int32(p.Number)), ETag: aws.String(p.ETag)}
		if p.SHA256 != nil {
			part.ChecksumSHA256 = aws.String(base64.StdEncoding.EncodeToString(p.SHA256))
		}
		in.MultipartUpload.Parts = append(in.MultipartUpload.Parts, part)
	}
	err := persist(ctx, d.options.Retry, d.folder(func() error {
		return within(ctx, completion, func(ctx context.Context) error {
			out, err := d.control.CompleteMultipartUpload(ctx, in)
			if err == nil {
				attrs.ETag = aws.ToString(out.ETag)
			}
			return err
		})
	}))
	if _, name := said(err); name == "PreconditionFailed" {
		err = fmt.Errorf("%w: %w", errExists, err)
	}
	if err != nil {
		return blob.Attrs{}, err
	}
	return attrs, nil
}

// AbortMultipart implements blob.Multiparter.
func (d *Driver) AbortMultipart(ctx context.Context, key string) error {
	if d.refuses(key) {
		return nil // there can be none
	}
	in := &s3.ListMultipartUploadsInput{Bucket: &d.options.Bucket, Prefix: d.object(key)}
	for {
		var out *s3.ListMultipartUploadsOutput
		err := d.again(ctx, d.options.Retry, func(ctx context.Context) (err error) {
			out, err = d.control.ListMultipartUploads(ctx, in)
			return err
		})
		if err != nil {
			return err
		}
		for _, u := range out.Uploads {
			if aws.ToString(u.Key) != d.name(key) {
				continue
			}
			if err := d.abort(ctx, key, aws.ToString(u.UploadId)); err != nil {
				return err
			}
		}
		if !aws.ToBool(out.IsTruncated) {
			return nil
		}
		in.KeyMarker, in.UploadIdMarker = out.NextKeyMarker, out.NextUploadIdMarker
	}
}

// abort ends one upload.
func (d *Driver) abort(ctx context.Context, key, id string) error {
	err := d.again(ctx, d.options.Retry, func(ctx context.Context) error {
		_, err := d.control.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &d.options.Bucket, Key: d.object(key), UploadId: &id})
		return err
	})
	if code(err) == blob.NotFound {
		return nil
	}
	return err
}
