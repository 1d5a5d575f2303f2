package s3blob

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// address returns the URL of the bucket at an endpoint, or at Amazon's where
// that is empty.
func address(cfg aws.Config, o Options, endpoint string) (*url.URL, error) {
	p := s3.EndpointParameters{Bucket: &o.Bucket, Region: &cfg.Region, ForcePathStyle: &o.PathStyle}.WithDefaults()
	if endpoint != "" {
		p.Endpoint = &endpoint
	}
	found, err := s3.NewDefaultEndpointResolverV2().ResolveEndpoint(context.Background(), p)
	if err != nil {
		return nil, fmt.Errorf("s3blob: there is no address of bucket %s: %w", o.Bucket, err)
	}
	base := found.URI
	base.Path = strings.TrimSuffix(base.Path, "/")
	if base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("s3blob: the endpoint of bucket %s is not a URL of http or https", o.Bucket)
	}
	return &base, nil
}

// name returns the key of a blob in the bucket.
func (d *Driver) name(key string) string { return d.options.Prefix + key }

// object is name for the SDK.
func (d *Driver) object(key string) *string {
	name := d.name(key)
	return &name
}

// at returns the URL of an object under base.
func (d *Driver) at(base *url.URL, key string, query url.Values) *url.URL {
	u := *base
	name := "/" + d.name(key)
	u.Path += name
	u.RawPath = base.EscapedPath() + escape(name)
	u.RawQuery = query.Encode()
	return &u
}

// escape writes a path as signature version 4 wants it: all but unreserved
// characters and slashes as %XX.
func escape(path string) string { return string(appendEscaped(nil, path, "/")) }

// appendEscaped adds s with all but unreserved characters, and those of also, as
// %XX.
func appendEscaped(text []byte, s, also string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 || strings.IndexByte(also, c) >= 0 {
			text = append(text, c)
		} else {
			text = append(text, '%', hex[c>>4], hex[c&15])
		}
	}
	return text
}

// maxSegment is the longest name of a file, in bytes.
const maxSegment = 255

// refuses reports whether the store cannot keep a blob under key.
func (d *Driver) refuses(key string) bool {
	name := d.name(key)
	if len(name) > 1024 {
		return true
	}
	if !d.options.Gaps.PathKeys {
		return false
	}
	for segment := range strings.SplitSeq(name, "/") {
		trimmed := strings.TrimSpace(segment) // as MinIO does before it compares
		if segment == "" || trimmed == "." || trimmed == ".." || len(segment) > maxSegment {
			return true
		}
	}
	return strings.ContainsFunc(name, func(r rune) bool { return r < 0x20 || r == 0x7f || r == '\\' })
}
