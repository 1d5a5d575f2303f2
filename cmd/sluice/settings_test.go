package main_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sluice/shared/config"
)

// flags returns the names of all settings.
func flags() []string {
	set := flag.NewFlagSet("", flag.ContinueOnError)
	config.Flags(set)
	var names []string
	set.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	return names
}

func TestWrongSettingIsNamed(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("something else"), 0o644); err != nil {
		t.Fatal(err)
	}
	cases := []struct{ name, value, says string }{
		{"addr", "8080", `"8080" is not a host:port such as 127.0.0.1:8080`},
		{"addr", "192.0.2.1:0", "listen tcp 192.0.2.1:0: bind: "}, // of no machine (RFC 5737)
		{"data", plain, "not a directory"},
		{"blob", "ftp://" + secret, `scheme "ftp" is not one of: file, s3`},
		{"blob", "s3://key:" + secret + "@bucket", "want s3://bucket, "},
		{"blob", "s3://bucket?token=" + secret, "there is an option that is not one of: region, path_style, "},
		{"blob", "s3://bucket", "there is no region: set AWS_REGION, or add ?region=… to the URL"},
		{"blob", "file://user:" + secret + "@host/x", "want file:///absolute/path"},
		{"blob", "file://" + plain, "not a directory"},
		{"import-buckets", "s3://media,s3://user:" + secret + "@old", "entry 2: want s3://bucket"},
		{"table", "sluice.db", "is not one of: bolt"},
		{"table", "dynamodb://key:" + secret + "@table", "want dynamodb://table, "},
		{"table", "dynamodb://table", "there is no region: set AWS_REGION, or add ?region=… to the URL"},
		{"table", "bolt://" + plain, "The record file " + plain + " cannot be opened: it is damaged, or no record file"},
		{"table", "bolt://" + dir, "The record file " + dir + " cannot be opened: "},
		{"keys", "file:keys.json", "want file:///absolute/path"},
		{"keys", "https://x/?token=" + secret, `scheme "https" is not one of: file`},
		{"keys", "file://" + plain, "the key file " + plain + " cannot be used: its mode 0644 lets others at it: run chmod 600"},
		{"admin-password", secret, "A password has 8 to 256 bytes."},
		{"admin-password", secret + "\x01", "A password has no control characters."},
		{"transport", "lambda", `"lambda" is not one of: `},
		{"queue", "https://user:" + secret + "@sqs.example.com/1/q", "want the URL of a queue"},
		{"public-url", "https://user:" + secret + "@x", "want an http or https URL of a host without a path"},
		{"download-url", "https://a.example,https://user:" + secret + "@b.example", "entry 2: want an http or https URL such as https://files.example.com"},
		{"trusted-proxies", "10.0.0.0/33", `"10.0.0.0/33" is not an address or a network such as 10.0.0.0/8`},
		{"cors-origins", "https://a.example,https://user:" + secret + "@b.example", "entry 2 is not an origin such as https://app.example.com"},
		{"tls-cert", "cert.pem", "SLUICE_TLS_CERT and SLUICE_TLS_KEY belong together"},
		{"tls-key", "key.pem", "SLUICE_TLS_CERT and SLUICE_TLS_KEY belong together"},
		{"metrics-addr", "metrics", `"metrics" is not a host:port`},
		{"metrics-addr", "192.0.2.1:0", "listen tcp 192.0.2.1:0: bind: "},
		{"log-level", "loud", `"loud" is not one of: debug, info, warn, error`},
		{"delivery", "sometimes", `"sometimes" is not one of: auto, stream, redirect`},
		{"redirect-above", "4 MB", `"4 MB" is not a size such as 4194304 or 4MiB`},
		{"delivery-choice", "yes", `"yes" is not one of: true, false`},
		{"upload-parts", "s3", `"s3" is not one of: auto, server, store`},
		{"upload-digest", "none", `"none" is not one of: verify, claim`},
		{"keep", "a day", `"a day" is not a duration such as 30s or 24h`},
		{"webhook-token", secret, "want one word of at least 16 printable ASCII characters"},
		{"max-sessions", "none", `"none" is not a number from 1 to 1000`},
		{"stall", "10ms", "10ms is too short: at least 1s"},
		{"stop-timeout", "-1s", "-1s is too short: at least 0s"},
	}
	tested := map[string]bool{}
	for _, c := range cases {
		tested[c.name] = true
		right := []string{"SLUICE_DATA=" + filepath.Join(dir, c.name), "SLUICE_ADDR=127.0.0.1:0", "SLUICE_METRICS_ADDR=127.0.0.1:0"}
		inEnvironment := wantRefused(t, []string{"serve"}, append(right, config.Env(c.name)+"="+c.value), c.says)
		asFlag := wantRefused(t, []string{"serve", "--" + c.name + "=" + c.value}, right, c.says)
		if !strings.Contains(inEnvironment, config.Env(c.name)) || !strings.Contains(asFlag, config.Env(c.name)) && !strings.Contains(asFlag, "--"+c.name+": ") {
			t.Errorf("a wrong --%s is not named by\n%s%s", c.name, inEnvironment, asFlag)
		}
	}
	for _, name := range flags() {
		if !tested[name] {
			t.Errorf("no wrong value of --%s is tested", name)
		}
	}
}

func TestBothFilesOfTLSAreRead(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing.pem")
	wantRefused(t, []string{"serve"}, []string{"SLUICE_DATA=" + dir, "SLUICE_TLS_CERT=" + missing, "SLUICE_TLS_KEY=" + missing},
		"SLUICE_TLS_CERT, SLUICE_TLS_KEY: open "+missing+": no such file or directory")
}

func TestWrongUseIsExplained(t *testing.T) {
	cases := []struct {
		args []string
		says string
	}{
		{[]string{"serve", "--nope"}, "sluice: unknown flag: --nope; see sluice serve --help\n"},
		{[]string{"serve", "--admin-passwort=" + secret}, "sluice: unknown flag: --admin-passwort; see sluice serve --help\n"},
		{[]string{"serve", "--addr"}, "sluice: flag needs an argument: --addr; see sluice serve --help\n"},
		{[]string{"serve", "-x"}, "sluice: unknown shorthand flag: 'x' in -x; see sluice serve --help\n"},
		{[]string{"serve", "now"}, "sluice: sluice serve takes no arguments, and got \"now\"; see sluice serve --help\n"},
		{[]string{"version", "1"}, "sluice: sluice version takes no arguments, and got \"1\"; see sluice version --help\n"},
		{[]string{"--nope"}, "sluice: unknown flag: --nope; see sluice --help\n"},
		{[]string{"nothing"}, "sluice: unknown command \"nothing\" for \"sluice\"\n"},
	}
	for _, c := range cases {
		wantRefused(t, c.args, nil, c.says)
	}
	if code, out, says := runToEnd(t, []string{"server"}, nil); code != 1 || out != "" || says != "sluice: unknown command \"server\" for \"sluice\"\n\nDid you mean this?\n\tserve\n" {
		t.Errorf("sluice server: exit code %d, %q and %q; want 1 and the command that was meant", code, out, says)
	}
}

func TestHelpListsEverySetting(t *testing.T) {
	code, help, errs := runToEnd(t, []string{"serve", "--help"}, []string{"SLUICE_ADMIN_PASSWORD=" + secret})
	if code != 0 || errs != "" || strings.Contains(help, secret) {
		t.Errorf("sluice serve --help: exit code %d and %q; want 0 and nothing, and no value from the environment in\n%s", code, errs, help)
	}
	readme := read(t, "../..", "README.md")
	for _, name := range flags() {
		if !regexp.MustCompile(`(?m)^ +--` + name + ` .*\[` + config.Env(name) + `\]`).MatchString(help) {
			t.Errorf("the help does not list --%s with [%s]:\n%s", name, config.Env(name), help)
		}
		if !regexp.MustCompile(`(?m)^\| .*\b` + config.Env(name) + `\b.* \|$`).MatchString(readme) {
			t.Errorf("the README's table of settings has no %s", config.Env(name))
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	cases := []struct {
		args []string
		want string
	}{
		{nil, "To begin, run: sluice serve\n"},
		{[]string{"--help"}, "To begin, run: sluice serve\n"},
		{[]string{"version"}, "sluice " + builtVersion + "\n"},
		{[]string{"--version"}, "sluice " + builtVersion + "\n"},
	}
	for _, c := range cases {
		if code, out, errs := runToEnd(t, c.args, nil); code != 0 || errs != "" || !strings.Contains(out, c.want) {
			t.Errorf("sluice %s: exit code %d, %q on stderr and\n%s\nwant 0, nothing and %q", c.args, code, errs, out, c.want)
		}
	}
}

func TestUnknownVariableIsNoError(t *testing.T) {
	p := startEmpty(t, "SLUICE_NOPE=1", "SLUICE_KEEP=") // and an empty one is not set
	p.Login(password)
	p.Stop()
}
