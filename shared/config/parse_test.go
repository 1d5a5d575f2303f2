package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"sluice/shared/config"
)

// field shows one field of a Config as text.
type field func(config.Config) string

func TestValues(t *testing.T) {
	addr := field(func(c config.Config) string { return c.Addr })
	metrics := field(func(c config.Config) string { return c.MetricsAddr })
	data := field(func(c config.Config) string { return c.Data })
	blob := field(func(c config.Config) string { return c.Blob.Path })
	blobURL := field(func(c config.Config) string { return c.Blob.String() })
	imports := field(func(c config.Config) string { return fmt.Sprint(c.ImportBuckets) })
	table := field(func(c config.Config) string { return c.Table.Path })
	tableURL := field(func(c config.Config) string { return c.Table.String() })
	keys := field(func(c config.Config) string { return c.Keys.Path })
	opaque := field(func(c config.Config) string { return c.Keys.Opaque })
	queue := field(func(c config.Config) string { return c.Queue.String() })
	password := field(func(c config.Config) string { return c.AdminPassword.Reveal() })
	public := field(func(c config.Config) string { return fmt.Sprint(c.PublicURL) })
	downloads := field(func(c config.Config) string { return fmt.Sprint(c.DownloadURLs) })
	sessions := field(func(c config.Config) string { return strconv.Itoa(c.MaxSessions) })
	proxies := field(func(c config.Config) string { return fmt.Sprint(c.TrustedProxies) })
	origins := field(func(c config.Config) string { return fmt.Sprintf("%q", c.CORSOrigins) })
	level := field(func(c config.Config) string { return c.LogLevel.String() })
	keep := field(func(c config.Config) string { return c.Keep.String() })
	stall := field(func(c config.Config) string { return c.Stall.String() })
	mode := field(func(c config.Config) string { return c.Delivery })
	above := field(func(c config.Config) string { return fmt.Sprint(c.RedirectAbove) })
	choice := field(func(c config.Config) string { return fmt.Sprint(c.DeliveryChoice) })
	parts := field(func(c config.Config) string { return c.UploadParts })
	sums := field(func(c config.Config) string { return c.UploadDigest })
	stop := field(func(c config.Config) string { return c.StopTimeout.String() })
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	const refused = "refused: "
	cases := []struct {
		flag, value string
		get         field
		want        string
	}{
		{"addr", "127.0.0.1:8080", addr, "127.0.0.1:8080"},
		{"addr", "127.0.0.1:0", addr, "127.0.0.1:0"},
		{"upload-parts", "store", parts, "store"},
		{"upload-parts", "server", parts, "server"},
		{"upload-parts", "s3", parts, refused + `"s3" is not one of: auto, server, store`},
		{"upload-digest", "claim", sums, "claim"},
		{"upload-digest", "none", sums, refused + `"none" is not one of: verify, claim`},
		{"delivery", "auto", mode, "auto"},
		{"delivery", "stream", mode, "stream"},
		{"delivery", "redirect", mode, "redirect"},
		{"delivery", "Stream", mode, refused + `"Stream" is not one of: auto, stream, redirect`},
		{"redirect-above", "0", above, "0"},
		{"redirect-above", "1000", above, "1000"},
		{"redirect-above", "3KiB", above, "3072"},
		{"redirect-above", "4MiB", above, "4194304"},
		{"redirect-above", "2GiB", above, "2147483648"},
		{"redirect-above", "8388607TiB", above, "9223370937343148032"},
		{"redirect-above", "8388608TiB", above, refused + `"8388608TiB" is not a size`},
		{"redirect-above", "9223372036854775808", above, refused + `"9223372036854775808" is not a size`},
		{"redirect-above", "-1", above, refused + `"-1" is not a size such as 4194304 or 4MiB`},
		{"redirect-above", "4MB", above, refused + `"4MB" is not a size`},
		{"redirect-above", "MiB", above, refused + `"MiB" is not a size`},
		{"redirect-above", "4 MiB", above, refused + `"4 MiB" is not a size`},
		{"delivery-choice", "true", choice, "true"},
		{"delivery-choice", "false", choice, "false"},
		{"delivery-choice", "1", choice, refused + `"1" is not one of: true, false`},
		{"addr", ":8080", addr, ":8080"},
		{"addr", "[::1]:8080", addr, "[::1]:8080"},
		{"addr", "localhost:http", addr, "localhost:http"},
		{"addr", "", addr, refused + `"" is not a host:port such as 127.0.0.1:8080`},
		{"addr", "8080", addr, refused + `"8080" is not a host:port`},
		{"addr", "127.0.0.1", addr, refused + `"127.0.0.1" is not a host:port`},
		{"addr", "127.0.0.1:", addr, refused + `"127.0.0.1:" is not a host:port`},
		{"addr", ":", addr, refused + `":" is not a host:port`},
		{"addr", "::1:8080", addr, refused + `"::1:8080" is not a host:port`},
		{"addr", "127.0.0.1:65536", addr, refused + `"127.0.0.1:65536" is not a host:port`},
		{"addr", "127.0.0.1:-1", addr, refused + `"127.0.0.1:-1" is not a host:port`},
		{"addr", "http://127.0.0.1:8080", addr, refused + `"http://127.0.0.1:8080" is not a host:port`},

		{"metrics-addr", "", metrics, ""},
		{"metrics-addr", "127.0.0.1:9090", metrics, "127.0.0.1:9090"},
		{"metrics-addr", "9090", metrics, refused + `"9090" is not a host:port`},

		{"data", "/srv/sluice", data, "/srv/sluice"},
		{"data", "/srv/../srv//sluice/", data, "/srv/sluice"},
		{"data", "below/here", data, filepath.Join(here, "below/here")},
		{"data", "", data, refused + "a folder is needed"},

		{"blob", "file:///srv/blobs", blob, "/srv/blobs"},
		{"blob", "file:///srv/my%20blobs", blob, "/srv/my blobs"},
		{"blob", "FILE:///srv/blobs", blob, "/srv/blobs"},
		{"blob", "file:/srv/blobs", blob, "/srv/blobs"},
		{"import-buckets", "s3://media", imports, "[s3://media]"},
		{"import-buckets", "s3://media/, s3://old/a%20b/c?region=eu-west-1&path_style=true", imports, "[s3://media s3://old/a%20b/c/?region=eu-west-1&path_style=true]"},
		{"import-buckets", "s3://media/a,s3://media/b/", imports, "[s3://media/a/ s3://media/b/]"},
		{"import-buckets", "", imports, "[]"},
		{"import-buckets", "media", imports, refused + "entry 1: want s3://bucket"},
		{"import-buckets", "s3://media,file:///srv", imports, refused + "entry 2: want s3://bucket"},
		{"import-buckets", "s3://media:9000", imports, refused + "entry 1: want s3://bucket"},
		{"import-buckets", "s3://key@media", imports, refused + "entry 1: want s3://bucket"},
		{"import-buckets", "s3://media?public_endpoint=https://a.example", imports, refused + "entry 1: there is an option that is not one of: region, path_style"},
		{"blob", "/srv/blobs", blob, refused + `scheme "" is not one of: file, s3`},
		{"blob", "bolt:///srv/x", blob, refused + `scheme "bolt" is not one of: file, s3`},
		{"blob", "file://srv/blobs", blob, refused + "want file:///absolute/path"},
		{"blob", "file:blobs", blob, refused + "want file:///absolute/path"},
		{"blob", "file:///srv?sync=no", blob, refused + "want file:///absolute/path"},
		{"blob", "file:///srv/a#b", blob, refused + "want file:///absolute/path"},
		{"blob", "file://me@/srv", blob, refused + "want file:///absolute/path"},
		{"blob", "file:///%zz", blob, refused + "not a URL"},
		{"blob", "s3://bucket", blobURL, "s3://bucket"},
		{"blob", "s3://bucket/some/prefix/", blobURL, "s3://bucket/some/prefix/"},
		{"blob", "S3://bucket?path_style=true&region=eu-central-1", blobURL, "s3://bucket?path_style=true&region=eu-central-1"},
		{"blob", "s3:bucket", blobURL, refused + "want s3://bucket, "},
		{"blob", "s3:///bucket", blobURL, refused + "want s3://bucket, "},
		{"blob", "s3://bucket:9000", blobURL, refused + "want s3://bucket, "},
		{"blob", "s3://key:secret@bucket", blobURL, refused + "want s3://bucket, "},
		{"blob", "s3://bucket#a", blobURL, refused + "want s3://bucket, "},
		{"blob", "s3://bucket?region=%zz", blobURL, refused + "want s3://bucket, "},
		{"blob", "s3://bucket?zone=a", blobURL, refused + "there is an option that is not one of: region, path_style, "},
		{"blob", "s3://bucket?region=a&region=b", blobURL, refused + "the option region stands there more than once"},
		{"table", "bolt:///srv/t.db", table, "/srv/t.db"},
		{"table", "file:///srv/t.db", table, refused + `scheme "file" is not one of: bolt, dynamodb`},
		{"table", "dynamodb://sluice", tableURL, "dynamodb://sluice"},
		{"table", "dynamodb://sluice?hot=sluice-hot", tableURL, "dynamodb://sluice?hot=sluice-hot"},
		{"table", "dynamodb://sluice/", tableURL, refused + "want dynamodb://table, "},
		{"table", "dynamodb:sluice", tableURL, refused + "want dynamodb://table, "},
		{"table", "dynamodb://sluice?ttl=a", tableURL, refused + "there is an option that is not one of: region, hot"},
		{"keys", "file:///srv/k.json", keys, "/srv/k.json"},
		{"keys", "ssm:/sluice/prod", keys, "/sluice/prod"},
		{"keys", "ssm:sluice", keys, refused + "want ssm:/path"},
		{"keys", "ssm:///sluice", keys, "/sluice"},
		{"keys", "ssm://host/sluice", keys, refused + "want ssm:/path"},
		{"keys", "ssm:/", keys, refused + "want ssm:/path"},
		{"keys", "ssm:/sluice/", keys, refused + "want ssm:/path"},
		{"keys", "ssm:/sluice?region=r", keys, refused + "want ssm:/path"},
		{"keys", "secretsmanager:sluice/prod", opaque, "sluice/prod"},
		{"keys", "secretsmanager:/sluice", keys, refused + "want secretsmanager:name"},
		{"keys", "secretsmanager:", keys, refused + "want secretsmanager:name"},
		{"keys", "secretsmanager:a b", keys, refused},
		{"keys", "vault:/sluice", keys, refused + `scheme "vault" is not one of: file, ssm, secretsmanager`},
		{"queue", "https://sqs.eu-central-1.amazonaws.com/123456789012/sluice", queue, "https://sqs.eu-central-1.amazonaws.com/123456789012/sluice"},
		{"queue", "http://localhost:9324/1/sluice", queue, "http://localhost:9324/1/sluice"},
		{"queue", "sluice", queue, refused + "want the URL of a queue"},
		{"queue", "https://sqs.eu-central-1.amazonaws.com", queue, refused + "want the URL of a queue"},
		{"queue", "https://me:pw@sqs.eu-central-1.amazonaws.com/1/sluice", queue, refused + "want the URL of a queue"},

		{"admin-password", "correct horse", password, "correct horse"},

		{"public-url", "", public, "<nil>"},
		{"public-url", "https://files.example.com", public, "https://files.example.com"},
		{"public-url", "http://10.0.0.1:8080/", public, "http://10.0.0.1:8080"},
		{"public-url", "files.example.com", public, refused + "want an http or https URL of a host without a path"},
		{"public-url", "ftp://files.example.com", public, refused + "want an http or https URL"},
		{"public-url", "https://", public, refused + "want an http or https URL"},
		{"public-url", "https://files.example.com/sluice", public, refused + "want an http or https URL"},
		{"public-url", "https://me:pw@files.example.com", public, refused + "want an http or https URL"},
		{"public-url", "https://files.example.com?a=b", public, refused + "want an http or https URL"},
		{"public-url", "https://files.example.com#a", public, refused + "want an http or https URL"},
		{"public-url", "https://files.example.com:port", public, refused + "want an http or https URL"},

		{"trusted-proxies", "", proxies, "[]"},
		{"trusted-proxies", "10.0.0.1", proxies, "[10.0.0.1/32]"},
		{"trusted-proxies", "10.1.2.3/8, 2001:db8::1/32 ,::1", proxies, "[10.0.0.0/8 2001:db8::/32 ::1/128]"},
		{"trusted-proxies", ",10.0.0.1,", proxies, "[10.0.0.1/32]"},
		{"trusted-proxies", "10.0.0.0/33", proxies, refused + `"10.0.0.0/33" is not an address or a network such as 10.0.0.0/8`},
		{"trusted-proxies", "10.0.0.1,proxy", proxies, refused + `"proxy" is not an address`},
		{"trusted-proxies", "10.0.0", proxies, refused + `"10.0.0" is not an address`},

		{"cors-origins", "", origins, "[]"},
		{"cors-origins", "*", origins, `["*"]`},
		{"cors-origins", "https://a.example, http://localhost:3000", origins, `["https://a.example" "http://localhost:3000"]`},
		{"cors-origins", "a.example", origins, refused + "entry 1 is not an origin such as https://app.example.com"},
		{"cors-origins", "https://a.example/", origins, refused + "entry 1 is not an origin"},
		{"cors-origins", "https://a.example,https://me:pw@b.example", origins, refused + "entry 2 is not an origin"},
		{"cors-origins", "null", origins, refused + "entry 1 is not an origin"},

		{"download-url", "", downloads, "[]"},
		{"download-url", "https://near.example.com/, http://far.example.com:81", downloads, "[https://near.example.com http://far.example.com:81]"},
		{"download-url", "https://near.example.com,far.example.com", downloads, refused + "entry 2: want an http or https URL"},
		{"download-url", "https://api.example.com/live/, https://far.example.com/a/b", downloads, "[https://api.example.com/live https://far.example.com/a/b]"},
		{"download-url", "https://me:pw@near.example.com", downloads, refused + "entry 1: want an http or https URL"},

		{"log-level", "debug", level, "DEBUG"},
		{"log-level", "WARN", level, "WARN"},
		{"log-level", "error", level, "ERROR"},
		{"log-level", "", level, refused + `"" is not one of: debug, info, warn, error`},
		{"log-level", "verbose", level, refused + `"verbose" is not one of`},
		{"log-level", "4", level, refused + `"4" is not one of`},

		{"keep", "0s", keep, "0s"},
		{"keep", "36h30m", keep, "36h30m0s"},
		{"keep", "7d", keep, refused + `"7d" is not a duration such as 30s or 24h`},
		{"keep", "60", keep, refused + `"60" is not a duration`},
		{"keep", "-1s", keep, refused + "-1s is too short: at least 0s"},
		{"max-sessions", "1", sessions, "1"},
		{"max-sessions", "1000", sessions, "1000"},
		{"max-sessions", "0", sessions, refused + `"0" is not a number from 1 to 1000`},
		{"max-sessions", "1001", sessions, refused + `"1001" is not a number from 1 to 1000`},
		{"max-sessions", "many", sessions, refused + `"many" is not a number`},
		{"stall", "1s", stall, "1s"},
		{"stall", "999ms", stall, refused + "999ms is too short: at least 1s"},
		{"stop-timeout", "0s", stop, "0s"},
		{"stop-timeout", "-1ns", stop, refused + "-1ns is too short: at least 0s"},
	}
	for _, c := range cases {
		conf, err := load(map[string]string{c.flag: c.value}, nil)
		if why, isRefused := strings.CutPrefix(c.want, refused); isRefused {
			if err == nil || !strings.HasPrefix(err.Error(), "--"+c.flag+": "+why) || strings.Contains(err.Error(), "\n") {
				t.Errorf("--%s=%s: the error is %v; want one line that begins with --%[1]s: %s", c.flag, c.value, err, why)
			}
			continue
		}
		if err != nil || c.get(conf) != c.want {
			t.Errorf("--%s=%s gives %s, %v; want %s", c.flag, c.value, c.get(conf), err, c.want)
		}
	}
}

func TestCertificateAndKeyBelongTogether(t *testing.T) {
	dir := t.TempDir()
	cert, key := pair(t, dir, "a")
	_, other := pair(t, dir, "b")
	missing := filepath.Join(dir, "missing.pem")
	cases := []struct{ name, cert, key, want string }{
		{"both", cert, key, ""},
		{"neither", "", "", ""},
		{"no key", cert, "", "SLUICE_TLS_CERT and SLUICE_TLS_KEY belong together: set both or neither"},
		{"no certificate", "", key, "SLUICE_TLS_CERT and SLUICE_TLS_KEY belong together: set both or neither"},
		{"a missing file", missing, key, "SLUICE_TLS_CERT, SLUICE_TLS_KEY: open " + missing + ": no such file or directory"},
		{"another's key", cert, other, "SLUICE_TLS_CERT, SLUICE_TLS_KEY: tls: private key does not match public key"},
		{"the wrong way round", key, cert, "SLUICE_TLS_CERT, SLUICE_TLS_KEY: tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched"},
	}
	for _, c := range cases {
		conf, err := load(nil, map[string]string{"SLUICE_TLS_CERT": c.cert, "SLUICE_TLS_KEY": c.key})
		switch {
		case c.want == "" && (err != nil || conf.TLSCert != c.cert || conf.TLSKey != c.key):
			t.Errorf("%s: %q, %q, %v; want them taken", c.name, conf.TLSCert, conf.TLSKey, err)
		case c.want != "" && (err == nil || err.Error() != c.want):
			t.Errorf("%s: the error is %v; want %s", c.name, err, c.want)
		}
	}
}

// pair writes a certificate and its key.
func pair(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	public, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*pem.Block{
		name + "-cert.pem": {Type: "CERTIFICATE", Bytes: public},
		name + "-key.pem":  {Type: "PRIVATE KEY", Bytes: secret},
	}
	for name, block := range files {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, name+"-cert.pem"), filepath.Join(dir, name+"-key.pem")
}

// What stands where a URL should may hold a password, so no error repeats it.
func FuzzErrorsShowNoPassword(f *testing.F) {
	const secret = "hunter2"
	for _, seed := range []string{"https://me:%s@host", "s3://key:%s@bucket", "file://me:%s@/x", "https://me:%s@host/%%zz", "%s", "://%s", "file:///x?token=%s", "https://a.example,https://me:%s@b", "\x7f%s", ":%s"} {
		f.Add(strings.ReplaceAll(strings.ReplaceAll(seed, "%s", secret), "%%", "%"))
	}
	f.Fuzz(func(t *testing.T, value string) {
		if u, err := url.Parse(value); err == nil && strings.Contains(u.Scheme, secret) {
			t.Skip("a scheme is no place for a password")
		}
		for _, name := range []string{"blob", "import-buckets", "table", "keys", "public-url", "cors-origins", "admin-password"} {
			_, err := load(map[string]string{name: value}, nil)
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("--%s=%q: the error repeats the value: %v", name, value, err)
			}
		}
	})
}
