package config

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

func parseAddr(to *string, v string, optional bool) error {
	if v == "" && optional {
		return nil
	}
	_, port, err := net.SplitHostPort(v)
	if err == nil && port != "" {
		_, err = net.ResolveTCPAddr("tcp", v)
	}
	if err != nil || port == "" {
		return fmt.Errorf("%q is not a host:port such as 127.0.0.1:8080", v)
	}
	*to = v
	return nil
}

func parsePath(to *string, v string) error {
	if v == "" {
		return errors.New("a folder is needed")
	}
	path, err := filepath.Abs(v)
	*to = path
	return err
}

func parsePublicURL(to **url.URL, v string) error {
	if v == "" {
		return nil
	}
	u, err := parseBase(v)
	if err != nil || u.Path != "" {
		return errors.New("want an http or https URL of a host without a path, such as https://files.example.com")
	}
	*to = u
	return nil
}

// parseBase takes a URL that others begin with.
func parseBase(v string) (*url.URL, error) {
	u, err := url.Parse(v)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("want an http or https URL such as https://files.example.com or https://example.com/downloads")
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimRight(u.Path, "/")}, nil
}

func parseQueue(to **url.URL, v string) error {
	if v == "" {
		return nil
	}
	u, err := url.Parse(v)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
		strings.Count(u.Path, "/") < 2 {
		return errors.New("want the URL of a queue, such as https://sqs.eu-central-1.amazonaws.com/123456789012/sluice")
	}
	*to = u
	return nil
}

func parseDownloadURLs(to *[]string, v string) error {
	for i, item := range list(v) {
		u, err := parseBase(item)
		if err != nil {
			return fmt.Errorf("entry %d: %w", i+1, err)
		}
		*to = append(*to, u.String())
	}
	return nil
}

// minToken is the least length of a token, in bytes.
const minToken = 16

// parseToken takes one word, which is what a bearer token is (RFC 6750 §2.1).
func parseToken(to *Secret, v string) error {
	wrong := func(c rune) bool { return c <= ' ' || c > '~' }
	if v != "" && (len(v) < minToken || strings.ContainsFunc(v, wrong)) {
		return fmt.Errorf("want one word of at least %d printable ASCII characters", minToken)
	}
	*to = NewSecret(v)
	return nil
}

func parseNumber(to *int, v string, least, most int) error {
	n, err := strconv.Atoi(v)
	if err != nil || n < least || n > most {
		return fmt.Errorf("%q is not a number from %d to %d", v, least, most)
	}
	*to = n
	return nil
}

func list(v string) []string {
	var out []string
	for item := range strings.SplitSeq(v, ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

func parsePrefixes(to *[]netip.Prefix, v string) error {
	for _, item := range list(v) {
		p, err := netip.ParsePrefix(item)
		if err != nil {
			a, err := netip.ParseAddr(item)
			if err != nil {
				return fmt.Errorf("%q is not an address or a network such as 10.0.0.0/8", item)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		*to = append(*to, p.Masked())
	}
	return nil
}

func parseOrigins(to *[]string, v string) error {
	for i, item := range list(v) {
		u, err := url.Parse(item)
		if item != "*" && (err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.Scheme+"://"+u.Host != item) {
			// Not quoted: a URL may hold a password.
			return fmt.Errorf("entry %d is not an origin such as https://app.example.com", i+1)
		}
		*to = append(*to, item)
	}
	return nil
}

func parseWord(to *string, v string, words ...string) error {
	if !slices.Contains(words, v) {
		return fmt.Errorf("%q is not one of: %s", v, strings.Join(words, ", "))
	}
	*to = v
	return nil
}

func parseTransport(to *string, v string) error {
	if v == "" {
		return nil
	}
	return parseWord(to, v, Transports()...)
}

func parseBool(to *bool, v string) error {
	if err := parseWord(&v, v, "true", "false"); err != nil {
		return err
	}
	*to = v == "true"
	return nil
}

// parseSize takes bytes as digits, with a binary unit (IEC 80000-13) or none.
func parseSize(to *int64, v string) error {
	number, shift := v, 0
	for i, unit := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if rest, ok := strings.CutSuffix(v, unit); ok {
			number, shift = rest, 10*(i+1)
		}
	}
	n, err := strconv.ParseUint(number, 10, 63)
	if err != nil || n > math.MaxInt64>>shift {
		return fmt.Errorf("%q is not a size such as 4194304 or 4MiB", v)
	}
	*to = int64(n) << shift
	return nil
}

func parseLevel(to *slog.Level, v string) error {
	if err := to.UnmarshalText([]byte(v)); err != nil {
		return fmt.Errorf("%q is not one of: debug, info, warn, error", v)
	}
	return nil
}

func parseDuration(to *time.Duration, v string, least time.Duration) error {
	d, err := time.ParseDuration(v)
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 30s or 24h", v)
	}
	if d < least {
		return fmt.Errorf("%s is too short: at least %s", v, least)
	}
	*to = d
	return nil
}
