// Package conformance asks a server for one file in the ways that HTTP has for
// downloads (ranges, conditions, codings, digests), and says where the answers
// are not what RFC 9110 and RFC 9530 ask for. A download client lives by these
// answers: a server that sends a part of another version, and calls it a part of
// this one, leaves a wrong file behind.
package conformance

import (
	"context"
	"net/http"
	"net/url"

	"sluice/shared/fault"
)

// Outcome is what came of a check.
type Outcome string

// The outcomes.
const (
	OK            Outcome = "ok"
	Fails         Outcome = "fails"          // it is not what a MUST of the RFC asks for, or is not true
	Warning       Outcome = "warning"        // it is allowed, and a download suffers by it
	NotApplicable Outcome = "not applicable" // the server lacks what the check is about
)

// Finding is what came of one check.
type Finding struct {
	Check   string  `json:"check"`   // its name, such as if-range-stale
	Section string  `json:"section"` // of the RFC, such as "RFC 9110 §13.1.5"
	Outcome Outcome `json:"outcome"`
	Detail  string  `json:"detail,omitempty"` // a sentence; never a URL, which may be a secret
}

// Options say how to ask.
type Options struct {
	Transport http.RoundTripper // nil: http.DefaultTransport's settings; it must not decompress
	Header    http.Header       // for the URL's own host, beside the fields that the checks need
	UserAgent string

	// Authorize returns the Authorization field for a URL, or "". It is asked
	// anew where a redirect leads to. nil: none.
	Authorize func(*url.URL) string
}

// MaxRead is about how many bytes a run reads at the most, whatever the size of
// the file: a whole file of up to 4 MiB, or else the beginning of a large one,
// and little of each other answer.
const MaxRead = maxWhole + 128*maxBody

const (
	maxWhole = 4 << 20  // of the file as it is asked for first
	maxBody  = 32 << 10 // of every other answer
)

// Run makes every check, in a fixed order. It is an error where the file cannot
// be had by a plain GET: NotFound, Unauthenticated, Forbidden, Unavailable, or
// Upstream for any other answer. Requests are sent one after the other.
func Run(ctx context.Context, rawURL string, o Options) ([]Finding, error) {
	p, err := newProber(rawURL, o)
	if err != nil {
		return nil, err
	}
	defer p.client.CloseIdleConnections()
	if err := p.look(ctx); err != nil {
		return nil, err
	}
	var findings []Finding
	for _, c := range checks() {
		f := Finding{Check: c.name, Section: c.section, Outcome: NotApplicable}
		if f.Detail = p.lacks(c.needs); f.Detail == "" {
			v := c.run(ctx, p)
			f.Outcome, f.Detail = v.outcome, v.detail
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		findings = append(findings, f)
	}
	return findings, nil
}

// check is one thing that is asked.
type check struct {
	name    string
	section string
	needs   need
	run     func(context.Context, *prober) verdict
}

// checks returns all checks in the order in which they are made.
func checks() []check {
	var all []check
	all = append(all, representationChecks()...)
	all = append(all, rangeChecks()...)
	all = append(all, ifRangeChecks()...)
	all = append(all, conditionChecks()...)
	all = append(all, precedenceChecks()...)
	return append(all, contentChecks()...)
}

// need is what a check can do nothing without.
type need int

const (
	ranges    need = 1 << iota // that they are honoured
	entityTag                  // any
	strongTag                  // a strong one
	modified                   // a date of the last modification
	twoBytes                   // a file of two bytes at least
)

// lacks says what there is not, or "".
func (p *prober) lacks(n need) string {
	switch {
	case n != 0 && p.coding != "":
		return "The file comes in another coding than was asked for."
	case n&entityTag != 0 && p.tag == "":
		return "There is no ETag."
	case n&strongTag != 0 && (p.tag == "" || isWeak(p.tag)):
		return "There is no strong ETag."
	case n&modified != 0 && p.modified.IsZero():
		return "There is no Last-Modified."
	case n&ranges != 0 && p.size == 0:
		return "The file is empty."
	case n&ranges != 0 && !p.ranges:
		return "Ranges are ignored."
	case n&ranges != 0 && p.size < 0:
		return "The size is not known."
	case n&twoBytes != 0 && p.size < 2:
		return "The file has a single byte."
	default:
		return ""
	}
}

// newProber checks the URL.
func newProber(rawURL string, o Options) (*prober, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fault.New(fault.Invalid, "usage", "A URL is such as https://example.com/file.bin.") // it may be a secret
	}
	if o.Transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.DisableCompression = true // or it would hide what is sent
		o.Transport = t
	}
	p := &prober{url: u, options: o}
	p.client = &http.Client{Transport: o.Transport, CheckRedirect: p.redirect}
	return p, nil
}
