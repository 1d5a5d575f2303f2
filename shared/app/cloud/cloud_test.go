package cloud_test

import (
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"sluice/shared/app/cloud"
	"sluice/shared/blob/s3blob"
)

// aloneWith leaves of AWS's settings only these.
func aloneWith(t *testing.T, settings map[string]string) {
	t.Helper()
	for _, name := range []string{
		"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_DYNAMODB",
		"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
	} {
		t.Setenv(name, settings[name])
	}
	if settings["AWS_CONFIG_FILE"] == "" {
		t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	}
}

func parse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestBucketOptions(t *testing.T) {
	aloneWith(t, map[string]string{"AWS_REGION": "eu-central-1"})
	kms := s3blob.Encryption{Algorithm: types.ServerSideEncryptionAwsKms, KeyID: "alias/files"}
	cases := []struct {
		url  string
		want s3blob.Options
	}{
		{"s3://b", s3blob.Options{Bucket: "b"}},
		{"s3://b/", s3blob.Options{Bucket: "b"}},
		{"s3://b/some/prefix/", s3blob.Options{Bucket: "b", Prefix: "some/prefix/"}},
		{"s3://b?path_style=true", s3blob.Options{Bucket: "b", PathStyle: true}},
		{"s3://b?public_endpoint=https://files.example.com", s3blob.Options{Bucket: "b", PublicEndpoint: "https://files.example.com"}},
		{"s3://b?encryption=AES256", s3blob.Options{Bucket: "b", Encryption: s3blob.Encryption{Algorithm: types.ServerSideEncryptionAes256}}},
		{"s3://b?encryption=aws:kms&kms_key=alias/files", s3blob.Options{Bucket: "b", Encryption: kms}},
		{"s3://b?part_digests=true", s3blob.Options{Bucket: "b", PartDigests: true}},
		{"s3://b?read_ahead=4", s3blob.Options{Bucket: "b", ReadAhead: s3blob.ReadAhead{Connections: 4, Block: 8 << 20}}},
		{"s3://b?gaps=path_keys", s3blob.Options{Bucket: "b", Gaps: s3blob.Gaps{PathKeys: true}}},
		{"s3://b?gaps=path_keys,conditions", s3blob.Options{Bucket: "b", Gaps: s3blob.Gaps{PathKeys: true, Conditions: true}}},
	}
	for _, c := range cases {
		if got, err := cloud.NewBucket(t.Context(), parse(t, c.url)); err != nil || !reflect.DeepEqual(got.Options, c.want) {
			t.Errorf("%s: %+v, %v; want %+v", c.url, got.Options, err, c.want)
		}
	}
	refused := []struct{ url, want string }{
		{"s3://b?path_style=yes", `path_style: "yes" is not true or false`},
		{"s3://b?public_endpoint=files.example.com", "public_endpoint: want an http or https URL"},
		{"s3://b?public_endpoint=https://me:pw@files.example.com", "public_endpoint: want an http or https URL"},
		{"s3://b?encryption=aes", `encryption: "aes" is not one of: AES256, aws:kms`},
		{"s3://b?kms_key=alias/files", "kms_key: want encryption=aws:kms with it"},
		{"s3://b?encryption=AES256&kms_key=alias/files", "kms_key: want encryption=aws:kms with it"},
		{"s3://b?part_digests=sha256", `part_digests: "sha256" is not true or false`},
		{"s3://b?read_ahead=17", `read_ahead: "17" is not a number from 0 to 16`},
		{"s3://b?read_ahead=-1", `read_ahead: "-1" is not a number from 0 to 16`},
		{"s3://b?gaps=all", `gaps: "all" is not one of: path_keys, conditions`},
	}
	for _, c := range refused {
		if _, err := cloud.NewBucket(t.Context(), parse(t, c.url)); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v; want an error that begins with %s", c.url, err, c.want)
		}
	}
}

func TestAWSsOwnSettingsKeepTheirMeaning(t *testing.T) {
	cases := []struct {
		name      string
		settings  map[string]string
		url       string
		region    string
		endpoint  string
		pathStyle bool
	}{
		{"a region", map[string]string{"AWS_REGION": "eu-central-1"}, "s3://b", "eu-central-1", "", false},
		{"the URL's region", map[string]string{"AWS_REGION": "eu-central-1"}, "s3://b?region=us-west-2", "us-west-2", "", false},
		{"an endpoint", map[string]string{"AWS_REGION": "r", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "s3://b", "r", "http://127.0.0.1:1", true},
		{"an endpoint of S3", map[string]string{"AWS_REGION": "r", "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:2"}, "s3://b", "r", "http://127.0.0.1:2", true},
		{"an endpoint of DynamoDB", map[string]string{"AWS_REGION": "r", "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:3"}, "s3://b", "r", "", false},
		{"an endpoint of Amazon's", map[string]string{"AWS_REGION": "r", "AWS_ENDPOINT_URL_S3": "https://s3.eu-central-1.amazonaws.com"}, "s3://b", "r", "https://s3.eu-central-1.amazonaws.com", false},
		{"the bucket in the host", map[string]string{"AWS_REGION": "r", "AWS_ENDPOINT_URL_S3": "http://localhost:2"}, "s3://b?path_style=false", "r", "http://localhost:2", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			aloneWith(t, c.settings)
			b, err := cloud.NewBucket(t.Context(), parse(t, c.url))
			if err != nil {
				t.Fatal(err)
			}
			if got := b.Config.Region; got != c.region {
				t.Errorf("the region is %q, want %q", got, c.region)
			}
			if got := aws.ToString(b.Config.BaseEndpoint); got != c.endpoint {
				t.Errorf("the endpoint is %q, want %q", got, c.endpoint)
			}
			if b.Options.PathStyle != c.pathStyle {
				t.Errorf("path style is %v, want %v", b.Options.PathStyle, c.pathStyle)
			}
		})
	}
}

// Clients are sent to Amazon's store, and to another one where it is said how
// they reach it: the address that we use may be one of ours alone.
func TestWhetherClientsReachTheStore(t *testing.T) {
	cases := []struct {
		endpoint, url string
		want          bool
	}{
		{"", "s3://b", true},
		{"https://s3.eu-central-1.amazonaws.com", "s3://b", true},
		{"http://minio:9000", "s3://b", false},
		{"http://minio:9000", "s3://b?public_endpoint=https://files.example.com", true},
	}
	for _, c := range cases {
		t.Run(c.endpoint+" "+c.url, func(t *testing.T) {
			aloneWith(t, map[string]string{"AWS_REGION": "r", "AWS_ENDPOINT_URL_S3": c.endpoint})
			if b, err := cloud.NewBucket(t.Context(), parse(t, c.url)); err != nil || b.Public() != c.want {
				t.Errorf("Public() = %v, %v, want %v", b.Public(), err, c.want)
			}
		})
	}
}

func TestWithoutARegion(t *testing.T) {
	aloneWith(t, nil)
	const want = "there is no region: set AWS_REGION"
	if _, err := cloud.NewBucket(t.Context(), parse(t, "s3://b")); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("a bucket: %v, want %s", err, want)
	}
	if _, err := cloud.OpenTables(t.Context(), parse(t, "dynamodb://t")); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("tables: %v, want %s", err, want)
	}
}

func TestTableNames(t *testing.T) {
	aloneWith(t, map[string]string{"AWS_REGION": "eu-central-1"})
	for _, c := range []struct{ url, domain, hot string }{
		{"dynamodb://sluice", "sluice", "sluice-hot"},
		{"dynamodb://sluice?hot=counters", "sluice", "counters"},
	} {
		got, err := cloud.OpenTables(t.Context(), parse(t, c.url))
		if err != nil {
			t.Fatal(err)
		}
		if got.Domain != c.domain || got.Hot != c.hot {
			t.Errorf("%s: the tables are %q and %q, want %q and %q", c.url, got.Domain, got.Hot, c.domain, c.hot)
		}
		if err := got.Store.Close(); err != nil {
			t.Error(err)
		}
	}
}
