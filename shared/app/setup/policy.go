package setup

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Preset is a policy for a bucket by name. Presets can be joined.
type Preset struct {
	Name string // as it is typed; public-read takes a prefix: public-read:images/
	What string // what it does, in a sentence
}

// The names of the presets.
const (
	private    = "private"
	publicRead = "public-read"
	tlsOnly    = "tls-only"
)

// Presets returns the presets there are.
func Presets() []Preset {
	return []Preset{
		{private, "Only who holds credentials or a presigned URL reaches the objects: there is no policy."},
		{publicRead + ":PREFIX", "Everybody may read the objects whose keys begin with PREFIX, without asking us. Nothing is counted, and nothing can be revoked."},
		{tlsOnly, "Requests without TLS are refused, whoever sends them."},
	}
}

// document is a bucket's policy in IAM's language.
type document struct {
	Version   string      `json:"Version"`   //nolint:tagliatelle // IAM's own name
	Statement []statement `json:"Statement"` //nolint:tagliatelle // IAM's own name
}

type statement struct {
	Sid       string                       `json:"Sid"`                 //nolint:tagliatelle // IAM's own name
	Effect    string                       `json:"Effect"`              //nolint:tagliatelle // IAM's own name
	Principal any                          `json:"Principal"`           //nolint:tagliatelle // IAM's own name
	Action    []string                     `json:"Action"`              //nolint:tagliatelle // IAM's own name
	Resource  []string                     `json:"Resource"`            //nolint:tagliatelle // IAM's own name
	Condition map[string]map[string]string `json:"Condition,omitempty"` //nolint:tagliatelle // IAM's own name
}

// policy joins presets to one policy. The zero document is that of private.
func (b *Bucket) policy(presets []string) (document, error) {
	d := document{Version: "2012-10-17"}
	bucket := "arn:aws:s3:::" + b.name
	everybody := map[string]string{"AWS": "*"}
	for _, preset := range presets {
		name, prefix, _ := strings.Cut(preset, ":")
		switch {
		case preset == private && len(presets) > 1:
			return document{}, fmt.Errorf("%s stands alone: it is no policy", private)
		case preset == private:
			return document{}, nil
		case preset == tlsOnly:
			d.Statement = append(d.Statement, statement{
				Sid: "SluiceTLSOnly", Effect: "Deny", Principal: everybody, Action: []string{"s3:*"},
				Resource:  []string{bucket, bucket + "/*"},
				Condition: map[string]map[string]string{"Bool": {"aws:SecureTransport": "false"}},
			})
		case name == publicRead && prefix != "":
			if strings.ContainsAny(prefix, "*?$") {
				return document{}, fmt.Errorf("the prefix of %s is taken as it is, and may not hold *, ? or $", publicRead)
			}
			d.Statement = append(d.Statement, statement{
				Sid: fmt.Sprintf("SluicePublicRead%d", len(d.Statement)), Effect: "Allow", Principal: everybody,
				Action: []string{"s3:GetObject"}, Resource: []string{bucket + "/" + prefix + "*"},
			})
		default:
			return document{}, fmt.Errorf("%q is not one of: %s, %s:PREFIX, %s", preset, private, publicRead, tlsOnly)
		}
	}
	return d, nil
}

// PolicyOf returns the policy of presets as text, "" for private.
func (b *Bucket) PolicyOf(presets ...string) (string, error) {
	d, err := b.policy(presets)
	if err != nil || d.Statement == nil {
		return "", err
	}
	text, err := json.Marshal(d)
	return string(text), err
}

// Policy returns the bucket's policy as it stands, "" where it has none.
func (b *Bucket) Policy(ctx context.Context) (string, error) {
	found, err := b.client.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &b.name})
	if is(err, "NoSuchBucketPolicy") {
		return "", nil
	}
	if is(err, "NoSuchBucket") {
		return "", fmt.Errorf("the bucket %s is not there; `sluice admin init` makes it", b.name)
	}
	if err != nil {
		return "", fmt.Errorf("the policy of bucket %s cannot be read: %w", b.name, err)
	}
	return *found.Policy, nil
}

// SetPolicy gives the bucket the policy of presets in place of the one it has,
// and reports whether that changed anything.
func (b *Bucket) SetPolicy(ctx context.Context, presets ...string) (changed bool, err error) {
	want, err := b.PolicyOf(presets...)
	if err != nil {
		return false, err
	}
	found, err := b.Policy(ctx)
	if err != nil {
		return false, err
	}
	switch {
	case want == found || samePolicy(want, found):
		return false, nil
	case want == "":
		_, err = b.client.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: &b.name})
	default:
		_, err = b.client.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &b.name, Policy: &want})
	}
	if is(err, "AccessDenied") && strings.Contains(want, `"Allow"`) {
		return false, fmt.Errorf("the policy of bucket %s cannot be set; Amazon's Block Public Access refuses %s until it is switched off: %w", b.name, publicRead, err)
	}
	if err != nil {
		return false, fmt.Errorf("the policy of bucket %s cannot be set: %w", b.name, err)
	}
	return true, nil
}

// protect sets the policy that is asked for. Where none is, a bucket at Amazon
// that has no policy gets tls-only; every other is left as it is.
func (b *Bucket) protect(ctx context.Context, presets []string) (Step, error) {
	step := Step{What: "bucket " + b.name + ", policy"}
	if len(presets) == 0 {
		found, err := b.Policy(ctx)
		switch {
		case lacks(err):
			step.Note = "this store has no policies for one bucket"
			return step, nil
		case err != nil:
			return step, err
		case found == "" && !b.bucket.Amazon():
			step.Note = private
			return step, nil
		case found != "":
			step.Note = "it has one, which is left as it is"
			return step, nil
		}
		presets = []string{tlsOnly}
	}
	changed, err := b.SetPolicy(ctx, presets...)
	if changed {
		step.Changes = []string{strings.Join(presets, ", ")}
	} else {
		step.Note = strings.Join(presets, ", ")
	}
	return step, err
}

// samePolicy reports whether two policies say the same. Stores write one
// string for a list of one, and keep lists in an order of their own.
func samePolicy(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	return reflect.DeepEqual(plain(x), plain(y))
}

// plain sorts every list and writes one of one entry as the entry.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, value := range v {
			out[name] = plain(value)
		}
		return out
	case []any:
		if len(v) == 1 {
			return plain(v[0])
		}
		texts := make([]string, len(v))
		for i, value := range v {
			text, _ := json.Marshal(plain(value)) //nolint:errchkjson // it was JSON a moment ago
			texts[i] = string(text)
		}
		slices.Sort(texts)
		return texts
	}
	return v
}
