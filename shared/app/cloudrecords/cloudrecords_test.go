package cloudrecords_test

import (
	"log/slog"
	"os/exec"
	"strings"
	"testing"

	"sluice/shared/app/cloudfiles"
	"sluice/shared/app/cloudrecords"
	"sluice/shared/config"
)

// A function links no more than it uses: what it does not cost is its start.
func TestWhatFunctionsLink(t *testing.T) {
	never := []string{
		"sluice/shared/app/cloud", "sluice/shared/app/local", "sluice/shared/blob/fileblob", "sluice/shared/table/bolttable", "sluice/shared/observe/metrics",
		"github.com/aws/aws-sdk-go-v2/config", "github.com/aws/aws-sdk-go-v2/service/ssm", "github.com/aws/aws-sdk-go-v2/service/secretsmanager",
		"github.com/aws/aws-sdk-go-v2/service/sqs", "github.com/prometheus/client_golang/prometheus", "go.etcd.io/bbolt", "github.com/spf13/cobra",
	}
	s3 := []string{"sluice/shared/app/s3bucket", "sluice/shared/blob/s3blob", "github.com/aws/aws-sdk-go-v2/service/s3"}
	for _, c := range []struct {
		of      string
		without []string
		with    []string
	}{
		{"sluice/shared/app/cloudrecords", append(s3, never...), []string{"sluice/shared/table/dynamotable"}},
		{"sluice/shared/app/cloudfiles", never, append(s3, "sluice/shared/table/dynamotable")},
	} {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", c.of).Output()
		if err != nil {
			t.Fatal(err)
		}
		linked := map[string]bool{}
		for name := range strings.Lines(string(out)) {
			linked[strings.TrimSpace(name)] = true
		}
		for _, name := range c.without {
			if linked[name] {
				t.Errorf("%s links %s, want it not to", c.of, name)
			}
		}
		for _, name := range c.with {
			if !linked[name] {
				t.Errorf("%s does not link %s, want it to", c.of, name)
			}
		}
	}
}

// Whatever is set right, opening asks nobody: there is nobody at the endpoint.
func TestOpeningAsksNothing(t *testing.T) {
	right := map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
		"SLUICE_TABLE": "dynamodb://records", "SLUICE_BLOB": "s3://bucket", "SLUICE_KEYS": "ssm:/sluice", "SLUICE_QUEUE": "http://127.0.0.1:1/1/jobs",
	}
	cases := []struct{ name, value, records, files string }{
		{"", "", "", ""},
		{"AWS_REGION", "", "there is no region: set AWS_REGION", "there is no region: set AWS_REGION"},
		{"AWS_SECRET_ACCESS_KEY", "", "there are no credentials: set AWS_ACCESS_KEY_ID", "there are no credentials: set AWS_ACCESS_KEY_ID"},
		{"SLUICE_TABLE", "", "SLUICE_TABLE: want dynamodb://table", "SLUICE_TABLE: want dynamodb://table"},
		{"SLUICE_BLOB", "", "", "SLUICE_BLOB: want s3://bucket"},
		{"SLUICE_KEYS", "", "SLUICE_KEYS: bad_keys: the key file ", "SLUICE_KEYS: bad_keys: the key file "},
		{"SLUICE_QUEUE", "", "", ""},
	}
	for _, c := range cases {
		conf, err := config.Load(nil, func(name string) string {
			if name == c.name {
				return c.value
			}
			return right[name]
		})
		if err != nil {
			t.Fatal(err)
		}
		for what, open := range map[string]struct {
			open func() (func() error, error)
			want string
		}{
			"cloudrecords": {func() (func() error, error) {
				d, closer, err := cloudrecords.Open(t.Context(), conf, slog.New(slog.DiscardHandler))
				if err == nil && (d.Uploads != nil || d.Delivery != nil || d.Accounts.Signer == nil) {
					t.Errorf("cloudrecords has Uploads %v, Delivery %v and Signer %v; want the last alone", d.Uploads, d.Delivery, d.Accounts.Signer)
				}
				return closer, err
			}, c.records},
			"cloudfiles": {func() (func() error, error) {
				d, closer, err := cloudfiles.Open(t.Context(), conf, slog.New(slog.DiscardHandler))
				if err == nil && (d.Uploads == nil || d.Delivery == nil || d.Janitor == nil || d.Accounts.Signer != nil) {
					t.Errorf("cloudfiles has Uploads %v, Delivery %v and Signer %v; want all but the last", d.Uploads, d.Delivery, d.Accounts.Signer)
				}
				return closer, err
			}, c.files},
		} {
			closer, err := open.open()
			if err == nil {
				err = closer()
				if open.want != "" || err != nil {
					t.Errorf("%s with %s=%q opens and closes with %v; want %q", what, c.name, c.value, err, open.want)
				}
				continue
			}
			if open.want == "" || !strings.HasPrefix(err.Error(), open.want) {
				t.Errorf("%s with %s=%q: %v; want %q", what, c.name, c.value, err, open.want)
			}
		}
	}
}
