package config_test

import (
	"flag"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/shared/config"
)

// load loads from flags and an environment that are written down.
func load(flags, env map[string]string) (config.Config, error) {
	given := func(name string) (string, bool) { v, ok := flags[name]; return v, ok }
	return config.Load(given, func(name string) string { return env[name] })
}

func TestDefaults(t *testing.T) {
	got, err := config.Load(nil, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(here, ".sluice")
	want := map[string]any{
		"Addr": "127.0.0.1:8080", "Data": data, "Blob": "file://" + data + "/blobs", "Table": "bolt://" + data + "/sluice.db",
		"Keys": "file://" + data + "/keys.json", "LogLevel": slog.LevelInfo, "MaxSessions": 100, "Keep": 24 * time.Hour, "Stall": 10 * time.Second,
		"Delivery": "auto", "RedirectAbove": int64(4 << 20), "UploadParts": "auto", "UploadDigest": "verify", "StopTimeout": 30 * time.Second,
		"AdminPassword": "***", "WebhookToken": "***", // never shown, not even whether it is there
	}
	wantFields(t, got, want)
	if password, token := got.AdminPassword.Reveal(), got.WebhookToken.Reveal(); password != "" || token != "" {
		t.Errorf("AdminPassword = %q and WebhookToken = %q, want none", password, token)
	}
}

// wantFields wants the fields of a Config to be these, and all others zero.
func wantFields(t *testing.T, c config.Config, want map[string]any) {
	t.Helper()
	v := reflect.ValueOf(c)
	for i := range v.NumField() {
		name, field := v.Type().Field(i).Name, v.Field(i)
		wanted, ok := want[name]
		if !ok {
			if !field.IsZero() {
				t.Errorf("%s = %v, want none", name, field)
			}
			continue
		}
		got := field.Interface()
		if u, ok := got.(interface{ String() string }); ok && reflect.TypeOf(wanted).Kind() == reflect.String {
			got = u.String()
		}
		if !reflect.DeepEqual(got, wanted) {
			t.Errorf("%s = %v, want %v", name, got, wanted)
		}
	}
}

func TestFlagWinsOverEnvironmentOverDefault(t *testing.T) {
	cases := []struct {
		name       string
		flags, env map[string]string
		want       string
	}{
		{"neither", nil, nil, "127.0.0.1:8080"},
		{"environment", nil, map[string]string{"SLUICE_ADDR": "127.0.0.1:2"}, "127.0.0.1:2"},
		{"flag", map[string]string{"addr": "127.0.0.1:1"}, nil, "127.0.0.1:1"},
		{"both", map[string]string{"addr": "127.0.0.1:1"}, map[string]string{"SLUICE_ADDR": "127.0.0.1:2"}, "127.0.0.1:1"},
		{"flag with the default's value", map[string]string{"addr": "127.0.0.1:8080"}, map[string]string{"SLUICE_ADDR": "127.0.0.1:2"}, "127.0.0.1:8080"},
		{"flag over a wrong environment", map[string]string{"addr": "127.0.0.1:1"}, map[string]string{"SLUICE_ADDR": "wrong"}, "127.0.0.1:1"},
		{"empty environment", nil, map[string]string{"SLUICE_ADDR": ""}, "127.0.0.1:8080"},
		{"other names", nil, map[string]string{"ADDR": "127.0.0.1:2", "sluice_addr": "127.0.0.1:3"}, "127.0.0.1:8080"},
	}
	for _, c := range cases {
		if got, err := load(c.flags, c.env); err != nil || got.Addr != c.want {
			t.Errorf("%s: Addr = %q, %v; want %q", c.name, got.Addr, err, c.want)
		}
	}
}

// An empty flag is not an absent one: it takes a default from the environment
// back, or is wrong.
func TestEmptyFlagIsGiven(t *testing.T) {
	got, err := load(map[string]string{"metrics-addr": ""}, map[string]string{"SLUICE_METRICS_ADDR": "127.0.0.1:9"})
	if err != nil || got.MetricsAddr != "" {
		t.Errorf("with --metrics-addr= MetricsAddr = %q, %v; want none", got.MetricsAddr, err)
	}
	if _, err := load(map[string]string{"keep": ""}, nil); err == nil || !strings.HasPrefix(err.Error(), "--keep: ") {
		t.Errorf("with --keep= the error is %v; want one that begins with --keep", err)
	}
}

func TestErrorNamesWhatWasGiven(t *testing.T) {
	cases := []struct {
		flags, env map[string]string
		want       string
	}{
		{map[string]string{"stop-timeout": "x"}, nil, `--stop-timeout: "x" is not a duration such as 30s or 24h`},
		{nil, map[string]string{"SLUICE_STOP_TIMEOUT": "x"}, `SLUICE_STOP_TIMEOUT: "x" is not a duration such as 30s or 24h`},
		{map[string]string{"stop-timeout": "x"}, map[string]string{"SLUICE_STOP_TIMEOUT": "1s"}, `--stop-timeout: "x" is not a duration such as 30s or 24h`},
	}
	for _, c := range cases {
		got, err := load(c.flags, c.env)
		if err == nil || err.Error() != c.want || !reflect.ValueOf(got).IsZero() {
			t.Errorf("with flags %v and environment %v: %+v, %v; want no Config and %s", c.flags, c.env, got, err, c.want)
		}
	}
}

func TestEnv(t *testing.T) {
	for name, want := range map[string]string{"addr": "SLUICE_ADDR", "tls-cert": "SLUICE_TLS_CERT", "trusted-proxies": "SLUICE_TRUSTED_PROXIES"} {
		if got := config.Env(name); got != want {
			t.Errorf("Env(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestEverySettingIsAFlagThatNamesItsVariable(t *testing.T) {
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	config.Flags(fs)
	asked := map[string]bool{}
	if _, err := config.Load(nil, func(name string) string { asked[name] = true; return "" }); err != nil {
		t.Fatal(err)
	}
	fs.VisitAll(func(f *flag.Flag) {
		if !strings.HasSuffix(f.Usage, " ["+config.Env(f.Name)+"]") {
			t.Errorf("the usage of --%s is %q; want it to end with [%s]", f.Name, f.Usage, config.Env(f.Name))
		}
		if !asked[config.Env(f.Name)] {
			t.Errorf("there is a flag --%s, but %s is not read", f.Name, config.Env(f.Name))
		}
		delete(asked, config.Env(f.Name))
	})
	maps.DeleteFunc(asked, func(name string, _ bool) bool { return strings.HasPrefix(name, "AWS_") }) // not ours to have flags for
	if len(asked) > 0 {
		t.Errorf("%v are read, but are no flags", slices.Sorted(maps.Keys(asked)))
	}
}

func TestTheTransportIsNamedOrNone(t *testing.T) {
	for _, name := range append(config.Transports(), "") {
		got, err := load(nil, map[string]string{"SLUICE_TRANSPORT": name, "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001"})
		if err != nil || got.Transport != name || got.RuntimeAPI != "127.0.0.1:9001" {
			t.Errorf("SLUICE_TRANSPORT=%s: Transport %q at %q, %v; want it, at 127.0.0.1:9001", name, got.Transport, got.RuntimeAPI, err)
		}
	}
	want := `SLUICE_TRANSPORT: "lambda" is not one of: rest, http, alb, url-stream, rest-stream`
	if _, err := load(nil, map[string]string{"SLUICE_TRANSPORT": "lambda"}); err == nil || err.Error() != want {
		t.Errorf("SLUICE_TRANSPORT=lambda: %v, want %s", err, want)
	}
}

// An import makes files of what others have put somewhere, never of what are our
// own blobs already.
func TestImportBucketsLieBesideTheBlobs(t *testing.T) {
	const own, twice = "holds the files of this server", "names a bucket again, with other options"
	for _, c := range []struct{ blob, imports, want string }{
		{"s3://files", "s3://media", ""},
		{"s3://files/sluice/", "s3://files/videos/", ""},
		{"s3://files/sluice/", "s3://media,s3://files/videos/", ""},
		{"file:///srv", "s3://media", ""},
		{"s3://files", "s3://files", own},
		{"s3://files", "s3://files/videos", own},
		{"s3://files/sluice/", "s3://files", own},
		{"s3://files/sluice/", "s3://files/sluice/videos", own},
		{"s3://files/sluice/", "s3://media,s3://files/sluice", own},
		{"s3://files/sl", "s3://files/sluice/", own},
		{"s3://files", "s3://media/a?region=x,s3://media/b?region=x", ""},
		{"s3://files", "s3://media/a?region=x,s3://media/b?region=y", twice},
	} {
		_, err := load(nil, map[string]string{"SLUICE_BLOB": c.blob, "SLUICE_IMPORT_BUCKETS": c.imports})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "SLUICE_IMPORT_BUCKETS: entry ")) {
			t.Errorf("files in %s and imports of %s: %v, want %q", c.blob, c.imports, err, c.want)
		}
	}
}

func TestStoresFollowTheDataFolder(t *testing.T) {
	got, err := load(nil, map[string]string{"SLUICE_DATA": "/var/lib/a b", "SLUICE_TABLE": "bolt:///elsewhere/t.db"})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ got, want string }{
		"Data": {got.Data, "/var/lib/a b"}, "Blob": {got.Blob.Path, "/var/lib/a b/blobs"},
		"Table": {got.Table.Path, "/elsewhere/t.db"}, "Keys": {got.Keys.Path, "/var/lib/a b/keys.json"},
	} {
		if c.got != c.want {
			t.Errorf("%s = %q, want %q", name, c.got, c.want)
		}
	}
}

func TestBaseURL(t *testing.T) {
	cases := []struct {
		name  string
		env   map[string]string
		cert  string
		bound string
		want  string
	}{
		{"as bound", nil, "", "127.0.0.1:8080", "http://127.0.0.1:8080"},
		{"a port that was chosen", map[string]string{"SLUICE_ADDR": "127.0.0.1:0"}, "", "127.0.0.1:41234", "http://127.0.0.1:41234"},
		{"all addresses", nil, "", "0.0.0.0:80", "http://localhost:80"},
		{"all IPv6 addresses", nil, "", "[::]:80", "http://localhost:80"},
		{"IPv6", nil, "", "[::1]:80", "http://[::1]:80"},
		{"TLS", nil, "cert.pem", "127.0.0.1:8443", "https://127.0.0.1:8443"},
		{"a public URL", map[string]string{"SLUICE_PUBLIC_URL": "https://files.example.com"}, "", "0.0.0.0:80", "https://files.example.com"},
		{"a public URL with a slash", map[string]string{"SLUICE_PUBLIC_URL": "https://files.example.com:8443/"}, "", "0.0.0.0:80", "https://files.example.com:8443"},
		{"a public URL before a plain one", map[string]string{"SLUICE_PUBLIC_URL": "http://files.example.com"}, "cert.pem", "0.0.0.0:80", "http://files.example.com"},
	}
	for _, c := range cases {
		conf, err := load(nil, c.env)
		if err != nil {
			t.Fatal(err)
		}
		conf.TLSCert = c.cert
		bound, err := net.ResolveTCPAddr("tcp", c.bound)
		if err != nil {
			t.Fatal(err)
		}
		if got := conf.BaseURL(bound); got != c.want {
			t.Errorf("%s: BaseURL(%s) = %s, want %s", c.name, c.bound, got, c.want)
		}
	}
}
