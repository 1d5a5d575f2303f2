package main_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sluice/localstack/stores"
)

// onStores returns the settings of a server on real stores: AWS's own variables
// and the URLs of the stores.
func onStores(blobs *stores.S3, records *stores.DynamoDB) []string {
	return []string{
		"AWS_REGION=" + blobs.Region, "AWS_ACCESS_KEY_ID=" + blobs.AccessKey, "AWS_SECRET_ACCESS_KEY=" + blobs.SecretKey,
		"AWS_ENDPOINT_URL_S3=" + blobs.Endpoint, "AWS_ENDPOINT_URL_DYNAMODB=" + records.Endpoint,
		"SLUICE_BLOB=s3://files", "SLUICE_TABLE=dynamodb://records",
	}
}

// adminInit runs `sluice admin init` and returns what it says.
func adminInit(t *testing.T, settings []string, flags ...string) string {
	t.Helper()
	cmd := command(append([]string{"admin", "init"}, flags...)...)
	cmd.Env = append(cmd.Env, settings...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("sluice admin init: %v\n%s", err, out)
	}
	return string(out)
}

// shownPassword finds the password that admin init shows.
func shownPassword(t *testing.T, said string) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^    (\S{20,})$`).FindStringSubmatch(said)
	if found == nil {
		t.Fatalf("admin init shows no password:\n%s", said)
	}
	return found[1]
}

func TestServeOnRealStores(t *testing.T) {
	cases := []struct {
		name    string
		blobs   func(testing.TB) *stores.S3
		records func(testing.TB) *stores.DynamoDB
	}{
		{"MinIO and dynoxide", stores.MinIO, stores.Dynoxide},
		{"versitygw and DynamoDB Local", stores.Versitygw, stores.DynamoDBLocal},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			settings := append(onStores(c.blobs(t), c.records(t)), "SLUICE_KEYS=file://"+filepath.Join(dir, "keys.json"))
			said := adminInit(t, settings, "--data="+dir)
			if !strings.Contains(said, "bucket files                 made\n") || !strings.Contains(said, "table records                made; ") {
				t.Errorf("admin init says\n%s", said)
			}
			if again := adminInit(t, settings, "--data="+dir); strings.Contains(again, "made") || strings.Contains(again, "password") {
				t.Errorf("admin init says a second time\n%s\nwant no change and no password", again)
			}

			one := start(t, filepath.Join(dir, "one"), settings...)
			if greeting := one.Stdout.String(); !strings.Contains(greeting, "\nwith its files in s3://files and its records in dynamodb://records\n") {
				t.Errorf("the greeting does not say where the data is:\n%s", greeting)
			}
			token := one.Login(shownPassword(t, said))
			large := make([]byte, 20<<20) // more than one part
			_, _ = rand.NewChaCha8([32]byte{}).Read(large)
			if r := one.Ask(http.MethodPut, "/file/admin/large", token, bytes.NewReader(large)); r.StatusCode != http.StatusCreated {
				t.Fatalf("PUT of 20 MiB = %s, want 201", r.Status)
			}
			one.Put(token, "small", "hello")

			// Another server on the same stores, and then the first once more.
			two := start(t, filepath.Join(dir, "two"), settings...)
			if got := two.Get(token, "large"); got != string(large) {
				t.Errorf("another server has %d other bytes of the file, want its %d", len(got), len(large))
			}
			one.Stop()
			one = start(t, filepath.Join(dir, "one"), settings...)
			if got := one.Get(token, "small"); got != "hello" {
				t.Errorf("after a restart the file is %q, want hello", got)
			}
			if got := rangeOf(one, token, "large", "bytes=9000000-9000999"); !bytes.Equal(got, large[9000000:9001000]) {
				t.Errorf("a range over two parts has %d other bytes", len(got))
			}
		})
	}
}

func rangeOf(p *process, token, path, spec string) []byte {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.URL+"/file/admin/"+path, http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Range", spec)
	response, err := client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusPartialContent {
		p.t.Fatalf("%s of %s = %s, %v; want 206", spec, path, response.Status, err)
	}
	return body
}

func TestServeWantsAdminInitFirst(t *testing.T) {
	settings := append(onStores(stores.MinIO(t), stores.Dynoxide(t)), "SLUICE_DATA="+t.TempDir(), "SLUICE_ADDR=127.0.0.1:0")
	wantRefused(t, []string{"serve"}, settings, "The DynamoDB table records is not there; `sluice admin init` makes it")
}

func TestAdminInitOnTheEmbeddedStores(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	said := adminInit(t, nil, "--data="+data)
	made := shownPassword(t, said)
	if again := adminInit(t, nil, "--data="+data); strings.Contains(again, "made") {
		t.Errorf("admin init says a second time\n%s\nwant no change", again)
	}
	p := start(t, data)
	p.Login(made)
	wantRefused(t, []string{"admin", "init", "--data=" + data}, nil, "is in use by")
}

func TestPolicyCommands(t *testing.T) {
	settings := append(onStores(stores.MinIO(t), stores.Dynoxide(t)), "SLUICE_DATA="+t.TempDir())
	adminInit(t, settings)
	cases := []struct{ args, says string }{
		{"get", "The bucket has no policy: it is private."},
		{"set tls-only public-read:images/", "policy tls-only, public-read:images/: set"},
		{"set tls-only public-read:images/", "policy tls-only, public-read:images/: already so"},
		{"get", "aws:SecureTransport"},
		{"set private", "policy private: set"},
		{"presets", "public-read:PREFIX"},
	}
	for _, c := range cases {
		cmd := command(append([]string{"admin", "policy"}, strings.Fields(c.args)...)...)
		cmd.Env = append(cmd.Env, settings...)
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), c.says) {
			t.Errorf("sluice admin policy %s: %v, says\n%s\nwant %q", c.args, err, out, c.says)
		}
	}
	wantRefused(t, []string{"admin", "policy", "get", "--blob=s3://missing"}, settings, "the bucket missing is not there; `sluice admin init` makes it")
	wantRefused(t, []string{"admin", "policy", "set", "open"}, settings, `"open" is not one of: private, public-read:PREFIX, tls-only`)
	wantRefused(t, []string{"admin", "policy", "get", "--blob=file:///srv"}, settings, "SLUICE_BLOB names no bucket: want s3://bucket")
}
