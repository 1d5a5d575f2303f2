// Package config reads the settings of a server once, from flags and the
// environment, into one typed struct. A wrong value is one clear error that
// names the setting.
package config

import (
	"crypto/tls"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Config holds every setting of a server.
type Config struct {
	Addr           string         // host:port to listen on
	Data           string         // folder of the embedded stores and keys
	Blob           *url.URL       // where blobs are: file:///folder or s3://bucket/prefix/?options
	ImportBuckets  []*url.URL     // what else imports may be of: s3://bucket/folder/?options, whose Path is empty or ends in a slash
	Table          *url.URL       // where records are: bolt:///file or dynamodb://table?options
	Keys           *url.URL       // where the signing keys are: file:///file, ssm:/path or secretsmanager:name
	Queue          *url.URL       // the SQS queue that jobs are sent to; nil: they run beside requests
	AWS            AWS            // AWS's own variables
	AdminPassword  Secret         // of the first admin; made up and printed where empty
	PublicURL      *url.URL       // how clients reach the server; nil: by the address bound
	DownloadURLs   []string       // what the URLs of links and sessions begin with, the best first; none: the public URL
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
	CORSOrigins    []string       // origins whose pages may call the API
	TLSCert        string         // PEM file; with TLSKey turns on HTTPS and HTTP/2
	TLSKey         string         // PEM file
	MetricsAddr    string         // host:port of /metrics; empty: none
	LogLevel       slog.Level     // the least level logged
	Delivery       string         // how bytes leave where no file says: auto, stream or redirect
	RedirectAbove  int64          // auto redirects bodies of more bytes than this
	DeliveryChoice bool           // a request may choose how bytes leave
	UploadParts    string         // where parts go: auto, server or store
	UploadDigest   string         // of uploads in parts: verify or claim
	Keep           time.Duration  // how long a replaced or deleted version is kept
	WebhookToken   Secret         // by which a store tells of its objects; empty: it does not
	MaxSessions    int            // open download sessions of one user
	Stall          time.Duration  // a peer that makes no progress for so long is dropped
	StopTimeout    time.Duration  // how long running downloads may go on after a stop signal
	Transport      string         // which events come on Lambda: one of Transports; empty: none was named
	RuntimeAPI     string         // host:port of Lambda's Runtime API; empty: this is not Lambda
}

// Transports are the events that a function can be told to expect: of a REST
// API, an HTTP API or a load balancer, buffered, and of a Function URL or a REST
// API, streamed. A function cannot see whether its URL streams, so it is told.
func Transports() []string { return []string{"rest", "http", "alb", "url-stream", "rest-stream"} }

// setting is one line of the table below.
type setting struct {
	name  string // of the flag; SLUICE_NAME in the environment
	value string // the default
	usage string
	parse func(*Config, string) error
}

// Env returns the environment's name of a flag: SLUICE_TLS_CERT for tls-cert.
func Env(flag string) string {
	return "SLUICE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// settings is the one list of what can be set.
func settings() []setting {
	return []setting{
		{"addr", "127.0.0.1:8080", "`host:port` to listen on", func(c *Config, v string) error { return parseAddr(&c.Addr, v, false) }},
		{"data", ".sluice", "`folder` of the embedded stores and the keys", func(c *Config, v string) error { return parsePath(&c.Data, v) }},
		{"blob", "", "`URL` of the blob store; file:///folder or s3://bucket (default: blobs in the data folder)", func(c *Config, v string) error { return parseStore(&c.Blob, v, blobStores()) }},
		{"import-buckets", "", "comma-separated `URLs` of buckets, or of folders in them, of which imports may be too, such as s3://media/videos/ (default: of the blob store alone)", func(c *Config, v string) error { return parseImportBuckets(&c.ImportBuckets, v) }},
		{"table", "", "`URL` of the record store; bolt:///file or dynamodb://table (default: sluice.db in the data folder)", func(c *Config, v string) error { return parseStore(&c.Table, v, tableStores()) }},
		{"keys", "", "`URL` of the signing keys; file:///file, ssm:/path or secretsmanager:name (default: keys.json in the data folder, made on the first start)", func(c *Config, v string) error { return parseStore(&c.Keys, v, keyStores()) }},
		{"queue", "", "`URL` of the SQS queue that jobs are sent to, for functions/ingest to run (default: they run beside requests)", func(c *Config, v string) error { return parseQueue(&c.Queue, v) }},
		{"admin-password", "", "`password` of the user admin, taken on the first start only (default: made up and printed once)", func(c *Config, v string) error { c.AdminPassword = NewSecret(v); return nil }},
		{"public-url", "", "`URL` under which clients reach this server", func(c *Config, v string) error { return parsePublicURL(&c.PublicURL, v) }},
		{"download-url", "", "comma-separated `URLs` under which downloads reach this server, the best first (default: the public URL)", func(c *Config, v string) error { return parseDownloadURLs(&c.DownloadURLs, v) }},
		{"trusted-proxies", "", "comma-separated `addresses` or networks of proxies whose X-Forwarded-For is believed", func(c *Config, v string) error { return parsePrefixes(&c.TrustedProxies, v) }},
		{"cors-origins", "", "comma-separated `origins` whose pages may call the API, such as https://app.example.com", func(c *Config, v string) error { return parseOrigins(&c.CORSOrigins, v) }},
		{"tls-cert", "", "PEM `file` with the certificate chain; turns on HTTPS and HTTP/2", func(c *Config, v string) error { c.TLSCert = v; return nil }},
		{"tls-key", "", "PEM `file` with the certificate's private key", func(c *Config, v string) error { c.TLSKey = v; return nil }},
		{"metrics-addr", "", "`host:port` to serve Prometheus metrics on, at /metrics (default: not served)", func(c *Config, v string) error { return parseAddr(&c.MetricsAddr, v, true) }},
		{"log-level", "info", "least `level` logged: debug, info, warn or error", func(c *Config, v string) error { return parseLevel(&c.LogLevel, v) }},
		{"delivery", "auto", "how bytes leave, where a file has no `mode` of its own: auto, stream (through the server) or redirect (from a store that clients reach)", func(c *Config, v string) error { return parseWord(&c.Delivery, v, "auto", "stream", "redirect") }},
		{"redirect-above", "4MiB", "`size` above which auto redirects an answer to the store", func(c *Config, v string) error { return parseSize(&c.RedirectAbove, v) }},
		{"delivery-choice", "false", "`true` lets a request choose by ?delivery=stream or redirect", func(c *Config, v string) error { return parseBool(&c.DeliveryChoice, v) }},
		{"upload-parts", "auto", "where the `parts` of uploads are sent: server, store (by its own URLs), or auto (the store where clients reach it)", func(c *Config, v string) error { return parseWord(&c.UploadParts, v, "auto", "server", "store") }},
		{"upload-digest", "verify", "verify reads an upload in parts once when it is complete; `claim` believes the SHA-256 that was announced, and makes no manifest", func(c *Config, v string) error { return parseWord(&c.UploadDigest, v, "verify", "claim") }},
		{"keep", "24h", "`duration` for which a replaced or deleted version is kept", func(c *Config, v string) error { return parseDuration(&c.Keep, v, 0) }},
		{"webhook-token", "", "`token` by which an S3 store may tell of its objects, at /api/events/s3 (default: it may not)", func(c *Config, v string) error { return parseToken(&c.WebhookToken, v) }},
		{"max-sessions", "100", "`number` of download sessions that one user may have open, at most 1000", func(c *Config, v string) error { return parseNumber(&c.MaxSessions, v, 1, 1000) }},
		{"stall", "10s", "`duration` without progress after which a client is dropped", func(c *Config, v string) error { return parseDuration(&c.Stall, v, time.Second) }},
		{"transport", "", "on Lambda, the `kind` of events that come: rest, http, alb, url-stream or rest-stream", func(c *Config, v string) error { return parseTransport(&c.Transport, v) }},
		{"stop-timeout", "30s", "`duration` for which running downloads may go on after a stop signal", func(c *Config, v string) error { return parseDuration(&c.StopTimeout, v, 0) }},
	}
}

// Flags adds a flag to fs for every setting, or for those that are named.
func Flags(fs *flag.FlagSet, names ...string) {
	for _, s := range settings() {
		if len(names) == 0 || slices.Contains(names, s.name) {
			fs.String(s.name, s.value, s.usage+" ["+Env(s.name)+"]")
		}
	}
}

// Load returns the configuration: a flag that was given wins over the
// environment, and that over the default. given returns the value of a flag
// and whether the command line has it; nil: there is no command line.
func Load(given func(flag string) (string, bool), getenv func(string) string) (Config, error) {
	c := Config{AWS: readAWS(getenv), RuntimeAPI: getenv("AWS_LAMBDA_RUNTIME_API")}
	for _, s := range settings() {
		value, name := s.value, Env(s.name)
		if env := getenv(name); env != "" {
			value = env
		}
		if given != nil {
			if v, ok := given(s.name); ok {
				value, name = v, "--"+s.name
			}
		}
		if err := s.parse(&c, value); err != nil {
			return Config{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := c.finish(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// finish fills in what follows from other settings and checks those that
// belong together.
func (c *Config) finish() error {
	c.Blob = orFile(c.Blob, "file", filepath.Join(c.Data, "blobs"))
	c.Table = orFile(c.Table, "bolt", filepath.Join(c.Data, "sluice.db"))
	c.Keys = orFile(c.Keys, "file", filepath.Join(c.Data, "keys.json"))
	if err := c.checkImportBuckets(); err != nil {
		return fmt.Errorf("%s: %w", Env("import-buckets"), err)
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return fmt.Errorf("%s and %s belong together: set both or neither", Env("tls-cert"), Env("tls-key"))
	}
	if c.TLSCert != "" {
		if _, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey); err != nil {
			return fmt.Errorf("%s, %s: %w", Env("tls-cert"), Env("tls-key"), err)
		}
	}
	return nil
}

func orFile(u *url.URL, scheme, path string) *url.URL {
	if u != nil {
		return u
	}
	return &url.URL{Scheme: scheme, Path: path}
}

// BaseURL returns how to address the server in what is printed for people: the
// public URL where one is set, else the one that follows from bound, the
// address listened on.
func (c Config) BaseURL(bound net.Addr) string {
	if c.PublicURL != nil {
		return strings.TrimSuffix(c.PublicURL.String(), "/")
	}
	scheme := "http"
	if c.TLSCert != "" {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(bound.String())
	if ip, _ := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}
