package conformance

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// asked is a condition, and the status that it asks for.
type asked struct {
	name, section string
	needs         need
	want          int
	method        string
	fields        func(*prober) []string // in pairs
}

func conditionChecks() []check {
	const get, head = http.MethodGet, http.MethodHead
	const unchanged, failed = http.StatusNotModified, http.StatusPreconditionFailed
	tag := func(name, before string) func(*prober) []string {
		return func(p *prober) []string { return []string{name, before + p.tag} }
	}
	weak := func(p *prober) []string {
		return []string{"If-None-Match", "W/" + strings.TrimPrefix(p.tag, "W/")}
	}
	date := func(name string, by time.Duration) func(*prober) []string {
		return func(p *prober) []string { return []string{name, p.date(by)} }
	}
	fixed := func(fields ...string) func(*prober) []string { return func(*prober) []string { return fields } }
	all := []asked{
		{"if-none-match-other", "RFC 9110 §13.1.2", 0, 200, get, fixed("If-None-Match", otherTag)},
		{"if-none-match-weak", "RFC 9110 §13.1.2", entityTag, unchanged, get, weak},
		{"if-none-match-list", "RFC 9110 §13.1.2", entityTag, unchanged, get, tag("If-None-Match", otherTag+", ")},
		{"if-none-match-any", "RFC 9110 §13.1.2", 0, unchanged, get, fixed("If-None-Match", "*")},
		{"if-none-match-head", "RFC 9110 §13.1.2", entityTag, unchanged, head, tag("If-None-Match", "")},
		{"if-match", "RFC 9110 §13.1.1", strongTag, 200, get, tag("If-Match", "")},
		{"if-match-other", "RFC 9110 §13.1.1", 0, failed, get, fixed("If-Match", otherTag)},
		{"if-match-list", "RFC 9110 §13.1.1", strongTag, 200, get, tag("If-Match", otherTag+", ")},
		{"if-match-any", "RFC 9110 §13.1.1", 0, 200, get, fixed("If-Match", "*")},
		{"if-modified-since-earlier", "RFC 9110 §13.1.3", modified, 200, get, date("If-Modified-Since", -time.Hour)},
		{"if-modified-since-malformed", "RFC 9110 §13.1.3", 0, 200, get, fixed("If-Modified-Since", "tomorrow")},
		{"if-unmodified-since", "RFC 9110 §13.1.4", modified, 200, get, date("If-Unmodified-Since", 0)},
		{"if-unmodified-since-earlier", "RFC 9110 §13.1.4", modified, failed, get, date("If-Unmodified-Since", -time.Hour)},
	}
	checks := []check{
		{"if-none-match", "RFC 9110 §15.4.5", entityTag, checkNotModified},
		{"if-modified-since", "RFC 9110 §13.1.3", modified, checkIfModifiedSince},
	}
	return append(checks, asChecks(all)...)
}

// precedenceChecks have two conditions disagree (RFC 9110 §13.2.2).
func precedenceChecks() []check {
	const section = "RFC 9110 §13.2.2"
	const get = http.MethodGet
	const unchanged, failed = http.StatusNotModified, http.StatusPreconditionFailed
	return asChecks([]asked{
		{"precedence-none-match-over-date", section, modified, 200, get, func(p *prober) []string {
			return []string{"If-None-Match", otherTag, "If-Modified-Since", p.date(0)}
		}},
		{"precedence-match-over-date", section, strongTag | modified, 200, get, func(p *prober) []string {
			return []string{"If-Match", p.tag, "If-Unmodified-Since", p.date(-time.Hour)}
		}},
		{"precedence-match-over-none-match", section, entityTag, failed, get, func(p *prober) []string {
			return []string{"If-Match", otherTag, "If-None-Match", p.tag}
		}},
		{"precedence-none-match-over-range", section, ranges | entityTag, unchanged, get, func(p *prober) []string {
			return []string{"If-None-Match", p.tag, "Range", "bytes=0-0"}
		}},
		{"precedence-match-over-range", section, ranges, failed, get, func(*prober) []string {
			return []string{"If-Match", otherTag, "Range", "bytes=0-0"}
		}},
	})
}

func asChecks(all []asked) []check {
	var checks []check
	for _, a := range all {
		checks = append(checks, check{a.name, a.section, a.needs, func(ctx context.Context, p *prober) verdict {
			return p.wantStatus(ctx, a.want, a.method, a.fields(p)...)
		}})
	}
	return checks
}

// checkNotModified wants a 304 that says of what.
func checkNotModified(ctx context.Context, p *prober) verdict {
	a, err := p.get(ctx, "If-None-Match", p.tag)
	switch {
	case err != nil:
		return fails("There is no answer: %s.", err)
	case a.status != http.StatusNotModified:
		return fails("The answer is %d, and not 304.", a.status)
	case a.header.Get("ETag") != p.tag:
		return fails("The ETag of the 304 is %q, and that of the file %q.", a.header.Get("ETag"), p.tag)
	default:
		return ok()
	}
}

// checkIfModifiedSince only warns of the whole: a server may send it.
func checkIfModifiedSince(ctx context.Context, p *prober) verdict {
	a, err := p.get(ctx, "If-Modified-Since", p.date(0))
	switch {
	case err != nil:
		return fails("There is no answer: %s.", err)
	case a.status == http.StatusNotModified:
		return ok()
	case a.status == http.StatusOK:
		return warns("What has not changed is sent again.")
	default:
		return fails("The answer is %d, and not 304.", a.status)
	}
}
