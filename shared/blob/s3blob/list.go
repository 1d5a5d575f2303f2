package s3blob

import (
	"context"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"sluice/shared/blob"
)

// List implements blob.Lister, within Options.Prefix.
func (d *Driver) List(ctx context.Context, prefix, after string, limit int) ([]blob.Object, bool, error) {
	in := &s3.ListObjectsV2Input{
		Bucket: &d.options.Bucket, Prefix: d.object(prefix), MaxKeys: aws.Int32(int32(limit)),
		EncodingType: types.EncodingTypeUrl, // a key may hold what XML cannot
	}
	if after != "" {
		in.StartAfter = d.object(after)
	}
	var out *s3.ListObjectsV2Output
	err := d.again(ctx, d.options.Retry, func(ctx context.Context) (err error) {
		out, err = d.control.ListObjectsV2(ctx, in)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	objects := make([]blob.Object, 0, len(out.Contents))
	for _, o := range out.Contents {
		key := aws.ToString(o.Key)
		if out.EncodingType == types.EncodingTypeUrl {
			if key, err = url.QueryUnescape(key); err != nil {
				return nil, false, err
			}
		}
		objects = append(objects, blob.Object{
			Key: strings.TrimPrefix(key, d.options.Prefix), Size: aws.ToInt64(o.Size),
			ETag: aws.ToString(o.ETag), ModifiedAt: aws.ToTime(o.LastModified),
		})
	}
	return objects, aws.ToBool(out.IsTruncated), nil
}
